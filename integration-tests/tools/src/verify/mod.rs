// SPDX-License-Identifier: Apache-2.0
//! Compares what a job's sink has committed with the log of what was written.
//!
//! What is right depends on the feed's mode. Latest version: every emitted change is in the log and emitted once; the last
//! version of every document is emitted; changes of a partition key keep their order; what of a transaction is read is
//! committed together. All versions and deletes: the log itself, deletes included, under the same order and the same
//! togetherness, each change with its operation and the version before it.
//!
//! One committed file is one transaction of the sink: what one subtask emitted between two checkpoints.

mod groups;
mod missing;
mod operations;
mod order;
mod ranges;
mod repeats;
mod truth;

use std::collections::{HashMap, HashSet};

use serde::Serialize;

pub use self::repeats::Merge;
use self::repeats::Repeats;
use self::truth::{Found, Truth};
use crate::change_log::{Entry, bare_etag, partition_key_text};
use crate::committed::Change;

/// How many offenders of each kind are named.
const SAMPLES: usize = 5;

/// What the feed promises.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    #[default]
    LatestVersion,
    /// From the log's first entry on.
    AllVersionsAndDeletes,
    /// The state at some moment, then all versions and deletes since.
    PresentStateThenChanges,
}

/// What the comparison has to know beside log and files.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub mode: Mode,
    /// Merges of partitions while the job ran, in their order.
    pub merges: Vec<Merge>,
    /// Most documents of a page, not counting the rest of a transaction: a merge repeats no more than one.
    pub page_size: usize,
}

/// What the comparison found. All counts but those named otherwise are of changes, that is, of versions of documents.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Versions that the log says were written, deletes not counted.
    pub written: u64,
    /// Deletes that the log says were made.
    pub deleted: u64,
    /// Changes in the committed files.
    pub emitted: u64,
    /// Different ones among them.
    pub distinct: u64,
    /// Changes that had to be emitted and were not: last versions, or with all versions anything.
    pub lost: u64,
    /// Changes that had been emitted before.
    pub duplicated: u64,
    /// Changes that had been emitted before and that a merge of partitions brought again with their page: see [`Merge`].
    pub repeated_after_merge: u64,
    /// Present state that came as changes too because of a merge of partitions meanwhile: see [`Merge`].
    pub state_repeated_after_merge: u64,
    /// Transactions of which a part was committed apart from another, or of which a part is missing that could be read
    /// when the rest was.
    pub torn: u64,
    /// Emitted changes that the log does not know.
    pub not_in_log: u64,
    /// Changes emitted after a later one of the same partition key.
    pub out_of_order: u64,
    /// Changes with another operation or another version before them than the log has; with all versions only.
    pub mistold: u64,
    /// Emitted versions of documents of which a write got no answer; only a journal has those.
    pub unacknowledged: u64,
    /// Documents that exist at the end of the log.
    pub documents: u64,
    /// Transactions of several documents in the log.
    pub transactions: u64,
    /// Committed files.
    pub files: u64,
    /// When the job wrote its first and its last line, milliseconds since the epoch; 0 without lines.
    pub first_emitted_ms: i64,
    pub last_emitted_ms: i64,
    /// Some offenders, for people.
    pub samples: Vec<String>,
}

impl Report {
    /// Nothing lost, twice, torn, unknown, out of order or told wrongly.
    pub fn is_clean(&self) -> bool {
        self.lost + self.duplicated + self.torn + self.not_in_log + self.out_of_order + self.mistold == 0
    }
}

/// One line of the files that the log knows.
struct Emission<'a> {
    change: &'a Change,
    /// Index of the version in the truth.
    version: usize,
    file: usize,
    line: usize,
}

/// All lines that the log knows, in the order in which the job wrote them.
struct Emissions<'a> {
    all: Vec<Emission<'a>>,
    /// For each version of the truth its emissions, oldest first.
    of_version: Vec<Vec<usize>>,
    /// The same without those that merges brought again, and those alone.
    counted: Vec<Vec<usize>>,
    repeated: Vec<Vec<usize>>,
}

impl<'a> Emissions<'a> {
    fn new(mut all: Vec<Emission<'a>>, files: &[Vec<Change>], versions: usize) -> Self {
        let begin = |file: usize| files[file].first().map_or(0, |change| change.at);
        all.sort_by_key(|emission| (emission.change.at, begin(emission.file), emission.file, emission.line));
        let mut of_version = vec![Vec::new(); versions];
        for (index, emission) in all.iter().enumerate() {
            of_version[emission.version].push(index);
        }
        Self {
            all,
            counted: of_version.clone(),
            repeated: vec![Vec::new(); versions],
            of_version,
        }
    }

    /// Tells apart what merges brought again.
    fn leave_out(&mut self, repeats: &Repeats) {
        let is_repeat = |index: &usize| repeats.pages.contains(index) || repeats.state.contains(index);
        for (version, indexes) in self.of_version.iter().enumerate() {
            (self.repeated[version], self.counted[version]) = indexes.iter().partition(|&index| is_repeat(index));
        }
    }

    /// The first emission of a version.
    fn first(&self, version: usize) -> Option<&Emission<'a>> {
        self.counted[version].first().map(|&index| &self.all[index])
    }

    /// Emissions that are the first of their version.
    fn firsts(&self) -> impl Iterator<Item = &Emission<'a>> {
        let is_first = |index: usize| self.counted[self.all[index].version].first() == Some(&index);
        (0..self.all.len())
            .filter(move |&index| is_first(index))
            .map(|index| &self.all[index])
    }
}

/// Compares the committed files, each in its own order, with the log.
pub fn compare(log: &[Entry], files: &[Vec<Change>], settings: &Settings) -> Report {
    let truth = Truth::of(log);
    let mut report = Report {
        written: truth.written,
        deleted: truth.deleted,
        documents: truth.existing(),
        transactions: truth.groups.iter().filter(|group| group.len() > 1).count() as u64,
        files: files.len() as u64,
        emitted: files.iter().map(|changes| changes.len() as u64).sum(),
        ..Report::default()
    };
    let times = || files.iter().flatten().map(|change| change.at);
    report.first_emitted_ms = times().min().unwrap_or(0);
    report.last_emitted_ms = times().max().unwrap_or(0);

    let mut samples = Samples::default();
    let known = match_with_log(&truth, files, &mut report, &mut samples);
    let mut emissions = Emissions::new(known, files, truth.versions.len());
    report.distinct += emissions.of_version.iter().filter(|each| !each.is_empty()).count() as u64;

    let repeats = repeats::after_merges(&truth, &emissions, settings);
    report.repeated_after_merge = repeats.pages.len() as u64;
    report.state_repeated_after_merge = repeats.state.difference(&repeats.pages).count() as u64;
    emissions.leave_out(&repeats);
    for index in emissions.counted.iter().flat_map(|indexes| indexes.iter().skip(1)) {
        report.duplicated += 1;
        samples.add("duplicated", emissions.all[*index].change);
    }
    report.out_of_order = order::disorder(&truth, &emissions, &mut samples);
    report.torn = groups::torn(&truth, &emissions, settings.mode, &mut samples);
    report.lost = missing::lost(&truth, &emissions, settings.mode, &mut samples);
    if settings.mode != Mode::LatestVersion {
        report.mistold = operations::mistold(&truth, &emissions, &mut samples);
    }
    report.samples = samples.texts;
    report
}

/// Finds each line's version; what the log does not have is counted here.
fn match_with_log<'a>(
    truth: &Truth,
    files: &'a [Vec<Change>],
    report: &mut Report,
    samples: &mut Samples,
) -> Vec<Emission<'a>> {
    let mut known = Vec::new();
    let mut unacknowledged: HashSet<(String, &str, &str)> = HashSet::new();
    for (file, changes) in files.iter().enumerate() {
        for (line, change) in changes.iter().enumerate() {
            match truth.find(change) {
                Found::Version(version) => known.push(Emission {
                    change,
                    version,
                    file,
                    line,
                }),
                Found::Unacknowledged => {
                    let etag = bare_etag(change.etag.as_deref().unwrap_or_default());
                    if unacknowledged.insert((partition_key_text(&change.pk), &change.id, etag)) {
                        report.unacknowledged += 1;
                        report.distinct += 1;
                    } else {
                        report.duplicated += 1;
                        samples.add("duplicated", change);
                    }
                }
                Found::Nothing => {
                    report.not_in_log += 1;
                    samples.add("not in the log", change);
                }
            }
        }
    }
    known
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
                "id {} of {} with ETag {}, operation {}, LSN {} of split {}, at {}",
                change.id,
                partition_key_text(&change.pk),
                change.etag.as_deref().unwrap_or("none"),
                change.op,
                change.lsn,
                change.split,
                change.at,
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
mod tests;
