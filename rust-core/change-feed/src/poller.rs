// SPDX-License-Identifier: Apache-2.0
//! Reads one feed range: a task of its own per split. Fetches, lets the [`Cursor`] decide, hands pages over, waits when
//! there is nothing or when something failed.
//!
//! The life of a range:
//! 1. connect, and refuse a position of another container;
//! 2. wait until the page before was taken (one page of prefetch), until the range is not paused, until there is room;
//! 3. fetch; a passing failure is waited out, with one log line when it starts and one when it ends;
//! 4. a split ends the task with an event that carries the children; a bounded end likewise;
//! 5. a page goes into the session's queue, and so on from 2.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::{Semaphore, watch};

use crate::backoff::Backoff;
use crate::client::{Answer, Client, Failure};
use crate::cursor::{Cursor, Facts, Notice, Verdict, recreated};
use crate::error::{Code, Error, Result};
use crate::framing::SplitSnapshot;
use crate::logs::Level;
use crate::now::capture_end;
use crate::page::{Documents, Page};
use crate::position::{End, Position};
use crate::range::{PhysicalRange, cut_at_partitions};
use crate::scan;
use crate::shared::{Delivery, Shared};
use crate::token::TokenShape;

/// How a range's task ends, when nothing fails.
enum Outcome {
    Finished,
    Split(Vec<Position>),
}

pub(crate) struct Poller {
    pub shared: Arc<Shared>,
    pub position: Position,
    pub paused: watch::Receiver<bool>,
}

impl Poller {
    /// Reads until the range ends, fails, or the task is aborted.
    pub async fn run(self) {
        let split_id = self.position.split_id();
        let shared = Arc::clone(&self.shared);
        match Reading::new(self).run().await {
            Ok(outcome) => {
                let event = match outcome {
                    Outcome::Finished => Page::range_finished(&split_id),
                    Outcome::Split(children) => {
                        shared.metrics.ranges_split.fetch_add(1, Relaxed);
                        let children: Vec<SplitSnapshot> = children.iter().map(Position::snapshot).collect();
                        shared.logs.log(Level::Info, || {
                            let ranges: Vec<&str> = children.iter().map(|c| c.feed_range.as_str()).collect();
                            format!("range {split_id} was split into {}", ranges.join(" and "))
                        });
                        Page::range_split(&split_id, &children)
                    }
                };
                shared.ended(&split_id);
                shared.deliver(Delivery {
                    page: Arc::new(event),
                    slot: None,
                });
            }
            Err(error) => shared.fail(error),
        }
    }
}

/// How far this machine's clock must be past an end in time before a 304 ends a range: clocks differ, and a moment's writes
/// may still be on their way to the replica that answers.
const END_TIME_MARGIN: Duration = Duration::from_secs(5);

/// Whether the clock says that nothing at or before an end in time can come any more.
fn is_past(end: Option<&End>) -> bool {
    let Some(End::Time(millis)) = end else {
        return false;
    };
    let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
    now >= i128::from(*millis) + END_TIME_MARGIN.as_millis() as i128
}

struct Reading {
    shared: Arc<Shared>,
    cursor: Cursor,
    split_id: String,
    paused: watch::Receiver<bool>,
    idle: Backoff,
    /// Waits between failed requests.
    retry: Backoff,
    /// One permit: a page of this range is in the session's queue or may be.
    slot: Arc<Semaphore>,
    /// The partition that answered last, by its place in the topology; asked for anew when another answers.
    served_by: Option<(usize, Arc<[PhysicalRange]>)>,
    /// What was told of this range already.
    noticed: Vec<Notice>,
}

impl Reading {
    fn new(poller: Poller) -> Self {
        let configuration = &poller.shared.configuration;
        Self {
            idle: Backoff::new(configuration.idle_poll_min, configuration.idle_poll_max),
            split_id: poller.position.split_id(),
            cursor: Cursor::new(poller.position, configuration.items_without_lsn),
            paused: poller.paused,
            retry: Backoff::for_retries(),
            slot: Arc::new(Semaphore::new(1)),
            served_by: None,
            noticed: Vec::new(),
            shared: poller.shared,
        }
    }

    async fn run(mut self) -> Result<Outcome> {
        let client = self.connect().await?;
        if client.identity().rid != self.cursor.position().identity.rid {
            return Err(recreated(self.cursor.position(), &client.identity().rid));
        }
        loop {
            let slot = Arc::clone(&self.slot)
                .acquire_owned()
                .await
                .expect("the semaphore is never closed");
            // The sender lives in the session; when it is gone, so is this task soon.
            let _ = self.paused.wait_for(|paused| !paused).await;
            let reservation = self.shared.budget.reserve().await;
            self.shared.metrics.requests.fetch_add(1, Relaxed);
            let position = self.cursor.position().clone();
            let answer = client
                .fetch(
                    position.mode,
                    &position.range,
                    position.start,
                    position.token.as_deref(),
                )
                .await;
            let answer = match answer {
                Ok(answer) => answer,
                Err(failure) => {
                    drop(reservation);
                    self.wait_out(&client, failure).await?;
                    continue;
                }
            };
            self.count(&answer);
            if self.cursor.is_split(&TokenShape::read(&answer.next_token)?)? {
                drop(reservation);
                match self.split(&client).await {
                    Ok(Some(children)) => return Ok(Outcome::Split(children)),
                    // The list of partitions lags behind what the answer showed: the same token again, later.
                    Ok(None) => {
                        let error = Error::new(
                            Code::ServiceError,
                            format!(
                                "range {} was answered in parts, and no border in it is listed yet",
                                position.range
                            ),
                        );
                        self.begin_trouble(&error, false);
                        self.pause_for_retry(None).await;
                    }
                    Err(failure) => self.wait_out(&client, failure).await?,
                }
                continue;
            }
            let items = if answer.not_modified {
                Vec::new()
            } else {
                scan::items(&answer.body)?
            };
            let (served_by, topology) = match self.served_by(&client, answer.partition_id.as_deref()).await {
                Ok(found) => found,
                Err(failure) => {
                    drop(reservation);
                    self.wait_out(&client, failure).await?;
                    continue;
                }
            };
            let lsns: Vec<Option<i64>> = items.iter().map(|item| item.lsn).collect();
            let timestamps: Vec<Option<i64>> = items.iter().map(|item| item.timestamp_millis).collect();
            let verdict = self.cursor.judge(&Facts {
                not_modified: answer.not_modified,
                lsn: answer.lsn,
                partition: &topology[served_by],
                topology: &topology,
                next_token: &answer.next_token,
                lsns: &lsns,
                timestamps: &timestamps,
                past_end_time: is_past(position.end.as_ref()),
            })?;
            let accepted = match verdict {
                Verdict::Accepted(accepted) => *accepted,
                Verdict::EndVoid => {
                    drop(reservation);
                    if let Err(failure) = self.take_end_again(&client, &position).await {
                        self.wait_out(&client, failure).await?;
                    }
                    continue;
                }
            };
            self.retry.reset();
            self.shared.trouble.over(&self.shared.logs, &self.split_id);
            self.notice(&accepted.notices, items.len());
            let metrics = &self.shared.metrics;
            metrics.already_emitted.fetch_add(accepted.first as i64, Relaxed);
            let (finished, switched) = (accepted.finished, accepted.switched);
            let kept: usize = accepted.groups.iter().map(ExactSizeIterator::len).sum();
            if kept > 0 || accepted.moved {
                if kept > 0 {
                    metrics.pages.fetch_add(1, Relaxed);
                    metrics.documents.fetch_add(kept as i64, Relaxed);
                }
                let bytes = answer.body.len();
                let page = Page::documents(Documents {
                    id: self.shared.next_page_id(),
                    fetched_by: position,
                    accepted,
                    items: &items,
                    body: answer.body,
                    request_charge: answer.request_charge,
                    in_flight: reservation.keep(bytes),
                });
                self.shared.deliver(Delivery {
                    page: Arc::new(page),
                    slot: Some(slot),
                });
            } else {
                drop((reservation, slot));
            }
            if switched {
                self.shared.logs.log(Level::Info, || {
                    format!(
                        "range {}: the present state was read, the changes since it was pinned follow",
                        self.split_id
                    )
                });
            }
            if finished {
                return Ok(Outcome::Finished);
            }
            if answer.not_modified && !switched {
                let wait = self.idle.wait(fastrand::f64(), None);
                tokio::time::sleep(wait).await;
            } else {
                self.idle.reset();
            }
        }
    }

    async fn connect(&mut self) -> Result<Arc<Client>> {
        loop {
            match self.shared.client().await {
                Ok(client) => return Ok(client),
                Err(Failure::Transient {
                    error,
                    throttled,
                    asked,
                }) => {
                    self.begin_trouble(&error, throttled);
                    self.pause_for_retry(asked).await;
                }
                Err(failure) => return Err(failure.into_error()),
            }
        }
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

    /// The children of a split range, or `None` when the service lists no border inside the range yet.
    async fn split(&self, client: &Client) -> std::result::Result<Option<Vec<Position>>, Failure> {
        let partitions = client.partitions(true).await?;
        let position = self.cursor.position();
        let parts = cut_at_partitions(&position.range, &partitions).map_err(Failure::Fatal)?;
        if parts.len() < 2 {
            return Ok(None);
        }
        Ok(Some(parts.into_iter().map(|range| position.child(range)).collect()))
    }

    /// The partition that answered, as a place in the topology. Without a header: the one that the range lies in.
    async fn served_by(
        &mut self,
        client: &Client,
        id: Option<&str>,
    ) -> std::result::Result<(usize, Arc<[PhysicalRange]>), Failure> {
        let range = &self.cursor.position().range;
        let fits = |partition: &PhysicalRange| match id {
            Some(id) => partition.id == id,
            None => partition.range.contains(range),
        };
        if let Some((place, topology)) = self.served_by.as_ref().filter(|(place, known)| fits(&known[*place])) {
            return Ok((*place, Arc::clone(topology)));
        }
        for refresh in [false, true] {
            let topology: Arc<[PhysicalRange]> = client.partitions(refresh).await?.into();
            if let Some(place) = topology.iter().position(fits) {
                self.served_by = Some((place, Arc::clone(&topology)));
                return Ok((place, topology));
            }
        }
        // The partition was split or merged since it answered: what it said is read again from its successor.
        Err(Failure::Transient {
            error: Error {
                retryable: true,
                ..Error::new(
                    Code::ServiceError,
                    format!("partition {id:?} answered for range {range} and is not listed"),
                )
            },
            throttled: false,
            asked: None,
        })
    }

    /// A bounded read's end on the partition that the range is read from now.
    async fn take_end_again(&mut self, client: &Client, position: &Position) -> std::result::Result<(), Failure> {
        let end = capture_end(client, position).await?;
        self.shared.logs.log(Level::Warn, || {
            format!(
                "range {}: partitions were merged, the bounded read now ends at LSN {} of partition {}",
                self.split_id, end.lsn, end.lineage.partition_id
            )
        });
        self.cursor.set_end(end);
        Ok(())
    }

    /// Waits after a passing failure; gives back the error of any other.
    async fn wait_out(&mut self, client: &Client, failure: Failure) -> Result<()> {
        match failure {
            Failure::Transient {
                error,
                throttled,
                asked,
            } => {
                self.begin_trouble(&error, throttled);
                self.pause_for_retry(asked).await;
                Ok(())
            }
            Failure::Moved(error) => {
                self.begin_trouble(&error, false);
                self.pause_for_retry(None).await;
                Ok(())
            }
            Failure::Fatal(error) => Err(error),
            Failure::Missing(error) => {
                // Deleted, recreated, or a name cache that lags: the name tells.
                match Client::find_again(&self.shared.configuration, client.identity()).await {
                    Ok(()) | Err(Failure::Transient { .. } | Failure::Moved(_)) => {
                        self.begin_trouble(&error, false);
                        self.pause_for_retry(None).await;
                        Ok(())
                    }
                    Err(failure) => Err(failure.into_error()),
                }
            }
        }
    }

    fn begin_trouble(&mut self, error: &Error, throttled: bool) {
        let counter = if throttled {
            &self.shared.metrics.throttled
        } else {
            &self.shared.metrics.retries
        };
        counter.fetch_add(1, Relaxed);
        self.shared.trouble.begin(&self.shared.logs, &self.split_id, error);
    }

    async fn pause_for_retry(&mut self, asked: Option<Duration>) {
        tokio::time::sleep(self.retry.wait(fastrand::f64(), asked)).await;
    }

    fn notice(&mut self, notices: &[Notice], items: usize) {
        for notice in notices {
            let text = match notice {
                Notice::LsnsDecrease => "LSNs decrease inside a page; it is emitted as one commit group",
                Notice::GroupGoesOn => {
                    "a page starts with the LSN that the last one ended with; the transaction is emitted in two parts"
                }
                Notice::MarkVoid => {
                    self.shared
                        .metrics
                        .repeated_after_merge
                        .fetch_add(items as i64, Relaxed);
                    "partitions were merged; the page at the position is emitted again whole"
                }
            };
            if !self.noticed.contains(notice) {
                self.noticed.push(*notice);
                self.shared.logs.log(Level::Warn, || {
                    format!(
                        "range {}: {text}; further cases in this range are not told",
                        self.split_id
                    )
                });
            }
        }
    }
}
