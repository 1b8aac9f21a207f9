// SPDX-License-Identifier: Apache-2.0
//! What a reading asks for, is told and tells.

use std::time::Duration;

use crate::backoff::Wait;
use crate::configuration::{Configuration, ItemsWithoutLsn};
use crate::cursor::{Accepted, Notice};
use crate::error::Error;
use crate::position::{LineageLsn, Position};
use crate::token::TokenShape;

/// What the reading does next.
#[derive(Debug)]
pub enum Step {
    /// Connect to the container; then [`super::Reading::connected`].
    Connect,
    /// Fetch the page at [`super::Reading::position`], when the page before was taken, the range is not paused and there is room;
    /// then [`super::Reading::answered`].
    Fetch,
    /// List the physical partitions, with `refresh` not from a cache; then [`super::Reading::listed`].
    ListPartitions { refresh: bool },
    /// Ask what the newest LSN of the range is; then [`super::Reading::end_taken`].
    TakeEnd,
    /// Find what to go on from instead of [`super::Reading::position`], whose changes the service no longer has; then
    /// [`super::Reading::begun_anew`].
    BeginAnew,
    /// Ask whether the container's name still stands for this container; then [`super::Reading::found_again`].
    FindContainer,
    /// Hand the page over, which is what the last answer brought.
    Deliver(Box<Delivered>),
    /// Let time pass.
    Wait(Wait),
    /// The reading is over.
    End(Outcome),
}

/// How a reading ends.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A bounded range has been read to its end.
    Finished,
    /// The range was split; these go on.
    Split(Vec<Position>),
    /// It was asked to stop.
    Released,
    Failed(Error),
}

/// A page to hand over.
#[derive(Debug)]
pub struct Delivered {
    /// The position that fetched the page.
    pub fetched_by: Position,
    pub accepted: Accepted,
}

/// What came back for a fetch, without the documents' bytes.
#[derive(Debug)]
pub struct Page {
    pub not_modified: bool,
    /// The answer's `lsn` header.
    pub lsn: Option<i64>,
    /// The partition that answered, where the answer says so.
    pub partition_id: Option<String>,
    pub next_token: String,
    /// What `next_token` stands for.
    pub shape: TokenShape,
    /// The items' LSNs, in feed order.
    pub lsns: Vec<Option<i64>>,
    /// The items' timestamps, milliseconds since the epoch, as many as LSNs.
    pub timestamps: Vec<Option<i64>>,
    /// Whether the page was asked for so long after the range's end in time that nothing of that time can come any more.
    pub past_end_time: bool,
}

/// What somebody should be told of: counted, logged, or both.
#[derive(Debug)]
pub enum Note {
    /// A request failed and is tried again.
    Trouble { error: Error, throttled: bool },
    /// The range is read again.
    TroubleOver,
    /// Part of a trouble: the replica that answered has come to an LSN that is below what was read already.
    ReplicaBehind { has: i64, read: i64 },
    /// So many items of a page that was read again had been emitted.
    AlreadyEmitted(usize),
    /// At most so many items are emitted again because a merge voided a mark or the end of the present state.
    RepeatedAfterMerge(usize),
    /// The present state was read, the changes since it was pinned follow.
    PresentStateRead,
    /// Something unusual was handled; told once a reading for each kind.
    Unusual(Notice),
    /// A bounded read's end was taken again after a merge.
    EndTakenAgain(LineageLsn),
    /// The service no longer has the changes behind the position; what comes of it.
    RetentionExpired { error: Error, goes_on: Option<GoesOn> },
}

/// How a range goes on when changes of it are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoesOn {
    FromNow,
    WithPresentState,
}

/// How a range is read, whatever range it is.
#[derive(Debug, Clone)]
pub struct Manner {
    pub items_without_lsn: ItemsWithoutLsn,
    /// Waits between polls that brought nothing new.
    pub idle_poll_min: Duration,
    pub idle_poll_max: Duration,
    /// Documents that the service is asked for at a time.
    pub page_size: usize,
}

impl Manner {
    pub fn of(configuration: &Configuration) -> Self {
        Self {
            items_without_lsn: configuration.items_without_lsn,
            idle_poll_min: configuration.idle_poll_min,
            idle_poll_max: configuration.idle_poll_max,
            page_size: configuration.page_size.get() as usize,
        }
    }
}
