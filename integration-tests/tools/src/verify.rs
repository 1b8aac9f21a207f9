// SPDX-License-Identifier: Apache-2.0
//! Compares what a job's sink has committed with the log of what was written.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::change_log::{Entry, Operation, bare_etag, partition_key_text};
use crate::committed::Change;

/// How many offenders of each kind are named.
const SAMPLES: usize = 5;

/// What the comparison found. All counts but those named otherwise are of changes, that is, of versions of documents.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Versions that the log says were written, deletes not counted.
    pub written: u64,
    /// Changes in the committed files.
    pub emitted: u64,
    /// Different (partition key, id, ETag) among them.
    pub distinct: u64,
    /// Documents whose last version is absent.
    pub lost: u64,
    /// Changes that had been emitted before.
    pub duplicated: u64,
    /// Emitted changes that the log does not know.
    pub not_in_log: u64,
    /// Changes emitted after a later one of the same partition key.
    pub out_of_order: u64,
    /// Emitted versions of documents of which a write got no answer; only a journal has those.
    pub unacknowledged: u64,
    /// Documents that exist at the end of the log.
    pub documents: u64,
    /// Committed files.
    pub files: u64,
    /// When the job wrote its first and its last line, milliseconds since the epoch; 0 without lines.
    pub first_emitted_ms: i64,
    pub last_emitted_ms: i64,
    /// Some offenders, for people.
    pub samples: Vec<String>,
}

impl Report {
    /// Nothing lost, nothing twice, nothing unknown, nothing out of order.
    pub fn is_clean(&self) -> bool {
        self.lost + self.duplicated + self.not_in_log + self.out_of_order == 0
    }
}

/// Where the changes of one partition key in one file stand in the log.
struct Segment {
    key: u32,
    file: usize,
    first_at: i64,
    first_seq: u64,
    last_seq: u64,
}

/// One document: its partition key's number and its id.
type Document = (u32, String);

/// Follows the log and tells which of its entries were one transaction: those have no order among each other.
#[derive(Default)]
struct Transaction {
    present: Option<(String, u64)>,
    place: u64,
}

impl Transaction {
    /// The place of an entry in the order of the log, the same for all entries of a transaction.
    fn place(&mut self, entry: &Entry) -> u64 {
        let found = entry.partition.clone().zip(entry.lsn);
        if found.is_none() || found != self.present {
            self.place = entry.seq;
        }
        self.present = found;
        self.place
    }
}

struct Truth {
    keys: HashMap<String, u32>,
    /// ETags of each document with the place in the log.
    versions: HashMap<Document, HashMap<String, u64>>,
    /// The last version of each document that exists at the end.
    last: HashMap<Document, String>,
    /// Documents of which some write got no answer.
    uncertain: HashSet<Document>,
    /// Those of them without an answered write since: what their last version is, is not known.
    last_unknown: HashSet<Document>,
}

impl Truth {
    fn of(log: &[Entry], report: &mut Report) -> Self {
        let mut truth = Self {
            keys: HashMap::new(),
            versions: HashMap::new(),
            last: HashMap::new(),
            uncertain: HashSet::new(),
            last_unknown: HashSet::new(),
        };
        let mut transaction = Transaction::default();
        for entry in log {
            let place = transaction.place(entry);
            let next = u32::try_from(truth.keys.len()).expect("fewer partition keys than u32 holds");
            let key = *truth.keys.entry(partition_key_text(&entry.pk)).or_insert(next);
            let document = (key, entry.id.clone());
            match (entry.op, &entry.etag) {
                (Operation::Delete, _) => {
                    truth.last.remove(&document);
                }
                (Operation::Uncertain, _) | (_, None) => {
                    truth.uncertain.insert(document.clone());
                    truth.last_unknown.insert(document);
                }
                (_, Some(etag)) => {
                    report.written += 1;
                    let etag = bare_etag(etag).to_owned();
                    truth
                        .versions
                        .entry(document.clone())
                        .or_default()
                        .insert(etag.clone(), place);
                    truth.last_unknown.remove(&document);
                    truth.last.insert(document, etag);
                }
            }
        }
        report.documents = truth.last.len() as u64;
        truth
    }
}

/// Compares the committed files, each in its own order, with the log.
pub fn compare(log: &[Entry], files: &[Vec<Change>]) -> Report {
    let mut report = Report {
        files: files.len() as u64,
        first_emitted_ms: i64::MAX,
        ..Report::default()
    };
    let truth = Truth::of(log, &mut report);
    let mut samples = Samples::default();
    let mut seen: HashMap<Document, HashSet<String>> = HashMap::new();
    let mut segments: Vec<Segment> = Vec::new();

    for (file, changes) in files.iter().enumerate() {
        let mut open: HashMap<u32, usize> = HashMap::new();
        for change in changes {
            report.emitted += 1;
            report.first_emitted_ms = report.first_emitted_ms.min(change.at);
            report.last_emitted_ms = report.last_emitted_ms.max(change.at);
            let etag = bare_etag(&change.etag);
            let Some(&key) = truth.keys.get(&partition_key_text(&change.pk)) else {
                report.not_in_log += 1;
                samples.add("not in the log", change);
                continue;
            };
            let document = (key, change.id.clone());
            if !seen.entry(document.clone()).or_default().insert(etag.to_owned()) {
                report.duplicated += 1;
                samples.add("duplicated", change);
                continue;
            }
            report.distinct += 1;
            let Some(&seq) = truth.versions.get(&document).and_then(|versions| versions.get(etag)) else {
                if truth.uncertain.contains(&document) {
                    report.unacknowledged += 1;
                } else {
                    report.not_in_log += 1;
                    samples.add("not in the log", change);
                }
                continue;
            };
            match open.get(&key) {
                None => {
                    open.insert(key, segments.len());
                    segments.push(Segment {
                        key,
                        file,
                        first_at: change.at,
                        first_seq: seq,
                        last_seq: seq,
                    });
                }
                Some(&index) => {
                    let segment = &mut segments[index];
                    if seq < segment.last_seq {
                        report.out_of_order += 1;
                        samples.add("out of order", change);
                    }
                    segment.first_seq = segment.first_seq.min(seq);
                    segment.last_seq = segment.last_seq.max(seq);
                }
            }
        }
    }

    report.out_of_order += disorder_between_files(&mut segments, &mut samples);
    for (document, etag) in &truth.last {
        let has_last = seen.get(document).is_some_and(|etags| etags.contains(etag));
        if !has_last && !truth.last_unknown.contains(document) {
            report.lost += 1;
            samples.add_text("lost", || format!("id {} with ETag {etag}", document.1));
        }
    }
    if report.emitted == 0 {
        report.first_emitted_ms = 0;
    }
    report.samples = samples.texts;
    report
}

/// A partition key's changes go on in another file when the sink rolls or the range moves to another subtask. The later
/// file, by the time of its first line, must not hold anything that the log has before the earlier file's last change.
fn disorder_between_files(segments: &mut [Segment], samples: &mut Samples) -> u64 {
    segments.sort_by_key(|segment| (segment.key, segment.first_at, segment.first_seq));
    let mut disorder = 0;
    let mut latest: Option<(u32, u64)> = None;
    for segment in segments.iter() {
        match latest {
            Some((key, last_seq)) if key == segment.key => {
                if segment.first_seq < last_seq {
                    disorder += 1;
                    samples.add_text("out of order", || {
                        format!(
                            "file {} goes back to log entry {} after {last_seq} in another file",
                            segment.file, segment.first_seq
                        )
                    });
                }
                latest = Some((key, last_seq.max(segment.last_seq)));
            }
            _ => latest = Some((segment.key, segment.last_seq)),
        }
    }
    disorder
}

#[derive(Default)]
struct Samples {
    counts: HashMap<&'static str, usize>,
    texts: Vec<String>,
}

impl Samples {
    fn add(&mut self, kind: &'static str, change: &Change) {
        self.add_text(kind, || {
            format!(
                "id {} of {} with ETag {}",
                change.id,
                partition_key_text(&change.pk),
                change.etag
            )
        });
    }

    fn add_text(&mut self, kind: &'static str, text: impl FnOnce() -> String) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count <= SAMPLES {
            self.texts.push(format!("{kind}: {}", text()));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wrote(seq: u64, id: &str, pk: &str, etag: &str, op: Operation) -> Entry {
        Entry {
            seq,
            partition: None,
            lsn: None,
            id: id.into(),
            pk: json!([pk]),
            etag: Some(format!("\"{etag}\"")),
            op,
        }
    }

    fn emitted(id: &str, pk: &str, etag: &str, at: i64) -> Change {
        Change {
            id: id.into(),
            pk: json!(pk),
            etag: format!("\"{etag}\""),
            at,
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
        assert_eq!(report.samples, ["lost: id a with ETag a2"]);
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
}
