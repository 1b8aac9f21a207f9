// SPDX-License-Identifier: Apache-2.0
//! What merges bring again is told apart from every other duplicate.

use super::super::tests::{changed, emitted, served, wrote};
use super::super::{Mode, Report, Settings, compare};
use super::*;
use crate::change_log::{Entry, Operation};
use crate::committed::{Change, ChangeOperation};

/// Partitions 0 and 1 are merged at second 200, when the log has three entries.
fn merge() -> Merge {
    Merge {
        ancestors: ["0".to_owned(), "1".to_owned()].into(),
        min: String::new(),
        max: "80".into(),
        began_ms: 200_000,
        last_seq: 3,
    }
}

fn merged(merges: Vec<Merge>) -> Settings {
    Settings {
        merges,
        page_size: 10,
        ..Settings::default()
    }
}

/// Three documents before the merge, one after it.
fn log() -> Vec<Entry> {
    let log = vec![
        wrote(1, "a", "x", "a1", Operation::Create),
        wrote(2, "b", "x", "b1", Operation::Create),
        wrote(3, "c", "x", "c1", Operation::Create),
        wrote(4, "d", "x", "d1", Operation::Create),
    ];
    served(log, &[(1, 100), (2, 100), (3, 100), (4, 300)])
}

/// A line of a split for each name, a millisecond apart.
fn lines(names: &[&str], split: &str, at: i64) -> Vec<Change> {
    let line = |(name, at): (&&str, i64)| Change {
        split: split.into(),
        ..emitted(name, "x", &format!("{name}1"), at)
    };
    names.iter().zip(at..).map(line).collect()
}

/// Repeated after a merge, and duplicated.
fn counts(report: &Report) -> (u64, u64) {
    (report.repeated_after_merge, report.duplicated)
}

const WHOLE: &str = "-80@0";

#[test]
fn the_page_that_a_merge_brings_again_is_counted_apart() {
    let files = [
        lines(&["a", "b"], WHOLE, 101_000),
        lines(&["a", "b", "c", "d"], WHOLE, 301_000),
    ];
    let report = compare(&log(), &files, &merged(vec![merge()]));
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.repeated_after_merge, report.distinct), (2, 4));
    assert_eq!(
        counts(&compare(&log(), &files, &Settings::default())),
        (0, 2),
        "without the merge"
    );
    let elsewhere = Merge {
        min: "80".into(),
        max: "FF".into(),
        ..merge()
    };
    assert_eq!(
        counts(&compare(&log(), &files, &merged(vec![elsewhere]))),
        (0, 2),
        "of other ranges"
    );
}

#[test]
fn a_merge_excuses_no_other_duplicate() {
    let counts_of = |again: Vec<Change>| {
        let first = lines(&["a", "b", "c"], WHOLE, 101_000);
        counts(&compare(&log(), &[first, again], &merged(vec![merge()])))
    };
    assert_eq!(counts_of(lines(&["a"], WHOLE, 199_999)), (0, 1), "before the merge");
    assert_eq!(
        counts_of(lines(&["d", "d"], WHOLE, 301_000)),
        (0, 1),
        "written after it"
    );
    assert_eq!(counts_of(lines(&["a", "a"], WHOLE, 201_000)), (1, 1), "twice");
    assert_eq!(
        counts_of(lines(&["a", "d", "b"], WHOLE, 301_000)),
        (1, 1),
        "behind something new"
    );
    assert_eq!(
        counts_of(lines(&["b", "a"], WHOLE, 201_000)),
        (1, 1),
        "in another order"
    );
    assert_eq!(
        counts_of(lines(&["a"], "80-FF@0", 201_000)),
        (0, 1),
        "by a split elsewhere"
    );
}

#[test]
fn a_run_is_of_the_last_page_and_no_longer_than_one() {
    let many: Vec<Entry> = (1..=200)
        .map(|seq| wrote(seq, &format!("i{seq}"), "x", &format!("i{seq}1"), Operation::Create))
        .collect();
    let many = served(many, &(1..=200).map(|lsn| (lsn, 100)).collect::<Vec<_>>());
    let names: Vec<String> = (1..=200).map(|number| format!("i{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let settings = Settings {
        page_size: 2,
        ..merged(vec![Merge {
            last_seq: 200,
            ..merge()
        }])
    };
    // A page of two, and the 99 other operations of a transaction.
    for (from, expected) in [(99, (101, 0)), (98, (0, 102)), (199, (1, 0))] {
        let files = [lines(&names, WHOLE, 101_000), lines(&names[from..], WHOLE, 201_000)];
        assert_eq!(counts(&compare(&many, &files, &settings)), expected, "from {from}");
    }
}

#[test]
fn each_merge_has_one_run_of_a_split_and_of_its_parts() {
    let again = |split: &str, at: i64| lines(&["a", "b"], split, at);
    let first = lines(&["a", "b", "c"], WHOLE, 101_000);
    let second = Merge {
        began_ms: 400_000,
        ..merge()
    };
    let both = merged(vec![merge(), second]);
    let files = |third: Vec<Change>| vec![first.clone(), again(WHOLE, 201_000), third];
    for split in [WHOLE, "-40@1"] {
        assert_eq!(
            counts(&compare(&log(), &files(again(split, 301_000)), &both)),
            (2, 2),
            "{split} before the second merge"
        );
        assert_eq!(
            counts(&compare(&log(), &files(again(split, 401_000)), &both)),
            (4, 0),
            "{split} after it"
        );
    }
    // Brought by the first, and emitted so late that the second had begun.
    let late = vec![
        first.clone(),
        again(WHOLE, 401_000),
        lines(&["d"], WHOLE, 402_000),
        lines(&["c", "d"], WHOLE, 403_000),
    ];
    let last = Merge {
        began_ms: 400_000,
        last_seq: 4,
        ..merge()
    };
    assert_eq!(counts(&compare(&log(), &late, &merged(vec![merge(), last]))), (4, 0));
}

#[test]
fn a_run_that_a_failure_cut_short_is_followed_by_a_whole_one_of_the_next_merge() {
    let files = |last: &[&str]| {
        vec![
            lines(&["a", "b", "c"], WHOLE, 101_000),
            lines(&["a", "b"], WHOLE, 201_000),
            lines(last, WHOLE, 401_000),
        ]
    };
    let second = Merge {
        began_ms: 400_000,
        ..merge()
    };
    let both = merged(vec![merge(), second]);
    assert_eq!(counts(&compare(&log(), &files(&["a", "b", "c", "d"]), &both)), (5, 0));
    assert_eq!(
        counts(&compare(&log(), &files(&["b", "a", "c", "d"]), &both)),
        (3, 2),
        "in another order"
    );
    let one = merged(vec![merge()]);
    assert_eq!(
        counts(&compare(&log(), &files(&["a", "b", "c", "d"]), &one)),
        (2, 3),
        "without a second merge"
    );
    assert_eq!(
        counts(&compare(&log(), &files(&["c", "d"]), &one)),
        (3, 0),
        "the run goes on behind the failure"
    );
}

#[test]
fn what_is_brought_again_is_kept_together() {
    let log = served(log(), &[(1, 100), (2, 100), (2, 100), (4, 300)]);
    let whole = [
        lines(&["a", "b", "c"], WHOLE, 101_000),
        lines(&["b", "c", "d"], WHOLE, 301_000),
    ];
    let settings = merged(vec![merge()]);
    assert!(compare(&log, &whole, &settings).is_clean());
    let apart = [
        lines(&["a", "b", "c"], WHOLE, 101_000),
        lines(&["b"], WHOLE, 201_000),
        lines(&["c"], WHOLE, 202_000),
        lines(&["d"], WHOLE, 301_000),
    ];
    assert_eq!(compare(&log, &apart, &settings).torn, 1);
}

#[test]
fn state_that_comes_as_a_change_too_is_counted_apart() {
    use ChangeOperation::{Replace, Unknown};
    let log = vec![
        wrote(1, "a", "x", "a1", Operation::Create),
        wrote(2, "a", "x", "a2", Operation::Replace),
        wrote(3, "a", "x", "a3", Operation::Replace),
    ];
    let log = served(log, &[(1, 100), (2, 101), (3, 102)]);
    let line = |etag: &str, previous: Option<&str>, op, at| Change {
        split: WHOLE.into(),
        ..changed("a", Some(etag), previous, op, at)
    };
    // Pinned behind the first version; the end was taken again behind the last.
    let files = |state_at: i64, change_at: i64| {
        vec![vec![
            line("a3", None, Unknown, state_at),
            line("a2", Some("a1"), Replace, change_at),
            line("a3", Some("a2"), Replace, change_at + 1),
        ]]
    };
    let settings = |merges| Settings {
        mode: Mode::PresentStateThenChanges,
        ..merged(merges)
    };
    let report = compare(&log, &files(201_000, 202_000), &settings(vec![merge()]));
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.repeated_after_merge, report.state_repeated_after_merge), (0, 1));
    let without = compare(&log, &files(201_000, 202_000), &settings(Vec::new()));
    assert_eq!((without.duplicated, without.out_of_order), (1, 1));
    let before = compare(&log, &files(199_999, 202_000), &settings(vec![merge()]));
    assert_eq!((before.duplicated, before.state_repeated_after_merge), (1, 0));
    let mut backwards = files(201_000, 202_000);
    backwards[0].swap(0, 2);
    backwards[0][0].at = 200_500;
    backwards[0][2].at = 203_000;
    assert_eq!(compare(&log, &backwards, &settings(vec![merge()])).duplicated, 1);
}
