// SPDX-License-Identifier: Apache-2.0
//! What a range goes on from when it has no position, or one that the service no longer has the changes of. What would be
//! evaluated again on a restore, `now` and `latest`, is resolved here once, by one poll.

use crate::client::Client;
use crate::configuration::{Configuration, Mode, RetentionExpired, Start, StartFrom, Stop};
use crate::failure::Attempt;
use crate::now::{Now, poll_now};
use crate::position::{End, Position, Then};
use crate::range::EpkRange;

/// A range of a job that starts without state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub range: EpkRange,
    /// A saved token to start behind.
    pub token: Option<String>,
}

/// The first position of a range, as configured.
pub(crate) async fn first(client: &Client, configuration: &Configuration, piece: Piece) -> Attempt<Position> {
    let mut position = Position {
        identity: client.identity().clone(),
        mode: configuration.mode,
        range: piece.range,
        generation: 0,
        start: match (&configuration.start, configuration.mode) {
            (StartFrom::Each(start), _) => *start,
            (_, Mode::LatestVersion) => Start::Beginning,
            (_, Mode::AllVersionsAndDeletes) => Start::Now,
        },
        token: piece.token,
        mark: None,
        end: match configuration.stop {
            Stop::At(millis) => Some(End::Time(millis)),
            Stop::Never | Stop::Latest => None,
        },
        then: None,
    };
    let from_now = configuration.start == StartFrom::Each(Start::Now);
    let present_state = configuration.start == StartFrom::PresentStateThenChanges;
    if !(from_now || present_state || configuration.stop == Stop::Latest) {
        return Ok(position);
    }
    let now = poll_now(client, &position).await?;
    if configuration.stop == Stop::Latest {
        position.end = Some(End::Lsn(now.end.clone()));
    }
    if from_now {
        position.token = Some(now.token);
    } else if present_state {
        position = behind_present_state(&position, now);
    }
    Ok(position)
}

/// What takes the place of a position of the all-versions mode whose changes are no longer kept; nothing where that is a
/// failure.
pub(crate) async fn anew(
    client: &Client,
    position: &Position,
    fallback: RetentionExpired,
) -> Attempt<Option<Position>> {
    Ok(match fallback {
        RetentionExpired::Fail => None,
        RetentionExpired::StartFromNow => Some(Position {
            start: Start::Now,
            token: Some(poll_now(client, position).await?.token),
            mark: None,
            ..position.clone()
        }),
        RetentionExpired::PresentStateThenChanges => {
            let now = poll_now(client, position).await?;
            Some(behind_present_state(position, now))
        }
    })
}

/// The present state first, then what `position` reads, from the poll on. What was written after the poll is left to the
/// changes, so that nothing is missed and nothing comes twice.
fn behind_present_state(position: &Position, now: Now) -> Position {
    let bound = match &position.end {
        // A bounded read emits nothing above its end, in neither part.
        Some(End::Lsn(end)) => end.clone(),
        Some(End::Time(_)) | None => now.end,
    };
    Position {
        mode: Mode::LatestVersion,
        start: Start::Beginning,
        token: None,
        mark: None,
        end: Some(End::Lsn(bound)),
        then: Some(Then {
            token: now.token,
            end: position.end.clone(),
        }),
        ..position.clone()
    }
}
