// SPDX-License-Identifier: Apache-2.0
//! The bound on bytes in flight of one session. A fetch reserves room for the largest page before it is sent and gives back
//! what the page did not need; ranges wait for room in turn, so none starves and the bound holds over prefetch.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::configuration::LARGEST_PAGE_BYTES;
use crate::metrics::Metrics;

/// Room is counted in units, because a semaphore's permits are few.
const UNIT: usize = 1024;

/// The room of one session.
#[derive(Debug)]
pub struct Budget {
    room: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

/// Room for a page that is being fetched.
#[derive(Debug)]
pub struct Reservation {
    permit: OwnedSemaphorePermit,
    metrics: Arc<Metrics>,
}

/// Room that a page takes until it is dropped.
#[derive(Debug)]
pub struct InFlight {
    _permit: OwnedSemaphorePermit,
    bytes: usize,
    metrics: Arc<Metrics>,
}

impl Budget {
    /// `bytes` is at least [`LARGEST_PAGE_BYTES`]; the configuration saw to that.
    pub fn new(bytes: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            room: Arc::new(Semaphore::new((bytes / UNIT).min(Semaphore::MAX_PERMITS))),
            metrics,
        }
    }

    /// Waits in turn for room for the largest page.
    pub async fn reserve(&self) -> Reservation {
        let permit = Arc::clone(&self.room)
            .acquire_many_owned((LARGEST_PAGE_BYTES / UNIT) as u32)
            .await
            .expect("the semaphore is never closed");
        Reservation {
            permit,
            metrics: Arc::clone(&self.metrics),
        }
    }
}

impl Reservation {
    /// Keeps the room of `bytes` and gives back the rest.
    pub fn keep(mut self, bytes: usize) -> InFlight {
        let needed = bytes.div_ceil(UNIT).min(self.permit.num_permits());
        let permit = self.permit.split(needed).expect("never more than it has");
        self.metrics.bytes_in_flight.fetch_add(bytes as i64, Relaxed);
        InFlight {
            _permit: permit,
            bytes,
            metrics: self.metrics,
        }
    }
}

impl InFlight {
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.metrics.bytes_in_flight.fetch_sub(self.bytes as i64, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_page_holds_its_bytes_until_it_is_dropped() {
        let metrics = Arc::new(Metrics::default());
        let budget = Budget::new(LARGEST_PAGE_BYTES, Arc::clone(&metrics));
        let page = budget.reserve().await.keep(5000);
        assert_eq!(metrics.snapshot()[0], 5000);
        let mut waiting = Box::pin(budget.reserve());
        assert!(
            futures_poll_once(&mut waiting).await.is_none(),
            "no room for a largest page beside it"
        );
        drop(page);
        assert!(futures_poll_once(&mut waiting).await.is_some());
        assert_eq!(metrics.snapshot()[0], 0);
    }

    async fn futures_poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
                std::task::Poll::Ready(value) => Some(value),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
