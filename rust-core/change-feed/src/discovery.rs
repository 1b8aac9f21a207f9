// SPDX-License-Identifier: Apache-2.0
//! Finds a container's feed ranges, pins where they start and end, and checks the ranges of a restored job.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::client::Client;
use crate::configuration::{Configuration, Mode, Start, Stop};
use crate::cursor::recreated;
use crate::error::{Code, Error, Result};
use crate::failure::Failure;
use crate::framing::SplitSnapshot;
use crate::logs::Level;
use crate::now::poll_now;
use crate::panics;
use crate::position::{ContainerIdentity, End, Position};
use crate::range::{PhysicalRange, check_coverage, key_space};
use crate::shared::Shared;

/// Ranges that are pinned at the same time: enough to hide the way to the service, few enough not to be throttled.
const PINNED_AT_ONCE: usize = 16;

/// See `discover` in docs/native-interface.md.
pub(crate) async fn discover(shared: &Arc<Shared>, known: &[SplitSnapshot]) -> Result<Vec<SplitSnapshot>> {
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
    let mut backoff = Backoff::for_retries();
    loop {
        let partitions = patience.until_done(shared, || client.partitions(true)).await?;
        check_coverage(&key_space(), partitions.iter().map(|partition| &partition.range))?;
        match pin_all(shared, &client, &partitions, &patience).await {
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

/// Reads the positions that a state holds and checks that each is one for this configuration.
pub(crate) fn positions(splits: &[SplitSnapshot], configuration: &Configuration) -> Result<Vec<Position>> {
    splits
        .iter()
        .map(|split| {
            let position = Position::decode(&split.split_id, &split.position)?;
            check_fits(&position, configuration)?;
            Ok(position)
        })
        .collect()
}

/// Refuses a position that is not of the configured container, by name, or that was bounded otherwise. The RID is compared
/// when the service was asked for it.
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
    match (position.end.is_some(), configuration.stop) {
        (true, Stop::Latest) | (false, Stop::Never) => Ok(()),
        (true, Stop::Never) => mismatch(
            "the state is of a bounded read and option 'stopAt' says never: its ranges would end and nothing be read after; \
             start the job without this state"
                .to_owned(),
        ),
        (false, Stop::Latest) => mismatch(
            "the state is of a read without an end and option 'stopAt' says latest: it would never end; set 'stopAt' to \
             never, or start the job without this state"
                .to_owned(),
        ),
    }
}

async fn pin_all(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    partitions: &[PhysicalRange],
    patience: &Patience,
) -> Result<Vec<SplitSnapshot>> {
    let mut splits = Vec::with_capacity(partitions.len());
    for chunk in partitions.chunks(PINNED_AT_ONCE) {
        let mut tasks = tokio::task::JoinSet::new();
        for (index, partition) in chunk.iter().enumerate() {
            let (shared, client, patience) = (Arc::clone(shared), Arc::clone(client), patience.clone());
            let position = Position {
                identity: client.identity().clone(),
                mode: Mode::LatestVersion,
                range: partition.range.clone(),
                generation: 0,
                start: shared.configuration.start,
                token: None,
                mark: None,
                end: None,
                then: None,
            };
            tasks.spawn(async move {
                let pinned = panics::caught(pin(&shared, &client, position, &patience)).await;
                (index, pinned)
            });
        }
        let mut pinned: Vec<(usize, SplitSnapshot)> = Vec::with_capacity(chunk.len());
        while let Some(joined) = tasks.join_next().await {
            let (index, split) = joined.map_err(|e| Error::new(Code::Internal, format!("pinning a range: {e}")))?;
            let split = split.map_err(|panic| Error::new(Code::Panic, format!("pinning a range: {panic}")))??;
            pinned.push((index, split));
        }
        pinned.sort_by_key(|(index, _)| *index);
        splits.extend(pinned.into_iter().map(|(_, split)| split));
    }
    Ok(splits)
}

/// Resolves what would otherwise be evaluated again on a restore: a start of `now`, an end of `latest`. One poll does both.
async fn pin(
    shared: &Arc<Shared>,
    client: &Client,
    mut position: Position,
    patience: &Patience,
) -> Result<SplitSnapshot> {
    let configuration = &shared.configuration;
    if configuration.start == Start::Now || configuration.stop == Stop::Latest {
        let now = patience.until_done(shared, || poll_now(client, &position)).await?;
        if configuration.start == Start::Now {
            position.token = Some(now.token);
        }
        if configuration.stop == Stop::Latest {
            position.end = Some(End::Lsn(now.end));
        }
    }
    Ok(position.snapshot())
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
