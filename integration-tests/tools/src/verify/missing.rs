// SPDX-License-Identifier: Apache-2.0
//! What had to be emitted and was not.

use super::truth::Truth;
use super::{Emissions, Mode, Samples};

/// Counts what is missing.
pub fn lost(truth: &Truth, emissions: &Emissions<'_>, mode: Mode, samples: &mut Samples) -> u64 {
    let missing = match mode {
        Mode::LatestVersion => last_versions(truth, emissions),
        Mode::AllVersionsAndDeletes => changes_from(truth, emissions, |_| 0),
        Mode::PresentStateThenChanges => state_and_changes(truth, emissions),
    };
    for version in &missing {
        samples.add_text("lost", || truth.name(*version));
    }
    missing.len() as u64
}

/// In latest-version mode a version that was overwritten may be absent, the last one may not.
fn last_versions(truth: &Truth, emissions: &Emissions<'_>) -> Vec<usize> {
    truth
        .documents
        .iter()
        .filter(|document| !document.last_unknown)
        .filter_map(|document| truth.last(document))
        .filter(|&last| emissions.first(last).is_none())
        .collect()
}

/// Every entry of a key from a place in the log on.
fn changes_from(truth: &Truth, emissions: &Emissions<'_>, begin: impl Fn(usize) -> u64) -> Vec<usize> {
    let is_told = |version: usize| {
        emissions.of_version[version]
            .iter()
            .any(|&index| emissions.all[index].change.op.is_known())
    };
    (0..truth.keys.len())
        .flat_map(|key| {
            let begin = begin(key);
            truth.keys[key]
                .iter()
                .copied()
                .filter(move |&version| truth.versions[version].place >= begin)
        })
        .filter(|&version| !is_told(version))
        .collect()
}

/// A key's changes begin at the moment for which the present state was read, and miss nothing from there on. A document
/// without any change since arrives as present state. And what follows a version that was read as present state was
/// written after that moment, so it is a change.
fn state_and_changes(truth: &Truth, emissions: &Emissions<'_>) -> Vec<usize> {
    let is_known = |index: &usize| emissions.all[*index].change.op.is_known();
    let told = |version: usize| emissions.of_version[version].iter().any(is_known);
    let present = |version: usize| !emissions.of_version[version].iter().all(is_known);
    let begins: Vec<u64> = truth
        .keys
        .iter()
        .map(|versions| {
            let places = versions.iter().filter(|&&version| told(version));
            places
                .map(|&version| truth.versions[version].place)
                .min()
                .unwrap_or(u64::MAX)
        })
        .collect();
    let mut missing = changes_from(truth, emissions, |key| begins[key]);
    for document in truth.documents.iter().filter(|document| !document.last_unknown) {
        let begin = |version: usize| begins[truth.versions[version].key];
        let before = document
            .versions
            .iter()
            .copied()
            .take_while(|&version| truth.versions[version].place < begin(version));
        let before: Vec<usize> = before.collect();
        if let Some(last) = before.last()
            && truth.versions[*last].next.is_none()
            && !truth.versions[*last].is_delete()
            && !present(*last)
        {
            missing.push(*last);
        }
        for &version in &before {
            if present(version)
                && let Some(next) = truth.versions[version].next
                && before.contains(&next)
            {
                missing.push(next);
            }
        }
    }
    missing.sort_unstable();
    missing.dedup();
    missing
}
