// SPDX-License-Identifier: Apache-2.0
//! One reader: a session of the core's pure parts, the queue between it and Flink, and the positions that a snapshot takes.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use change_feed::configuration::RetentionExpired;
use change_feed::cursor::Notice;
use change_feed::error::Error;
use change_feed::framing::SplitSnapshot;
use change_feed::position::{End, Position};
use change_feed::reading::{Delivered, Manner, Note, Outcome, Reading, Step};
use change_feed::roster::{Roster, Wish};
use fastrand::Rng;

use crate::check::Excuses;
use crate::container::{ChangeId, bounds};
use crate::discovery::poll_now;
use crate::expiry::{Gap, begin_anew};
use crate::service::{LAG_SECONDS, Service};
use crate::sink::{Emitted, What};
use crate::trace::Trace;

/// An answer that nothing more is there may be thrown away, where an end is taken again, and is handed over before the next is
/// asked for; the last one says nothing new.
const TOLD_OFTEN_ENOUGH: usize = 4;

/// A page on its way to the sink.
#[derive(Debug)]
pub struct Fetched {
    pub delivered: Delivered,
    pub changes: Vec<ChangeId>,
    pub lsns: Vec<i64>,
    /// Changes that a merge makes the page bring once more: from the position's token to its mark.
    pub repeats: Vec<ChangeId>,
    /// What was left out before the page.
    gaps: Vec<Gap>,
}

#[derive(Debug)]
enum Queued {
    Page {
        split: String,
        page: Rc<Fetched>,
    },
    End {
        split: String,
        outcome: Outcome,
        gaps: Vec<Gap>,
    },
}

/// What the model keeps of an answer until it is handed over or thrown away.
#[derive(Debug)]
struct Items {
    changes: Vec<ChangeId>,
    lsns: Vec<i64>,
    /// Changes from the position's token to its mark.
    behind_mark: Vec<ChangeId>,
}

/// A split as the session reads it.
#[derive(Debug)]
struct Task {
    split: String,
    reading: Reading,
    wish: Wish,
    /// A page of it is in the session's queue.
    occupied: bool,
    fetched: Option<Items>,
    /// Where it went on, and nobody has been told.
    gaps: Vec<Gap>,
    /// The container's version, and how often in a row it was answered that nothing more is there.
    quiet: (u64, usize),
}

/// Where a split is, as Flink's state has it.
#[derive(Debug, Clone)]
enum Held {
    Added(SplitSnapshot),
    After(Rc<Fetched>, usize),
}

impl Held {
    fn position(&self) -> Position {
        match self {
            Held::Added(split) => Position::decode(&split.split_id, &split.position).expect("made by the core"),
            Held::After(page, group) => page
                .delivered
                .accepted
                .position_after(&page.delivered.fetched_by, *group)
                .expect("the group was emitted"),
        }
    }

    fn snapshot(&self) -> SplitSnapshot {
        match self {
            Held::Added(split) => split.clone(),
            Held::After(..) => self.position().snapshot(),
        }
    }
}

/// What happened that the job must act on.
#[derive(Debug)]
pub enum Turn {
    Nothing,
    Released(SplitSnapshot),
}

#[derive(Debug)]
pub struct Reader {
    pub number: usize,
    roster: Roster,
    tasks: Vec<Task>,
    queue: VecDeque<Queued>,
    /// The page that Flink emits from, and the next group.
    emitting: Option<(String, Rc<Fetched>, usize)>,
    held: BTreeMap<String, Held>,
    pub output: Vec<Emitted>,
}

/// What every call needs.
pub struct World<'a> {
    pub service: &'a mut Service,
    pub rng: &'a mut Rng,
    pub manner: &'a Manner,
    pub trace: &'a mut Trace,
    /// Counts what is emitted.
    pub time: &'a mut u64,
    pub excuses: &'a mut Excuses,
    /// What the job does about a position whose changes are kept no more.
    pub retention_expired: RetentionExpired,
}

impl Reader {
    pub fn new(number: usize) -> Self {
        Self {
            number,
            roster: Roster::default(),
            tasks: Vec::new(),
            queue: VecDeque::new(),
            emitting: None,
            held: BTreeMap::new(),
            output: Vec::new(),
        }
    }

    pub fn splits(&self) -> Vec<String> {
        self.held.keys().cloned().collect()
    }

    pub fn add(&mut self, splits: Vec<SplitSnapshot>, world: &mut World<'_>) -> Result<(), Error> {
        let ids: Vec<String> = splits.iter().map(|split| split.split_id.clone()).collect();
        let wishes = self.roster.add(&ids)?;
        for (split, wish) in splits.into_iter().zip(wishes) {
            world.trace.add(self.number, &split);
            let position = Position::decode(&split.split_id, &split.position)?;
            let mut reading = Reading::new(position, world.manner);
            if wish == Wish::Release {
                reading.release();
            }
            self.tasks.push(Task {
                split: split.split_id.clone(),
                reading,
                wish,
                occupied: false,
                fetched: None,
                gaps: Vec::new(),
                quiet: (0, 0),
            });
            self.held.insert(split.split_id.clone(), Held::Added(split));
        }
        Ok(())
    }

    pub fn set_paused(&mut self, split: &str, paused: bool) {
        let wish = self.roster.set_paused(split, paused);
        self.tell(split, wish);
    }

    pub fn release(&mut self, split: &str, trace: &mut Trace) {
        trace.release(self.number, split);
        let wish = self.roster.release(split);
        self.tell(split, wish);
    }

    fn tell(&mut self, split: &str, wish: Option<Wish>) {
        if let (Some(task), Some(wish)) = (self.tasks.iter_mut().find(|task| task.split == split), wish) {
            task.wish = wish;
            if wish == Wish::Release {
                task.reading.release();
            }
        }
    }

    /// Whether every split has read all there is at this version of the container, and all of it was emitted.
    pub fn is_quiet(&self, version: u64) -> bool {
        let is_told = |task: &Task| task.quiet.0 == version && task.quiet.1 >= TOLD_OFTEN_ENOUGH;
        self.queue.is_empty() && self.emitting.is_none() && self.tasks.iter().all(is_told)
    }

    /// Whether a range went on from somewhere else and has not said so: a failure would have it do so again.
    pub fn keeps_silent(&self) -> bool {
        self.tasks.iter().any(|task| !task.gaps.is_empty())
    }

    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// One step of one split's reading.
    pub fn advance(&mut self, number: usize, world: &mut World<'_>) -> Result<(), Error> {
        let task = &mut self.tasks[number];
        let step = task.reading.next_step();
        let reading = &mut task.reading;
        match step {
            Step::Connect => reading.connected(world.service.connect(world.rng)),
            Step::Fetch => {
                if !task.occupied && task.wish == Wish::Read {
                    task.fetch(world);
                }
            }
            Step::ListPartitions { refresh } => reading.listed(world.service.partitions(refresh, world.rng)),
            Step::TakeEnd => {
                let end = poll_now(world.service, reading.position(), world.rng).map(|now| now.end);
                world.trace.end_taken(&task.split);
                let (low, high) = bounds(&reading.position().range);
                world.excuses.end_retaken[usize::from(low)..usize::from(high)].fill(true);
                reading.end_taken(end);
            }
            Step::BeginAnew => {
                let anew = begin_anew(world.service, reading.position(), world.retention_expired, world.rng);
                reading.begun_anew(anew.map(|anew| {
                    anew.map(|(position, gap)| {
                        task.gaps.push(gap);
                        position
                    })
                }));
            }
            Step::FindContainer => reading.found_again(Ok(())),
            Step::Deliver(delivered) => {
                let items = task.fetched.take().expect("what is delivered was fetched");
                let repeats = match delivered.accepted.notices.contains(&Notice::MarkVoid) {
                    true => items.behind_mark,
                    false => Vec::new(),
                };
                task.occupied = true;
                self.queue.push_back(Queued::Page {
                    split: task.split.clone(),
                    page: Rc::new(Fetched {
                        delivered: *delivered,
                        changes: items.changes,
                        lsns: items.lsns,
                        repeats,
                        gaps: std::mem::take(&mut task.gaps),
                    }),
                });
            }
            Step::Wait(_) => {}
            Step::End(outcome) => {
                if let Outcome::Failed(error) = outcome {
                    return Err(error);
                }
                let task = self.tasks.remove(number);
                self.roster.ended(&task.split);
                self.queue.push_back(Queued::End {
                    split: task.split,
                    outcome,
                    gaps: task.gaps,
                });
                return Ok(());
            }
        }
        for note in self.tasks[number].reading.take_notes() {
            world.trace.note(&self.tasks[number].split, &note);
            if let Note::Unusual(Notice::LsnsDecrease) = note {
                return Err(broken("LSNs that decrease, from a service that never does that"));
            }
        }
        Ok(())
    }

    /// One turn of Flink's mailbox: takes a page, emits one commit group of it, or acts on an end.
    pub fn emit(&mut self, world: &mut World<'_>) -> Result<Turn, Error> {
        if self.emitting.is_none() {
            match self.queue.pop_front() {
                None => return Ok(Turn::Nothing),
                Some(Queued::End { split, outcome, gaps }) => return self.ended(&split, outcome, gaps, world),
                Some(Queued::Page { split, page }) => {
                    if let Some(task) = self.tasks.iter_mut().find(|task| task.split == split) {
                        task.occupied = false;
                    }
                    world.trace.polled(self.number, &split, &page);
                    self.emitting = Some((split, page, 0));
                }
            }
        }
        let Some((split, page, group)) = self.emitting.take() else {
            return Ok(Turn::Nothing);
        };
        if !self.held.contains_key(&split) {
            return Err(broken(&format!(
                "a page of split {split}, which the reader does not have"
            )));
        }
        let accepted = &page.delivered.accepted;
        if group == 0 {
            self.put_gaps(&page.gaps, world);
            if !page.repeats.is_empty() {
                self.put(What::Repeats(page.repeats.clone()), world);
            }
        }
        let changes: Vec<ChangeId> = accepted
            .groups
            .get(group)
            .map(|group| page.changes[group.clone()].to_vec())
            .unwrap_or_default();
        world.trace.emit(self.number, &split, &changes, &page, group);
        if !changes.is_empty() {
            let present = page.delivered.fetched_by.then.is_some();
            self.put(What::Group { changes, present }, world);
        }
        self.held.insert(split.clone(), Held::After(Rc::clone(&page), group));
        if group + 1 < accepted.marks.len() {
            self.emitting = Some((split, page, group + 1));
        }
        Ok(Turn::Nothing)
    }

    fn put(&mut self, what: What, world: &mut World<'_>) {
        *world.time += 1;
        self.output.push(Emitted {
            time: *world.time,
            what,
        });
    }

    fn put_gaps(&mut self, gaps: &[Gap], world: &mut World<'_>) {
        for gap in gaps {
            self.put(What::Gap(gap.clone()), world);
        }
    }

    fn ended(&mut self, split: &str, outcome: Outcome, gaps: Vec<Gap>, world: &mut World<'_>) -> Result<Turn, Error> {
        let Some(held) = self.held.remove(split) else {
            return Err(broken(&format!("split {split} ended twice")));
        };
        world.trace.end(self.number, split, &outcome);
        match outcome {
            Outcome::Finished => {
                let range = bounds(&held.position().range);
                self.put(What::Finished { range }, world);
            }
            Outcome::Split(children) => {
                self.put_gaps(&gaps, world);
                self.add(children.iter().map(Position::snapshot).collect(), world)?;
            }
            Outcome::Released => return Ok(Turn::Released(held.snapshot())),
            Outcome::Failed(error) => return Err(error),
        }
        Ok(Turn::Nothing)
    }

    /// What a checkpoint takes: where each split is, after the last commit group emitted.
    pub fn snapshot(&self) -> Vec<SplitSnapshot> {
        self.held.values().map(Held::snapshot).collect()
    }
}

/// A broken promise of the core, as the error of a schedule.
pub fn broken(what: &str) -> Error {
    Error::new(change_feed::error::Code::Internal, what)
}

impl Task {
    fn fetch(&mut self, world: &mut World<'_>) {
        let position = self.reading.position();
        let answer = world.service.fetch(position, world.rng);
        world.trace.answer(&self.split, position, &answer);
        match answer {
            Ok(answer) => {
                let container = &world.service.container;
                let mut page = answer.page;
                page.past_end_time = match &position.end {
                    Some(End::Time(millis)) => container.now * 1000 > millis + LAG_SECONDS * 1000,
                    _ => false,
                };
                self.quiet = match self.quiet {
                    _ if !answer.at_head || position.then.is_some() => (0, 0),
                    (version, times) if version == container.version => (version, times + 1),
                    _ => (container.version, 1),
                };
                self.fetched = Some(Items {
                    changes: answer.changes,
                    lsns: page.lsns.iter().copied().flatten().collect(),
                    behind_mark: world.service.behind_mark(position),
                });
                self.reading.answered(Ok(page));
            }
            Err(failure) => {
                self.quiet = (0, 0);
                self.reading.answered(Err(failure));
            }
        }
    }
}
