// SPDX-License-Identifier: Apache-2.0
//! The process's one tokio runtime: made by the first session, shut down by the last.

use std::sync::{Arc, Weak};
use std::time::Duration;

use once_cell::sync::Lazy;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Code, Error, Result};

/// Decoding a page is the only work on these threads; two keep a busy page from delaying every other range.
const WORKERS: usize = 2;

/// How long the last close waits for tasks that do not yield.
const SHUTDOWN: Duration = Duration::from_secs(5);

static SLOT: Lazy<Mutex<Weak<SharedRuntime>>> = Lazy::new(|| Mutex::new(Weak::new()));

/// A place on the runtime. When the last is dropped, the runtime ends; the next [`acquire`] makes a new one.
#[derive(Debug)]
pub struct SharedRuntime {
    /// `None` only while it is being dropped.
    runtime: Option<Runtime>,
}

/// Takes a place on the runtime, making it when there is none.
pub fn acquire() -> Result<Arc<SharedRuntime>> {
    let mut slot = SLOT.lock();
    if let Some(runtime) = slot.upgrade() {
        return Ok(runtime);
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("cosmosdb-change-feed")
        .enable_all()
        .build()
        .map_err(|e| Error::new(Code::Internal, format!("no runtime could be made: {e}")))?;
    let shared = Arc::new(SharedRuntime { runtime: Some(runtime) });
    *slot = Arc::downgrade(&shared);
    Ok(shared)
}

impl SharedRuntime {
    pub fn handle(&self) -> &Handle {
        self.runtime.as_ref().expect("present until drop").handle()
    }
}

impl Drop for SharedRuntime {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        // A runtime cannot wait for itself; sessions are dropped on Java's threads, this is for whoever breaks that rule.
        if Handle::try_current().is_ok() {
            runtime.shutdown_background();
        } else {
            runtime.shutdown_timeout(SHUTDOWN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_share_a_runtime_and_a_new_one_follows_the_last() {
        let first = acquire().unwrap();
        let second = acquire().unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        drop(first);
        let third = acquire().unwrap();
        assert!(Arc::ptr_eq(&second, &third));
        drop((second, third));
        let fourth = acquire().unwrap();
        assert_eq!(fourth.handle().block_on(async { 7 }), 7);
    }
}
