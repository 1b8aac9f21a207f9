// SPDX-License-Identifier: Apache-2.0
//! Feeds a check with damaged seeds for some seconds: what is left of fuzzing where libFuzzer cannot be built. Takes the
//! arguments of a fuzzer that `scripts/fuzz` gives, behind the check's name, and prints the same figures.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Runs between two looks at the clock.
const BATCH: u64 = 256;
/// Bytes that mean something to JSON and to lengths in front of what they count.
const TELLING: &[u8] = b"\x00\x01\x7f\x80\xff{}[]\",:\\0-9eE";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name));
    let name = arguments.first().expect("the name of a check");
    let check = fuzz_targets::CHECKS
        .iter()
        .find_map(|(known, check)| (known == name).then_some(*check))
        .expect("a known check");
    let seconds = option("-max_total_time=")
        .and_then(|text| text.parse().ok())
        .unwrap_or(60);
    let longest = option("-max_len=").and_then(|text| text.parse().ok()).unwrap_or(4096);
    let findings = option("-artifact_prefix=").unwrap_or_default();
    let seeds: Vec<Vec<u8>> = arguments[1..]
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .flat_map(|folder| fs::read_dir(Path::new(folder)).expect("a folder of seeds"))
        .map(|file| fs::read(file.expect("a seed").path()).expect("a seed"))
        .collect();
    let seed = fastrand::u64(..);
    fastrand::seed(seed);
    println!("unguided, seed {seed}");
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut runs = 0;
    while Instant::now() < until {
        for _ in 0..BATCH {
            let input = damaged(&seeds, longest);
            runs += 1;
            if catch_unwind(|| check(&input)).is_err() {
                fs::write(format!("{findings}unguided"), &input).expect("the folder of findings");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("cov: 0\nstat::number_of_executed_units: {runs}");
    ExitCode::SUCCESS
}

/// A seed with some bytes changed, taken out, put in, or followed by the end of another.
fn damaged(seeds: &[Vec<u8>], longest: usize) -> Vec<u8> {
    let mut input = fastrand::choice(seeds).cloned().unwrap_or_default();
    for _ in 0..fastrand::usize(1..5) {
        let at = fastrand::usize(..=input.len());
        match fastrand::u8(..6) {
            0 if at < input.len() => input[at] ^= 1 << fastrand::u8(..8),
            1 if at < input.len() => input[at] = TELLING[fastrand::usize(..TELLING.len())],
            2 => input.insert(at, TELLING[fastrand::usize(..TELLING.len())]),
            3 => drop(input.drain(at..fastrand::usize(at..=input.len()).min(at + 8))),
            4 => {
                let end = fastrand::usize(at..=input.len()).min(at + 64);
                input.splice(at..at, input[at..end].to_vec());
            }
            5 => {
                let other = fastrand::choice(seeds).cloned().unwrap_or_default();
                input.truncate(at);
                input.extend_from_slice(&other[fastrand::usize(..=other.len())..]);
            }
            _ => input.push(fastrand::u8(..)),
        }
    }
    input.truncate(longest);
    input
}
