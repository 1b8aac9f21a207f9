// SPDX-License-Identifier: Apache-2.0
//! A container: what was written, in which partition's feed it stands, and how partitions split and merge.
//!
//! Partition keys are few and lie evenly in the key space; a bound between two of them is a number from 0 to [`KEYS`].

use change_feed::range::{EpkRange, PhysicalRange};

/// Partition keys, each with [`DOCUMENTS`] documents.
pub const KEYS: u8 = 16;
/// Documents of each partition key.
pub const DOCUMENTS: u8 = 3;

/// The number of a write, from 0, in the order of writing.
pub type ChangeId = usize;

/// One write of one document.
#[derive(Debug, Clone)]
pub struct Change {
    pub key: u8,
    pub document: u8,
    pub delete: bool,
    /// The transaction that it is part of.
    pub commit: usize,
    /// When it was written, seconds.
    pub second: i64,
}

/// A change's place in a partition's feed.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub lsn: i64,
    pub change: ChangeId,
}

/// A physical partition, also when it has been split or merged away: tokens may be of it.
#[derive(Debug)]
pub struct Partition {
    pub id: String,
    /// `[low, high)` in bounds.
    pub low: u8,
    pub high: u8,
    /// What the service lists as its parents.
    pub parents: Vec<String>,
    /// Partitions whose LSNs go on in this one's: itself and those that it came from by splits alone.
    pub continues: Vec<usize>,
    pub feed: Vec<Entry>,
    pub lsn: i64,
    /// The LSN at its birth, which every replica has.
    pub born: i64,
    /// All versions: what lies at or below is kept no more.
    pub expired: i64,
    pub live: bool,
    pub locked: bool,
}

/// How a merge leaves its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeModel {
    /// Changes keep their LSNs; new ones come above the highest.
    GoesOn,
    /// LSNs start anew.
    Renumbers,
}

#[derive(Debug)]
pub struct Container {
    pub changes: Vec<Change>,
    pub partitions: Vec<Partition>,
    pub now: i64,
    /// Rises with whatever a reader could see.
    pub version: u64,
    pub merges: usize,
    /// Whether a merged partition lists all that came before, or those only that it was merged from.
    pub lists_all_ancestors: bool,
    commits: usize,
}

/// The text of a bound.
pub fn bound(number: u8) -> String {
    match number {
        0 => String::new(),
        KEYS => "FF".to_owned(),
        _ => format!("{:02X}", u16::from(number) * 256 / u16::from(KEYS)),
    }
}

/// The feed range between two bounds.
pub fn range(low: u8, high: u8) -> EpkRange {
    EpkRange::new(&bound(low), &bound(high)).expect("low is below high")
}

/// The bounds of a feed range.
pub fn bounds(range: &EpkRange) -> (u8, u8) {
    let number = |text: &str| match text {
        "" => 0,
        "FF" => KEYS,
        hex => (u16::from_str_radix(hex, 16).expect("hex") * u16::from(KEYS) / 256) as u8,
    };
    (number(range.min()), number(range.max()))
}

impl Container {
    pub fn new(partitions: u8, lists_all_ancestors: bool) -> Self {
        let mut container = Self {
            changes: Vec::new(),
            partitions: Vec::new(),
            now: 100,
            version: 0,
            merges: 0,
            lists_all_ancestors,
            commits: 0,
        };
        for number in 0..partitions {
            let low = number * KEYS / partitions;
            let high = (number + 1) * KEYS / partitions;
            container.add(low, high, Vec::new(), Vec::new(), Vec::new(), 0);
        }
        container
    }

    fn add(&mut self, low: u8, high: u8, parents: Vec<String>, continues: Vec<usize>, feed: Vec<Entry>, lsn: i64) {
        let place = self.partitions.len();
        let mut continues = continues;
        continues.push(place);
        self.partitions.push(Partition {
            id: place.to_string(),
            low,
            high,
            parents,
            continues,
            feed,
            lsn,
            born: lsn,
            expired: 0,
            live: true,
            locked: false,
        });
        self.version += 1;
    }

    /// The places of the partitions that are there now, in key order.
    pub fn live(&self) -> Vec<usize> {
        let mut live: Vec<usize> = (0..self.partitions.len())
            .filter(|&p| self.partitions[p].live)
            .collect();
        live.sort_by_key(|&p| self.partitions[p].low);
        live
    }

    /// The partition that has a key now.
    pub fn at(&self, key: u8) -> usize {
        (0..self.partitions.len())
            .find(|&p| self.partitions[p].live && self.partitions[p].low <= key && key < self.partitions[p].high)
            .expect("every key has a partition")
    }

    /// The partitions as the service lists them.
    pub fn topology(&self) -> Vec<PhysicalRange> {
        self.live()
            .into_iter()
            .map(|p| {
                let partition = &self.partitions[p];
                PhysicalRange {
                    id: partition.id.clone(),
                    range: range(partition.low, partition.high),
                    parents: partition.parents.clone(),
                }
            })
            .collect()
    }

    /// A transaction on documents of one key; refused while the partition is locked.
    pub fn write(&mut self, key: u8, documents: &[(u8, bool)]) -> bool {
        let place = self.at(key);
        if self.partitions[place].locked {
            return false;
        }
        let (now, commit) = (self.now, self.commits);
        self.commits += 1;
        let partition = &mut self.partitions[place];
        partition.lsn += 1;
        for &(document, delete) in documents {
            partition.feed.push(Entry {
                lsn: partition.lsn,
                change: self.changes.len(),
            });
            self.changes.push(Change {
                key,
                document,
                delete,
                commit,
                second: now,
            });
        }
        self.version += 1;
        true
    }

    /// Cuts a partition in two; LSNs of both go on from its own.
    pub fn split(&mut self, place: usize, middle: u8, gaps: [i64; 2]) {
        let parent = &mut self.partitions[place];
        parent.live = false;
        parent.locked = false;
        let (low, high, lsn, expired) = (parent.low, parent.high, parent.lsn, parent.expired);
        let mut parents = parent.parents.clone();
        parents.push(parent.id.clone());
        let continues = parent.continues.clone();
        for ((low, high), gap) in [(low, middle), (middle, high)].into_iter().zip(gaps) {
            let feed = self.partitions[place]
                .feed
                .iter()
                .filter(|entry| (low..high).contains(&self.changes[entry.change].key))
                .copied()
                .collect();
            self.add(low, high, parents.clone(), continues.clone(), feed, lsn + gap);
            self.partitions.last_mut().expect("just added").expired = expired;
        }
    }

    /// Makes one partition of two neighbours.
    pub fn merge(&mut self, left: usize, right: usize, model: MergeModel) {
        let mut parents: Vec<String> = Vec::new();
        for place in [left, right] {
            let parent = &mut self.partitions[place];
            parent.live = false;
            parent.locked = false;
            let ancestors = match self.lists_all_ancestors {
                true => &parent.parents[..],
                false => &[],
            };
            for id in ancestors.iter().chain([&parent.id]) {
                if !parents.contains(id) {
                    parents.push(id.clone());
                }
            }
        }
        let (low, high) = (self.partitions[left].low, self.partitions[right].high);
        // Each half keeps its order; what is between the halves is open, so by LSN where LSNs stay and by time where not.
        let (mut one, mut other) = (
            self.partitions[left].feed.iter().copied().peekable(),
            self.partitions[right].feed.iter().copied().peekable(),
        );
        let mut feed = Vec::new();
        loop {
            let first = match (one.peek(), other.peek()) {
                (Some(a), Some(b)) => match model {
                    MergeModel::GoesOn => a.lsn <= b.lsn,
                    MergeModel::Renumbers => a.change <= b.change,
                },
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => break,
            };
            feed.extend(if first { one.next() } else { other.next() });
        }
        let mut lsn = self.partitions[left].lsn.max(self.partitions[right].lsn);
        if model == MergeModel::Renumbers {
            lsn = 0;
            let mut last = usize::MAX;
            for entry in &mut feed {
                let commit = self.changes[entry.change].commit;
                if commit != last {
                    lsn += 1;
                    last = commit;
                }
                entry.lsn = lsn;
            }
        }
        self.merges += 1;
        self.add(low, high, parents, Vec::new(), feed, lsn);
    }

    /// An LSN of a partition in the terms of one that has its keys now: where a read of these keys goes on.
    pub fn translate(&self, from: usize, lsn: i64, to: usize, (low, high): (u8, u8)) -> i64 {
        if self.partitions[to].continues.contains(&from) {
            return lsn;
        }
        let ours = |entry: &&Entry| (low..high).contains(&self.changes[entry.change].key);
        let last = self.partitions[from]
            .feed
            .iter()
            .filter(ours)
            .take_while(|entry| entry.lsn <= lsn)
            .last();
        last.map_or(0, |last| {
            let mut feed = self.partitions[to].feed.iter();
            feed.find(|entry| entry.change == last.change)
                .expect("a partition has all changes of its keys")
                .lsn
        })
    }
}

impl Container {
    /// How many changes of a key lie at or below an LSN of a partition.
    pub fn up_to(&self, place: usize, lsn: i64, key: u8) -> usize {
        let feed = &self.partitions[place].feed;
        feed.iter()
            .filter(|entry| entry.lsn <= lsn && self.changes[entry.change].key == key)
            .count()
    }
}
