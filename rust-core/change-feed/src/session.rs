// SPDX-License-Identifier: Apache-2.0
//! What Java can ask of the core: one session per enumerator or reader.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded, unbounded};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::configuration::Configuration;
use crate::discovery;
use crate::error::{Code, Error, Result};
use crate::framing::SplitSnapshot;
use crate::logs::Level;
use crate::metrics::METRICS;
use crate::page::Page;
use crate::panics;
use crate::poller::Poller;
use crate::position::Position;
use crate::roster::{Roster, Wish};
use crate::runtime::{self, SharedRuntime};
use crate::shared::{Delivery, Shared};

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
    roster: Roster,
}

impl Pollers {
    fn tell(&self, id: &str, wish: Option<Wish>) {
        if let (Some(running), Some(wish)) = (self.running.get(id), wish) {
            running.wish.send_replace(wish);
        }
    }
}

struct Running {
    abort: AbortHandle,
    wish: watch::Sender<Wish>,
}

impl Session {
    /// Takes a place on the process's runtime. Sends no request.
    pub fn open(configuration: Configuration) -> Result<Self> {
        let (deliveries, pages) = unbounded();
        let (wake_up, wake_ups) = bounded(1);
        Ok(Self {
            runtime: Mutex::new(Some(runtime::acquire()?)),
            shared: Arc::new(Shared::new(configuration, deliveries, wake_up)),
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
        let positions = discovery::positions(&splits, &self.shared.configuration)?;
        let mut pollers = self.pollers.lock();
        // Again under the lock: close takes it to abort, and nothing may start behind its back.
        self.shared.check_open()?;
        self.forget_ended(&mut pollers);
        let ids: Vec<String> = positions.iter().map(Position::split_id).collect();
        let wishes = pollers.roster.add(&ids)?;
        for ((split_id, position), wish) in ids.into_iter().zip(positions).zip(wishes) {
            let wish = watch::Sender::new(wish);
            let poller = Poller::new(Arc::clone(&self.shared), position, wish.subscribe());
            let shared = Arc::clone(&self.shared);
            let task = runtime.handle().spawn(async move {
                if let Err(panic) = panics::caught(poller.run()).await {
                    shared.fail(Error::new(Code::Panic, format!("reading a range: {panic}")));
                }
            });
            let abort = task.abort_handle();
            pollers.running.insert(split_id, Running { abort, wish });
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
                let wish = pollers.roster.set_paused(id, paused);
                pollers.tell(id, wish);
            }
        }
        Ok(())
    }

    /// Stops reading ranges by split id. One end event comes behind a range's last queued page: that it was released, unless
    /// it ended by itself first. Unknown ids are remembered until they are added.
    pub fn release_splits(&self, ids: &[String]) -> Result<()> {
        self.shared.check_open()?;
        let mut pollers = self.pollers.lock();
        self.forget_ended(&mut pollers);
        for id in ids {
            let wish = pollers.roster.release(id);
            pollers.tell(id, wish);
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
        self.shared.check_failure()?;
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

    /// Counters in the order of [`crate::metrics::Metrics::snapshot`].
    pub fn metrics(&self) -> Result<[i64; METRICS]> {
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
        self.shared.close();
        self.closing.send_replace(true);
        for running in std::mem::take(&mut self.pollers.lock().running).into_values() {
            running.abort.abort();
        }
        // Pages that nobody took give their bytes back.
        while self.pages.try_recv().is_ok() {}
        let runtime = self.runtime.lock().take();
        drop(runtime);
    }

    fn forget_ended(&self, pollers: &mut Pollers) {
        for id in self.shared.take_ended() {
            pollers.running.remove(&id);
            pollers.roster.ended(&id);
        }
    }

    fn count(&self, pollers: &Pollers) {
        self.shared
            .metrics
            .splits
            .store(pollers.roster.len() as i64, Ordering::Relaxed);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}
