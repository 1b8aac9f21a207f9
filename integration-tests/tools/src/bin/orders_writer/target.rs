// SPDX-License-Identifier: Apache-2.0
//! The container that is written to, and what a failed write does.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use azure_core::credentials::Secret;
use azure_data_cosmos::models::{ContainerProperties, PartitionKeyDefinition, ThroughputProperties};
use azure_data_cosmos::options::CreateContainerOptions;
use azure_data_cosmos::{
    AccountEndpoint, AccountReference, ContainerClient, CosmosClient, CosmosError, RoutingStrategy, TransactionalBatch,
};
use integration_tools::change_log::Operation;
use integration_tools::orders::{Catalogue, Order, PARTITION_KEY_PATH, Step};

use crate::counters::Counters;
use crate::journal::Journal;

/// A write is tried again for so long before the program gives up.
const PATIENCE: Duration = Duration::from_secs(90);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

pub struct Target {
    container: ContainerClient,
    counters: Arc<Counters>,
    journal: Option<Journal>,
}

/// How one document is written.
#[derive(Clone, Copy, Eq, PartialEq)]
enum How {
    Create,
    Replace,
    Upsert,
    Delete,
}

impl How {
    fn operation(self) -> Operation {
        match self {
            Self::Create => Operation::Create,
            Self::Replace => Operation::Replace,
            Self::Upsert => Operation::Upsert,
            Self::Delete => Operation::Delete,
        }
    }
}

/// Why a write has no good answer.
enum Failure {
    /// The document was or was not there: an earlier try of the same write, or an earlier run, came through.
    Conflict,
    /// Worth another try; `unanswered` if the write may have been made all the same.
    Again {
        unanswered: bool,
        throttled: bool,
        reason: String,
    },
    Final(String),
}

impl Failure {
    fn of_status(status: u16, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        match status {
            404 | 409 => Self::Conflict,
            429 => Self::Again {
                unanswered: false,
                throttled: true,
                reason,
            },
            410 | 449 => Self::Again {
                unanswered: false,
                throttled: false,
                reason,
            },
            408 | 500 | 502 | 503 | 504 => Self::Again {
                unanswered: true,
                throttled: false,
                reason,
            },
            _ => Self::Final(reason),
        }
    }
}

impl From<CosmosError> for Failure {
    fn from(error: CosmosError) -> Self {
        Self::of_status(u16::from(error.status().status_code()), error.to_string())
    }
}

fn status_of(error: &CosmosError) -> u16 {
    u16::from(error.status().status_code())
}

impl Target {
    /// Connects, and creates database and container first when `create` is given (with a throughput or the default one).
    pub async fn connect(
        endpoint: &str,
        key: &str,
        database: &str,
        container: &str,
        create: Option<Option<u64>>,
        counters: Arc<Counters>,
        journal: Option<Journal>,
    ) -> Result<Self, String> {
        let address: AccountEndpoint = endpoint.parse().map_err(|error| format!("{endpoint}: {error}"))?;
        let account = AccountReference::with_authentication_key(address, Secret::from(key.to_owned()));
        let client = CosmosClient::builder()
            .build(account, RoutingStrategy::PreferredRegions(Vec::new()))
            .await
            .map_err(|error| format!("{endpoint}: {error}"))?;
        if let Some(throughput) = create {
            let made = client.create_database(database, None).await.map(drop);
            absent_or_made(made).map_err(|error| format!("database {database}: {error}"))?;
            let definition = PartitionKeyDefinition::new(vec![PARTITION_KEY_PATH.into()]);
            let properties = ContainerProperties::new(container.to_owned(), definition);
            let options = throughput.map(|throughput| {
                CreateContainerOptions::default().with_throughput(ThroughputProperties::manual(throughput))
            });
            let made = client
                .database_client(database.to_owned())
                .create_container(properties, options)
                .await
                .map(drop);
            absent_or_made(made).map_err(|error| format!("container {container}: {error}"))?;
        }
        let container_client = client
            .database_client(database.to_owned())
            .container_client(container.to_owned(), None)
            .await
            .map_err(|error| format!("container {database}/{container}: {error}"))?;
        Ok(Self {
            container: container_client,
            counters,
            journal,
        })
    }

    /// Makes one write, however often it has to be tried.
    pub async fn write(&self, catalogue: &Catalogue, step: Step) -> Result<(), String> {
        match step {
            Step::Insert { customer, order } => {
                self.write_one(catalogue.order(customer, order, 0), How::Create).await?;
                Counters::add(&self.counters.inserted, 1);
            }
            Step::Update {
                customer,
                order,
                revision,
            } => {
                let how = if revision % 2 == 0 { How::Replace } else { How::Upsert };
                self.write_one(catalogue.order(customer, order, revision), how).await?;
                Counters::add(&self.counters.updated, 1);
            }
            Step::Delete { customer, order } => {
                self.write_one(catalogue.order(customer, order, 0), How::Delete).await?;
                Counters::add(&self.counters.deleted, 1);
            }
            Step::Batch {
                customer,
                orders,
                new_first,
                delete_last,
                revision,
            } => {
                let last = orders.len() - 1;
                let documents: Vec<(Order, How)> = orders
                    .iter()
                    .enumerate()
                    .map(|(index, order)| match index {
                        0 if new_first => (catalogue.order(customer, *order, 0), How::Create),
                        index if index == last && delete_last => (catalogue.order(customer, *order, 0), How::Delete),
                        _ => (catalogue.order(customer, *order, revision), How::Replace),
                    })
                    .collect();
                let others = u64::from(new_first) + u64::from(delete_last);
                let updated = documents.len() as u64 - others;
                self.write_batch(catalogue.customer(customer), documents).await?;
                Counters::add(&self.counters.inserted, u64::from(new_first));
                Counters::add(&self.counters.deleted, u64::from(delete_last));
                Counters::add(&self.counters.updated, updated);
            }
        }
        Ok(())
    }

    /// Makes new orders of one customer in one transaction.
    pub async fn write_new_batch(&self, catalogue: &Catalogue, customer: u64, orders: &[u64]) -> Result<(), String> {
        let documents = orders
            .iter()
            .map(|order| (catalogue.order(customer, *order, 0), How::Create))
            .collect();
        self.write_batch(catalogue.customer(customer), documents).await?;
        Counters::add(&self.counters.inserted, orders.len() as u64);
        Ok(())
    }

    /// Brings the journal to the disk.
    pub fn finish(&self) -> Result<(), String> {
        self.journal.as_ref().map_or(Ok(()), Journal::finish)
    }

    async fn write_one(&self, order: Order, mut how: How) -> Result<(), String> {
        let mut patience = Patience::new();
        loop {
            match self.try_one(&order, how).await {
                Ok(etag) => {
                    let documents = [(order.id, etag)];
                    return self.note(&order.customer, how.operation(), documents.into_iter());
                }
                // An earlier try of the same delete came through.
                Err(Failure::Conflict) if how == How::Delete => {
                    return self.note(&order.customer, Operation::Delete, [(order.id, None)].into_iter());
                }
                Err(failure) => {
                    let unanswered = self.after_failure(failure, &mut how, &mut patience).await?;
                    if unanswered {
                        let documents = [(order.id.clone(), None)];
                        self.note(&order.customer, Operation::Uncertain, documents.into_iter())?;
                    }
                }
            }
        }
    }

    async fn try_one(&self, order: &Order, how: How) -> Result<Option<String>, Failure> {
        let customer = order.customer.clone();
        let response = match how {
            How::Create => self.container.create_item(customer, &order.id, order, None).await?,
            How::Replace => self.container.replace_item(customer, &order.id, order, None).await?,
            How::Upsert => self.container.upsert_item(customer, &order.id, order, None).await?,
            How::Delete => self.container.delete_item(customer, &order.id, None).await?,
        };
        let headers = response.headers();
        self.counters
            .charge(headers.request_charge().map_or(0.0, |charge| charge.value()));
        Ok(headers.etag().map(|etag| etag.to_string()))
    }

    async fn write_batch(&self, customer: String, mut documents: Vec<(Order, How)>) -> Result<(), String> {
        let mut patience = Patience::new();
        loop {
            match self.try_batch(&customer, &documents).await {
                Ok(etags) => {
                    Counters::add(&self.counters.batches, 1);
                    let made = documents.into_iter().zip(etags);
                    let (deleted, written): (Vec<_>, Vec<_>) = made.partition(|((_, how), _)| *how == How::Delete);
                    let names =
                        |made: Vec<((Order, How), _)>| made.into_iter().map(|((order, _), etag)| (order.id, etag));
                    // For the comparison a create and a replace are the same: a version that was made.
                    self.note(&customer, Operation::Upsert, names(written))?;
                    return self.note(&customer, Operation::Delete, names(deleted));
                }
                Err(failure) => {
                    let mut how = How::Create;
                    let unanswered = self.after_failure(failure, &mut how, &mut patience).await?;
                    if how == How::Upsert {
                        // An earlier try came through, so what it deleted is gone.
                        documents.retain(|(_, each)| *each != How::Delete);
                        documents.iter_mut().for_each(|(_, each)| *each = How::Upsert);
                    }
                    if unanswered {
                        let ids = documents.iter().map(|(order, _)| (order.id.clone(), None));
                        self.note(&customer, Operation::Uncertain, ids)?;
                    }
                }
            }
        }
    }

    async fn try_batch(&self, customer: &str, documents: &[(Order, How)]) -> Result<Vec<Option<String>>, Failure> {
        let mut batch = TransactionalBatch::new(customer.to_owned());
        for (order, how) in documents {
            batch = match how {
                How::Create => batch.create_item(order)?,
                How::Replace => batch.replace_item(order.id.clone(), order, None)?,
                How::Upsert => batch.upsert_item(order, None)?,
                How::Delete => batch.delete_item(order.id.clone(), None),
            };
        }
        let response = self.container.execute_transactional_batch(batch, None).await?;
        self.counters
            .charge(response.headers().request_charge().map_or(0.0, |charge| charge.value()));
        let answer = response.into_model()?;
        let results = answer.results();
        // All operations of a failed transaction but the one at fault say 424.
        if let Some(culprit) = results
            .iter()
            .find(|result| !result.is_success() && result.status_code() != 424)
        {
            let status = culprit.status_code();
            return Err(Failure::of_status(
                status,
                format!("an operation of a batch was answered with {status}"),
            ));
        }
        if results.len() != documents.len() {
            return Err(Failure::Final(format!(
                "{} results for a batch of {}",
                results.len(),
                documents.len()
            )));
        }
        Ok(results.iter().map(|result| result.etag().map(str::to_owned)).collect())
    }

    /// Waits for the next try; true if the failed one may have been made all the same.
    async fn after_failure(&self, failure: Failure, how: &mut How, patience: &mut Patience) -> Result<bool, String> {
        match failure {
            Failure::Final(reason) => Err(reason),
            Failure::Conflict if *how == How::Upsert => Err("an upsert was answered with a conflict".to_owned()),
            Failure::Conflict => {
                *how = How::Upsert;
                Ok(false)
            }
            Failure::Again {
                unanswered,
                throttled,
                reason,
            } => {
                let counter = if throttled {
                    &self.counters.throttled
                } else {
                    &self.counters.retried
                };
                if counter.fetch_add(1, Ordering::Relaxed) == 0 {
                    eprintln!("orders-writer: trying again, and saying so only once: {reason}");
                }
                patience.wait(&reason).await?;
                Ok(unanswered)
            }
        }
    }

    fn note(
        &self,
        customer: &str,
        op: Operation,
        documents: impl Iterator<Item = (String, Option<String>)>,
    ) -> Result<(), String> {
        match &self.journal {
            Some(journal) => journal.note(customer, op, documents),
            None => Ok(()),
        }
    }
}

/// Whatever was asked for is there now.
fn absent_or_made(made: Result<(), CosmosError>) -> Result<(), CosmosError> {
    match made {
        Err(error) if status_of(&error) == 409 => Ok(()),
        other => other,
    }
}

struct Patience {
    until: Instant,
    pause: Duration,
}

impl Patience {
    fn new() -> Self {
        Self {
            until: Instant::now() + PATIENCE,
            pause: FIRST_PAUSE,
        }
    }

    async fn wait(&mut self, reason: &str) -> Result<(), String> {
        if Instant::now() > self.until {
            return Err(format!("gave up after {} s: {reason}", PATIENCE.as_secs()));
        }
        // Half of the pause is left to chance, so that the tasks do not come back all at once.
        tokio::time::sleep(self.pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}
