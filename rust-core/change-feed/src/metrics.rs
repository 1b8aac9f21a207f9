// SPDX-License-Identifier: Apache-2.0
//! A session's counters. The order of [`Metrics::snapshot`] is the order of `ChangeFeedMetrics.Metric` in Java.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// How many there are.
pub const METRICS: usize = 14;

/// Counters and gauges of one session.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Bytes of pages fetched and not yet recycled, gauge.
    pub bytes_in_flight: AtomicI64,
    /// Requests sent for pages.
    pub requests: AtomicI64,
    /// Pages with documents.
    pub pages: AtomicI64,
    /// Documents handed to Java.
    pub documents: AtomicI64,
    /// Answers "304 Not Modified".
    pub not_modified: AtomicI64,
    /// Answers "429 Too Many Requests".
    pub throttled: AtomicI64,
    /// Failed requests that were tried again, 429 not counted.
    pub retries: AtomicI64,
    /// Request charge, thousandths of an RU.
    pub request_charge_millis: AtomicI64,
    /// Documents dropped because a re-read page held them again at or below the mark.
    pub already_emitted: AtomicI64,
    /// Documents read again after a merge voided a mark or the end of the present state, an upper bound.
    pub repeated_after_merge: AtomicI64,
    /// Feed ranges being read, gauge.
    pub splits: AtomicI64,
    /// Feed ranges that ended because their partition was split.
    pub ranges_split: AtomicI64,
    /// Feed ranges that ended because their release was asked for.
    pub ranges_released: AtomicI64,
    /// Feed ranges found to stand before what the service keeps.
    pub retention_expired: AtomicI64,
}

impl Metrics {
    /// All values, in the order that Java expects.
    pub fn snapshot(&self) -> [i64; METRICS] {
        [
            &self.bytes_in_flight,
            &self.requests,
            &self.pages,
            &self.documents,
            &self.not_modified,
            &self.throttled,
            &self.retries,
            &self.request_charge_millis,
            &self.already_emitted,
            &self.repeated_after_merge,
            &self.splits,
            &self.ranges_split,
            &self.ranges_released,
            &self.retention_expired,
        ]
        .map(|value| value.load(Relaxed))
    }
}
