// SPDX-License-Identifier: Apache-2.0
//! Reads one feed range: a task of its own per split. Does what [`Reading`] says and awaits what it needs: pages, lists,
//! time, and its turn: one page of prefetch, nothing while paused, room for the page.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::beginning;
use crate::budget::Reservation;
use crate::client::{Answer, Client};
use crate::clock::now_millis;
use crate::configuration::RetentionExpired;
use crate::failure::{Attempt, Failure};
use crate::framing::SplitSnapshot;
use crate::logs::Level;
use crate::page::{Documents, Page};
use crate::pin::poll_now;
use crate::position::{End, Position};
use crate::reading::{self, Delivered, GoesOn, Note, Outcome, Reading, Step};
use crate::roster::Wish;
use crate::scan::Item;
use crate::shared::{Delivery, Shared};

/// How far this machine's clock must be past an end in time when what a 304 answers is asked for, for it to end a range: clocks differ, and a moment's writes
/// may still be on their way to the replica that answers.
const END_TIME_MARGIN: Duration = Duration::from_secs(5);

/// The last answer, until it is handed over or not.
struct Fetched {
    answer: Answer,
    items: Vec<Item>,
    slot: OwnedSemaphorePermit,
    reservation: Reservation,
}

pub(crate) struct Poller {
    shared: Arc<Shared>,
    split_id: String,
    wish: watch::Receiver<Wish>,
    reading: Reading,
    client: Option<Arc<Client>>,
    /// One permit: a page of this range is in the session's queue or may be.
    slot: Arc<Semaphore>,
    fetched: Option<Fetched>,
}

impl Poller {
    pub fn new(shared: Arc<Shared>, position: Position, wish: watch::Receiver<Wish>) -> Self {
        Self {
            split_id: position.split_id(),
            reading: Reading::new(position, &reading::Manner::of(&shared.configuration)),
            wish,
            client: None,
            slot: Arc::new(Semaphore::new(1)),
            fetched: None,
            shared,
        }
    }

    /// Reads until the range ends, fails, is released, or the task is aborted.
    pub async fn run(mut self) {
        let mut wish = self.wish.clone();
        let released = async {
            if wish.wait_for(|wish| *wish == Wish::Release).await.is_err() {
                // The sender went with the session, and so does this task soon.
                std::future::pending::<()>().await;
            }
        };
        let ended = tokio::select! {
            biased;
            () = released => None,
            outcome = self.drive() => Some(outcome),
        };
        self.end(ended.unwrap_or(Outcome::Released));
    }

    async fn drive(&mut self) -> Outcome {
        loop {
            let step = self.reading.next_step();
            if !matches!(step, Step::Deliver(_) | Step::ListPartitions { .. }) {
                // What was fetched is not wanted: its room is free before anything is awaited.
                self.fetched = None;
            }
            match step {
                Step::Connect => {
                    let client = self.shared.client().await;
                    let rid = client.as_ref().map(|client| client.identity().rid.as_str());
                    self.reading.connected(rid.map_err(Clone::clone));
                    self.client = client.ok();
                }
                Step::Fetch => {
                    let answer = self.fetch().await;
                    self.reading.answered(answer);
                }
                Step::ListPartitions { refresh } => {
                    let partitions = self.client().partitions(refresh).await;
                    self.reading.listed(partitions);
                }
                Step::TakeEnd => {
                    let now = poll_now(self.client(), self.reading.position()).await;
                    self.reading.end_taken(now.map(|now| now.end));
                }
                Step::BeginAnew => {
                    let anew = self.anew().await;
                    self.reading.begun_anew(anew);
                }
                Step::FindContainer => {
                    let found = self.shared.find_again(self.client().identity()).await;
                    self.reading.found_again(found);
                }
                Step::Deliver(delivered) => self.deliver(*delivered),
                Step::Wait(wait) => tokio::time::sleep(wait.length(fastrand::f64())).await,
                Step::End(outcome) => return outcome,
            }
            self.tell();
        }
    }

    fn client(&self) -> &Arc<Client> {
        self.client.as_ref().expect("connecting is a reading's first step")
    }

    async fn anew(&self) -> Attempt<Option<Position>> {
        let (position, fallback) = (self.reading.position(), self.shared.configuration.retention_expired);
        if fallback == RetentionExpired::Fail {
            return Ok(None);
        }
        let now = poll_now(self.client(), position).await?;
        Ok(beginning::anew(position, fallback, now))
    }

    async fn fetch(&mut self) -> Attempt<reading::Page> {
        let slot = Arc::clone(&self.slot)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let reservation = loop {
            if self.wish.wait_for(|wish| *wish != Wish::Pause).await.is_err() {
                // The sender went with the session, and so does this task soon.
                std::future::pending::<()>().await;
            }
            let reservation = self.shared.budget.reserve().await;
            // Room may come after minutes.
            if *self.wish.borrow() != Wish::Pause {
                break reservation;
            }
        };
        self.shared.metrics.requests.fetch_add(1, Relaxed);
        let position = self.reading.position();
        // By the time of asking: an answer that was long on its way tells nothing of what was written meanwhile.
        let past_end_time = is_past(position.end.as_ref(), now_millis());
        let answer = self
            .client()
            .fetch(
                position.mode,
                &position.range,
                position.start,
                position.token.as_deref(),
            )
            .await?;
        self.count(&answer);
        let items = answer.items(position.mode).map_err(Failure::Unreadable)?;
        let page = answer.page(&items, past_end_time).map_err(Failure::Unreadable)?;
        self.fetched = Some(Fetched {
            answer,
            items,
            slot,
            reservation,
        });
        Ok(page)
    }

    fn count(&self, answer: &Answer) {
        let metrics = &self.shared.metrics;
        metrics
            .request_charge_millis
            .fetch_add((answer.request_charge * 1000.0).round() as i64, Relaxed);
        if answer.not_modified {
            metrics.not_modified.fetch_add(1, Relaxed);
        }
    }

    fn deliver(&mut self, delivered: Delivered) {
        let Fetched {
            answer,
            items,
            slot,
            reservation,
        } = self.fetched.take().expect("what is delivered was fetched");
        let kept = delivered.accepted.documents();
        if kept > 0 {
            let metrics = &self.shared.metrics;
            metrics.pages.fetch_add(1, Relaxed);
            metrics.documents.fetch_add(kept as i64, Relaxed);
        }
        let in_flight = reservation.keep(answer.body.len());
        let page = Page::documents(Documents {
            id: self.shared.next_page_id(),
            delivered,
            items: &items,
            body: answer.body,
            lsn: answer.lsn,
            request_charge: answer.request_charge,
            in_flight,
        });
        self.shared.deliver(Delivery {
            page: Arc::new(page),
            slot: Some(slot),
        });
    }

    /// Tells that the range is read no more, behind its last page.
    fn end(self, outcome: Outcome) {
        let shared = &self.shared;
        if let Some(client) = &self.client {
            client.left(&self.reading.position().range);
        }
        let event = match outcome {
            Outcome::Finished => Page::range_finished(&self.split_id),
            Outcome::Released => {
                shared.metrics.ranges_released.fetch_add(1, Relaxed);
                Page::range_released(&self.split_id)
            }
            Outcome::Split(children) => {
                shared.metrics.ranges_split.fetch_add(1, Relaxed);
                let children: Vec<SplitSnapshot> = children.iter().map(Position::snapshot).collect();
                shared.logs.log(Level::Info, || {
                    let ranges: Vec<&str> = children.iter().map(|c| c.feed_range.as_str()).collect();
                    format!("range {} was split into {}", self.split_id, ranges.join(" and "))
                });
                Page::range_split(&self.split_id, &children)
            }
            Outcome::Failed(error) => return shared.fail(error),
        };
        shared.ended(&self.split_id);
        shared.deliver(Delivery {
            page: Arc::new(event),
            slot: None,
        });
    }

    fn tell(&mut self) {
        for note in self.reading.take_notes() {
            self.tell_of(note);
        }
    }

    fn tell_of(&self, note: Note) {
        let Shared {
            metrics, logs, trouble, ..
        } = &*self.shared;
        match note {
            Note::Trouble { error, throttled } => {
                let counter = if throttled {
                    &metrics.throttled
                } else {
                    &metrics.retries
                };
                counter.fetch_add(1, Relaxed);
                trouble.begin(logs, &self.split_id, &error, Instant::now());
            }
            Note::TroubleOver => trouble.over(logs, &self.split_id, Instant::now()),
            Note::ReplicaBehind { has, read } => trouble.behind(&self.split_id, has, read, Instant::now()),
            Note::AlreadyEmitted(items) => {
                metrics.already_emitted.fetch_add(items as i64, Relaxed);
            }
            Note::RepeatedAfterMerge(items) => {
                metrics.repeated_after_merge.fetch_add(items as i64, Relaxed);
            }
            Note::PresentStateRead => logs.log(Level::Info, || {
                format!(
                    "range {}: the present state was read, the changes since it was pinned follow",
                    self.split_id
                )
            }),
            Note::Unusual(notice) => logs.log(Level::Warn, || {
                format!(
                    "range {}: {notice}; further cases in this range are not told",
                    self.split_id
                )
            }),
            Note::RetentionExpired { error, goes_on } => {
                metrics.retention_expired.fetch_add(1, Relaxed);
                let goes_on = match goes_on {
                    None => return,
                    Some(GoesOn::FromNow) => "it goes on from now, the changes in between are lost",
                    Some(GoesOn::WithPresentState) => {
                        "its present state is read and then the changes since now; versions and deletes in between are lost"
                    }
                };
                logs.log(Level::Warn, || {
                    format!(
                        "range {}: {goes_on} (option 'retentionExpired'): {error}",
                        self.split_id
                    )
                });
            }
            Note::EndTakenAgain(end) => logs.log(Level::Warn, || {
                format!(
                    "range {}: partitions were merged, the bounded read now ends at LSN {} of partition {}",
                    self.split_id, end.lsn, end.lineage.partition_id
                )
            }),
        }
    }
}

/// Whether nothing at or before an end in time can come any more, asked at `now`, milliseconds since the epoch.
fn is_past(end: Option<&End>, now: i64) -> bool {
    let Some(End::Time(millis)) = end else {
        return false;
    };
    now >= millis.saturating_add(END_TIME_MARGIN.as_millis() as i64)
}
