// SPDX-License-Identifier: Apache-2.0
//! What a session and the tasks of its feed ranges share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crossbeam_channel::Sender;
use parking_lot::Mutex;
use tokio::sync::{OnceCell, OwnedSemaphorePermit};

use crate::budget::Budget;
use crate::client::Client;
use crate::configuration::Configuration;
use crate::error::{Error, Result};
use crate::failure::{Attempt, Failure};
use crate::logs::{Level, LogQueue};
use crate::metrics::Metrics;
use crate::page::Page;
use crate::position::ContainerIdentity;
use crate::trouble::Trouble;

/// A page on its way to Java.
pub(crate) struct Delivery {
    pub page: Arc<Page>,
    /// Frees the range's next fetch when the page is taken.
    pub slot: Option<OwnedSemaphorePermit>,
}

/// What a session's tasks share.
pub(crate) struct Shared {
    pub configuration: Configuration,
    pub metrics: Arc<Metrics>,
    pub logs: LogQueue,
    pub budget: Budget,
    pub trouble: Trouble,
    client: OnceCell<Arc<Client>>,
    /// When the container was looked for last, and what came of it.
    looked: tokio::sync::Mutex<Option<(Instant, Attempt<()>)>>,
    page_ids: AtomicU64,
    deliveries: Sender<Delivery>,
    wake_up: Sender<()>,
    failure: Mutex<Option<Error>>,
    closed: AtomicBool,
    ended: Mutex<Vec<String>>,
}

impl Shared {
    pub fn new(configuration: Configuration, deliveries: Sender<Delivery>, wake_up: Sender<()>) -> Self {
        let metrics = Arc::new(Metrics::default());
        Self {
            budget: Budget::new(configuration.max_bytes_in_flight, Arc::clone(&metrics)),
            configuration,
            metrics,
            trouble: Trouble::default(),
            logs: LogQueue::new(Level::Info),
            client: OnceCell::new(),
            looked: tokio::sync::Mutex::new(None),
            page_ids: AtomicU64::new(1),
            deliveries,
            wake_up,
            failure: Mutex::new(None),
            closed: AtomicBool::new(false),
            ended: Mutex::new(Vec::new()),
        }
    }

    /// The session's one client, connected by whoever needs it first.
    pub async fn client(&self) -> std::result::Result<Arc<Client>, Failure> {
        self.client
            .get_or_try_init(|| async { Ok(Arc::new(Client::connect(&self.configuration).await?)) })
            .await
            .cloned()
    }

    /// Asks whether the container's name still stands for this container. All ranges miss a container together, and each look
    /// is a connection of its own: whoever waits while another looks takes the answer of the next look.
    pub async fn find_again(&self, known: &ContainerIdentity) -> Attempt<()> {
        let missed = Instant::now();
        let mut looked = self.looked.lock().await;
        if let Some((begun, found)) = &*looked
            && *begun >= missed
        {
            return found.clone();
        }
        let begun = Instant::now();
        let found = Client::find_again(&self.configuration, known).await;
        *looked = Some((begun, found.clone()));
        found
    }

    pub fn next_page_id(&self) -> u64 {
        self.page_ids.fetch_add(1, Ordering::Relaxed)
    }

    pub fn deliver(&self, delivery: Delivery) {
        // The receiver lives as long as the session; a page of a closed session is dropped with the channel.
        let _ = self.deliveries.send(delivery);
    }

    /// Notes that a range is read no more, so that its id's bookkeeping goes.
    pub fn ended(&self, split_id: &str) {
        self.trouble.over(&self.logs, split_id, Instant::now());
        self.ended.lock().push(split_id.to_owned());
    }

    /// Keeps the first failure and frees `poll`, which throws it.
    pub fn fail(&self, error: Error) {
        self.logs.log(Level::Error, || error.to_string());
        self.failure.lock().get_or_insert(error);
        self.wake_up();
    }

    /// Frees the present or the next `poll`.
    pub fn wake_up(&self) {
        // Full means that a wake-up waits already.
        let _ = self.wake_up.try_send(());
    }

    /// The ranges that ended since the last call.
    pub fn take_ended(&self) -> Vec<String> {
        std::mem::take(&mut *self.ended.lock())
    }

    /// The failure that ended the session's reading, if any.
    pub fn check_failure(&self) -> Result<()> {
        match &*self.failure.lock() {
            Some(failure) => Err(failure.clone()),
            None => Ok(()),
        }
    }

    /// From now on nothing but closing is allowed; a blocked `poll` is freed.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.wake_up();
    }

    /// # Errors
    /// `SESSION_CLOSED` after [`Shared::close`].
    pub fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::closed());
        }
        Ok(())
    }
}
