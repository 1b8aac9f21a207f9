// SPDX-License-Identifier: Apache-2.0
//! What a job without state does first: list the partitions, cut them into ranges, pin each. The decisions are the core's.

use change_feed::beginning::{self, Piece};
use change_feed::configuration::{Mode, Start, StartFrom, Stop};
use change_feed::error::Error;
use change_feed::failure::{Attempt, Failure};
use change_feed::now::{self, Now};
use change_feed::position::{ContainerIdentity, Position};
use change_feed::range::{EpkRange, PhysicalRange, check_coverage, cut_at_partitions, key_space};
use fastrand::Rng;

use crate::container::{bounds, range};
use crate::service::{RID, Service};
use crate::settings::Settings;

/// The container as positions name it.
pub fn identity() -> ContainerIdentity {
    ContainerIdentity {
        endpoint: "https://a/".to_owned(),
        database: "d".to_owned(),
        container: "c".to_owned(),
        rid: RID.to_owned(),
    }
}

/// One poll of `now`, as the core polls it.
pub fn poll_now(service: &mut Service, position: &Position, rng: &mut Rng) -> Attempt<Now> {
    let asked = now::question(position);
    let answer = service.fetch(&asked, rng)?;
    let partitions = service.partitions(false, rng)?;
    now::judge(position, &answer.page, Some(answer.behind), &partitions)
}

/// The first positions; `between` happens between one poll and the next.
///
/// # Errors
/// What the core gives up with, for which there is no reason here.
pub fn discover(
    service: &mut Service,
    settings: &Settings,
    saved: &[Saved],
    rng: &mut Rng,
    mut between: impl FnMut(&mut Service, &mut Rng),
) -> Result<Vec<Position>, Error> {
    'again: loop {
        between(service, rng);
        let partitions = match service.partitions(true, rng) {
            Ok(partitions) => partitions,
            Err(_) => continue,
        };
        let mut positions = Vec::new();
        for piece in pieces(&partitions, saved, settings.splits)? {
            let first = loop {
                between(service, rng);
                let piece = piece.clone();
                let unpinned = beginning::unpinned(identity(), settings.mode, &settings.start, settings.stop, piece);
                if !beginning::needs_now(&settings.start, settings.stop) {
                    break unpinned;
                }
                match poll_now(service, &unpinned, rng) {
                    Ok(now) => break beginning::pinned(unpinned, &settings.start, settings.stop, now),
                    Err(Failure::Transient { .. } | Failure::Missing(_)) => {}
                    Err(Failure::Moved(_)) => continue 'again,
                    Err(failure) => return Err(failure.into_error()),
                }
            };
            positions.push(first);
        }
        return Ok(positions);
    }
}

/// What the job reads without a token of its own, or behind saved ones: no range wider than a partition.
fn pieces(partitions: &[PhysicalRange], saved: &[Saved], splits: usize) -> Result<Vec<Piece>, Error> {
    check_coverage(&key_space(), partitions.iter().map(|partition| &partition.range))?;
    let mut pieces: Vec<((u8, u8), Option<String>)> = Vec::new();
    if saved.is_empty() {
        pieces.extend(partitions.iter().map(|partition| (bounds(&partition.range), None)));
    }
    for Saved { range, token } in saved {
        let parts = cut_at_partitions(range, partitions)?;
        pieces.extend(parts.iter().map(|part| (bounds(part), Some(token.clone()))));
    }
    while pieces.len() < splits {
        let Some(place) = pieces.iter().position(|((low, high), _)| high - low > 1) else {
            break;
        };
        let ((low, high), token) = pieces[place].clone();
        let middle = low + (high - low) / 2;
        pieces.splice(place..=place, [((low, middle), token.clone()), ((middle, high), token)]);
        // The next cut is elsewhere.
        pieces.rotate_left(1);
    }
    let piece = |((low, high), token)| Piece {
        range: range(low, high),
        token,
    };
    Ok(pieces.into_iter().map(piece).collect())
}

/// A token that somebody has saved, of one range.
#[derive(Debug)]
pub struct Saved {
    range: EpkRange,
    token: String,
}

/// One token for each partition, which stands where the partition stands now.
///
/// # Errors
/// What asking fails with for good.
pub fn save_tokens(service: &mut Service, mode: Mode, rng: &mut Rng) -> Result<Vec<Saved>, Error> {
    'again: loop {
        let Ok(partitions) = service.partitions(true, rng) else {
            continue;
        };
        let mut saved = Vec::new();
        for partition in partitions {
            let piece = Piece {
                range: partition.range.clone(),
                token: None,
            };
            let position = beginning::unpinned(identity(), mode, &StartFrom::Each(Start::Now), Stop::Never, piece);
            let token = loop {
                match poll_now(service, &position, rng) {
                    Ok(now) => break now.token,
                    Err(Failure::Transient { .. } | Failure::Missing(_)) => {}
                    Err(Failure::Moved(_)) => continue 'again,
                    Err(failure) => return Err(failure.into_error()),
                }
            };
            saved.push(Saved {
                range: partition.range,
                token,
            });
        }
        return Ok(saved);
    }
}
