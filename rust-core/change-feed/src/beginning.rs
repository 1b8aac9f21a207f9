// SPDX-License-Identifier: Apache-2.0
//! What a range goes on from when it has no position, or one that the service no longer has the changes of. What would be
//! evaluated again on a restore, `now` and `latest`, is resolved here once, by one poll. Pure.

use crate::configuration::{Mode, RetentionExpired, Start, StartFrom, Stop};
use crate::now::Now;
use crate::position::{ContainerIdentity, End, Position, Then};
use crate::range::EpkRange;

/// A range of a job that starts without state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub range: EpkRange,
    /// A saved token to start behind.
    pub token: Option<String>,
}

/// The first position of a range, as far as it is known without asking.
pub fn unpinned(identity: ContainerIdentity, mode: Mode, start: &StartFrom, stop: Stop, piece: Piece) -> Position {
    Position {
        identity,
        mode,
        range: piece.range,
        generation: 0,
        start: match (start, mode) {
            (StartFrom::Each(start), _) => *start,
            (_, Mode::LatestVersion) => Start::Beginning,
            (_, Mode::AllVersionsAndDeletes) => Start::Now,
        },
        token: piece.token,
        mark: None,
        reached: None,
        end: match stop {
            Stop::At(millis) => Some(End::Time(millis)),
            Stop::Never | Stop::Latest => None,
        },
        then: None,
    }
}

/// Whether a first position needs to know what `now` is.
pub fn needs_now(start: &StartFrom, stop: Stop) -> bool {
    stop == Stop::Latest || matches!(start, StartFrom::Each(Start::Now) | StartFrom::PresentStateThenChanges)
}

/// The first position of a range: [`unpinned`], and what `now` was when it was asked.
pub fn pinned(unpinned: Position, start: &StartFrom, stop: Stop, now: Now) -> Position {
    let mut position = unpinned;
    if stop == Stop::Latest {
        position.end = Some(End::Lsn(now.end.clone()));
    }
    match start {
        StartFrom::Each(Start::Now) => {
            position.token = Some(now.token);
            position.reached = Some(now.end);
        }
        StartFrom::PresentStateThenChanges => position = behind_present_state(&position, now),
        _ => {}
    }
    position
}

/// What takes the place of a position of the all-versions mode whose changes are no longer kept; nothing where that is a
/// failure.
pub fn anew(position: &Position, fallback: RetentionExpired, now: Now) -> Option<Position> {
    match fallback {
        RetentionExpired::Fail => None,
        RetentionExpired::StartFromNow => Some(Position {
            start: Start::Now,
            token: Some(now.token),
            mark: None,
            reached: Some(now.end),
            ..position.clone()
        }),
        RetentionExpired::PresentStateThenChanges => Some(behind_present_state(position, now)),
    }
}

/// The present state first, then what `position` reads, from the poll on. What was written after the poll is left to the
/// changes, so that nothing is missed and nothing comes twice.
fn behind_present_state(position: &Position, now: Now) -> Position {
    let bound = match &position.end {
        // A bounded read emits nothing above its end, in neither part. A replica that lags may have pinned the changes before it.
        Some(End::Lsn(end)) if end.lineage != now.end.lineage || end.lsn <= now.end.lsn => end.clone(),
        _ => now.end,
    };
    Position {
        mode: Mode::LatestVersion,
        start: Start::Beginning,
        token: None,
        mark: None,
        reached: None,
        end: Some(End::Lsn(bound)),
        then: Some(Then {
            token: now.token,
            end: position.end.clone(),
        }),
        ..position.clone()
    }
}
