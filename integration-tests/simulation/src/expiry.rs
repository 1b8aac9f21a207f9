// SPDX-License-Identifier: Apache-2.0
//! Positions whose changes are kept no more: where the core goes on, and what a range loses by it.

use change_feed::beginning;
use change_feed::configuration::{Mode, RetentionExpired};
use change_feed::failure::Attempt;
use change_feed::position::Position;
use fastrand::Rng;

use crate::container::{ChangeId, bounds};
use crate::discovery::poll_now;
use crate::service::Service;

/// What comes otherwise than owed since a range went on from somewhere else.
#[derive(Debug, Clone)]
pub struct Gap {
    /// Changes from the position that had expired to the one that the range goes on from: they may be lost.
    pub lost: Vec<ChangeId>,
    /// Changes whose present state comes, once more where it has come before.
    pub present: Vec<ChangeId>,
}

/// What the core does about an expired position, and what comes of it.
pub fn begin_anew(
    service: &mut Service,
    position: &Position,
    fallback: RetentionExpired,
    rng: &mut Rng,
) -> Attempt<Option<(Position, Gap)>> {
    if fallback == RetentionExpired::Fail {
        return Ok(None);
    }
    let now = poll_now(service, position, rng)?;
    let pin = now.token.clone();
    let Some(anew) = beginning::anew(position, fallback, now) else {
        return Ok(None);
    };
    let expired = position.token.as_deref().expect("all versions are read behind a token");
    let mut gap = Gap {
        lost: Vec::new(),
        present: Vec::new(),
    };
    let (low, high) = bounds(&position.range);
    for key in low..high {
        let read = |token: &str| service.read_behind(Mode::AllVersionsAndDeletes, token, key);
        let (from, to) = (read(expired), read(&pin));
        let changes = service.container.changes.iter().enumerate();
        let before: Vec<ChangeId> = changes
            .filter(|(_, change)| change.key == key)
            .map(|(id, _)| id)
            .take(to)
            .collect();
        gap.lost.extend(&before[from.min(to)..]);
        if anew.then.is_some() {
            gap.present.extend(before);
        }
    }
    Ok(Some((anew, gap)))
}
