// SPDX-License-Identifier: Apache-2.0
//! What a merge of partitions brings again.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::ranges::Range;
use super::truth::{Truth, Version};
use super::{Emission, Emissions, Settings};

/// Most operations of a transaction: a page may be longer by one less.
const LARGEST_TRANSACTION: usize = 100;

/// A merge of partitions. LSNs of different partitions do not compare, so whatever a feed range remembers as an LSN is void
/// after it, and changes are emitted again. There are two such things.
///
/// **The mark**, which says how much of the page at the position has been emitted; a range has one when it is restored or
/// moved in the middle of a page. Without it the page is emitted again from its beginning. An emission that is not the
/// first of its change is such a repeat, and no duplicate, when all of this holds:
/// - a merge that the split's range lies in began before the emission;
/// - the change was written before that merge was over, to one of its partitions or one that these came from;
/// - the emission belongs to an unbroken run of such ones of its split: they are the beginning of a page, so nothing that
///   is emitted for the first time comes between them;
/// - the run goes through the changes that the split, or the one that it is a part of, had come to last, in the order in
///   which they were emitted first, each once, and reaches back by no more than a page. A run for another merge that was
///   cut short by a failure does not matter;
/// - neither the split nor one that it is a part of has had another run for this merge, or a later one.
///
/// **The end of the present state**, which says what comes as state and what as a change. It is taken again after the
/// merge, so what was written between the first end and the second comes as both. State that is told again as a change is
/// such a repeat when a merge that the split's range lies in began before the state was emitted, and the change came later.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Merge {
    /// Ids of the merged partitions and of all that they came from.
    pub ancestors: HashSet<String>,
    /// Lowest bound of the merged partition.
    pub min: String,
    /// Highest bound of the merged partition.
    pub max: String,
    /// When it was asked for, milliseconds since the epoch.
    pub began_ms: i64,
    /// How many entries the log had when it was over.
    pub last_seq: u64,
}

impl Merge {
    /// Whether a split lay in it when it emitted something.
    fn concerns(&self, split: Option<&Range>, emission: &Emission<'_>) -> bool {
        let range = Range {
            min: self.min.clone(),
            max: self.max.clone(),
        };
        emission.change.at >= self.began_ms && split.is_some_and(|split| range.contains(split))
    }

    /// Whether a change was written before it was over, to what it merged.
    fn had(&self, version: &Version) -> bool {
        let partition = version.partition.as_ref();
        version.seq <= self.last_seq && partition.is_some_and(|id| self.ancestors.contains(id))
    }
}

/// Indexes of the emissions that merges brought again.
#[derive(Debug, Default)]
pub struct Repeats {
    /// Because of a void mark.
    pub pages: HashSet<usize>,
    /// State whose change came as well, because of a void end.
    pub state: HashSet<usize>,
}

/// Finds what merges brought again.
pub fn after_merges(truth: &Truth, emissions: &Emissions<'_>, settings: &Settings) -> Repeats {
    if settings.merges.is_empty() {
        return Repeats::default();
    }
    let splits = Splits::of(emissions);
    Repeats {
        pages: Pages::new(truth, emissions, settings, &splits).find(),
        state: state(emissions, &settings.merges, &splits),
    }
}

/// State that is told again as a change after a merge.
fn state(emissions: &Emissions<'_>, merges: &[Merge], splits: &Splits) -> HashSet<usize> {
    let mut found = HashSet::new();
    for indexes in &emissions.of_version {
        let is_change = |index: &usize| emissions.all[*index].change.op.is_known();
        let (changes, state): (Vec<usize>, Vec<usize>) = indexes.iter().partition(|&index| is_change(index));
        let excused = |index: &usize| {
            let emission = &emissions.all[*index];
            merges
                .iter()
                .any(|merge| merge.concerns(splits.range(*index), emission))
        };
        if let (Some(first), Some(last)) = (changes.first(), state.last())
            && last < first
            && state.iter().all(excused)
        {
            found.extend(state);
        }
    }
    found
}

/// The splits that emitted something, in the order of their first emissions: none comes before one that it is a part of.
struct Splits {
    ranges: Vec<Option<Range>>,
    emissions: Vec<Vec<usize>>,
    of_emission: Vec<usize>,
}

impl Splits {
    fn of(emissions: &Emissions<'_>) -> Self {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut splits = Self {
            ranges: Vec::new(),
            emissions: Vec::new(),
            of_emission: Vec::new(),
        };
        for (index, emission) in emissions.all.iter().enumerate() {
            let name = emission.change.split.as_str();
            let number = *numbers.entry(name).or_insert_with(|| {
                splits.ranges.push(Range::of_split(name));
                splits.emissions.push(Vec::new());
                splits.ranges.len() - 1
            });
            splits.emissions[number].push(index);
            splits.of_emission.push(number);
        }
        splits
    }

    fn range(&self, emission: usize) -> Option<&Range> {
        self.ranges[self.of_emission[emission]].as_ref()
    }

    /// Whether a split is another one or a part of it.
    fn lies_in(&self, split: usize, other: usize) -> bool {
        let ranges = self.ranges[other].as_ref().zip(self.ranges[split].as_ref());
        split == other || ranges.is_some_and(|(other, split)| other.contains(split))
    }
}

/// The beginning of a page that is emitted again.
struct Run {
    /// Merges that may have brought all of it, in their order.
    merges: Vec<usize>,
    /// The first emissions of the changes that the split had come to last, oldest first.
    page: Vec<usize>,
    /// The first emission of the last change.
    last: Option<usize>,
    versions: HashSet<usize>,
}

/// The search for pages that were emitted again.
struct Pages<'a> {
    truth: &'a Truth,
    emissions: &'a Emissions<'a>,
    settings: &'a Settings,
    splits: &'a Splits,
    /// For each emission that is not the first of its change the first. What came as state and what came as a change are
    /// told apart.
    first: HashMap<usize, usize>,
    /// Merges that have had a run, each with the split.
    used: Vec<(usize, usize)>,
    found: HashSet<usize>,
}

impl<'a> Pages<'a> {
    fn new(truth: &'a Truth, emissions: &'a Emissions<'a>, settings: &'a Settings, splits: &'a Splits) -> Self {
        let mut first = HashMap::new();
        for indexes in &emissions.of_version {
            for known in [false, true] {
                let same = |index: &usize| emissions.all[*index].change.op.is_known() == known;
                let mut same = indexes.iter().copied().filter(same);
                if let Some(earliest) = same.next() {
                    first.extend(same.map(|index| (index, earliest)));
                }
            }
        }
        Self {
            truth,
            emissions,
            settings,
            splits,
            first,
            used: Vec::new(),
            found: HashSet::new(),
        }
    }

    fn find(mut self) -> HashSet<usize> {
        let splits = self.splits;
        for (split, emissions) in splits.emissions.iter().enumerate() {
            let mut run: Option<Run> = None;
            let mut broken = false;
            for &index in emissions {
                let Some(&first) = self.first.get(&index) else {
                    self.close(split, run.take());
                    broken = false;
                    continue;
                };
                if broken {
                    continue;
                }
                let version = self.emissions.all[index].version;
                if run.as_ref().is_some_and(|run| run.versions.contains(&version)) {
                    // The page begins once more.
                    self.close(split, run.take());
                }
                let open = run.get_or_insert_with(|| self.open(split, index));
                if self.goes_on(open, split, index, first) {
                    self.found.insert(index);
                } else {
                    self.close(split, run.take());
                    broken = true;
                }
            }
            self.close(split, run);
        }
        self.found
    }

    fn open(&self, split: usize, index: usize) -> Run {
        let of_lineage = |&&(of, _): &&(usize, usize)| self.splits.lies_in(split, of);
        let used = self.used.iter().filter(of_lineage).map(|(_, merge)| merge + 1).max();
        let longest = self.settings.page_size + LARGEST_TRANSACTION - 1;
        let firsts = (0..index).rev().filter(|index| !self.first.contains_key(index));
        let of_lineage = |index: &usize| self.splits.lies_in(split, self.splits.of_emission[*index]);
        let mut page: Vec<usize> = firsts.filter(of_lineage).take(longest).collect();
        page.reverse();
        Run {
            merges: (used.unwrap_or(0)..self.settings.merges.len()).collect(),
            page,
            last: None,
            versions: HashSet::new(),
        }
    }

    /// Adds an emission to a run, unless it is none of it.
    fn goes_on(&self, run: &mut Run, split: usize, index: usize, first: usize) -> bool {
        let emission = &self.emissions.all[index];
        let version = &self.truth.versions[emission.version];
        let range = self.splits.ranges[split].as_ref();
        let brings = |&merge: &usize| {
            let merge = &self.settings.merges[merge];
            merge.concerns(range, emission) && merge.had(version)
        };
        let merges: Vec<usize> = run.merges.iter().copied().filter(brings).collect();
        let in_order = run.last.is_none_or(|last| last < first);
        if merges.is_empty() || !in_order || run.page.binary_search(&first).is_err() {
            return false;
        }
        run.merges = merges;
        run.last = Some(first);
        run.versions.insert(emission.version);
        true
    }

    fn close(&mut self, split: usize, run: Option<Run>) {
        if let Some(run) = run
            && !run.versions.is_empty()
        {
            self.used.extend(run.merges.first().map(|&merge| (split, merge)));
        }
    }
}

#[cfg(test)]
mod tests;
