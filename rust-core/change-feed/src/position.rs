// SPDX-License-Identifier: Apache-2.0
//! A position in a feed range. Its bytes in Flink's state are in `position/encoding.rs`.
//!
//! A position is *(token that fetched the page, mark)*: read from the token, drop what lies at or below the mark. Never
//! a count: an item that is updated meanwhile leaves its place, and a re-read page is shorter.

mod encoding;

use crate::configuration::{Mode, Start};
use crate::framing::SplitSnapshot;
use crate::range::{EpkRange, PhysicalRange};

/// Which container a position belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerIdentity {
    /// Told in messages only: an account may be reached under another name.
    pub endpoint: String,
    pub database: String,
    pub container: String,
    /// The service's own id; a container recreated under the same name has another.
    pub rid: String,
}

/// The physical partition that an LSN was seen on. LSNs compare within it and its descendants by splits only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    pub partition_id: String,
    pub range: EpkRange,
}

/// Two parts or more, and what they became.
const PARTS_AND_MERGED: usize = 3;

impl Lineage {
    /// Whether LSNs of `partition` go on from this lineage's: it is the partition itself, or splits alone lead to it.
    ///
    /// What is merged has one successor, so whoever comes of one of the parts comes of the other and of the merged one: at
    /// least three that the same partitions come of. Of a partition that was split, another side comes as well, or else two at
    /// most have the same heirs. In doubt the answer is no: then a page is read again whole, while a wrong yes would drop
    /// changes.
    pub fn leads_to(&self, partition: &PhysicalRange, topology: &[PhysicalRange]) -> bool {
        if self.partition_id == partition.id {
            return true;
        }
        let Some(from) = partition.parents.iter().position(|id| *id == self.partition_id) else {
            return false;
        };
        if !self.range.contains(&partition.range) || self.range.is_same(&partition.range) {
            return false;
        }
        let heirs_of = |id: &String| -> Vec<usize> {
            let comes_of_it = |other: &PhysicalRange| other.id == *id || other.parents.contains(id);
            (0..topology.len())
                .filter(|&place| comes_of_it(&topology[place]))
                .collect()
        };
        let heirs: Vec<_> = partition.parents.iter().chain([&partition.id]).map(heirs_of).collect();
        heirs[from + 1..]
            .iter()
            .all(|one| heirs.iter().filter(|other| *other == one).count() < PARTS_AND_MERGED)
    }
}

/// An LSN and where it means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineageLsn {
    pub lsn: i64,
    pub lineage: Lineage,
}

impl LineageLsn {
    /// An LSN that was seen on a partition.
    pub fn on(partition: &PhysicalRange, lsn: i64) -> Self {
        Self {
            lsn,
            lineage: Lineage {
                partition_id: partition.id.clone(),
                range: partition.range.clone(),
            },
        }
    }
}

/// Where a bounded range ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The last LSN to emit.
    Lsn(LineageLsn),
    /// The last moment to emit, milliseconds since the epoch; its whole second is included.
    Time(i64),
}

/// What comes after the present state was read: every change since the moment at which it was pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Then {
    /// The token of the all-versions mode, taken when the reading of the present state was given its end.
    pub token: String,
    /// Where the range ends for good.
    pub end: Option<End>,
}

/// Everything that is needed to go on reading one feed range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub identity: ContainerIdentity,
    /// The mode that the token is of, and the next page is read in.
    pub mode: Mode,
    pub range: EpkRange,
    /// 0 at discovery, one more than the parent's after a split.
    pub generation: u32,
    /// Used while there is no token.
    pub start: Start,
    /// The driver's continuation token that fetches the next page, or fetched the present one.
    pub token: Option<String>,
    /// The highest LSN emitted from the page that the token fetches.
    pub mark: Option<LineageLsn>,
    /// Without a mark: the newest LSN of the answer that brought the token, of its items or of the replica. A replica that has
    /// not come so far may answer with an older token, behind which everything would come again.
    pub reached: Option<LineageLsn>,
    /// Bounded reading: what is emitted last. While the present state is read: where that ends.
    pub end: Option<End>,
    /// Set while the present state is read, in latest-version mode.
    pub then: Option<Then>,
}

impl Position {
    /// The split's id: its range and generation, which make it unique for ever.
    pub fn split_id(&self) -> String {
        format!("{}-{}@{}", self.range.min(), self.range.max(), self.generation)
    }

    /// The mode that the job is configured with.
    pub fn job_mode(&self) -> Mode {
        match self.then {
            Some(_) => Mode::AllVersionsAndDeletes,
            None => self.mode,
        }
    }

    /// Where the job has the range end.
    pub fn job_end(&self) -> Option<&End> {
        match &self.then {
            Some(then) => then.end.as_ref(),
            None => self.end.as_ref(),
        }
    }

    /// What a child goes on from: the parent's token, read with the child's range, and the parent's mark and end.
    pub fn child(&self, range: EpkRange) -> Position {
        Position {
            range,
            generation: self.generation + 1,
            ..self.clone()
        }
    }

    /// How Java sees it.
    pub fn snapshot(&self) -> SplitSnapshot {
        SplitSnapshot {
            split_id: self.split_id(),
            feed_range: self.range.to_string(),
            position: self.encode(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
