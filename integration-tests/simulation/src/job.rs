// SPDX-License-Identifier: Apache-2.0
//! A job: readers, checkpoints, failures, and a sink that shows what was committed and nothing else.

use change_feed::error::Error;
use change_feed::framing::SplitSnapshot;
use change_feed::position::Position;
use change_feed::range::{check_coverage, key_space};
use change_feed::reading::Manner;

use crate::container::range;
use crate::reader::{Reader, Turn, World, broken};
use crate::sink::{Emitted, What};

/// A checkpoint that has begun: what the readers gave that have taken part.
#[derive(Debug)]
struct Pending {
    given: Vec<Option<(Vec<SplitSnapshot>, Vec<Emitted>)>>,
}

#[derive(Debug)]
pub struct Job {
    pub readers: Vec<Reader>,
    /// Released splits on their way to another reader, in the snapshot of who released them.
    parked: Vec<(usize, SplitSnapshot)>,
    pending: Option<Pending>,
    /// The last completed checkpoint.
    state: Vec<SplitSnapshot>,
    /// What the sink shows.
    pub committed: Vec<Emitted>,
}

impl Job {
    /// A job whose enumerator has just discovered these; a failure from now on begins with them.
    pub fn new(readers: usize, splits: Vec<SplitSnapshot>, world: &mut World<'_>) -> Result<Self, Error> {
        let mut job = Self {
            readers: Vec::new(),
            parked: Vec::new(),
            pending: None,
            state: splits,
            committed: Vec::new(),
        };
        job.start(readers, world)?;
        Ok(job)
    }

    /// Everything that was not committed is gone; the last completed checkpoint is read on by so many readers.
    pub fn fail(&mut self, readers: usize, world: &mut World<'_>) -> Result<(), Error> {
        world
            .trace
            .say(|| format!("the job fails and starts again with {readers} readers"));
        self.pending = None;
        self.parked.clear();
        self.start(readers, world)
    }

    fn start(&mut self, readers: usize, world: &mut World<'_>) -> Result<(), Error> {
        self.check_coverage()?;
        world.trace.restart(readers);
        self.readers = (0..readers).map(Reader::new).collect();
        let mut shares: Vec<Vec<SplitSnapshot>> = vec![Vec::new(); readers];
        for split in &self.state {
            shares[world.rng.usize(0..readers)].push(split.clone());
        }
        for (reader, share) in self.readers.iter_mut().zip(shares) {
            // Flink pauses splits whose add the session has not seen yet.
            for split in share.iter().filter(|_| world.rng.u8(0..20) == 0) {
                reader.set_paused(&split.split_id, true);
            }
            reader.add(share, world)?;
        }
        Ok(())
    }

    /// Every key is in one split of the state, or in a range that was finished.
    fn check_coverage(&self) -> Result<(), Error> {
        let mut ranges = Vec::new();
        for split in &self.state {
            ranges.push(Position::decode(&split.split_id, &split.position)?.range);
        }
        for emitted in &self.committed {
            if let What::Finished { range: (low, high) } = emitted.what {
                ranges.push(range(low, high));
            }
        }
        check_coverage(&key_space(), ranges.iter())
    }

    pub fn begin_checkpoint(&mut self, world: &mut World<'_>) {
        if self.pending.is_none() {
            world.trace.say(|| "a checkpoint begins".to_owned());
            self.pending = Some(Pending {
                given: self.readers.iter().map(|_| None).collect(),
            });
        }
    }

    /// The barrier reaches a reader.
    pub fn snapshot(&mut self, reader: usize, world: &mut World<'_>) {
        if let Some(pending) = &mut self.pending
            && pending.given[reader].is_none()
        {
            world.trace.say(|| format!("reader {reader} gives its snapshot"));
            let parked = self.parked.iter().filter(|(holder, _)| *holder == reader);
            let mut splits: Vec<SplitSnapshot> = parked.map(|(_, split)| split.clone()).collect();
            splits.extend(self.readers[reader].snapshot());
            pending.given[reader] = Some((splits, std::mem::take(&mut self.readers[reader].output)));
        }
    }

    /// The checkpoint is given up; what was emitted before it stays uncommitted.
    pub fn abort_checkpoint(&mut self, world: &mut World<'_>) {
        if let Some(pending) = self.pending.take() {
            world.trace.say(|| "the checkpoint is aborted".to_owned());
            for (reader, given) in self.readers.iter_mut().zip(pending.given) {
                if let Some((_, mut output)) = given {
                    output.append(&mut reader.output);
                    reader.output = output;
                }
            }
        }
    }

    /// Completes the checkpoint when every reader has given its part.
    pub fn complete_checkpoint(&mut self, world: &mut World<'_>) -> Result<(), Error> {
        if !self
            .pending
            .as_ref()
            .is_some_and(|pending| pending.given.iter().all(Option::is_some))
        {
            return Ok(());
        }
        world.trace.say(|| "the checkpoint is complete".to_owned());
        let pending = self.pending.take().expect("it is there");
        self.state.clear();
        for (splits, output) in pending.given.into_iter().flatten() {
            self.state.extend(splits);
            self.committed.extend(output);
        }
        self.check_coverage()
    }

    /// One mailbox turn of a reader.
    pub fn emit(&mut self, reader: usize, world: &mut World<'_>) -> Result<(), Error> {
        match self.readers[reader].emit(world)? {
            Turn::Nothing => {}
            Turn::Released(split) => self.parked.push((reader, split)),
        }
        Ok(())
    }

    /// Gives released splits to readers, which must not happen within a checkpoint: it would have them twice, or not at all.
    /// That is the enumerator's protocol to see to, which is simulated elsewhere.
    pub fn unpark(&mut self, world: &mut World<'_>) -> Result<(), Error> {
        if self.pending.is_none() {
            for (_, split) in std::mem::take(&mut self.parked) {
                let reader = world.rng.usize(0..self.readers.len());
                self.readers[reader].add(vec![split], world)?;
            }
        }
        Ok(())
    }

    /// Lets everything be read that is there; then nothing is left to emit.
    pub fn drain(&mut self, world: &mut World<'_>) -> Result<(), Error> {
        // Each round takes every split a step further; none needs many for the little that is there.
        for _ in 0..2000 {
            self.unpark(world)?;
            for reader in &mut self.readers {
                for split in reader.splits() {
                    reader.set_paused(&split, false);
                }
            }
            for number in 0..self.readers.len() {
                for task in (0..self.readers[number].tasks()).rev() {
                    self.readers[number].advance(task, world)?;
                }
                for _ in 0..8 {
                    self.emit(number, world)?;
                }
            }
            let version = world.service.container.version;
            if self.parked.is_empty() && self.readers.iter().all(|reader| reader.is_quiet(version)) {
                if self.readers.iter().any(Reader::keeps_silent) {
                    return Err(broken("a range that went on from somewhere else has not said so"));
                }
                return Ok(());
            }
        }
        Err(broken("no end: the readers never have read everything"))
    }

    /// A checkpoint from begin to end, or the rest of one that has begun.
    pub fn checkpoint(&mut self, world: &mut World<'_>) -> Result<(), Error> {
        self.begin_checkpoint(world);
        for reader in 0..self.readers.len() {
            self.snapshot(reader, world);
        }
        self.complete_checkpoint(world)
    }
}

/// How the core is told to read.
pub fn manner() -> Manner {
    Manner {
        items_without_lsn: change_feed::configuration::ItemsWithoutLsn::Fail,
        idle_poll_min: std::time::Duration::from_millis(1),
        idle_poll_max: std::time::Duration::from_millis(1),
        page_size: 8,
    }
}
