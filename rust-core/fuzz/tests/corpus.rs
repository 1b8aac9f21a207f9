// SPDX-License-Identifier: Apache-2.0
//! The seeds of the fuzzers, without a fuzzer. Those named `ok-…` must be taken, all others refused: a seed that is
//! refused where it should be taken leads no fuzzer anywhere.

use std::fs;
use std::path::Path;

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
