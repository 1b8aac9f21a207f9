// SPDX-License-Identifier: Apache-2.0
//! What the driver and the service behind it answer: pages, lists, failures; as unhelpful as they may lawfully be.

use change_feed::configuration::{Mode, Start};
use change_feed::error::{Code, Error};
use change_feed::failure::{Attempt, Failure};
use change_feed::position::Position;
use change_feed::range::PhysicalRange;
use change_feed::reading::Page;
use change_feed::token::TokenShape;
use fastrand::Rng;

use crate::container::{ChangeId, Container, Entry, bounds, range};
use crate::token::{At, Part, read_token, write_token};

pub const RID: &str = "rid";

/// How many seconds a replica may lag behind.
pub const LAG_SECONDS: i64 = 5;

/// How the service behaves; all percentages.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    pub throttled: u8,
    pub failing: u8,
    pub missing: u8,
    /// Answers from replicas that lag behind.
    pub lagging: u8,
    /// Lists that are out of date.
    pub stale_lists: u8,
    /// Answers that bring nothing, not even "not modified".
    pub empty: u8,
}

impl Weather {
    pub const FINE: Self = Self {
        throttled: 0,
        failing: 0,
        missing: 0,
        lagging: 0,
        stale_lists: 0,
        empty: 0,
    };
}

/// An answer, and what the documents in it are.
#[derive(Debug)]
pub struct Answer {
    pub page: Page,
    pub changes: Vec<ChangeId>,
    /// The partition that answered, and the LSN behind which its part of the token goes on.
    pub partition: usize,
    pub behind: i64,
    /// Whether nothing more could have been there.
    pub at_head: bool,
}

/// What a partition's feed gives for one part.
struct Read {
    entries: Vec<Entry>,
    /// The LSN to go on behind.
    next: i64,
    /// The newest LSN of the replica that answered.
    visible: i64,
    not_modified: bool,
}

#[derive(Debug)]
pub struct Service {
    pub container: Container,
    pub weather: Weather,
    /// What is listed while lists are out of date.
    listed: Vec<PhysicalRange>,
    listed_of: usize,
}

fn transient(message: &str, throttled: bool) -> Failure {
    Failure::Transient {
        error: Error::new(Code::ServiceError, message),
        throttled,
        asked: None,
    }
}

fn fatal(message: String) -> Failure {
    Failure::Fatal(Error::new(Code::ServiceError, message))
}

impl Service {
    pub fn new(container: Container, weather: Weather) -> Self {
        Self {
            listed: container.topology(),
            listed_of: container.partitions.len(),
            container,
            weather,
        }
    }

    fn happens(rng: &mut Rng, percent: u8) -> bool {
        percent > 0 && rng.u8(0..100) < percent
    }

    /// Brings the lists up to date.
    pub fn publish(&mut self) {
        // Every split and merge adds partitions.
        if self.listed_of != self.container.partitions.len() {
            self.listed_of = self.container.partitions.len();
            self.listed = self.container.topology();
        }
    }

    /// Connecting: the container's RID.
    pub fn connect(&mut self, rng: &mut Rng) -> Attempt<&'static str> {
        match Self::happens(rng, self.weather.failing) {
            true => Err(transient("no connection", false)),
            false => Ok(RID),
        }
    }

    /// The physical partitions; out of date lists are of one moment.
    pub fn partitions(&mut self, refresh: bool, rng: &mut Rng) -> Attempt<Vec<PhysicalRange>> {
        if Self::happens(rng, self.weather.failing) {
            return Err(transient("not listed", false));
        }
        let stale = self.weather.stale_lists;
        if !Self::happens(rng, if refresh { stale } else { stale.saturating_mul(2) }) {
            self.publish();
        }
        Ok(self.listed.clone())
    }

    /// One page, as the driver fetches it for a feed range: it follows splits, page by page, behind the caller's back.
    pub fn fetch(&mut self, position: &Position, rng: &mut Rng) -> Attempt<Answer> {
        let weather = self.weather;
        if Self::happens(rng, weather.throttled) {
            return Err(transient("429", true));
        }
        if Self::happens(rng, weather.failing) {
            return Err(transient("503", false));
        }
        if Self::happens(rng, weather.missing) {
            return Err(Failure::Missing(Error::new(Code::ContainerNotFound, "404")));
        }
        let mut parts = self.parts(position)?;
        let number = rng.usize(0..parts.len());
        let first = parts[number];
        let place = self.container.at(first.low);
        if self.container.partitions[place].locked {
            return Err(transient("500/20206", false));
        }
        // Of a token that somebody has saved nobody knows the partition: it is read where it was made, see docs/reading.md.
        let is_saved = position.token.is_some() && position.mark.is_none() && position.reached.is_none();
        let read = self.read(position.mode, first, place, is_saved, rng)?;
        parts[number].at = At::Behind(place, read.next);
        let not_modified = read.not_modified;
        let shape = TokenShape {
            container_rid: RID.to_owned(),
            ranges: parts.iter().map(|part| range(part.low, part.high)).collect(),
        };
        let partition = &self.container.partitions[place];
        let second = |entry: &Entry| self.container.changes[entry.change].second;
        let page = Page {
            not_modified,
            lsn: Some(read.visible),
            partition_id: Some(partition.id.clone()),
            next_token: write_token(position.mode, &parts),
            shape,
            lsns: read.entries.iter().map(|entry| Some(entry.lsn)).collect(),
            timestamps: read.entries.iter().map(|entry| Some(second(entry) * 1000)).collect(),
            past_end_time: false,
        };
        Ok(Answer {
            page,
            changes: read.entries.iter().map(|entry| entry.change).collect(),
            partition: place,
            behind: read.next,
            at_head: not_modified && read.visible == partition.lsn,
        })
    }

    /// What the token stands for within the range, cut at today's partitions.
    fn parts(&self, position: &Position) -> Attempt<Vec<Part>> {
        let (low, high) = bounds(&position.range);
        let whole = match &position.token {
            None => vec![Part {
                low,
                high,
                at: At::Start(position.start),
            }],
            Some(token) => read_token(position.mode, token)
                .ok_or_else(|| fatal(format!("400: {token} is no token of mode {:?}", position.mode)))?,
        };
        let mut parts = Vec::new();
        for part in whole {
            let (from, to) = (part.low.max(low), part.high.min(high));
            for place in self.container.live() {
                let partition = &self.container.partitions[place];
                let (low, high) = (from.max(partition.low), to.min(partition.high));
                if low < high {
                    parts.push(Part { low, high, at: part.at });
                }
            }
        }
        // A token that leaves out a part of the range is the caller's mistake; the driver refuses it.
        let covered: u8 = parts.iter().map(|part| part.high - part.low).sum();
        if covered != high - low {
            return Err(fatal(format!("400: the token does not cover {}", position.range)));
        }
        Ok(parts)
    }

    fn read(&self, mode: Mode, part: Part, place: usize, is_saved: bool, rng: &mut Rng) -> Attempt<Read> {
        let container = &self.container;
        let partition = &container.partitions[place];
        let visible = self.visible(place, rng);
        let from = match part.at {
            At::Behind(of, lsn) => container.translate(of, lsn, place, (part.low, part.high)),
            At::Start(Start::Beginning) => 0,
            // The driver asks for now and then for what is behind it, and is answered by whichever replica.
            At::Start(Start::Now) if mode == Mode::AllVersionsAndDeletes => {
                // A replica does not know of what it has forgotten.
                let at = At::Behind(place, visible.max(partition.expired));
                return self.read(mode, Part { at, ..part }, place, is_saved, rng);
            }
            At::Start(Start::Now) => {
                return Ok(Read {
                    entries: Vec::new(),
                    next: visible,
                    visible,
                    not_modified: true,
                });
            }
            At::Start(Start::At(millis)) => {
                let before = partition.feed.iter().filter(|entry| {
                    let change = &container.changes[entry.change];
                    change.second < millis.div_euclid(1000) && (part.low..part.high).contains(&change.key)
                });
                before.map(|entry| entry.lsn).max().unwrap_or_default()
            }
        };
        if mode == Mode::AllVersionsAndDeletes {
            match part.at {
                At::Behind(..) if from < partition.expired => {
                    return Err(Failure::Expired(Error::new(
                        Code::RetentionExpired,
                        format!(
                            "the token at LSN {from} is older than what partition {} keeps",
                            partition.id
                        ),
                    )));
                }
                At::Behind(..) => {}
                At::Start(_) => return Err(fatal("400: all versions start with now or a token".to_owned())),
            }
        }
        let ours = |entry: &&Entry| {
            let change = &container.changes[entry.change];
            entry.lsn > from && entry.lsn <= visible && (part.low..part.high).contains(&change.key)
        };
        let mut entries: Vec<Entry> = match mode {
            Mode::AllVersionsAndDeletes => partition.feed.iter().filter(ours).copied().collect(),
            Mode::LatestVersion => {
                let mut seen = [false; crate::container::KEYS as usize * crate::container::DOCUMENTS as usize];
                let mut latest: Vec<Entry> = Vec::new();
                for entry in partition.feed.iter().rev().filter(ours) {
                    let change = &container.changes[entry.change];
                    let document = usize::from(change.key * crate::container::DOCUMENTS + change.document);
                    if !std::mem::replace(&mut seen[document], true) && !change.delete {
                        latest.push(*entry);
                    }
                }
                latest.reverse();
                latest
            }
        };
        if entries.is_empty() {
            // A replica that lags behind the token may repeat that or name its own LSN.
            let next = if matches!(part.at, At::Behind(..)) && (is_saved || rng.bool()) {
                from.max(visible)
            } else {
                visible
            };
            // An answer may as well say that there may be more and bring nothing.
            let empty = Self::happens(rng, self.weather.empty);
            return Ok(Read {
                entries,
                next: if empty && from < next {
                    rng.i64(from..=next)
                } else {
                    next
                },
                visible,
                not_modified: !empty,
            });
        }
        if Self::happens(rng, self.weather.empty) {
            let before = entries[0].lsn - 1;
            return Ok(Read {
                entries: Vec::new(),
                next: rng.i64(from..=before),
                visible,
                not_modified: false,
            });
        }
        // Pages end where a transaction ends, and are never cut the same way twice.
        let size = rng.usize(1..=8);
        let mut end = entries.len();
        if size < entries.len() {
            let last = entries[size - 1].lsn;
            end = entries.iter().position(|entry| entry.lsn > last).unwrap_or(end);
        }
        let next = if end == entries.len() && rng.bool() {
            visible
        } else {
            entries[end - 1].lsn
        };
        entries.truncate(end);
        Ok(Read {
            entries,
            next,
            visible,
            not_modified: false,
        })
    }

    /// The LSN up to which the replica that answers has the partition.
    fn visible(&self, place: usize, rng: &mut Rng) -> i64 {
        let partition = &self.container.partitions[place];
        if !Self::happens(rng, self.weather.lagging) {
            return partition.lsn;
        }
        let must = partition
            .feed
            .iter()
            .filter(|entry| self.container.changes[entry.change].second < self.container.now - LAG_SECONDS)
            .map(|entry| entry.lsn)
            .fold(partition.born, i64::max);
        rng.i64(must.min(partition.lsn)..=partition.lsn)
    }
}

impl Service {
    /// The changes from a position's token to its mark, which a merge may make it read once more.
    pub fn behind_mark(&self, position: &Position) -> Vec<ChangeId> {
        let Some(mark) = &position.mark else {
            return Vec::new();
        };
        let place: usize = mark.lineage.partition_id.parse().expect("partitions are numbered");
        let (low, high) = bounds(&position.range);
        let container = &self.container;
        let partition = &container.partitions[place];
        let from = match position
            .token
            .as_deref()
            .and_then(|token| read_token(position.mode, token))
        {
            // A position with a mark has one part at most that matters: the others were never read under it.
            Some(parts) => parts.iter().fold(i64::MAX, |lowest, part| match part.at {
                At::Behind(of, lsn) if part.low < high && low < part.high => {
                    let later = container.partitions[of].continues.contains(&place);
                    let keys = (low.max(part.low), high.min(part.high));
                    lowest.min(if later {
                        lsn
                    } else {
                        container.translate(of, lsn, place, keys)
                    })
                }
                At::Start(_) => 0,
                At::Behind(..) => lowest,
            }),
            None => 0,
        };
        partition
            .feed
            .iter()
            .filter(|entry| {
                let key = container.changes[entry.change].key;
                entry.lsn > from && entry.lsn <= mark.lsn && (low..high).contains(&key)
            })
            .map(|entry| entry.change)
            .collect()
    }
}

impl Service {
    /// How many changes of a key lie before a token.
    pub fn read_behind(&self, mode: Mode, token: &str, key: u8) -> usize {
        let parts = read_token(mode, token).expect("a token of that mode");
        let part = parts
            .iter()
            .find(|part| part.low <= key && key < part.high)
            .expect("the key is covered");
        match part.at {
            At::Behind(place, lsn) => self.container.up_to(place, lsn, key),
            At::Start(_) => 0,
        }
    }
}
