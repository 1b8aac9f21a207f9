// SPDX-License-Identifier: Apache-2.0

//! What becomes of a partition's content in splits and merges.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::{DocumentKey, StoredDocument};
use super::epk::EpkRange;
use super::expiry::Expiry;
use super::history::History;
use super::latest::LatestFeed;
use super::lineage::Lineage;
use super::numbers::Numbers;
use super::partition::PartitionState;
use super::settings::TimeToLive;

impl PartitionState {
    /// Both parts of a partition, which count on from its last LSN.
    pub fn split(mut self, low: &EpkRange, high: &EpkRange) -> [Self; 2] {
        let above = self.documents.split_off(&DocumentKey {
            epk: high.min.clone(),
            id: Arc::from(""),
        });
        let time_to_live = self.time_to_live();
        let [low_feed, high_feed] = self.latest.split(&high.min);
        let [low_history, high_history] = match self.history {
            Some(history) => history.split(low, high).map(Some),
            None => [None, None],
        };
        let part = |documents, latest, history| {
            Self::with(
                Content {
                    documents,
                    latest,
                    history,
                    lineage: self.lineage.clone(),
                    lsn: self.lsn,
                },
                time_to_live,
            )
        };
        [
            part(self.documents, low_feed, low_history),
            part(above, high_feed, high_history),
        ]
    }

    /// One partition of several, in the order of their ranges; it counts on from the highest LSN.
    pub fn merge(parts: Vec<Self>) -> Self {
        let lsn = parts.iter().map(Self::lsn).max().unwrap_or(0);
        let time_to_live = parts.first().map_or(TimeToLive::Off, Self::time_to_live);
        let mut documents = BTreeMap::new();
        let (mut feeds, mut histories, mut lineages) = (Vec::new(), Vec::new(), Vec::new());
        for mut part in parts {
            documents.append(&mut part.documents);
            feeds.push(part.latest);
            histories.extend(part.history);
            lineages.push(part.lineage);
        }
        Self::with(
            Content {
                documents,
                latest: LatestFeed::merge(feeds),
                history: History::merge(histories),
                lineage: Lineage::merge(lineages),
                lsn,
            },
            time_to_live,
        )
    }

    /// One partition of several, whose LSNs count from 1 in the order of the writes.
    ///
    /// Versions and deletes of one transaction keep one LSN. `ranges` are those of the parts; positions from before
    /// are translated from now on, under a new generation.
    pub fn merge_renumbered(parts: Vec<Self>, ranges: &[EpkRange], generation: u64) -> Self {
        let numbers = Numbers::of(&parts);
        let time_to_live = parts.first().map_or(TimeToLive::Off, Self::time_to_live);
        let floors: Vec<u64> = parts
            .iter()
            .map(|part| part.history.as_ref().map_or(0, |history| history.floor(|_| true)))
            .collect();
        let mut documents = BTreeMap::new();
        let (mut changes, mut histories, mut lineages) = (Vec::new(), Vec::new(), Vec::new());
        for (at, part) in parts.into_iter().enumerate() {
            for (key, document) in part.documents {
                let renumbered = document.renumbered(numbers.of_part(at, document.lsn, &key.epk));
                documents.insert(key, Arc::new(renumbered));
            }
            if let Some(history) = part.history {
                let renumbered = history.changes().map(|change| {
                    let mut change = change.renumbered(|lsn| numbers.of_part(at, lsn, change.epk()));
                    // The feeds share the versions that are current.
                    if let Some(after) = &mut change.after
                        && let Some(current) = documents.get(&after.key)
                        && current.stamp == after.stamp
                    {
                        *after = Arc::clone(current);
                    }
                    change
                });
                changes.extend(renumbered);
                histories.push(history);
            }
            lineages.push(part.lineage);
        }
        let mut in_order: Vec<Arc<StoredDocument>> = documents.values().cloned().collect();
        in_order.sort_by_key(|document| (document.lsn, document.stamp.write));
        let mut latest = LatestFeed::default();
        for document in in_order {
            latest.append(document);
        }
        let mut lineage = Lineage::merge(lineages);
        let renumberings = numbers.renumberings(ranges, &floors, generation);
        let history = History::merge(histories).map(|history| {
            changes.sort_by_key(|change| (change.lsn, change.write));
            history.renumbered(changes)
        });
        lineage.renumber(generation, renumberings);
        Self::with(
            Content {
                documents,
                latest,
                history,
                lineage,
                lsn: numbers.last,
            },
            time_to_live,
        )
    }

    fn time_to_live(&self) -> TimeToLive {
        self.expiry.as_ref().map_or(TimeToLive::Off, Expiry::time_to_live)
    }

    fn with(content: Content, time_to_live: TimeToLive) -> Self {
        let documents = content.documents.values();
        Self {
            bytes: documents.clone().map(|document| document.json.len() as u64).sum(),
            expiry: Expiry::of(time_to_live, documents.map(Arc::as_ref)),
            documents: content.documents,
            latest: content.latest,
            history: content.history,
            lineage: content.lineage,
            lsn: content.lsn,
            ..Self::default()
        }
    }
}

/// What a new partition begins with.
struct Content {
    documents: BTreeMap<DocumentKey, Arc<StoredDocument>>,
    latest: LatestFeed,
    history: Option<History>,
    lineage: Lineage,
    lsn: u64,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::document::Stamp;
    use super::super::epk::Epk;
    use super::super::lineage::{Place, Position};
    use super::super::partition::Removal;
    use super::super::settings::{AllVersions, Settings};
    use super::*;

    const SETTINGS: Settings = Settings {
        all_versions: Some(AllVersions {
            retention: Duration::from_secs(3600),
            previous_images: true,
        }),
        time_to_live: TimeToLive::Off,
    };

    fn key(id: u32) -> DocumentKey {
        DocumentKey {
            epk: Epk::from_hex(&format!("{id:08X}")).unwrap(),
            id: Arc::from(id.to_string()),
        }
    }

    fn stamp(write: u64) -> Stamp {
        Stamp {
            write,
            seconds: write as u32,
        }
    }

    /// Writes a document; the number of the write is also its time.
    fn put(state: &mut PartitionState, id: u32, write: u64) {
        let lsn = state.next_lsn();
        put_at(state, key(id), write, lsn);
    }

    fn put_at(state: &mut PartitionState, key: DocumentKey, write: u64, lsn: u64) {
        state.put(Arc::new(StoredDocument {
            key,
            partition_key: Arc::from("[]"),
            ordinal: 1,
            stamp: stamp(write),
            lsn,
            time_to_live: None,
            json: Arc::from(&b"{}"[..]),
        }));
    }

    fn remove(state: &mut PartitionState, id: u32, write: u64) {
        let lsn = state.next_lsn();
        let removal = Removal {
            lsn,
            stamp: stamp(write),
            expired: false,
        };
        state.remove(&key(id), removal).unwrap();
    }

    fn latest(state: &PartitionState) -> Vec<u64> {
        let full = EpkRange::full();
        state.latest().go_on_from(0, &full).map(|found| found.lsn).collect()
    }

    fn changes(state: &PartitionState, after: u64) -> Vec<(u64, u64)> {
        let full = EpkRange::full();
        let history = state.history().unwrap();
        history
            .after(after, &full)
            .map(|change| (change.lsn, change.write))
            .collect()
    }

    fn halves(middle: u32) -> [EpkRange; 2] {
        let EpkRange { min, max } = EpkRange::full();
        let middle = key(middle).epk;
        [
            EpkRange {
                min,
                max: middle.clone(),
            },
            EpkRange { min: middle, max },
        ]
    }

    #[test]
    fn halves_and_their_merger_keep_order_size_and_history() {
        let mut state = PartitionState::empty(&SETTINGS, &EpkRange::full());
        for (write, id) in (1..).zip([5, 1, 4, 2, 3, 1]) {
            put(&mut state, id, write);
        }
        let [low, high] = halves(3);
        let parts = state.retire().split(&low, &high);
        assert!(state.retired());
        assert_eq!(latest(&state), [] as [u64; 0]);
        assert_eq!(latest(&parts[0]), [4, 6]);
        assert_eq!(latest(&parts[1]), [1, 3, 5]);
        assert_eq!(changes(&parts[0], 0), [(2, 2), (4, 4), (6, 6)]);
        assert_eq!(changes(&parts[1], 1), [(3, 3), (5, 5)]);
        assert_eq!(parts.each_ref().map(PartitionState::lsn), [6, 6]);
        assert_eq!(parts.each_ref().map(PartitionState::bytes), [4, 6]);
        let merged = PartitionState::merge(Vec::from(parts));
        assert_eq!(latest(&merged), [1, 3, 4, 5, 6]);
        assert_eq!((merged.lsn(), merged.len(), merged.bytes()), (6, 5, 10));
        assert_eq!(changes(&merged, 0).len(), 6);
        let renumbered = PartitionState::merge_renumbered(vec![merged], &[EpkRange::full()], 1);
        assert_eq!(latest(&renumbered), [1, 3, 4, 5, 6]);
        assert_eq!(renumbered.lsn(), 6);
    }

    #[test]
    fn a_renumbered_merger_keeps_transactions_together_and_old_positions_good() {
        let ranges = halves(100);
        let [mut low, mut high] = ranges.each_ref().map(|range| PartitionState::empty(&SETTINGS, range));
        put(&mut low, 1, 10);
        // A transaction of two.
        let lsn = low.next_lsn();
        put_at(&mut low, key(2), 13, lsn);
        let of_the_same_key = DocumentKey {
            id: Arc::from("3"),
            ..key(2)
        };
        put_at(&mut low, of_the_same_key, 14, lsn);
        put(&mut low, 1, 16);
        for write in [11, 12, 15] {
            put(&mut high, 100 + write as u32, write);
        }
        remove(&mut high, 111, 17);
        let merged = PartitionState::merge_renumbered(vec![low, high], &ranges, 1);
        assert_eq!(
            changes(&merged, 0),
            [(1, 10), (2, 11), (3, 12), (4, 13), (4, 14), (5, 15), (6, 16), (7, 17)]
        );
        assert_eq!(latest(&merged), [3, 4, 4, 5, 6]);
        assert_eq!(merged.lsn(), 7);
        // Who had read the first write of the lower half comes to the transaction; who had read all of the upper half
        // misses nothing.
        let of = |range: &EpkRange, lsn| -> Vec<u64> {
            let position = Position::at(Place { generation: 0, lsn });
            let behind = merged.lineage().behind(position, |part| part.overlaps(range));
            let history = merged.history().unwrap();
            let still = history
                .after(behind.lowest(), range)
                .filter(|change| behind.has(change.lsn, change.epk()));
            still.map(|change| change.lsn).collect()
        };
        assert_eq!(of(&ranges[0], 1), [4, 4, 6]);
        assert_eq!(of(&ranges[0], 2), [6]);
        assert_eq!(of(&ranges[1], 3), [7]);
        assert_eq!(of(&ranges[1], 4), [] as [u64; 0]);
    }

    #[test]
    fn the_end_of_the_retention_moves_with_splits_and_mergers() {
        let mut state = PartitionState::empty(&SETTINGS, &EpkRange::full());
        put(&mut state, 1, 1);
        put(&mut state, 200, 2);
        state.trim(u64::MAX);
        put(&mut state, 1, 3);
        let floor =
            |state: &PartitionState, range: &EpkRange| state.history().unwrap().floor(|part| part.overlaps(range));
        assert_eq!(floor(&state, &EpkRange::full()), 2);
        let ranges = halves(100);
        let [low, mut high] = state.retire().split(&ranges[0], &ranges[1]);
        put(&mut high, 200, 4);
        high.trim(u64::MAX);
        assert_eq!((floor(&low, &ranges[0]), floor(&high, &ranges[1])), (2, 4));
    }
}
