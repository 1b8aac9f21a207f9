// SPDX-License-Identifier: Apache-2.0

//! One physical partition: its documents by key and, for the change feed, by log sequence number.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

use super::document::{DocumentKey, Stamp, StoredDocument};
use super::epk::{Epk, EpkRange};
use super::expiry::Expiry;
use super::history::{Change, History};
use super::latest::LatestFeed;
use super::lineage::Lineage;
use super::settings::Settings;
use super::throughput::Budget;

/// A physical partition. Its state has a lock of its own, so partitions do not wait for each other.
#[derive(Debug)]
pub struct Partition {
    /// Id in the container, never used again.
    pub id: u32,
    /// What it covers.
    pub range: EpkRange,
    /// Ids of all it came from, oldest first.
    pub parents: Vec<u32>,
    /// Documents and feed.
    pub state: RwLock<PartitionState>,
    /// What a region that lags behind has of it; empty as long as none does.
    pub replica: RwLock<PartitionState>,
    /// Request units left.
    pub budget: Mutex<Budget>,
    locked_until: Mutex<Option<Instant>>,
}

impl Partition {
    /// A partition over a range with its first content.
    pub fn new(id: u32, range: EpkRange, parents: Vec<u32>, state: PartitionState, budget: Budget) -> Self {
        Self {
            id,
            range,
            parents,
            state: RwLock::new(state),
            replica: RwLock::default(),
            budget: Mutex::new(budget),
            locked_until: Mutex::new(None),
        }
    }

    /// Refuses all work for a while; the end of a split or merge retires the partition anyway.
    pub fn lock_for(&self, time: Duration) {
        *self.locked_until.lock() = Some(Instant::now() + time);
    }

    /// How long the partition stays locked.
    pub fn locked_for(&self) -> Duration {
        self.locked_until
            .lock()
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }
}

/// A delete that is to happen.
#[derive(Debug, Clone, Copy)]
pub struct Removal {
    /// LSN of the delete or its batch.
    pub lsn: u64,
    /// Number and time of the delete.
    pub stamp: Stamp,
    /// Whether the document has lived its time.
    pub expired: bool,
}

/// What a partition holds.
#[derive(Debug, Clone, Default)]
pub struct PartitionState {
    pub(super) documents: BTreeMap<DocumentKey, Arc<StoredDocument>>,
    pub(super) latest: LatestFeed,
    pub(super) history: Option<History>,
    pub(super) expiry: Option<Expiry>,
    pub(super) lineage: Lineage,
    /// Changes that a region which lags behind has not seen yet.
    pub(super) outbox: Option<VecDeque<Change>>,
    pub(super) lsn: u64,
    pub(super) bytes: u64,
    pub(super) retired: bool,
}

impl PartitionState {
    /// The first content of a partition.
    pub fn empty(settings: &Settings, range: &EpkRange) -> Self {
        let mut state = Self::default();
        state.configure(settings, range);
        state
    }

    /// Puts the settings of the container into force.
    pub fn configure(&mut self, settings: &Settings, range: &EpkRange) {
        match (settings.all_versions, &mut self.history) {
            (Some(all_versions), Some(history)) => history.configure(all_versions),
            (Some(all_versions), history) => *history = Some(History::begin(all_versions, range.clone(), self.lsn)),
            (None, history) => *history = None,
        }
        let documents = self.documents.values().map(Arc::as_ref);
        self.expiry = Expiry::of(settings.time_to_live, documents);
    }

    /// The LSN of the last write.
    pub fn lsn(&self) -> u64 {
        self.lsn
    }

    /// Number of documents.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Bytes of all documents' JSON.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The feed of latest versions.
    pub fn latest(&self) -> &LatestFeed {
        &self.latest
    }

    /// All versions and deletes, when they are retained.
    pub fn history(&self) -> Option<&History> {
        self.history.as_ref()
    }

    /// How positions in the feed are to be understood.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// Whether the partition was split or merged away.
    pub fn retired(&self) -> bool {
        self.retired
    }

    /// Gives up the content, for the partitions that come after.
    pub fn retire(&mut self) -> Self {
        let content = std::mem::take(self);
        self.lsn = content.lsn;
        self.retired = true;
        content
    }

    /// Takes the LSN for the next write or batch.
    pub fn next_lsn(&mut self) -> u64 {
        self.lsn += 1;
        self.lsn
    }

    /// The document with a key.
    pub fn get(&self, key: &DocumentKey) -> Option<&Arc<StoredDocument>> {
        self.documents.get(key)
    }

    /// Documents by key from a key on, without that key itself.
    pub fn after<'a>(&'a self, key: Option<&DocumentKey>) -> impl Iterator<Item = &'a Arc<StoredDocument>> {
        let from = key.map_or(Bound::Unbounded, |key| Bound::Excluded(key.clone()));
        self.documents
            .range((from, Bound::Unbounded))
            .map(|(_, document)| document)
    }

    /// Documents whose partition key lies at or above a point, by key.
    pub fn at_epk<'a>(&'a self, epk: &Epk) -> impl Iterator<Item = &'a Arc<StoredDocument>> {
        let from = DocumentKey {
            epk: epk.clone(),
            id: Arc::from(""),
        };
        self.documents.range(from..).map(|(_, document)| document)
    }

    /// Keeps a version; its LSN must be one that `next_lsn` gave.
    pub fn put(&mut self, document: Arc<StoredDocument>) {
        let millis = self.time_of_change();
        self.put_at(document, millis);
    }

    /// Takes a document away.
    pub fn remove(&mut self, key: &DocumentKey, removal: Removal) -> Option<Arc<StoredDocument>> {
        let millis = self.time_of_change();
        self.remove_at(key, removal, millis)
    }

    /// Does what was done in another region.
    pub fn apply(&mut self, change: &Change) {
        self.lsn = self.lsn.max(change.lsn);
        match &change.after {
            Some(document) => self.put_at(Arc::clone(document), change.millis),
            None => {
                let removal = Removal {
                    lsn: change.lsn,
                    stamp: Stamp {
                        write: change.write,
                        seconds: (change.millis / 1000) as u32,
                    },
                    expired: change.expired,
                };
                self.remove_at(&change.document().key, removal, change.millis);
            }
        }
    }

    /// Now, for those that remember changes; the others are spared the question.
    fn time_of_change(&self) -> u64 {
        if self.history.is_some() || self.outbox.is_some() {
            now_millis()
        } else {
            0
        }
    }

    fn put_at(&mut self, document: Arc<StoredDocument>, millis: u64) {
        self.lsn = self.lsn.max(document.lsn);
        self.bytes += document.json.len() as u64;
        let old = self.documents.insert(document.key.clone(), Arc::clone(&document));
        if let Some(old) = &old {
            self.leave(old);
        }
        if let Some(expiry) = &mut self.expiry {
            expiry.add(&document);
        }
        self.remember(|| Change {
            lsn: document.lsn,
            write: document.stamp.write,
            millis,
            before: old.clone(),
            after: Some(Arc::clone(&document)),
            expired: false,
        });
        self.latest.append(document);
    }

    fn remove_at(&mut self, key: &DocumentKey, removal: Removal, millis: u64) -> Option<Arc<StoredDocument>> {
        let old = self.documents.remove(key)?;
        self.leave(&old);
        self.remember(|| Change {
            lsn: removal.lsn,
            write: removal.stamp.write,
            millis,
            before: Some(Arc::clone(&old)),
            after: None,
            expired: removal.expired,
        });
        Some(old)
    }

    fn remember(&mut self, change: impl Fn() -> Change) {
        if let Some(history) = &mut self.history {
            history.push(change());
        }
        if let Some(outbox) = &mut self.outbox {
            outbox.push_back(change());
        }
    }

    fn leave(&mut self, old: &Arc<StoredDocument>) {
        self.bytes -= old.json.len() as u64;
        self.latest.leave(old);
        if let Some(expiry) = &mut self.expiry {
            expiry.remove(old);
        }
    }

    /// Whether there is a document that has lived its time, or a change that is too old.
    pub fn untidy(&self, now: u64) -> bool {
        let expiry = self.expiry.as_ref().and_then(Expiry::due);
        let history = self.history.as_ref().and_then(History::due);
        expiry.into_iter().chain(history).any(|due| due <= now)
    }

    /// The next document that has lived its time.
    pub fn expired(&self, now: u64) -> Option<DocumentKey> {
        self.expiry.as_ref()?.expired(now)
    }

    /// Forgets changes that are too old.
    pub fn trim(&mut self, now: u64) {
        if let Some(history) = &mut self.history {
            history.trim(now);
        }
    }
}

/// Milliseconds since 1970.
pub fn now_millis() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |time| time.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::super::document::Stamp;
    use super::*;

    fn document(id: u32, lsn: u64) -> Arc<StoredDocument> {
        Arc::new(StoredDocument {
            key: DocumentKey {
                epk: Epk::from_hex(&format!("{id:08X}")).unwrap(),
                id: Arc::from(id.to_string()),
            },
            partition_key: Arc::from("[]"),
            ordinal: u64::from(id),
            stamp: Stamp {
                write: lsn,
                seconds: lsn as u32,
            },
            lsn,
            time_to_live: None,
            json: Arc::from(&b"{}"[..]),
        })
    }

    fn removal(lsn: u64) -> Removal {
        Removal {
            lsn,
            stamp: Stamp {
                write: lsn,
                seconds: lsn as u32,
            },
            expired: false,
        }
    }

    fn feed(state: &PartitionState, after: u64) -> Vec<u64> {
        let latest = state.latest();
        latest
            .go_on_from(latest.place_after(after), &EpkRange::full())
            .map(|document| document.lsn)
            .collect()
    }

    #[test]
    fn a_document_is_in_the_feed_once_under_its_last_lsn() {
        let mut state = PartitionState::default();
        for id in 1..=3 {
            let lsn = state.next_lsn();
            state.put(document(id, lsn));
        }
        let lsn = state.next_lsn();
        state.put(document(2, lsn));
        assert_eq!(feed(&state, 0), [1, 3, 4]);
        assert_eq!(feed(&state, 3), [4]);
        let lsn = state.next_lsn();
        state.remove(&document(3, 0).key, removal(lsn));
        assert_eq!(feed(&state, 0), [1, 4]);
        assert_eq!(state.lsn(), 5);
        assert_eq!(state.len(), 2);
    }

    #[test]
    fn many_updates_leave_no_growing_feed() {
        let mut state = PartitionState::default();
        for round in 0..100 {
            for id in 1..=100 {
                let lsn = state.next_lsn();
                state.put(document(id, lsn));
            }
            assert_eq!(feed(&state, 0).len(), 100, "round {round}");
        }
        assert!(state.latest().places() < 100 + 2 * 1024);
        assert_eq!(state.bytes(), 200);
    }

    #[test]
    fn feed_of_a_range_holds_its_documents_only() {
        let mut state = PartitionState::default();
        for id in 1..=10 {
            let lsn = state.next_lsn();
            state.put(document(id, lsn));
        }
        let range = EpkRange {
            min: Epk::from_hex("00000003").unwrap(),
            max: Epk::from_hex("00000006").unwrap(),
        };
        let found: Vec<u64> = state.latest().go_on_from(0, &range).map(|found| found.lsn).collect();
        assert_eq!(found, [3, 4, 5]);
    }
}
