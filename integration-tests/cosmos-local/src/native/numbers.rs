// SPDX-License-Identifier: Apache-2.0

//! How a merge counts LSNs anew.

use std::collections::HashMap;
use std::sync::Arc;

use super::epk::{Epk, EpkRange};
use super::history::History;
use super::lineage::Renumbering;
use super::partition::PartitionState;

/// New LSNs for those of several partitions.
#[derive(Debug)]
pub struct Numbers {
    by_part: Vec<HashMap<(u64, Epk), u64>>,
    /// The last of them.
    pub last: u64,
}

impl Numbers {
    /// Counts the writes and transactions of all partitions in the order they happened, as far as each partition's
    /// own order allows: after an earlier merge that may be another.
    pub fn of(parts: &[PartitionState]) -> Self {
        let mut in_order = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            let mut groups: Vec<_> = groups(part)
                .into_iter()
                .map(|((lsn, epk), write)| (lsn, write, epk))
                .collect();
            groups.sort_unstable();
            let mut latest = 0;
            in_order.extend(groups.into_iter().map(|(lsn, write, epk)| {
                latest = write.max(latest);
                (latest, at, lsn, write, epk)
            }));
        }
        in_order.sort_unstable();
        let mut by_part = vec![HashMap::new(); parts.len()];
        for (number, (_, part, lsn, _, epk)) in (1..).zip(&in_order) {
            by_part[*part].insert((*lsn, (*epk).clone()), number);
        }
        Self {
            last: in_order.len() as u64,
            by_part,
        }
    }

    /// The new LSN of a write, by its partition's place, its old LSN and its partition key.
    pub fn of_part(&self, part: usize, lsn: u64, epk: &Epk) -> u64 {
        self.by_part[part]
            .get(&(lsn, epk.clone()))
            .copied()
            .expect("every LSN that is there was counted")
    }

    /// The same as what old positions are understood by.
    pub fn renumberings(&self, ranges: &[EpkRange], floors: &[u64], generation: u64) -> Vec<Renumbering> {
        let parts = self.by_part.iter().zip(ranges).zip(floors);
        parts
            .map(|((numbers, range), floor)| {
                let mut pairs: Vec<(u64, u64)> = numbers.iter().map(|((old, _), new)| (*new, *old)).collect();
                pairs.sort_unstable();
                Renumbering {
                    generation,
                    range: range.clone(),
                    pairs: Arc::from(pairs),
                    last: self.last,
                    floor: *floor,
                }
            })
            .collect()
    }
}

/// Each write or transaction of a partition, with the number of its first write.
///
/// A transaction has one partition key; what has one LSN and several keys came together in an earlier merge.
fn groups(part: &PartitionState) -> HashMap<(u64, &Epk), u64> {
    let mut first: HashMap<(u64, &Epk), u64> = HashMap::new();
    let mut note = |lsn, epk, write: u64| {
        let number = first.entry((lsn, epk)).or_insert(write);
        *number = write.min(*number);
    };
    for document in part.documents.values() {
        note(document.lsn, &document.key.epk, document.stamp.write);
    }
    for change in part.history.iter().flat_map(History::changes) {
        note(change.lsn, change.epk(), change.write);
        for version in change.before.iter().chain(&change.after) {
            note(version.lsn, &version.key.epk, version.stamp.write);
        }
    }
    first
}
