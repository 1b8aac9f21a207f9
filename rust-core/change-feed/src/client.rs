// SPDX-License-Identifier: Apache-2.0
//! The one place that speaks to the SDK's driver: connecting, topology, one page per call, and its errors in our words.
//!
//! Stateless: every fetch is planned from a continuation token, so a failed fetch leaves nothing behind and going on is
//! asking again with the same token.

mod refusal;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use azure_data_cosmos::CosmosError;
use azure_data_cosmos::feed::{ContinuationToken, FeedRange};
use azure_data_cosmos::options::{
    ConnectionPoolOptions, MaxItemCountHint, OperationOptions, ServerCertificateValidation, ThrottlingRetryOptions,
    UserAgentSuffix,
};
use azure_data_cosmos_driver::driver::{CosmosDriver, CosmosDriverRuntime};
use azure_data_cosmos_driver::models::partition_key_range::PartitionKeyRange;
use azure_data_cosmos_driver::models::{
    AccountReference, ChangeFeedStartFrom, ContainerReference, CosmosOperation, CosmosResponse, DatabaseReference,
    EffectivePartitionKey,
};
use azure_data_cosmos_driver::options::{DriverOptions, PlanOptions};
use bytes::Bytes;
use parking_lot::Mutex;
use time::OffsetDateTime;

use crate::configuration::{Configuration, Mode, Start};
use crate::error::{Code, Error, Result};
use crate::failure::{Attempt, Failure};
use crate::position::ContainerIdentity;
use crate::range::{EpkRange, PhysicalRange};
use crate::reading::Page;
use crate::replicas::Replicas;
use crate::scan::{self, Item};
use crate::token::TokenShape;
use refusal::{
    describe, is_behind_session, is_merged_once, is_refusal, mode_unavailable, mode_unavailable_after_merge,
    retention_expired, sort,
};

/// A connected container.
pub struct Client {
    driver: Arc<CosmosDriver>,
    container: ContainerReference,
    options: OperationOptions,
    identity: ContainerIdentity,
    page_size: NonZeroU32,
    request_timeout: Duration,
    replicas: Replicas,
    /// As they were listed last.
    partitions: Mutex<Option<Arc<[PhysicalRange]>>>,
}

/// What came back for one fetch.
#[derive(Debug)]
pub struct Answer {
    pub not_modified: bool,
    /// The body as it came from the socket; empty for a 304.
    pub body: Bytes,
    /// The `lsn` header.
    pub lsn: Option<i64>,
    /// The `x-ms-documentdb-partitionkeyrangeid` header.
    pub partition_id: Option<String>,
    /// The driver's token behind this answer.
    pub next_token: String,
    /// Request units.
    pub request_charge: f64,
}

impl Answer {
    /// The documents in the body.
    ///
    /// # Errors
    /// `PAGE_MALFORMED`.
    pub fn items(&self, mode: Mode) -> Result<Vec<Item>> {
        match self.not_modified {
            true => Ok(Vec::new()),
            false => scan::items(&self.body, mode),
        }
    }

    /// The answer as far as decisions need it.
    ///
    /// # Errors
    /// `PAGE_MALFORMED` when the driver's token is not as its version 1 writes it.
    pub fn page(&self, items: &[Item], past_end_time: bool) -> Result<Page> {
        Ok(Page {
            not_modified: self.not_modified,
            lsn: self.lsn,
            partition_id: self.partition_id.clone(),
            next_token: self.next_token.clone(),
            shape: TokenShape::read(&self.next_token)?,
            lsns: items.iter().map(|item| item.lsn).collect(),
            timestamps: items.iter().map(|item| item.timestamp_millis).collect(),
            past_end_time,
        })
    }
}

impl Client {
    /// Connects to the account and finds the container by name.
    pub async fn connect(configuration: &Configuration) -> Attempt<Self> {
        let timeout = configuration.request_timeout;
        let connecting = async {
            let driver = open_driver(configuration).await.map_err(sort)?;
            let options = operation_options();
            let container = driver
                .resolve_container_by_name(&configuration.database, &configuration.container, options.clone())
                .await;
            let container = match container {
                Ok(container) => container,
                Err(e) if e.status().is_not_found() => {
                    return Err(name_what_is_missing(&driver, configuration, &options, e).await);
                }
                Err(e) => return Err(sort(e)),
            };
            Ok(Self {
                identity: ContainerIdentity {
                    endpoint: configuration.endpoint.to_string(),
                    database: configuration.database.clone(),
                    container: configuration.container.clone(),
                    rid: container.rid().to_string(),
                },
                driver,
                container,
                options,
                replicas: Replicas::default(),
                partitions: Mutex::default(),
                page_size: configuration.page_size,
                request_timeout: timeout,
            })
        };
        within(timeout, connecting).await
    }

    pub fn identity(&self) -> &ContainerIdentity {
        &self.identity
    }

    /// The physical partitions, in key order: as they were listed last, or, with `refresh`, as they are now. All that ask
    /// get the same list, so that many ranges of many partitions do not each keep one.
    pub async fn partitions(&self, refresh: bool) -> Attempt<Arc<[PhysicalRange]>> {
        if !refresh && let Some(listed) = &*self.partitions.lock() {
            return Ok(Arc::clone(listed));
        }
        let listing = async {
            let ranges = self
                .driver
                .resolve_all_partition_key_ranges(&self.container, refresh)
                .await
                .map_err(sort)?;
            // The driver says None for any failure to list them, a passing one included.
            ranges.ok_or_else(|| Failure::Transient {
                error: Error {
                    retryable: true,
                    ..Error::new(Code::ServiceError, "the container's partitions could not be listed")
                },
                throttled: false,
                asked: None,
            })
        };
        let ranges = within(self.request_timeout, listing).await?;
        let found: Arc<[PhysicalRange]> = ranges
            .iter()
            .map(|range| physical_range(range).map_err(Failure::Fatal))
            .collect::<Attempt<_>>()?;
        let mut listed = self.partitions.lock();
        match &*listed {
            Some(same) if **same == *found => Ok(Arc::clone(same)),
            _ => {
                *listed = Some(Arc::clone(&found));
                Ok(found)
            }
        }
    }

    /// Fetches the page behind `token`, which is of this mode, or the first page by `start` when there is none.
    pub async fn fetch(&self, mode: Mode, range: &EpkRange, start: Start, token: Option<&str>) -> Attempt<Answer> {
        let asked = self.ask(mode, range, start, token).await;
        if mode == Mode::LatestVersion {
            return asked;
        }
        let refusal = match asked {
            Err(Failure::Fatal(error)) if is_refusal(&error) => error,
            Err(Failure::Transient { error, .. }) if is_merged_once(&error) => {
                return Err(mode_unavailable_after_merge(error));
            }
            answer => return answer,
        };
        if token.is_none() {
            return Err(mode_unavailable(refusal));
        }
        // A token older than what the service keeps is answered by 400, says Microsoft, and so is a mode that is off; no
        // sub-status tells them apart. The same request without the token does.
        match self.ask(mode, range, Start::Now, None).await {
            Ok(_) => Err(retention_expired(range, refusal)),
            Err(Failure::Fatal(error)) if is_refusal(&error) => Err(mode_unavailable(error)),
            Err(failure) => Err(failure),
        }
    }

    async fn ask(&self, mode: Mode, range: &EpkRange, start: Start, token: Option<&str>) -> Attempt<Answer> {
        let target = Some(feed_range(range).map_err(Failure::Fatal)?);
        let operation = match mode {
            Mode::LatestVersion => CosmosOperation::change_feed(self.container.clone(), target),
            Mode::AllVersionsAndDeletes => {
                CosmosOperation::change_feed_all_versions_and_deletes(self.container.clone(), target)
            }
        };
        let operation = operation
            .with_change_feed_start(start_from(start).map_err(Failure::Fatal)?)
            .with_max_item_count(MaxItemCountHint::Limit(self.page_size));
        let operation = match self.replicas.token(range) {
            Some(session) => operation.with_session_token(session),
            None => operation,
        };
        let token = token.map(|token| ContinuationToken::from_string(token.to_owned()));
        let fetching = async {
            let mut plan = self
                .driver
                .plan_operation(operation, &self.options, token.as_ref(), &PlanOptions::default())
                .await
                .map_err(sort)?;
            let response = self
                .driver
                .execute_plan(&mut plan, Some(self.container.clone()), self.options.clone())
                .await
                .map_err(sort)?
                .ok_or_else(|| {
                    Failure::Fatal(Error::new(Code::Internal, "a change feed answered that it has ended"))
                })?;
            self.replicas.answered(range, response.headers().session_token.as_ref());
            let next_token = plan.to_continuation_token().map_err(sort)?;
            answer(response, next_token.as_str().to_owned())
        };
        let asked = within(self.request_timeout, fetching).await;
        if let Err(Failure::Transient { error, .. }) = &asked
            && is_behind_session(error)
        {
            self.replicas.refused(range);
        }
        asked
    }

    /// Forgets what it knows of a range that is read no more.
    pub fn left(&self, range: &EpkRange) {
        self.replicas.left(range);
    }

    /// Asks whether the container that the name stands for is still the one that was connected to.
    pub async fn find_again(configuration: &Configuration, known: &ContainerIdentity) -> Attempt<()> {
        // A fresh driver: the old one answers from its cache.
        let found = Self::connect(configuration).await?;
        if found.identity.rid == known.rid {
            return Ok(());
        }
        Err(Failure::Fatal(Error::new(
            Code::ContainerRecreated,
            format!(
                "container '{}' of database '{}' was deleted and created again while it was being read (RID '{}' became '{}')",
                known.container, known.database, known.rid, found.identity.rid
            ),
        )))
    }
}

async fn open_driver(configuration: &Configuration) -> std::result::Result<Arc<CosmosDriver>, CosmosError> {
    let pool = ConnectionPoolOptions::builder()
        .with_server_certificate_validation(if configuration.trust_emulator_certificates {
            ServerCertificateValidation::RequiredUnlessEmulator
        } else {
            ServerCertificateValidation::Required
        })
        .build()?;
    let mut builder = CosmosDriverRuntime::builder()
        .with_connection_pool(pool)
        .with_wrapping_sdk_identifier(concat!("flink-connector-cosmosdb/", env!("CARGO_PKG_VERSION")));
    if !configuration.application_name.is_empty() {
        builder = builder.with_user_agent_suffix(UserAgentSuffix::try_from(configuration.application_name.clone())?);
    }
    let account = AccountReference::with_account_key(configuration.endpoint.clone(), configuration.key.clone());
    builder
        .build()
        .await?
        .create_driver(
            DriverOptions::builder(account)
                .with_operation_options(operation_options())
                .build(),
        )
        .await
}

/// The pace is the core's business: the driver would sit on a throttled read for minutes, longer than a checkpoint may
/// take. A hedged read may be answered by a region with other LSNs.
fn operation_options() -> OperationOptions {
    let mut throttling = ThrottlingRetryOptions::default();
    throttling.max_retry_count = Some(0);
    let mut options = OperationOptions::default();
    options.throttling_retry_options = Some(throttling);
    options.hedging_enabled = Some(false);
    // See the module `replicas`.
    options.session_capturing_disabled = Some(true);
    options
}

/// A 404 for a container by name does not say whether it is the container or its database that is missing.
async fn name_what_is_missing(
    driver: &CosmosDriver,
    configuration: &Configuration,
    options: &OperationOptions,
    error: CosmosError,
) -> Failure {
    let database = DatabaseReference::from_name(driver.account().clone(), configuration.database.clone());
    let read = driver
        .execute_operation(CosmosOperation::read_database(database), options.clone())
        .await;
    let mut described = describe(&error, Code::ContainerNotFound);
    if read.is_err_and(|e| e.status().is_not_found()) {
        described.code = Code::DatabaseNotFound;
        described.message = format!(
            "option 'database': the account at {} has no database '{}'",
            configuration.endpoint, configuration.database
        );
    } else {
        described.message = format!(
            "option 'container': database '{}' has no container '{}'",
            configuration.database, configuration.container
        );
    }
    Failure::Missing(described)
}

async fn within<T>(limit: Duration, work: impl Future<Output = Attempt<T>>) -> Attempt<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(Failure::Transient {
            error: Error {
                retryable: true,
                ..Error::new(
                    Code::EndpointUnreachable,
                    format!("no answer within {} ms (option 'requestTimeout')", limit.as_millis()),
                )
            },
            throttled: false,
            asked: None,
        }),
    }
}

fn answer(response: CosmosResponse, next_token: String) -> Attempt<Answer> {
    let not_modified = u16::from(response.status().status_code()) == 304;
    let headers = response.headers();
    let lsn = headers.lsn.and_then(|lsn| i64::try_from(lsn).ok());
    let partition_id = headers.partition_key_range_id.clone();
    let request_charge = headers.request_charge.map_or(0.0, |charge| charge.value());
    let body = if not_modified {
        Bytes::new()
    } else {
        response.into_body().single().map_err(sort)?
    };
    Ok(Answer {
        not_modified,
        body,
        lsn,
        partition_id,
        next_token,
        request_charge,
    })
}

fn start_from(start: Start) -> Result<ChangeFeedStartFrom> {
    Ok(match start {
        Start::Beginning => ChangeFeedStartFrom::Beginning,
        Start::Now => ChangeFeedStartFrom::Now,
        // The wire has seconds and means those after the one that it names: the second before loses nothing.
        Start::At(millis) => ChangeFeedStartFrom::PointInTime(
            OffsetDateTime::from_unix_timestamp(millis.div_euclid(1000).saturating_sub(1)).map_err(|e| {
                Error::new(
                    Code::ConfigurationInvalid,
                    format!("option 'startFrom.epochMillis': found '{millis}', accepted: a time of the calendar ({e})"),
                )
            })?,
        ),
    })
}

fn feed_range(range: &EpkRange) -> Result<FeedRange> {
    let bound = |text: &str| EffectivePartitionKey::try_from(text);
    bound(range.min())
        .and_then(|min| FeedRange::new(min, bound(range.max())?))
        .map_err(|e| describe(&e, Code::Internal))
}

fn physical_range(range: &PartitionKeyRange) -> Result<PhysicalRange> {
    Ok(PhysicalRange {
        id: range.id.clone(),
        range: EpkRange::new(&range.min_inclusive.to_hex(), &range.max_exclusive.to_hex())?,
        parents: range.parents.clone().unwrap_or_default(),
    })
}
