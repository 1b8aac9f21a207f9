// SPDX-License-Identifier: Apache-2.0
//! What the core says at the seam is what the connector's simulation is told it says.

use std::path::PathBuf;

use simulation::contract::{RECORDED, check, record};

#[test]
fn the_core_still_says_what_was_recorded() {
    for (name, seed, about) in RECORDED {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("contract")
            .join(format!("{name}.jsonl"));
        let recorded: Vec<String> = std::fs::read_to_string(&file)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect();
        let said = record(*seed).unwrap();
        for (number, (now, then)) in said.iter().zip(&recorded).enumerate() {
            assert_eq!(
                now,
                then,
                "{name} ({about}), line {}; see contract/README.md",
                number + 1
            );
        }
        assert_eq!(said.len(), recorded.len(), "{name} ({about})");
    }
}

#[test]
fn the_rules_hold_for_what_the_core_says() {
    for seed in RECORDED.iter().map(|(_, seed, _)| *seed).chain(5_000..5_200) {
        let said = record(seed).unwrap();
        check(&said).unwrap_or_else(|broken| panic!("schedule {seed}: {broken}"));
    }
}

#[test]
fn the_rules_refuse_what_breaks_them() {
    let add = r#"{"reader":0,"call":"addSplits","splits":[{"split":"a","range":"[,FF)","position":0}]}"#;
    let page = r#"{"reader":0,"page":"documents","split":"a","groups":[[1],[2,2]],"positions":[1,2]}"#;
    let release = r#"{"reader":0,"call":"releaseSplits","splits":["a"]}"#;
    let released = r#"{"reader":0,"page":"rangeReleased","split":"a"}"#;
    let divided = r#"{"reader":0,"page":"rangeSplit","split":"a","children":[
        {"split":"b","range":"[,7F)","position":1},{"split":"c","range":"[7F,FF)","position":1}]}"#;
    let restart = r#"{"restart":1}"#;
    let torn = page.replace("[2,2]", "[2,3]");
    let falling = page.replace("[[1],[2,2]]", "[[2],[1]]");
    let hole = divided.replace("[7F,FF)", "[8F,FF)");
    let keeps = |lines: &[&str]| check(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>()).is_ok();
    assert!(keeps(&[add, page, release, released, add, divided, restart, add]));
    assert!(keeps(&[release, add, released, add, page]), "asked before the add");
    for broken in [
        &[page][..],
        &[add, add],
        &[add, released],
        &[add, release, released, released],
        &[release, add, released, add, released],
        &[add, divided, page],
        &[add, &torn],
        &[add, &falling],
        &[add, &hole],
    ] {
        assert!(!keeps(broken), "{broken:?}");
    }
}
