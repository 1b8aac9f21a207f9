// SPDX-License-Identifier: Apache-2.0
//! Finds a container's feed ranges, pins where they start and end, and checks the ranges of a restored job.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::beginning::{self, Piece};
use crate::client::Client;
use crate::clock::now_millis;
use crate::configuration::{Configuration, Start, StartFrom, Stop};
use crate::cursor::recreated;
use crate::error::{Code, Error, Result};
use crate::failure::{Attempt, Failure};
use crate::framing::SplitSnapshot;
use crate::logs::Level;
use crate::panics;
use crate::pin::poll_now;
use crate::position::{ContainerIdentity, End, Position};
use crate::range::{EpkRange, PhysicalRange, check_coverage, cut_at_partitions, cut_evenly, key_space};
use crate::shared::Shared;
use crate::token::SavedToken;

/// Ranges that are pinned at the same time: enough to hide the way to the service, few enough not to be throttled.
const PINNED_AT_ONCE: usize = 16;

/// How much later than ours the clock may be of whoever named a start in time.
const CLOCKS_APART: Duration = Duration::from_secs(5);

/// See `discover` in docs/native-interface.md.
pub(crate) async fn discover(shared: &Arc<Shared>, known: &[SplitSnapshot]) -> Result<Vec<SplitSnapshot>> {
    if let Some(other) = other_endpoint(known, &shared.configuration) {
        shared.logs.log(Level::Warn, || {
            format!(
                "the state was written by way of {other}, the container is now read by way of {}; its positions hold as long as \
                 both are the same account, which the container's id is checked for",
                shared.configuration.endpoint
            )
        });
    }
    let known = positions(known, &shared.configuration)?;
    let patience = Patience::new(shared.configuration.startup_timeout);
    let client = patience.until_done(shared, || shared.client()).await?;
    if !known.is_empty() {
        for position in &known {
            if position.identity.rid != client.identity().rid {
                return Err(recreated(position, &client.identity().rid));
            }
        }
        check_coverage(&key_space(), known.iter().map(|position| &position.range))?;
        return Ok(Vec::new());
    }
    check_start(&shared.configuration.start)?;
    let mut backoff = Backoff::for_retries();
    loop {
        let partitions = patience.until_done(shared, || client.partitions(true)).await?;
        let pieces = pieces(&shared.configuration, client.identity(), &partitions)?;
        if pieces.len() < shared.configuration.min_splits as usize {
            shared.logs.log(Level::Warn, || {
                format!(
                    "option 'minSplits': the key space could be cut into {} feed ranges only, found '{}'",
                    pieces.len(),
                    shared.configuration.min_splits
                )
            });
        }
        match pin_all(shared, &client, pieces, &patience).await {
            Ok(splits) => return Ok(splits),
            // A partition was split meanwhile: its range can no longer be pinned whole, so list them again.
            Err(error) if error.retryable && !patience.is_over() => {
                shared.logs.log(Level::Warn, || {
                    format!("discovery: {error}; listing the partitions again")
                });
                tokio::time::sleep(backoff.wait(fastrand::f64(), None)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Refuses a start that is to come: once the service has said that there is nothing new, its token knows nothing of the start,
/// and what is written before it would be read.
fn check_start(start: &StartFrom) -> Result<()> {
    let StartFrom::Each(Start::At(millis)) = start else {
        return Ok(());
    };
    let now = now_millis();
    if *millis <= now.saturating_add(CLOCKS_APART.as_millis() as i64) {
        return Ok(());
    }
    Err(Error::new(
        Code::ConfigurationInvalid,
        format!("option 'startFrom.epochMillis': found '{millis}', accepted: a time that has come, it is {now} now"),
    ))
}

/// What a job without state reads: the partitions, or the ranges of saved tokens, cut so that no piece is wider than a
/// partition and that there are as many as were asked for.
fn pieces(
    configuration: &Configuration,
    identity: &ContainerIdentity,
    partitions: &[PhysicalRange],
) -> Result<Vec<Piece>> {
    check_coverage(&key_space(), partitions.iter().map(|partition| &partition.range))?;
    let whole = match &configuration.start {
        StartFrom::Tokens(saved) => behind_tokens(saved, identity, partitions)?,
        StartFrom::Each(_) | StartFrom::PresentStateThenChanges => partitions
            .iter()
            .map(|partition| Piece {
                range: partition.range.clone(),
                token: None,
            })
            .collect(),
    };
    let ranges: Vec<&EpkRange> = whole.iter().map(|piece| &piece.range).collect();
    let parts = cut_evenly(&ranges, configuration.min_splits as usize);
    Ok(whole
        .iter()
        .zip(parts)
        .flat_map(|(piece, parts)| {
            parts.into_iter().map(|range| Piece {
                range,
                token: piece.token.clone(),
            })
        })
        .collect())
}

fn behind_tokens(
    saved: &[SavedToken],
    identity: &ContainerIdentity,
    partitions: &[PhysicalRange],
) -> Result<Vec<Piece>> {
    for (number, token) in (1..).zip(saved) {
        if token.container_rid != identity.rid {
            return Err(Error::new(
                Code::ConfigurationInvalid,
                format!(
                    "option 'startFrom.tokens': found 'token {number} of the container with RID {}', accepted: tokens of container \
                     '{}' of database '{}', RID {}",
                    token.container_rid, identity.container, identity.database, identity.rid
                ),
            ));
        }
    }
    let ranges = saved.iter().flat_map(|token| &token.ranges);
    check_coverage(&key_space(), ranges.clone().map(|saved| &saved.range)).map_err(|error| Error {
        message: format!(
            "option 'startFrom.tokens': together the tokens must stand for every key once, each range read at least once before \
             its token was taken: {}",
            error.message
        ),
        ..error
    })?;
    let mut pieces = Vec::new();
    for saved in ranges {
        for range in cut_at_partitions(&saved.range, partitions)? {
            pieces.push(Piece {
                range,
                token: Some(saved.token.clone()),
            });
        }
    }
    Ok(pieces)
}

/// Reads the positions that a state holds and checks that each is one for this configuration.
pub(crate) fn positions(splits: &[SplitSnapshot], configuration: &Configuration) -> Result<Vec<Position>> {
    splits
        .iter()
        .map(|split| {
            let mut position = Position::decode(&split.split_id, &split.position)?;
            check_fits(&position, configuration)?;
            // From here on the state is of the account as it is reached now.
            position.identity.endpoint = configuration.endpoint.to_string();
            Ok(position)
        })
        .collect()
}

/// The endpoint that a state was written by way of, where it is another. The RID says whether it is the same container.
fn other_endpoint(splits: &[SplitSnapshot], configuration: &Configuration) -> Option<String> {
    splits
        .iter()
        .filter_map(|split| Position::decode(&split.split_id, &split.position).ok())
        .map(|position| position.identity.endpoint)
        .find(|endpoint| *endpoint != configuration.endpoint.as_str())
}

/// Refuses a position that is not of the configured container, by name, or mode, or that was bounded otherwise. The RID is
/// compared when the service was asked for it.
fn check_fits(position: &Position, configuration: &Configuration) -> Result<()> {
    let ContainerIdentity {
        database, container, ..
    } = &position.identity;
    let mismatch = |text: String| Err(Error::new(Code::PositionMismatch, text));
    if *database != configuration.database || *container != configuration.container {
        return mismatch(format!(
            "the state is of container '{container}' of database '{database}', options 'container' and 'database' say '{}' of \
             '{}': start the job without this state, or give the source another uid",
            configuration.container, configuration.database
        ));
    }
    if position.job_mode() != configuration.mode {
        return mismatch(format!(
            "the state is of mode {}, option 'changeFeedMode' says {}: a position of one mode means nothing in the other; \
             set 'changeFeedMode' to {0}, or start the job without this state",
            position.job_mode(),
            configuration.mode
        ));
    }
    let of_state = match position.job_end() {
        None => "never".to_owned(),
        Some(End::Lsn(_)) => "latest".to_owned(),
        Some(End::Time(millis)) => format!("at {millis} ms since the epoch"),
    };
    let of_option = match configuration.stop {
        Stop::Never => "never".to_owned(),
        Stop::Latest => "latest".to_owned(),
        Stop::At(millis) => format!("at {millis} ms since the epoch"),
    };
    if of_state != of_option {
        return mismatch(format!(
            "the state is of a read that ends {of_state}, option 'stopAt' says {of_option}: set 'stopAt' to what the state was \
             written with, or start the job without this state"
        ));
    }
    Ok(())
}

async fn pin_all(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    pieces: Vec<Piece>,
    patience: &Patience,
) -> Result<Vec<SplitSnapshot>> {
    let mut splits = Vec::with_capacity(pieces.len());
    for chunk in pieces.chunks(PINNED_AT_ONCE) {
        let mut tasks = tokio::task::JoinSet::new();
        for (index, piece) in chunk.iter().cloned().enumerate() {
            let (shared, client, patience) = (Arc::clone(shared), Arc::clone(client), patience.clone());
            tasks.spawn(async move {
                let first = || first(&client, &shared.configuration, piece.clone());
                let pinned = panics::caught(patience.until_done(&shared, first)).await;
                (index, pinned)
            });
        }
        let mut pinned: Vec<(usize, SplitSnapshot)> = Vec::with_capacity(chunk.len());
        while let Some(joined) = tasks.join_next().await {
            let (index, split) = joined.map_err(|e| Error::new(Code::Internal, format!("pinning a range: {e}")))?;
            let split = split.map_err(|panic| Error::new(Code::Panic, format!("pinning a range: {panic}")))??;
            pinned.push((index, split.snapshot()));
        }
        pinned.sort_by_key(|(index, _)| *index);
        splits.extend(pinned.into_iter().map(|(_, split)| split));
    }
    Ok(splits)
}

/// The first position of a range, as configured.
async fn first(client: &Client, configuration: &Configuration, piece: Piece) -> Attempt<Position> {
    let Configuration { mode, start, stop, .. } = configuration;
    let unpinned = beginning::unpinned(client.identity().clone(), *mode, start, *stop, piece);
    if !beginning::needs_now(start, *stop) {
        return Ok(unpinned);
    }
    let now = poll_now(client, &unpinned).await?;
    Ok(beginning::pinned(unpinned, start, *stop, now))
}

/// How long start-up goes on in spite of failures that may pass. They are told once.
#[derive(Clone)]
struct Patience {
    until: Instant,
    limit: Duration,
    told: Arc<AtomicBool>,
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Self {
            until: Instant::now() + limit,
            limit,
            told: Arc::new(AtomicBool::new(false)),
        }
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    async fn until_done<T, F>(&self, shared: &Shared, mut attempt: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, Failure>>,
    {
        let mut backoff = Backoff::for_retries();
        loop {
            let (error, asked) = match attempt().await {
                Ok(value) => return Ok(value),
                Err(Failure::Transient { error, asked, .. }) => (error, asked),
                Err(Failure::Unreadable(error)) => (error, None),
                Err(failure) => return Err(failure.into_error()),
            };
            if self.is_over() {
                return Err(Error {
                    message: format!(
                        "option 'endpoint': {} gave no usable answer within {} ms (option 'startupTimeout'); last: {}",
                        shared.configuration.endpoint,
                        self.limit.as_millis(),
                        error.message
                    ),
                    ..error
                });
            }
            if !self.told.swap(true, Ordering::Relaxed) {
                shared
                    .logs
                    .log(Level::Warn, || format!("start-up: {error}; trying again"));
            }
            tokio::time::sleep(backoff.wait(fastrand::f64(), asked)).await;
        }
    }
}
