// SPDX-License-Identifier: Apache-2.0
//! Runs random schedules and says how many failed; the first that did is told whole.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use serde_json::json;
use simulation::contract::{self, RECORDED};
use simulation::schedule::run;
use simulation::trace::Trace;

/// Runs random schedules of the reading core.
#[derive(Parser)]
struct Arguments {
    /// How many schedules.
    #[arg(long, default_value_t = 10_000)]
    schedules: u64,
    /// The first schedule's seed; each next one has the next.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End at the first failure.
    #[arg(long = "first-failure")]
    first_failure_only: bool,
    /// Tell the whole schedule of `--seed`, whatever comes of it.
    #[arg(long)]
    replay: bool,
    /// Write what the core says at the seam, see contract/README.md, and run nothing else.
    #[arg(long)]
    record: bool,
    /// Also write the line of JSON into this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.replay {
        return match tell(arguments.seed) {
            Ok(()) => ExitCode::SUCCESS,
            Err(()) => ExitCode::FAILURE,
        };
    }
    if arguments.record {
        return record();
    }
    let begin = Instant::now();
    let next = AtomicU64::new(0);
    let (run_, failures, repeated, changes) = (
        AtomicU64::new(0),
        AtomicU64::new(0),
        AtomicU64::new(0),
        AtomicU64::new(0),
    );
    let first_failure: Mutex<Option<u64>> = Mutex::new(None);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let over = arguments.first_failure_only && failures.load(Ordering::Relaxed) > 0;
                    if number >= arguments.schedules || over {
                        return;
                    }
                    let seed = arguments.seed.wrapping_add(number);
                    // A broken expectation of the core's or the model's own is a failure like any other.
                    let outcome = std::panic::catch_unwind(|| run(seed, &mut Trace::default()));
                    run_.fetch_add(1, Ordering::Relaxed);
                    match outcome {
                        Ok(Ok(outcome)) => {
                            repeated.fetch_add(outcome.repeated as u64, Ordering::Relaxed);
                            changes.fetch_add(outcome.changes as u64, Ordering::Relaxed);
                        }
                        Ok(Err(_)) | Err(_) => {
                            failures.fetch_add(1, Ordering::Relaxed);
                            let mut first = first_failure.lock().expect("nobody panics with it");
                            *first = Some(first.map_or(seed, |known| known.min(seed)));
                        }
                    }
                }
            });
        }
    });
    let first_failure = first_failure.into_inner().expect("nobody panics with it");
    if let Some(seed) = first_failure {
        let _ = tell(seed);
    }
    let failures = failures.into_inner();
    let line = json!({
        "schedules": run_.into_inner(),
        "failures": failures,
        "seed": arguments.seed,
        "first_failure": first_failure,
        "changes": changes.into_inner(),
        "repeated_after_merge": repeated.into_inner(),
        "seconds": (begin.elapsed().as_secs_f64() * 10.0).round() / 10.0,
    })
    .to_string();
    println!("{line}");
    if let Some(file) = arguments.json
        && let Err(error) = std::fs::write(&file, line + "\n")
    {
        eprintln!("{}: {error}", file.display());
        return ExitCode::FAILURE;
    }
    if failures > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn record() -> ExitCode {
    for (name, seed, about) in RECORDED {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("contract")
            .join(format!("{name}.jsonl"));
        let written = contract::record(*seed).and_then(|lines| {
            let text = lines.join("\n") + "\n";
            std::fs::write(&file, text).map_err(|error| error.to_string())
        });
        match written {
            Ok(()) => println!("{}: schedule {seed}, {about}", file.display()),
            Err(error) => {
                eprintln!("{}: {error}", file.display());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Prints a schedule and what came of it.
fn tell(seed: u64) -> Result<(), ()> {
    let mut trace = Trace::kept();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(seed, &mut trace)));
    println!("schedule {seed}");
    for line in trace.lines() {
        println!("{line}");
    }
    match outcome {
        Ok(Ok(outcome)) => {
            println!("holds: {outcome:?}");
            Ok(())
        }
        Ok(Err(what)) => {
            println!("FAILED: {what}");
            Err(())
        }
        Err(_) => {
            println!("FAILED: a panic, see above");
            Err(())
        }
    }
}
