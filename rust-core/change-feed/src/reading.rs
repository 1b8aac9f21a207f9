// SPDX-License-Identifier: Apache-2.0
//! The life of one feed range's reading, as a state machine without I/O, clock and chance: it says what to do next and is
//! told what came of it. The poller does it in earnest; a simulation may do it any way it likes.
//!
//! 1. connect, and refuse a position of another container;
//! 2. fetch the page at the position; a passing failure is waited out and asked again with the same token, and so is an
//!    answer that does not read, a few times;
//! 3. a split ends the reading with the children; when the service lists no border yet, the same token is asked again;
//! 4. find the partition that answered, let the [`Cursor`] judge, take a bounded read's end again where it is void;
//! 5. hand the page over, end where the range ends, wait where nothing was new, and so on from 2.

mod exchange;

use std::sync::Arc;
use std::time::Duration;

use crate::backoff::{Backoff, Wait};
use crate::configuration::Mode;
use crate::cursor::{Accepted, Behind, Cursor, Facts, Notice, Verdict, recreated};
use crate::error::{Code, Error};
use crate::failure::{Attempt, Failure};
use crate::position::{End, LineageLsn, Position};
use crate::range::{PhysicalRange, cut_at_partitions};
pub use exchange::{Delivered, GoesOn, Manner, Note, Outcome, Page, Step};

/// The largest transaction, which the service does not cut: a page may be so much longer than asked for.
const LARGEST_BATCH: usize = 100;

/// After so many answers in a row that do not read, about three seconds, it is no accident.
const UNREADABLE_TRIES: u32 = 5;

/// A range may have expired again before it is asked, hardly so often.
const ANEW_TRIES: u32 = 10;

/// So many answers in a row of replicas that have not come to the end of a bounded read are told of; a few are lag.
const LONG_WAIT: u32 = 10;

#[derive(Debug)]
enum State {
    Connecting,
    Ready,
    /// The answer showed that the range is not in one partition any more.
    Split,
    /// The partition that answered is looked for in a list.
    Placing {
        page: Box<Page>,
        refresh: bool,
    },
    /// The end of a bounded read is to be taken again.
    EndVoid,
    /// The service no longer has the changes behind the position.
    Expired(Error),
    /// The container did not answer to what it was called.
    Lost(Error),
    Accepted {
        delivered: Option<Box<Delivered>>,
        wait: Option<Wait>,
        finished: bool,
    },
    Waiting(Wait),
    Ended(Outcome),
}

/// The reading of one feed range.
#[derive(Debug)]
pub struct Reading {
    state: State,
    connected: bool,
    cursor: Cursor,
    idle: Backoff,
    /// Waits between failed requests.
    retry: Backoff,
    /// How many answers in a row did not read.
    unreadable: u32,
    in_trouble: bool,
    /// How many answers in a row had nothing new and did not come to the end of a bounded read.
    waits_for_end: u32,
    /// How often the end was taken again since an answer was judged by it.
    ends_taken: u32,
    /// How often it went on from elsewhere, for its changes were no longer kept, since changes were read last.
    anew: u32,
    /// The end of the present state was taken again: what was written since it was pinned comes now and as changes.
    overlaps: bool,
    /// Documents that a page may hold, and how many of those behind a void mark may still come again.
    most: usize,
    repeats: usize,
    /// The partition that answered last, by its place in the topology; looked for anew when another answers.
    served_by: Option<(usize, Arc<[PhysicalRange]>)>,
    /// What was told of this range already.
    told: Vec<Notice>,
    notes: Vec<Note>,
}

impl Reading {
    pub fn new(position: Position, manner: &Manner) -> Self {
        Self {
            state: State::Connecting,
            connected: false,
            cursor: Cursor::new(position, manner.items_without_lsn),
            idle: Backoff::new(manner.idle_poll_min, manner.idle_poll_max),
            retry: Backoff::for_retries(),
            unreadable: 0,
            in_trouble: false,
            waits_for_end: 0,
            ends_taken: 0,
            anew: 0,
            overlaps: false,
            most: manner.page_size.saturating_add(LARGEST_BATCH),
            repeats: 0,
            served_by: None,
            told: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The position that the next answer is judged against.
    pub fn position(&self) -> &Position {
        self.cursor.position()
    }

    /// What to do next. [`Step::Deliver`] and [`Step::Wait`] are done when the next step is asked for; a step that has an
    /// answer is the same until that is told.
    pub fn next_step(&mut self) -> Step {
        match std::mem::replace(&mut self.state, State::Ready) {
            State::Connecting => self.stay(State::Connecting, Step::Connect),
            State::Ready => Step::Fetch,
            State::Split => self.stay(State::Split, Step::ListPartitions { refresh: true }),
            State::Placing { page, refresh } => {
                self.stay(State::Placing { page, refresh }, Step::ListPartitions { refresh })
            }
            State::EndVoid => self.stay(State::EndVoid, Step::TakeEnd),
            State::Expired(error) => self.stay(State::Expired(error), Step::BeginAnew),
            State::Lost(error) => self.stay(State::Lost(error), Step::FindContainer),
            State::Accepted {
                delivered,
                wait,
                finished,
            } => {
                self.state = match wait {
                    _ if finished => State::Ended(Outcome::Finished),
                    Some(wait) => State::Waiting(wait),
                    None => State::Ready,
                };
                match delivered {
                    Some(delivered) => Step::Deliver(delivered),
                    None => self.next_step(),
                }
            }
            State::Waiting(wait) => {
                if !self.connected {
                    self.state = State::Connecting;
                }
                Step::Wait(wait)
            }
            State::Ended(outcome) => self.stay(State::Ended(outcome.clone()), Step::End(outcome)),
        }
    }

    fn stay(&mut self, state: State, step: Step) -> Step {
        self.state = state;
        step
    }

    /// What is to be told since the last call.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// Stops reading. What was fetched and not handed over is dropped: nobody has a position behind it.
    pub fn release(&mut self) {
        if !matches!(self.state, State::Ended(_)) {
            self.state = State::Ended(Outcome::Released);
        }
    }

    /// Connected to the container with this RID, or not.
    pub fn connected(&mut self, rid: Attempt<&str>) {
        match rid {
            Ok(rid) if rid == self.position().identity.rid => {
                self.connected = true;
                self.state = State::Ready;
            }
            Ok(rid) => self.fail(recreated(self.position(), rid)),
            Err(failure @ (Failure::Transient { .. } | Failure::Unreadable(_))) => self.failed(failure),
            Err(failure) => self.fail(failure.into_error()),
        }
    }

    /// An answer to a fetch, or none.
    pub fn answered(&mut self, answer: Attempt<Page>) {
        let page = match answer {
            Ok(page) => page,
            Err(failure) => return self.failed(failure),
        };
        self.unreadable = 0;
        // Before anything else: the driver follows a split inside one call, and the page may come from one child.
        match self.cursor.is_split(&page.shape) {
            Ok(true) => self.state = State::Split,
            Ok(false) => match self.known_place(page.partition_id.as_deref()) {
                Some((place, topology)) => self.judge(&page, place, &topology),
                None => {
                    self.state = State::Placing {
                        page: Box::new(page),
                        refresh: false,
                    }
                }
            },
            Err(error) => self.fail(error),
        }
    }

    /// The physical partitions, in key order, or not.
    pub fn listed(&mut self, partitions: Attempt<impl Into<Arc<[PhysicalRange]>>>) {
        let topology = match partitions {
            Ok(partitions) => partitions.into(),
            Err(failure) => return self.failed(failure),
        };
        match std::mem::replace(&mut self.state, State::Ready) {
            State::Split => self.split(&topology),
            State::Placing { page, refresh } => {
                let id = page.partition_id.as_deref();
                if let Some(place) = topology.iter().position(|partition| self.fits(partition, id)) {
                    self.served_by = Some((place, Arc::clone(&topology)));
                    self.judge(&page, place, &topology);
                } else if refresh {
                    // The partition was split or merged since it answered: what it said is read again from its successor.
                    let error = format!(
                        "partition {id:?} answered for range {} and is not listed",
                        self.position().range
                    );
                    self.try_again(passing(error), false, None);
                } else {
                    self.state = State::Placing { page, refresh: true };
                }
            }
            state => self.state = state,
        }
    }

    /// The newest LSN of a bounded range on the partition that it is read from now, or not.
    pub fn end_taken(&mut self, end: Attempt<LineageLsn>) {
        match end {
            Ok(end) => {
                self.notes.push(Note::EndTakenAgain(end.clone()));
                self.overlaps = self.position().then.is_some();
                self.cursor.set_end(end);
                self.ends_taken += 1;
                // Two regions or gateways that do not agree yet on a merge void each other's ends.
                self.state = if self.ends_taken > 1 {
                    State::Waiting(self.retry.next_wait(None))
                } else {
                    State::Ready
                };
            }
            Err(failure) => self.failed(failure),
        }
    }

    /// What takes the place of a position whose changes are no longer kept, nothing where that is a failure; or not.
    pub fn begun_anew(&mut self, anew: Attempt<Option<Position>>) {
        let anew = match anew {
            Ok(anew) => anew,
            // A range that was split has no one `now`, and no page of it will show the split: each part finds out for itself.
            Err(Failure::Moved(_)) => {
                self.state = State::Split;
                return;
            }
            // It has expired all the same: the next fetch says so again.
            Err(failure) => return self.failed(failure),
        };
        match std::mem::replace(&mut self.state, State::Ready) {
            State::Expired(error) => {
                // What takes its place is refused again and again: that is not for its age, and would go on for ever.
                let anew = anew.filter(|_| self.anew < ANEW_TRIES);
                self.anew += 1;
                let goes_on = anew.as_ref().map(|position| match position.then {
                    Some(_) => GoesOn::WithPresentState,
                    None => GoesOn::FromNow,
                });
                self.notes.push(Note::RetentionExpired {
                    error: error.clone(),
                    goes_on,
                });
                match anew {
                    Some(position) => {
                        self.cursor.go_on_from(position);
                        if self.anew > 1 {
                            self.state = State::Waiting(self.retry.next_wait(None));
                        }
                    }
                    None => self.fail(error),
                }
            }
            state => self.state = state,
        }
    }

    /// Whether the container's name still stands for this container.
    pub fn found_again(&mut self, found: Attempt<()>) {
        match (std::mem::replace(&mut self.state, State::Ready), found) {
            // A name cache that lags, or an answer that does not tell: the same again, and another look if it is missing still.
            (
                State::Lost(error),
                Ok(()) | Err(Failure::Transient { .. } | Failure::Moved(_) | Failure::Unreadable(_)),
            ) => {
                self.try_again(error, false, None);
            }
            (State::Lost(_), Err(failure)) => self.fail(failure.into_error()),
            (state, _) => self.state = state,
        }
    }

    fn failed(&mut self, failure: Failure) {
        match failure {
            Failure::Transient {
                error,
                throttled,
                asked,
            } => self.try_again(error, throttled, asked),
            Failure::Moved(error) => self.try_again(error, false, None),
            Failure::Missing(error) => self.state = State::Lost(error),
            Failure::Expired(error) => self.state = State::Expired(error),
            Failure::Unreadable(error) if self.unreadable < UNREADABLE_TRIES => {
                self.unreadable += 1;
                self.try_again(error, false, None);
            }
            Failure::Unreadable(error) | Failure::Fatal(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: Error) {
        self.state = State::Ended(Outcome::Failed(error));
    }

    fn try_again(&mut self, error: Error, throttled: bool, asked: Option<Duration>) {
        self.trouble(error, throttled);
        self.state = State::Waiting(self.retry.next_wait(asked));
    }

    fn trouble(&mut self, error: Error, throttled: bool) {
        self.in_trouble = true;
        self.notes.push(Note::Trouble { error, throttled });
    }

    fn split(&mut self, partitions: &[PhysicalRange]) {
        let position = self.position();
        let parts = match cut_at_partitions(&position.range, partitions) {
            Ok(parts) => parts,
            Err(error) => return self.fail(error),
        };
        if parts.len() < 2 {
            // The list lags behind what the answer showed.
            let error = format!(
                "range {} was answered in parts, and no border in it is listed yet",
                position.range
            );
            return self.try_again(passing(error), false, None);
        }
        let children = parts.into_iter().map(|part| position.child(part)).collect();
        self.state = State::Ended(Outcome::Split(children));
    }

    fn known_place(&self, id: Option<&str>) -> Option<(usize, Arc<[PhysicalRange]>)> {
        self.served_by
            .as_ref()
            .filter(|(place, known)| self.fits(&known[*place], id))
            .map(|(place, known)| (*place, Arc::clone(known)))
    }

    /// Whether this is the partition that answered. Without a header: the one that the range lies in.
    fn fits(&self, partition: &PhysicalRange, id: Option<&str>) -> bool {
        match id {
            Some(id) => partition.id == id,
            None => partition.range.contains(&self.position().range),
        }
    }

    fn judge(&mut self, page: &Page, place: usize, topology: &[PhysicalRange]) {
        let fetched_by = self.position().clone();
        let verdict = self.cursor.judge(&Facts {
            not_modified: page.not_modified,
            lsn: page.lsn,
            partition: &topology[place],
            topology,
            next_token: &page.next_token,
            lsns: &page.lsns,
            timestamps: &page.timestamps,
            past_end_time: page.past_end_time,
        });
        let accepted = match verdict {
            Ok(Verdict::Accepted(accepted)) => *accepted,
            Ok(Verdict::EndVoid) => {
                self.state = State::EndVoid;
                return;
            }
            Ok(Verdict::Behind(Behind { read, lsn })) => {
                let error = format!(
                    "range {} was read up to LSN {} of partition {}, the replica that answered has come to LSN {lsn} only",
                    fetched_by.range, read.lsn, read.lineage.partition_id
                );
                self.trouble(passing(error), false);
                self.notes.push(Note::ReplicaBehind {
                    has: lsn,
                    read: read.lsn,
                });
                // It is asked as one that has nothing new: replicas follow within moments.
                self.state = State::Waiting(self.idle.next_wait(None));
                return;
            }
            Err(error) => return self.fail(error),
        };
        if fetched_by.mode == Mode::AllVersionsAndDeletes {
            self.anew = 0;
        }
        self.retry.reset();
        self.ends_taken = 0;
        self.waits_for_end = match &fetched_by.end {
            Some(End::Lsn(_)) if page.not_modified && !accepted.finished && !accepted.switched => {
                self.waits_for_end + 1
            }
            _ => 0,
        };
        match &fetched_by.end {
            Some(End::Lsn(end)) if self.waits_for_end >= LONG_WAIT => {
                // No request has failed, but a read that is to end does not for as long as this lasts.
                let error = format!(
                    "range {} is to be read up to LSN {} of partition {}, the replica that answered has come to LSN {} only",
                    fetched_by.range,
                    end.lsn,
                    end.lineage.partition_id,
                    page.lsn.map_or_else(|| "(none)".to_owned(), |lsn| lsn.to_string())
                );
                self.trouble(passing(error), false);
            }
            _ if std::mem::take(&mut self.in_trouble) => self.notes.push(Note::TroubleOver),
            _ => {}
        }
        self.notice(&accepted);
        self.count_repeats(&accepted, page.not_modified);
        if accepted.switched {
            self.overlaps = false;
            self.notes.push(Note::PresentStateRead);
        }
        // An answer may bring nothing and not say so.
        let nothing = page.not_modified || (accepted.documents() == 0 && !accepted.moved);
        let wait = if nothing && !accepted.switched {
            Some(self.idle.next_wait(None))
        } else {
            self.idle.reset();
            None
        };
        let finished = accepted.finished;
        self.state = State::Accepted {
            delivered: (accepted.documents() > 0 || accepted.moved)
                .then(|| Box::new(Delivered { fetched_by, accepted })),
            wait,
            finished,
        };
    }

    /// Counts what may have been emitted before: all while the present state overlaps with the changes; behind a void mark as
    /// many as the page of the mark may have held, or until there is nothing more.
    fn count_repeats(&mut self, accepted: &Accepted, not_modified: bool) {
        if accepted.notices.contains(&Notice::MarkVoid) {
            self.repeats = self.most;
        }
        if not_modified {
            self.repeats = 0;
        }
        let documents = accepted.documents();
        let again = if self.overlaps {
            documents
        } else {
            documents.min(self.repeats)
        };
        self.repeats = self.repeats.saturating_sub(documents);
        if again > 0 {
            self.notes.push(Note::RepeatedAfterMerge(again));
        }
    }

    fn notice(&mut self, accepted: &Accepted) {
        if accepted.already_emitted > 0 {
            self.notes.push(Note::AlreadyEmitted(accepted.already_emitted));
        }
        for notice in &accepted.notices {
            if !self.told.contains(notice) {
                self.told.push(*notice);
                self.notes.push(Note::Unusual(*notice));
            }
        }
    }
}

fn passing(message: String) -> Error {
    Error {
        retryable: true,
        ..Error::new(Code::ServiceError, message)
    }
}

#[cfg(test)]
mod tests;
