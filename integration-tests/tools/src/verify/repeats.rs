// SPDX-License-Identifier: Apache-2.0
//! What a merge of partitions brings again.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::truth::Truth;
use super::{Emissions, Settings};

/// Most operations of a transaction: a page may be longer by one less.
const LARGEST_TRANSACTION: usize = 100;

/// A merge of partitions. What was emitted from the page at a range's position is emitted again when the merge made the
/// range's mark void: LSNs of different partitions do not compare, so nothing may be dropped by them.
///
/// An emission that is not the first of its change is such a repeat, and no duplicate, when all of this holds:
/// - the change was written before the merge was over, to one of its partitions or one that these came from;
/// - the emission is younger than the merge;
/// - the merge has not repeated the change before;
/// - it belongs to the first unbroken run of such emissions of its split: they are the beginning of a page, so nothing
///   that is emitted for the first time comes between them;
/// - the run is no longer than a page.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Merge {
    /// Ids of the merged partitions and of all that they came from.
    pub ancestors: HashSet<String>,
    /// When it was asked for, milliseconds since the epoch.
    pub began_ms: i64,
    /// How many entries the log had when it was over.
    pub last_seq: u64,
}

/// Indexes of the emissions that merges repeat.
pub fn after_merges(truth: &Truth, emissions: &Emissions<'_>, settings: &Settings) -> HashSet<usize> {
    let candidates = candidates(truth, emissions, &settings.merges);
    let mut splits: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, emission) in emissions.all.iter().enumerate() {
        splits.entry(&emission.change.split).or_default().push(index);
    }
    let longest = settings.page_size + LARGEST_TRANSACTION - 1;
    let mut repeated = HashSet::new();
    for merge in 0..settings.merges.len() {
        for indexes in splits.values() {
            let of_merge = |index: &&usize| candidates.get(index) == Some(&merge);
            let run = indexes.iter().skip_while(|index| !of_merge(index)).take_while(of_merge);
            repeated.extend(run.take(longest));
        }
    }
    repeated
}

/// Emissions that are not the first of their change, each with the merge that may have brought it.
fn candidates(truth: &Truth, emissions: &Emissions<'_>, merges: &[Merge]) -> HashMap<usize, usize> {
    let mut found = HashMap::new();
    for (version, indexes) in emissions.of_version.iter().enumerate() {
        let version = &truth.versions[version];
        let mut used = HashSet::new();
        for &index in indexes.iter().skip(1) {
            let of = merges.iter().enumerate().rev().find(|(number, merge)| {
                !used.contains(number)
                    && version.seq <= merge.last_seq
                    && version
                        .partition
                        .as_ref()
                        .is_some_and(|id| merge.ancestors.contains(id))
                    && emissions.all[index].change.at >= merge.began_ms
            });
            if let Some((number, _)) = of {
                used.insert(number);
                found.insert(index, number);
            }
        }
    }
    found
}
