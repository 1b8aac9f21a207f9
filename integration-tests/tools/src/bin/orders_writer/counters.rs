// SPDX-License-Identifier: Apache-2.0
//! What has been written so far.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

/// Counts of answered writes; a transaction counts once in `batches` and each of its documents as what was done to it.
#[derive(Debug, Default)]
pub struct Counters {
    pub inserted: AtomicU64,
    pub updated: AtomicU64,
    pub deleted: AtomicU64,
    pub batches: AtomicU64,
    pub throttled: AtomicU64,
    pub retried: AtomicU64,
    charge_millis: AtomicU64,
}

impl Counters {
    pub fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    /// Adds the charge of an answer, in RU.
    pub fn charge(&self, request_units: f64) {
        Self::add(&self.charge_millis, (request_units * 1000.0) as u64);
    }

    fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    fn written(&self) -> u64 {
        Self::get(&self.inserted) + Self::get(&self.updated)
    }

    /// One line of JSON with all counts.
    pub fn json(&self, event: &str, elapsed: Duration) -> String {
        json!({
            "event": event,
            "written": self.written(),
            "inserted": Self::get(&self.inserted),
            "updated": Self::get(&self.updated),
            "deleted": Self::get(&self.deleted),
            "batches": Self::get(&self.batches),
            "throttled": Self::get(&self.throttled),
            "retried": Self::get(&self.retried),
            "request_charge": Self::get(&self.charge_millis) as f64 / 1000.0,
            "seconds": (elapsed.as_secs_f64() * 10.0).round() / 10.0,
        })
        .to_string()
    }

    /// Says every two seconds how far it has come, until it is aborted.
    pub async fn report(self: Arc<Self>, orders: u64) {
        let mut last = (Instant::now(), 0);
        loop {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let written = self.written();
            let now = Instant::now();
            let rate = (written - last.1) as f64 / (now - last.0).as_secs_f64();
            if written < orders {
                eprintln!("orders-writer: {written} of {orders} orders, {rate:.0} writes/s");
            } else {
                eprintln!("orders-writer: {written} writes, {rate:.0} writes/s");
            }
            last = (now, written);
        }
    }
}
