// SPDX-License-Identifier: Apache-2.0
//! Made-up logs and files with one mistake each: the comparison finds it and nothing else.

use serde_json::json;

use super::*;
use crate::change_log::Operation;
use crate::committed::ChangeOperation;

/// In latest-version mode, without merges.
fn compare(log: &[Entry], files: &[Vec<Change>]) -> Report {
    super::compare(log, files, &Settings::default())
}

pub(super) fn wrote(seq: u64, id: &str, pk: &str, etag: &str, op: Operation) -> Entry {
    Entry {
        seq,
        partition: None,
        lsn: None,
        id: id.into(),
        pk: json!([pk]),
        etag: Some(format!("\"{etag}\"")),
        op,
        ts: None,
    }
}

pub(super) fn emitted(id: &str, pk: &str, etag: &str, at: i64) -> Change {
    Change {
        id: id.into(),
        pk: json!(pk),
        etag: Some(format!("\"{etag}\"")),
        split: "-FF@0".into(),
        at,
        ..Change::default()
    }
}

/// Document a is written twice, b once, in partition key x; c in y.
fn log() -> Vec<Entry> {
    vec![
        wrote(1, "a", "x", "a1", Operation::Create),
        wrote(2, "b", "x", "b1", Operation::Create),
        wrote(3, "a", "x", "a2", Operation::Replace),
        wrote(4, "c", "y", "c1", Operation::Upsert),
    ]
}

#[test]
fn everything_emitted_once_and_in_order_is_clean() {
    let files = [
        vec![emitted("a", "x", "a1", 10), emitted("b", "x", "b1", 11)],
        vec![emitted("c", "y", "c1", 10), emitted("a", "x", "a2", 20)],
    ];
    let report = compare(&log(), &files);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(
        (report.written, report.emitted, report.distinct, report.documents),
        (4, 4, 4, 3)
    );
    assert_eq!(
        (report.first_emitted_ms, report.last_emitted_ms, report.files),
        (10, 20, 2)
    );
}

#[test]
fn a_version_that_was_overwritten_before_it_was_read_is_not_lost() {
    let files = [vec![
        emitted("b", "x", "b1", 1),
        emitted("a", "x", "a2", 2),
        emitted("c", "y", "c1", 3),
    ]];
    assert!(compare(&log(), &files).is_clean());
}

#[test]
fn finds_a_lost_last_version() {
    let files = [vec![
        emitted("a", "x", "a1", 1),
        emitted("b", "x", "b1", 2),
        emitted("c", "y", "c1", 3),
    ]];
    let report = compare(&log(), &files);
    assert_eq!(
        (report.lost, report.duplicated, report.not_in_log, report.out_of_order),
        (1, 0, 0, 0)
    );
    assert_eq!(
        report.samples,
        ["lost: id a, Replace with ETag a2, entry 3 of the log, LSN None of partition None"]
    );
    assert!(!report.is_clean());
}

#[test]
fn a_deleted_document_is_not_lost_and_a_recreated_one_is() {
    let mut log = log();
    log.push(wrote(5, "c", "y", "c2", Operation::Delete));
    let files = [vec![emitted("b", "x", "b1", 1), emitted("a", "x", "a2", 2)]];
    assert!(compare(&log, &files).is_clean());
    log.push(wrote(6, "c", "y", "c3", Operation::Create));
    assert_eq!(compare(&log, &files).lost, 1);
}

#[test]
fn finds_a_doubled_change_in_one_file_and_across_files() {
    let whole = vec![
        emitted("a", "x", "a1", 1),
        emitted("b", "x", "b1", 2),
        emitted("a", "x", "a2", 3),
        emitted("c", "y", "c1", 4),
    ];
    let mut twice = whole.clone();
    twice.push(emitted("a", "x", "a2", 5));
    let report = compare(&log(), &[twice]);
    assert_eq!(
        (report.duplicated, report.emitted, report.distinct, report.lost),
        (1, 5, 4, 0)
    );
    let report = compare(&log(), &[whole, vec![emitted("b", "x", "b1", 9)]]);
    assert_eq!((report.duplicated, report.out_of_order), (1, 0));
}

#[test]
fn finds_a_change_that_nobody_wrote() {
    let mut changes = vec![
        emitted("b", "x", "b1", 1),
        emitted("a", "x", "a2", 2),
        emitted("c", "y", "c1", 3),
    ];
    changes.push(emitted("c", "y", "c9", 4));
    changes.push(emitted("c", "z", "c1", 5));
    changes.push(emitted("d", "x", "d1", 6));
    let report = compare(&log(), &[changes]);
    assert_eq!((report.not_in_log, report.lost, report.duplicated), (3, 0, 0));
}

#[test]
fn the_same_id_under_two_partition_keys_is_two_documents() {
    let log = [
        wrote(1, "a", "x", "e1", Operation::Create),
        wrote(2, "a", "y", "e2", Operation::Create),
    ];
    let report = compare(&log, &[vec![emitted("a", "x", "e1", 1)]]);
    assert_eq!((report.documents, report.lost), (2, 1));
}

#[test]
fn finds_disorder_within_a_file() {
    let files = [vec![
        emitted("a", "x", "a2", 1),
        emitted("b", "x", "b1", 2),
        emitted("c", "y", "c1", 3),
    ]];
    let report = compare(&log(), &files);
    assert_eq!((report.out_of_order, report.lost, report.duplicated), (1, 0, 0));
}

#[test]
fn finds_disorder_between_files_whether_they_overlap_or_not() {
    let later_first = [
        vec![emitted("a", "x", "a2", 1), emitted("c", "y", "c1", 1)],
        vec![emitted("b", "x", "b1", 5)],
    ];
    assert_eq!(compare(&log(), &later_first).out_of_order, 1);
    let around = [
        vec![
            emitted("a", "x", "a1", 1),
            emitted("a", "x", "a2", 9),
            emitted("c", "y", "c1", 9),
        ],
        vec![emitted("b", "x", "b1", 5)],
    ];
    assert_eq!(compare(&log(), &around).out_of_order, 1);
}

#[test]
fn the_documents_of_one_transaction_have_no_order_among_each_other() {
    let mut log = log();
    for (entry, lsn) in log.iter_mut().zip([7, 7, 8, 3]) {
        entry.partition = Some("0".into());
        entry.lsn = Some(lsn);
    }
    let backwards = [vec![
        emitted("b", "x", "b1", 1),
        emitted("a", "x", "a1", 2),
        emitted("a", "x", "a2", 3),
        emitted("c", "y", "c1", 4),
    ]];
    assert!(compare(&log, &backwards).is_clean());
    log[1].lsn = Some(9);
    assert_eq!(compare(&log, &backwards).out_of_order, 1);
    log[1].partition = None;
    log[1].lsn = None;
    log[1].seq = 1;
    assert!(compare(&log, &backwards).is_clean(), "as a journal has it");
}

#[test]
fn partition_keys_are_not_ordered_among_each_other() {
    let files = [vec![
        emitted("c", "y", "c1", 1),
        emitted("a", "x", "a1", 2),
        emitted("b", "x", "b1", 3),
        emitted("a", "x", "a2", 4),
    ]];
    assert!(compare(&log(), &files).is_clean());
}

#[test]
fn a_write_without_an_answer_may_have_made_a_version() {
    let mut log = log();
    log.push(Entry {
        seq: 5,
        partition: None,
        lsn: None,
        id: "c".into(),
        pk: json!("y"),
        etag: None,
        op: Operation::Uncertain,
        ts: None,
    });
    let files = [vec![
        emitted("b", "x", "b1", 1),
        emitted("a", "x", "a2", 2),
        emitted("c", "y", "c7", 3),
    ]];
    let report = compare(&log, &files);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.unacknowledged, 1);
    log.push(wrote(6, "c", "y", "c8", Operation::Upsert));
    assert_eq!(
        compare(&log, &files).lost,
        1,
        "an answered write makes the last version known again"
    );
}

/// Entries of partition 0, the LSN and the second of each.
pub(super) fn served(mut log: Vec<Entry>, lsns_and_seconds: &[(u64, i64)]) -> Vec<Entry> {
    for (entry, (lsn, ts)) in log.iter_mut().zip(lsns_and_seconds) {
        entry.partition = Some("0".into());
        entry.lsn = Some(*lsn);
        entry.ts = Some(*ts);
    }
    log
}

/// Documents a and b are written in one transaction, then b is written again 5 s later.
fn transaction() -> Vec<Entry> {
    let log = vec![
        wrote(1, "a", "x", "a1", Operation::Create),
        wrote(2, "b", "x", "b1", Operation::Create),
        wrote(3, "b", "x", "b2", Operation::Replace),
    ];
    served(log, &[(1, 100), (1, 100), (2, 105)])
}

#[test]
fn a_transaction_in_one_file_is_whole() {
    let files = [vec![
        emitted("a", "x", "a1", 101_000),
        emitted("b", "x", "b1", 101_000),
        emitted("b", "x", "b2", 106_000),
    ]];
    let report = compare(&transaction(), &files);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.transactions, 1);
}

#[test]
fn finds_a_transaction_that_was_committed_in_two_parts() {
    let files = [
        vec![emitted("a", "x", "a1", 101_000)],
        vec![emitted("b", "x", "b1", 101_001), emitted("b", "x", "b2", 106_000)],
    ];
    let report = compare(&transaction(), &files);
    assert_eq!((report.torn, report.lost, report.duplicated), (1, 0, 0), "{report:?}");
    assert!(!report.is_clean());
}

#[test]
fn entries_of_other_partitions_may_stand_within_a_transaction() {
    let mut log = transaction();
    log[2].seq = 4;
    let other = served(vec![wrote(2, "z", "z", "z1", Operation::Create)], &[(1, 100)]);
    log.insert(
        1,
        Entry {
            partition: Some("9".into()),
            ..other[0].clone()
        },
    );
    let files = [
        vec![emitted("a", "x", "a1", 101_000), emitted("z", "z", "z1", 101_000)],
        vec![emitted("b", "x", "b1", 101_001), emitted("b", "x", "b2", 106_000)],
    ];
    let report = compare(&log, &files);
    assert_eq!((report.torn, report.transactions), (1, 1), "{report:?}");
}

#[test]
fn finds_a_part_that_was_there_to_be_read_and_forgives_one_that_had_gone() {
    let without = |at| {
        [vec![
            emitted("a", "x", "a1", at),
            emitted("b", "x", "b2", at.max(106_000)),
        ]]
    };
    assert_eq!(compare(&transaction(), &without(104_999)).torn, 1);
    let read_later = compare(&transaction(), &without(105_000));
    assert!(read_later.is_clean(), "{read_later:?}");
}

pub(super) fn changed(id: &str, etag: Option<&str>, previous: Option<&str>, op: ChangeOperation, at: i64) -> Change {
    Change {
        etag: etag.map(str::to_owned),
        previous_etag: previous.map(str::to_owned),
        op,
        ..emitted(id, "x", "", at)
    }
}

/// A life with an end: created, replaced, deleted, created again; and b beside it in the transaction of the replace.
fn life() -> Vec<Entry> {
    let mut log = vec![
        wrote(1, "a", "x", "a1", Operation::Create),
        wrote(2, "a", "x", "a2", Operation::Upsert),
        wrote(3, "b", "x", "b1", Operation::Upsert),
        wrote(4, "a", "x", "", Operation::Delete),
        wrote(5, "a", "x", "a3", Operation::Create),
    ];
    log[3].etag = None;
    served(log, &[(1, 100), (2, 100), (2, 100), (3, 100), (4, 100)])
}

fn told() -> Vec<Change> {
    use ChangeOperation::{Create, Delete, Replace};
    vec![
        changed("a", Some("a1"), None, Create, 1),
        changed("a", Some("a2"), Some("a1"), Replace, 2),
        changed("b", Some("b1"), None, Create, 2),
        changed("a", None, Some("a2"), Delete, 3),
        changed("a", Some("a3"), None, Create, 4),
    ]
}

fn all_versions(files: &[Vec<Change>]) -> Report {
    let settings = Settings {
        mode: Mode::AllVersionsAndDeletes,
        ..Settings::default()
    };
    super::compare(&life(), files, &settings)
}

#[test]
fn all_versions_are_the_log() {
    let report = all_versions(&[told()]);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.emitted, report.written, report.deleted), (5, 4, 1));
    let mut by_lsn = told();
    by_lsn[3].previous_etag = None;
    by_lsn[3].lsn = 3;
    assert_eq!(
        all_versions(&[by_lsn]).not_in_log,
        0,
        "a delete without its image is known by its LSN"
    );
}

#[test]
fn with_all_versions_each_absence_is_a_loss() {
    for absent in 0..told().len() {
        let mut files = told();
        files.remove(absent);
        let report = all_versions(&[files]);
        let torn = u64::from(absent == 1 || absent == 2);
        assert_eq!(
            (report.lost, report.torn, report.duplicated),
            (1, torn, 0),
            "{absent}: {report:?}"
        );
    }
}

#[test]
fn finds_a_doubled_a_late_and_an_invented_delete() {
    let mut twice = told();
    twice.push(twice[3].clone());
    assert_eq!(all_versions(&[twice]).duplicated, 1);
    let mut late = told();
    late.swap(3, 4);
    assert_eq!(all_versions(&[late]).out_of_order, 1);
    let mut invented = told();
    invented.push(changed("a", None, Some("a3"), ChangeOperation::Delete, 5));
    assert_eq!(all_versions(&[invented]).not_in_log, 1);
}

#[test]
fn finds_a_wrong_operation_and_a_wrong_version_before() {
    let mut wrong = told();
    wrong[1].op = ChangeOperation::Create;
    wrong[4].previous_etag = Some("a2".into());
    let report = all_versions(&[wrong]);
    assert_eq!((report.mistold, report.lost), (2, 0), "{report:?}");
}

fn present_state(files: &[Vec<Change>]) -> Report {
    let log = vec![
        wrote(1, "a", "x", "a1", Operation::Create),
        wrote(2, "b", "x", "b1", Operation::Create),
        wrote(3, "c", "x", "c1", Operation::Create),
        wrote(4, "b", "x", "b2", Operation::Replace),
        wrote(5, "a", "x", "a2", Operation::Replace),
        wrote(6, "d", "x", "d1", Operation::Create),
    ];
    let log = served(log, &[(1, 100), (2, 100), (3, 100), (4, 100), (5, 101), (6, 101)]);
    let settings = Settings {
        mode: Mode::PresentStateThenChanges,
        ..Settings::default()
    };
    super::compare(&log, files, &settings)
}

/// The state of the first four entries, then the rest as changes.
fn state_then_changes() -> Vec<Change> {
    use ChangeOperation::{Create, Replace, Unknown};
    vec![
        changed("a", Some("a1"), None, Unknown, 1),
        changed("c", Some("c1"), None, Unknown, 2),
        changed("b", Some("b2"), None, Unknown, 3),
        changed("a", Some("a2"), Some("a1"), Replace, 4),
        changed("d", Some("d1"), None, Create, 5),
    ]
}

#[test]
fn the_present_state_and_the_changes_since_fit_together() {
    assert!(present_state(&[state_then_changes()]).is_clean());
    let mut changed_meanwhile = state_then_changes();
    changed_meanwhile.remove(0);
    assert!(
        present_state(&[changed_meanwhile]).is_clean(),
        "the state of a document that has a change since"
    );
}

#[test]
fn finds_a_gap_and_an_overlap_between_present_state_and_changes() {
    for (absent, of) in [(1, "state"), (2, "state"), (3, "change"), (4, "last change")] {
        let mut files = state_then_changes();
        files.remove(absent);
        assert_eq!(present_state(&[files]).lost, 1, "{of}");
    }
    let mut overlap = state_then_changes();
    overlap.insert(3, changed("d", Some("d1"), None, ChangeOperation::Unknown, 3));
    assert_eq!(present_state(&[overlap]).duplicated, 1);
}
