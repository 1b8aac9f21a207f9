// SPDX-License-Identifier: Apache-2.0
//! The documents of a transaction arrive together.

use std::collections::HashSet;

use super::truth::Truth;
use super::{Emissions, Mode, Samples};

/// Counts transactions of several documents that were not kept together:
///
/// - documents of it were committed in different files, that is, in different transactions of the sink;
/// - a document of it is missing that was there to be read when another was emitted. In latest-version mode a document
///   leaves its transaction when it is written again, so it counts only when that happened (by the log's clock, in whole
///   seconds) after the other had been emitted; with all versions nothing ever leaves.
pub fn torn(truth: &Truth, emissions: &Emissions<'_>, mode: Mode, samples: &mut Samples) -> u64 {
    let mut torn = 0;
    for group in truth.groups.iter().filter(|group| group.len() > 1) {
        if let Some(how) = committed_apart(group, emissions).or_else(|| in_part(group, truth, emissions, mode)) {
            torn += 1;
            samples.add_text("torn", || {
                let names: Vec<String> = group.iter().map(|&version| truth.name(version)).collect();
                format!("{how}: {}", names.join("; "))
            });
        }
    }
    torn
}

/// A transaction that is repeated after a merge is kept together each time.
fn committed_apart(group: &[usize], emissions: &Emissions<'_>) -> Option<String> {
    [&emissions.counted, &emissions.repeated].into_iter().find_map(|kind| {
        let times = group.iter().map(|&version| kind[version].len()).max()?;
        (0..times).find_map(|time| {
            let indexes = group.iter().filter_map(|&version| kind[version].get(time));
            let files: HashSet<usize> = indexes.map(|&index| emissions.all[index].file).collect();
            (files.len() > 1).then(|| format!("committed in {} files", files.len()))
        })
    })
}

fn in_part(group: &[usize], truth: &Truth, emissions: &Emissions<'_>, mode: Mode) -> Option<String> {
    let there = group
        .iter()
        .filter_map(|&version| emissions.first(version))
        .max_by_key(|emission| emission.change.at)?;
    let as_change = mode != Mode::LatestVersion && there.change.op.is_known();
    let absent = group.iter().find(|&&version| {
        if emissions.first(version).is_some() {
            return false;
        }
        let gone_at = truth.versions[version].next.map(|next| truth.versions[next].ts);
        let was_there = match gone_at {
            None => !truth.versions[version].is_delete(),
            Some(None) => false,
            Some(Some(seconds)) => seconds * 1000 > there.change.at,
        };
        as_change || (was_there && !truth.versions[version].is_delete())
    });
    absent.map(|&version| format!("without {}", truth.documents[truth.versions[version].document].id))
}
