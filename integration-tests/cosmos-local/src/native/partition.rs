// SPDX-License-Identifier: Apache-2.0

//! One physical partition: its documents by key and, for the change feed, by log sequence number.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

use super::document::{DocumentKey, StoredDocument};
use super::epk::{Epk, EpkRange};
use super::throughput::Budget;

/// Places of the feed that hold no document any more are swept once they are this many and the majority.
const SWEEP_AT: usize = 1024;

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

/// A place in the feed: the write that has it, and the document unless a later write took it away.
#[derive(Debug, Clone)]
struct Place {
    lsn: u64,
    epk_prefix: u64,
    seconds: u32,
    bytes: u32,
    document: Option<Arc<StoredDocument>>,
}

/// What a partition holds.
#[derive(Debug, Default)]
pub struct PartitionState {
    documents: BTreeMap<DocumentKey, Arc<StoredDocument>>,
    feed: Vec<Place>,
    gaps: usize,
    lsn: u64,
    bytes: u64,
    retired: bool,
}

impl PartitionState {
    /// Both halves of a partition, which count on from its last LSN.
    pub fn split(mut self, middle: &Epk) -> [Self; 2] {
        let high = self.documents.split_off(&DocumentKey {
            epk: middle.clone(),
            id: Arc::from(""),
        });
        let prefix = middle.prefix();
        let (low_feed, high_feed): (Vec<Place>, Vec<Place>) =
            self.feed
                .into_iter()
                .partition(|place| match (place.epk_prefix.cmp(&prefix), &place.document) {
                    (std::cmp::Ordering::Equal, Some(document)) => document.key.epk < *middle,
                    (order, _) => order.is_lt(),
                });
        [
            Self::with(self.lsn, self.documents, low_feed),
            Self::with(self.lsn, high, high_feed),
        ]
    }

    /// One partition of several, in the order of their ranges; it counts on from the highest LSN.
    pub fn merge(parts: Vec<Self>) -> Self {
        let lsn = parts.iter().map(Self::lsn).max().unwrap_or(0);
        let mut documents = BTreeMap::new();
        let mut feed = Vec::new();
        for mut part in parts {
            documents.append(&mut part.documents);
            feed.append(&mut part.feed);
        }
        feed.sort_by_key(|place| place.lsn);
        Self::with(lsn, documents, feed)
    }

    /// The same documents in the order they were written, counted from 1 again.
    pub fn renumbered(self) -> Self {
        let mut documents: Vec<_> = self.documents.into_values().collect();
        documents.sort_by_key(|document| document.stamp.write);
        let mut state = Self::default();
        for document in documents {
            let lsn = state.next_lsn();
            state.append(Arc::new(document.renumbered(lsn)));
        }
        state
    }

    fn with(lsn: u64, documents: BTreeMap<DocumentKey, Arc<StoredDocument>>, mut feed: Vec<Place>) -> Self {
        feed.retain(|place| place.document.is_some());
        Self {
            documents,
            bytes: feed.iter().map(|place| u64::from(place.bytes)).sum(),
            feed,
            gaps: 0,
            lsn,
            retired: false,
        }
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
        use std::ops::Bound;
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
        if let Some(old) = self.documents.remove(&document.key) {
            self.leave(&old);
        }
        self.append(document);
    }

    /// Takes a document away.
    pub fn remove(&mut self, key: &DocumentKey) -> Option<Arc<StoredDocument>> {
        let old = self.documents.remove(key)?;
        self.leave(&old);
        Some(old)
    }

    fn append(&mut self, document: Arc<StoredDocument>) {
        self.lsn = self.lsn.max(document.lsn);
        self.bytes += document.json.len() as u64;
        self.feed.push(Place {
            lsn: document.lsn,
            epk_prefix: document.key.epk.prefix(),
            seconds: document.stamp.seconds,
            // A document has 2 MB at most.
            bytes: document.json.len() as u32,
            document: Some(Arc::clone(&document)),
        });
        self.documents.insert(document.key.clone(), document);
    }

    fn leave(&mut self, old: &Arc<StoredDocument>) {
        self.bytes -= old.json.len() as u64;
        let first = self.feed.partition_point(|place| place.lsn < old.lsn);
        let place = self.feed[first..].iter_mut().find(|place| {
            place
                .document
                .as_ref()
                .is_some_and(|document| Arc::ptr_eq(document, old))
        });
        if let Some(place) = place {
            place.document = None;
            self.gaps += 1;
        }
        if self.gaps >= SWEEP_AT && self.gaps * 2 > self.feed.len() {
            self.feed.retain(|place| place.document.is_some());
            self.gaps = 0;
        }
    }

    /// Where the feed goes on after an LSN.
    pub fn place_after(&self, lsn: u64) -> usize {
        self.feed.partition_point(|place| place.lsn <= lsn)
    }

    /// The first place whose write is not older than a second.
    ///
    /// Seconds rise with LSNs except in a merged partition, so this looks at every place.
    pub fn place_at(&self, seconds: u64) -> usize {
        self.feed
            .iter()
            .position(|place| u64::from(place.seconds) >= seconds)
            .unwrap_or(self.feed.len())
    }

    /// Documents of the feed from a place on that lie in a range, oldest first.
    pub fn feed_from<'a>(&'a self, place: usize, range: &'a EpkRange) -> impl Iterator<Item = &'a Arc<StoredDocument>> {
        let low = range.min.prefix();
        let high = range.max.prefix();
        self.feed[place..]
            .iter()
            .filter(move |place| place.epk_prefix >= low && place.epk_prefix <= high)
            .filter_map(|place| place.document.as_ref())
            .filter(|document| range.contains(&document.key.epk))
    }
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
            json: Arc::from(&b"{}"[..]),
        })
    }

    fn feed(state: &PartitionState, after: u64) -> Vec<u64> {
        state
            .feed_from(state.place_after(after), &EpkRange::full())
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
        state.next_lsn();
        state.remove(&document(3, 0).key);
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
        assert!(state.feed.len() < 100 + 2 * SWEEP_AT);
        assert_eq!(state.bytes(), 200);
    }

    #[test]
    fn halves_and_their_merger_keep_order_and_size() {
        let mut state = PartitionState::default();
        for id in [5, 1, 4, 2, 3, 1] {
            let lsn = state.next_lsn();
            state.put(document(id, lsn));
        }
        let middle = Epk::from_hex("00000003").unwrap();
        let halves = state.retire().split(&middle);
        assert!(state.retired());
        assert_eq!(feed(&state, 0), [] as [u64; 0]);
        assert_eq!(feed(&halves[0], 0), [4, 6]);
        assert_eq!(feed(&halves[1], 0), [1, 3, 5]);
        assert_eq!(halves.each_ref().map(PartitionState::lsn), [6, 6]);
        assert_eq!(halves.each_ref().map(PartitionState::bytes), [4, 6]);
        let merged = PartitionState::merge(Vec::from(halves));
        assert_eq!(feed(&merged, 0), [1, 3, 4, 5, 6]);
        assert_eq!((merged.lsn(), merged.len(), merged.bytes()), (6, 5, 10));
        let renumbered = merged.renumbered();
        assert_eq!(feed(&renumbered, 0), [1, 2, 3, 4, 5]);
        assert_eq!(renumbered.lsn(), 5);
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
        let found: Vec<u64> = state.feed_from(0, &range).map(|found| found.lsn).collect();
        assert_eq!(found, [3, 4, 5]);
    }
}
