// SPDX-License-Identifier: Apache-2.0
//! The log, arranged for questions: which versions a document had, which were written in one transaction.

use std::collections::HashMap;

use crate::change_log::{Entry, Operation, bare_etag, partition_key_text};
use crate::committed::{Change, ChangeOperation};

/// One entry of the log: a version of a document, or its delete.
#[derive(Debug)]
pub struct Version {
    pub document: usize,
    pub key: usize,
    pub op: Operation,
    /// Without quotes; a delete has none that is ever emitted.
    pub etag: String,
    pub lsn: Option<u64>,
    /// The partition that took the write.
    pub partition: Option<String>,
    pub seq: u64,
    /// Seconds since the epoch; a journal has none.
    pub ts: Option<i64>,
    /// The order of the log, the same for all entries of a transaction.
    pub place: u64,
    /// The entries of the same document around this one.
    pub previous: Option<usize>,
    pub next: Option<usize>,
}

impl Version {
    pub fn is_delete(&self) -> bool {
        self.op == Operation::Delete
    }
}

/// What is known of a document.
#[derive(Debug, Default)]
pub struct Document {
    pub id: String,
    /// Its entries in the order of the log.
    pub versions: Vec<usize>,
    /// Whether some write of it got no answer.
    uncertain: bool,
    /// Whether there is no answered write since, so that nobody knows what its last version is.
    pub last_unknown: bool,
}

/// What a line of the files is in the log.
#[derive(Debug, Eq, PartialEq)]
pub enum Found {
    Version(usize),
    /// Perhaps the version that a write without an answer has made.
    Unacknowledged,
    Nothing,
}

/// What the entries of a transaction have in common. In the server's log those of another partition may stand between
/// them; a journal gives them one number.
#[derive(Debug, Eq, Hash, PartialEq)]
enum Transaction {
    Lsn(String, u64),
    Seq(u64),
}

impl Transaction {
    fn of(entry: &Entry) -> Self {
        match (&entry.partition, entry.lsn) {
            (Some(partition), Some(lsn)) => Self::Lsn(partition.clone(), lsn),
            _ => Self::Seq(entry.seq),
        }
    }
}

#[derive(Debug, Default)]
pub struct Truth {
    pub versions: Vec<Version>,
    pub documents: Vec<Document>,
    /// Transactions: the versions of each.
    pub groups: Vec<Vec<usize>>,
    /// Versions of each partition key.
    pub keys: Vec<Vec<usize>>,
    pub written: u64,
    pub deleted: u64,
    key_numbers: HashMap<String, usize>,
    document_numbers: HashMap<(usize, String), usize>,
    by_etag: HashMap<(usize, String), usize>,
}

impl Truth {
    pub fn of(log: &[Entry]) -> Self {
        let mut truth = Self::default();
        let mut transactions: HashMap<Transaction, usize> = HashMap::new();
        for entry in log {
            let key = truth.key(&entry.pk);
            let document = truth.document(key, &entry.id);
            let known_etag = entry.etag.as_deref().map(bare_etag);
            let etag = match (entry.op, known_etag) {
                (Operation::Delete, _) => String::new(),
                (Operation::Uncertain, _) | (_, None) => {
                    truth.documents[document].uncertain = true;
                    truth.documents[document].last_unknown = true;
                    continue;
                }
                (_, Some(etag)) => etag.to_owned(),
            };
            let next = truth.groups.len();
            let group = *transactions.entry(Transaction::of(entry)).or_insert(next);
            if group == next {
                truth.groups.push(Vec::new());
            }
            truth.add(entry, key, document, etag, group);
        }
        truth
    }

    fn add(&mut self, entry: &Entry, key: usize, document: usize, etag: String, group: usize) {
        let index = self.versions.len();
        let place = self.groups[group]
            .first()
            .map_or(entry.seq, |first| self.versions[*first].place);
        let previous = self.documents[document].versions.last().copied();
        if let Some(previous) = previous {
            self.versions[previous].next = Some(index);
        }
        if entry.op == Operation::Delete {
            self.deleted += 1;
        } else {
            self.written += 1;
            self.by_etag.insert((document, etag.clone()), index);
        }
        self.documents[document].versions.push(index);
        self.documents[document].last_unknown = false;
        self.groups[group].push(index);
        self.keys[key].push(index);
        self.versions.push(Version {
            document,
            key,
            op: entry.op,
            etag,
            lsn: entry.lsn,
            partition: entry.partition.clone(),
            seq: entry.seq,
            ts: entry.ts,
            place,
            previous,
            next: None,
        });
    }

    fn key(&mut self, pk: &serde_json::Value) -> usize {
        let next = self.keys.len();
        let key = *self.key_numbers.entry(partition_key_text(pk)).or_insert(next);
        if key == next {
            self.keys.push(Vec::new());
        }
        key
    }

    fn document(&mut self, key: usize, id: &str) -> usize {
        let next = self.documents.len();
        let document = *self.document_numbers.entry((key, id.to_owned())).or_insert(next);
        if document == next {
            self.documents.push(Document {
                id: id.to_owned(),
                ..Document::default()
            });
        }
        document
    }

    /// Which entry a line is. A version is known by its ETag. A delete has none of its own: it is known by the version
    /// that it ended, which no other delete can have, or, where the line does not name that, by its LSN.
    pub fn find(&self, change: &Change) -> Found {
        let key = self.key_numbers.get(&partition_key_text(&change.pk));
        let document = key.and_then(|key| self.document_numbers.get(&(*key, change.id.clone())));
        let Some(&document) = document else {
            return Found::Nothing;
        };
        let version = |etag: &str| self.by_etag.get(&(document, bare_etag(etag).to_owned())).copied();
        let found = if change.op == ChangeOperation::Delete {
            match &change.previous_etag {
                Some(etag) => version(etag).and_then(|previous| self.versions[previous].next),
                None => self.documents[document].versions.iter().copied().find(|&index| {
                    self.versions[index].is_delete() && self.versions[index].lsn == u64::try_from(change.lsn).ok()
                }),
            }
            .filter(|&index| self.versions[index].is_delete())
        } else {
            change.etag.as_deref().and_then(version)
        };
        match found {
            Some(index) => Found::Version(index),
            None if self.documents[document].uncertain => Found::Unacknowledged,
            None => Found::Nothing,
        }
    }

    /// How many documents exist at the end.
    pub fn existing(&self) -> u64 {
        self.documents
            .iter()
            .filter(|document| self.last(document).is_some())
            .count() as u64
    }

    /// The last version of a document that exists at the end.
    pub fn last(&self, document: &Document) -> Option<usize> {
        let last = *document.versions.last()?;
        (!self.versions[last].is_delete()).then_some(last)
    }

    /// Names a version, for people.
    pub fn name(&self, version: usize) -> String {
        let version = &self.versions[version];
        format!(
            "id {}, {:?} with ETag {}, entry {} of the log, LSN {:?} of partition {:?}",
            self.documents[version.document].id, version.op, version.etag, version.seq, version.lsn, version.partition
        )
    }
}
