// SPDX-License-Identifier: Apache-2.0
//! Decides what an answer means for a feed range: which items are new, where its commit groups are, what the position
//! becomes, whether the range was split or has ended. A state machine without I/O and clock; the poller feeds it.
//!
//! The rules are the invariants of delivery; each is named at its place below.

use std::fmt;
use std::ops::Range;

use crate::configuration::{ItemsWithoutLsn, Mode, Start};
use crate::error::{Code, Error, Result};
use crate::position::{End, LineageLsn, Position};
use crate::range::PhysicalRange;
use crate::token::TokenShape;

/// What the poller knows of an answer before anything is decided.
#[derive(Debug)]
pub struct Facts<'a> {
    /// 304: nothing new behind the token.
    pub not_modified: bool,
    /// The answer's `lsn` header: the partition's newest LSN as this replica knows it.
    pub lsn: Option<i64>,
    /// The physical partition that answered.
    pub partition: &'a PhysicalRange,
    /// All physical partitions, listed when that one was there.
    pub topology: &'a [PhysicalRange],
    /// The token that fetches the next page, made from the answer's ETag.
    pub next_token: &'a str,
    /// The items' LSNs, in feed order.
    pub lsns: &'a [Option<i64>],
    /// The items' timestamps, milliseconds since the epoch, as many as LSNs.
    pub timestamps: &'a [Option<i64>],
    /// Whether the page was asked for so long after the range's end in time that nothing of that time can come any more.
    pub past_end_time: bool,
}

/// Something unusual that was handled and that somebody should know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// LSNs decrease inside the page: it was taken as one commit group.
    LsnsDecrease,
    /// The page starts with the LSN that the last one ended with: a transaction was cut by the service.
    GroupGoesOn,
    /// The mark is of a partition whose LSNs do not lead here (a merge): it is void, the page is read again whole.
    MarkVoid,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Notice::LsnsDecrease => "LSNs decrease inside a page; it is emitted as one commit group",
            Notice::GroupGoesOn => {
                "a page starts with the LSN that the last one ended with; the transaction is emitted in two parts"
            }
            Notice::MarkVoid => "partitions were merged; the page at the position is emitted again whole",
        })
    }
}

/// What is left of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Index of the first item to emit; those before were emitted already or are of before the start.
    pub first: usize,
    /// How many of those were emitted already.
    pub already_emitted: usize,
    /// Commit groups, as ranges of item indexes; contiguous from `first`.
    pub groups: Vec<Range<usize>>,
    /// The position after each group. The last is also the position after the page. At least one, even without groups.
    pub marks: Vec<Option<LineageLsn>>,
    /// The position after the page.
    pub end: Position,
    /// The range ends behind this page (a bounded read).
    pub finished: bool,
    /// The present state ends behind this page; the position goes on with the changes since it was pinned.
    pub switched: bool,
    /// Whether the position is another than the one that was told last.
    pub moved: bool,
    pub notices: Vec<Notice>,
}

impl Accepted {
    /// How many items are emitted.
    pub fn documents(&self) -> usize {
        self.groups.iter().map(ExactSizeIterator::len).sum()
    }

    /// The position for "groups `0..=group` of the page that `fetched_by` fetched have been emitted", if it has so many.
    pub fn position_after(&self, fetched_by: &Position, group: usize) -> Option<Position> {
        let mark = self.marks.get(group)?;
        if group + 1 == self.marks.len() {
            return Some(self.end.clone());
        }
        Some(Position {
            mark: mark.clone(),
            reached: match mark {
                Some(_) => None,
                None => fetched_by.reached.clone(),
            },
            ..fetched_by.clone()
        })
    }
}

/// The decision on an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The end of a bounded read was taken on a partition whose LSNs do not lead here: take it again, then read again.
    EndVoid,
    /// There is nothing new because the replica that answered has not come as far as the position: ask again.
    Behind(Behind),
    Accepted(Box<Accepted>),
}

/// A replica that has not come as far as a range was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    pub read: LineageLsn,
    /// How far the replica has come.
    pub lsn: i64,
}

/// The reading state of one feed range.
#[derive(Debug, Clone)]
pub struct Cursor {
    position: Position,
    items_without_lsn: ItemsWithoutLsn,
    /// The last item's LSN of the page before, to see a group that goes on.
    last_lsn: Option<i64>,
    /// The position was changed otherwise than by an answer, and nobody has been told.
    untold: bool,
}

impl Cursor {
    pub fn new(position: Position, items_without_lsn: ItemsWithoutLsn) -> Self {
        Self {
            position,
            items_without_lsn,
            last_lsn: None,
            untold: false,
        }
    }

    /// The position that the next answer is judged against.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Goes on from somewhere else in the same range. The next answer is told even if it is that nothing is new: a state that
    /// has the old position would have this one found again, elsewhere.
    pub fn go_on_from(&mut self, position: Position) {
        self.position = position;
        self.last_lsn = None;
        self.untold = true;
    }

    /// Takes a new end for a bounded read, after [`Verdict::EndVoid`].
    pub fn set_end(&mut self, end: LineageLsn) {
        self.position.end = Some(End::Lsn(end));
        self.untold = true;
    }

    /// Whether the token behind an answer says that the range is no longer read as one.
    ///
    /// Decided before anything else: the driver follows a split inside one call, and the page may come from one child.
    ///
    /// # Errors
    /// `CONTAINER_RECREATED` when the token is of another container.
    pub fn is_split(&self, shape: &TokenShape) -> Result<bool> {
        if shape.container_rid != self.position.identity.rid {
            return Err(recreated(&self.position, &shape.container_rid));
        }
        Ok(!shape.is_for(&self.position.range))
    }

    /// Whether the replica that answered says that there is nothing new because it has not come as far as the range. Its token
    /// is an older one then. Who has reached the end of a bounded read has come far enough.
    fn behind(&self, facts: &Facts<'_>) -> Option<Behind> {
        let lsn = facts.lsn.filter(|_| facts.lsns.is_empty())?;
        let read = self.position.mark.as_ref().or(self.position.reached.as_ref())?;
        let far_enough = lsn >= read.lsn
            || facts.not_modified && matches!(&self.position.end, Some(End::Lsn(end)) if lsn >= end.lsn)
            || !read.lineage.leads_to(facts.partition, facts.topology);
        (!far_enough).then(|| Behind {
            read: read.clone(),
            lsn,
        })
    }

    /// Judges an answer and moves on behind it.
    ///
    /// # Errors
    /// `LSN_MISSING` when an item has none and that is not allowed. The cursor has not moved then.
    pub fn judge(&mut self, facts: &Facts<'_>) -> Result<Verdict> {
        if let Some(End::Lsn(end)) = &self.position.end
            && !end.lineage.leads_to(facts.partition, facts.topology)
        {
            return Ok(Verdict::EndVoid);
        }
        if let Some(behind) = self.behind(facts) {
            return Ok(Verdict::Behind(behind));
        }
        let mut notices = Vec::new();
        let mark = match &self.position.mark {
            Some(mark) if !mark.lineage.leads_to(facts.partition, facts.topology) => {
                notices.push(Notice::MarkVoid);
                None
            }
            mark => mark.clone(),
        };
        let lsns = facts.lsns;
        if self.items_without_lsn == ItemsWithoutLsn::Fail
            && let Some(index) = lsns.iter().position(Option::is_none)
        {
            return Err(Error::new(
                Code::LsnMissing,
                format!(
                    "item {index} of a page of range {} has no LSN, so commit groups are unknown; set option \
                     'itemsWithoutLsn' to PAGE to take whole pages as groups",
                    self.position.range
                ),
            ));
        }

        let decreases = lsns
            .iter()
            .flatten()
            .zip(lsns.iter().flatten().skip(1))
            .any(|(a, b)| b < a);
        let stop = self.owed(facts, decreases);
        // A bounded range ends at the first item above its end, which is not emitted, or at a 304 of a replica that has
        // reached the end. Never at a page's header or an empty page.
        let ended = stop < lsns.len()
            || facts.not_modified
                && match &self.position.end {
                    None => false,
                    Some(End::Lsn(end)) => facts.lsn.is_some_and(|lsn| lsn >= end.lsn),
                    Some(End::Time(_)) => facts.past_end_time,
                };

        // What was emitted is a prefix of the feed, and items only move to higher LSNs: drop the prefix at or below the mark.
        let already_emitted = mark.as_ref().map_or(0, |mark| {
            lsns[..stop]
                .iter()
                .position(|lsn| lsn.is_none_or(|lsn| lsn > mark.lsn))
                .unwrap_or(stop)
        });
        let first = self.asked_for(facts, already_emitted, stop);
        let kept = &lsns[first..stop];
        let whole = decreases || kept.iter().any(Option::is_none);
        if decreases {
            notices.push(Notice::LsnsDecrease);
        }
        if first == 0
            && let (Some(Some(now)), Some(before)) = (kept.first(), self.last_lsn)
            && *now == before
            && mark.is_none()
        {
            notices.push(Notice::GroupGoesOn);
        }
        let groups = commit_groups(kept, first, whole);

        let on = |lsn: i64| LineageLsn::on(facts.partition, lsn);
        let above_mark_seen = first < lsns.len();
        let end = match &self.position.then {
            Some(then) if ended => Position {
                mode: Mode::AllVersionsAndDeletes,
                start: Start::Now,
                token: Some(then.token.clone()),
                mark: None,
                // The token is of before the end of the present state, or of the very moment.
                reached: match &self.position.end {
                    Some(End::Lsn(end)) => Some(end.clone()),
                    _ => None,
                },
                end: then.end.clone(),
                then: None,
                ..self.position.clone()
            },
            _ => {
                // A page may be cut differently next time, so the mark goes only when an LSN above it was seen behind it.
                let mark = if above_mark_seen { None } else { mark };
                let newest = match lsns {
                    [] => facts.lsn,
                    lsns => lsns.iter().flatten().max().copied(),
                };
                Position {
                    token: Some(facts.next_token.to_owned()),
                    reached: match (&mark, newest) {
                        (Some(_), _) => None,
                        (None, Some(lsn)) => Some(on(lsn)),
                        (None, None) => self.position.reached.clone(),
                    },
                    mark,
                    ..self.position.clone()
                }
            }
        };
        let switched = ended && self.position.then.is_some();
        let mut marks: Vec<Option<LineageLsn>> = groups
            .iter()
            .map(|group| lsns[group.clone()].iter().flatten().max().map(|&lsn| on(lsn)))
            .collect();
        match marks.last_mut() {
            Some(last) => *last = end.mark.clone(),
            None => marks.push(end.mark.clone()),
        }
        let moved = std::mem::take(&mut self.untold) || end != self.position;
        self.last_lsn = match switched {
            true => None,
            false => lsns.last().copied().flatten().or(self.last_lsn),
        };
        self.position = end.clone();
        Ok(Verdict::Accepted(Box::new(Accepted {
            first,
            already_emitted,
            groups,
            marks,
            end,
            finished: ended && !switched,
            switched,
            moved,
            notices,
        })))
    }

    /// The first item from `first` on that is not of before the range's start in time. A replica that lags behind says that there
    /// is nothing new since then, and its token brings what it had yet to see of before.
    fn asked_for(&self, facts: &Facts<'_>, first: usize, stop: usize) -> usize {
        let Start::At(start) = self.position.start else {
            return first;
        };
        let before_start =
            |index: usize| facts.timestamps[index].is_some_and(|time| time.div_euclid(1000) < start.div_euclid(1000));
        let mut asked_for = (first..stop).find(|&index| !before_start(index)).unwrap_or(stop);
        // A transaction that reaches over the start is emitted whole.
        while asked_for > first
            && asked_for < stop
            && facts.lsns[asked_for].is_some()
            && facts.lsns[asked_for - 1] == facts.lsns[asked_for]
        {
            asked_for -= 1;
        }
        asked_for
    }

    /// How many items, from the page's first, lie at or before the range's end.
    fn owed(&self, facts: &Facts<'_>, decreases: bool) -> usize {
        let lsns = facts.lsns;
        let above_end = |index: usize| match &self.position.end {
            None => false,
            Some(End::Lsn(end)) => lsns[index].is_some_and(|lsn| lsn > end.lsn),
            Some(End::Time(end)) => {
                facts.timestamps[index].is_some_and(|time| time.div_euclid(1000) > end.div_euclid(1000))
            }
        };
        let Some(mut first) = (0..lsns.len()).find(|&index| above_end(index)) else {
            return lsns.len();
        };
        if decreases {
            // Where order is broken, everything at or before the end is still owed.
            return (0..lsns.len())
                .rfind(|&index| !above_end(index))
                .map_or(0, |last| last + 1);
        }
        // A transaction may reach over a second: it is emitted whole or not at all.
        while first > 0 && lsns[first].is_some() && lsns[first - 1] == lsns[first] {
            first -= 1;
        }
        first
    }
}

/// Contiguous runs of equal LSNs; one run where LSNs cannot be trusted.
fn commit_groups(kept: &[Option<i64>], first: usize, whole: bool) -> Vec<Range<usize>> {
    if kept.is_empty() {
        return Vec::new();
    }
    if whole {
        return std::iter::once(first..first + kept.len()).collect();
    }
    let mut groups = Vec::new();
    let mut start = 0;
    for index in 1..=kept.len() {
        if index == kept.len() || kept[index] != kept[start] {
            groups.push(first + start..first + index);
            start = index;
        }
    }
    groups
}

/// The error for a position whose container is not the one that is there now.
pub fn recreated(position: &Position, found_rid: &str) -> Error {
    Error::new(
        Code::ContainerRecreated,
        format!(
            "container '{}' of database '{}' was deleted and created again: the state was written for RID '{}', found '{}'; \
             start the job without this state",
            position.identity.container, position.identity.database, position.identity.rid, found_rid
        ),
    )
}

#[cfg(test)]
mod tests;
