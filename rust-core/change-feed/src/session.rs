// SPDX-License-Identifier: Apache-2.0
//! What Java can ask of the core: one session per enumerator or reader.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use parking_lot::Mutex;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, watch};
use tokio::task::AbortHandle;

use crate::budget::Budget;
use crate::client::{Client, Failure};
use crate::configuration::Configuration;
use crate::discovery;
use crate::error::{Code, Error, Result};
use crate::framing::SplitSnapshot;
use crate::logs::{Level, LogQueue};
use crate::metrics::Metrics;
use crate::page::Page;
use crate::panics;
use crate::poller::Poller;
use crate::position::Position;
use crate::runtime::{self, SharedRuntime};
use crate::trouble::Trouble;

/// One open connection to a container's change feed. All methods may be called from any thread; after [`Session::close`]
/// all but `close`, `wake_up` and `drain_logs` fail with `SESSION_CLOSED`.
pub struct Session {
    shared: Arc<Shared>,
    /// Gone after close. Calls that need it take a place of their own, so that none outlives the runtime.
    runtime: Mutex<Option<Arc<SharedRuntime>>>,
    pages: Receiver<Delivery>,
    wake_ups: Receiver<()>,
    pollers: Mutex<Pollers>,
    closing: watch::Sender<bool>,
}

#[derive(Default)]
struct Pollers {
    running: HashMap<String, Running>,
    /// Flink may pause a split whose add has not been seen yet, and forgets to clean its own list.
    paused: HashSet<String>,
}

struct Running {
    abort: AbortHandle,
    paused: watch::Sender<bool>,
}

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
    page_ids: AtomicU64,
    deliveries: Sender<Delivery>,
    wake_up: Sender<()>,
    failure: Mutex<Option<Error>>,
    closed: AtomicBool,
    ended: Mutex<Vec<String>>,
}

impl Shared {
    /// The session's one client, connected by whoever needs it first.
    pub async fn client(&self) -> std::result::Result<Arc<Client>, Failure> {
        self.client
            .get_or_try_init(|| async { Ok(Arc::new(Client::connect(&self.configuration).await?)) })
            .await
            .cloned()
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
        self.trouble.over(&self.logs, split_id);
        self.ended.lock().push(split_id.to_owned());
    }

    /// Keeps the first failure and frees `poll`, which throws it.
    pub fn fail(&self, error: Error) {
        self.logs.log(Level::Error, || error.to_string());
        self.failure.lock().get_or_insert(error);
        self.wake_up();
    }

    fn wake_up(&self) {
        // Full means that a wake-up waits already.
        let _ = self.wake_up.try_send(());
    }

    fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::closed());
        }
        Ok(())
    }
}

impl Session {
    /// Takes a place on the process's runtime. Sends no request.
    pub fn open(configuration: Configuration) -> Result<Self> {
        let metrics = Arc::new(Metrics::default());
        let (deliveries, pages) = unbounded();
        let (wake_up, wake_ups) = bounded(1);
        Ok(Self {
            runtime: Mutex::new(Some(runtime::acquire()?)),
            shared: Arc::new(Shared {
                budget: Budget::new(configuration.max_bytes_in_flight, Arc::clone(&metrics)),
                configuration,
                metrics,
                trouble: Trouble::default(),
                logs: LogQueue::new(Level::Info),
                client: OnceCell::new(),
                page_ids: AtomicU64::new(1),
                deliveries,
                wake_up,
                failure: Mutex::new(None),
                closed: AtomicBool::new(false),
                ended: Mutex::new(Vec::new()),
            }),
            pages,
            wake_ups,
            pollers: Mutex::new(Pollers::default()),
            closing: watch::Sender::new(false),
        })
    }

    fn runtime(&self) -> Result<Arc<SharedRuntime>> {
        self.runtime.lock().clone().ok_or_else(Error::closed)
    }

    /// See `discover` in docs/native-interface.md. Blocks; `close` frees it.
    pub fn discover(&self, known: &[SplitSnapshot]) -> Result<Vec<SplitSnapshot>> {
        let runtime = self.runtime()?;
        let mut closing = self.closing.subscribe();
        runtime.handle().block_on(async {
            tokio::select! {
                found = discovery::discover(&self.shared, known) => found,
                _ = closing.wait_for(|closing| *closing) => Err(Error::closed()),
            }
        })
    }

    /// Checks every snapshot, then starts a poller for each; on an error none is started.
    pub fn add_splits(&self, splits: Vec<SplitSnapshot>) -> Result<()> {
        let runtime = self.runtime()?;
        let positions: Vec<Position> = splits
            .iter()
            .map(|split| {
                let position = Position::decode(&split.split_id, &split.position)?;
                discovery::check_fits(&position, &self.shared.configuration)?;
                Ok(position)
            })
            .collect::<Result<_>>()?;
        let mut pollers = self.pollers.lock();
        // Again under the lock: close takes it to abort, and nothing may start behind its back.
        self.shared.check_open()?;
        self.forget_ended(&mut pollers);
        for position in &positions {
            if pollers.running.contains_key(&position.split_id()) {
                return Err(Error::new(
                    Code::Internal,
                    format!("split '{}' is being read already", position.split_id()),
                ));
            }
        }
        for position in positions {
            let split_id = position.split_id();
            let paused = watch::Sender::new(pollers.paused.contains(&split_id));
            let poller = Poller {
                shared: Arc::clone(&self.shared),
                position,
                paused: paused.subscribe(),
            };
            let shared = Arc::clone(&self.shared);
            let task = runtime.handle().spawn(async move {
                if let Err(panic) = panics::caught(poller.run()).await {
                    shared.fail(Error::new(Code::Panic, format!("reading a range: {panic}")));
                }
            });
            let abort = task.abort_handle();
            pollers.running.insert(split_id, Running { abort, paused });
        }
        self.count(&pollers);
        Ok(())
    }

    /// Pauses and resumes ranges by split id; unknown ids are remembered until they are added.
    pub fn set_paused(&self, pause: &[String], resume: &[String]) -> Result<()> {
        self.shared.check_open()?;
        let mut pollers = self.pollers.lock();
        self.forget_ended(&mut pollers);
        for (ids, paused) in [(pause, true), (resume, false)] {
            for id in ids {
                if paused {
                    pollers.paused.insert(id.clone());
                } else {
                    pollers.paused.remove(id);
                }
                if let Some(running) = pollers.running.get(id) {
                    running.paused.send_replace(paused);
                }
            }
        }
        Ok(())
    }

    /// The next page or event; `None` when woken or timed out. Blocks.
    pub fn poll(&self, timeout: Duration) -> Result<Option<Arc<Page>>> {
        self.shared.check_open()?;
        let delivery = crossbeam_channel::select_biased! {
            recv(self.wake_ups) -> _ => None,
            recv(self.pages) -> delivery => delivery.ok(),
            default(timeout) => None,
        };
        self.shared.check_open()?;
        if let Some(failure) = self.shared.failure.lock().clone() {
            return Err(failure);
        }
        // Dropping the slot is what lets the range fetch its next page.
        Ok(delivery.map(|delivery| {
            drop(delivery.slot);
            delivery.page
        }))
    }

    /// Frees the present or the next [`Session::poll`].
    pub fn wake_up(&self) {
        self.shared.wake_up();
    }

    /// Counters in the order of [`Metrics::snapshot`].
    pub fn metrics(&self) -> Result<[i64; 12]> {
        self.shared.check_open()?;
        let mut pollers = self.pollers.lock();
        self.forget_ended(&mut pollers);
        self.count(&pollers);
        Ok(self.shared.metrics.snapshot())
    }

    /// Log lines since the last call.
    pub fn drain_logs(&self) -> Vec<(Level, String)> {
        self.shared.logs.drain()
    }

    /// Ends all reading within a bound; frees blocked calls. Idempotent.
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        self.closing.send_replace(true);
        self.shared.wake_up();
        for running in std::mem::take(&mut self.pollers.lock().running).into_values() {
            running.abort.abort();
        }
        // Pages that nobody took give their bytes back.
        while self.pages.try_recv().is_ok() {}
        let runtime = self.runtime.lock().take();
        drop(runtime);
    }

    fn forget_ended(&self, pollers: &mut Pollers) {
        for id in self.shared.ended.lock().drain(..) {
            pollers.running.remove(&id);
            pollers.paused.remove(&id);
        }
    }

    fn count(&self, pollers: &Pollers) {
        self.shared
            .metrics
            .splits
            .store(pollers.running.len() as i64, Ordering::Relaxed);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}
