// SPDX-License-Identifier: Apache-2.0
//! The seeds of the fuzzers, without a fuzzer. Those named `ok-…` must be taken, all others refused: a seed that is
//! refused where it should be taken leads no fuzzer anywhere.

use std::fs;
use std::path::Path;

use change_feed::position::Position;

#[test]
fn seeds_are_taken_or_refused_as_their_names_say() {
    for (name, check) in fuzz_targets::CHECKS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let mut taken = 0;
        for seed in fs::read_dir(&folder).unwrap() {
            let path = seed.unwrap().path();
            let expected = path.file_name().unwrap().to_string_lossy().starts_with("ok-");
            assert_eq!(check(&fs::read(&path).unwrap()), expected, "{}", path.display());
            taken += u32::from(expected);
        }
        assert!(taken > 0, "no seed of {name} is taken");
    }
}

/// The seeds are positions as they lie in users' savepoints: none of them may be read as another after any damage.
#[test]
fn a_position_that_was_damaged_anywhere_is_refused() {
    for name in ["ok-fresh", "ok-read", "ok-present-state", "ok-all-versions"] {
        let seed = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/position").join(name)).unwrap();
        let end = seed.iter().position(|byte| *byte == b'\n').unwrap();
        let id = std::str::from_utf8(&seed[..end]).unwrap();
        let whole = fuzz_targets::position::frame(&seed[end + 1..]);
        assert!(Position::decode(id, &whole).is_ok(), "{name}");
        for length in 0..whole.len() {
            assert!(
                Position::decode(id, &whole[..length]).is_err(),
                "{name}: {length} bytes"
            );
        }
        for at in 0..whole.len() {
            for damage in 1..=u8::MAX {
                let mut damaged = whole.clone();
                damaged[at] ^= damage;
                assert!(Position::decode(id, &damaged).is_err(), "{name}: byte {at} ^ {damage}");
            }
        }
        assert!(
            Position::decode(id, &[&whole[..], &[0]].concat()).is_err(),
            "{name}: a byte more"
        );
    }
}
