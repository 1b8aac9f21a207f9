// SPDX-License-Identifier: Apache-2.0

//! Request units: what an operation costs and how much a partition has left.

use std::time::{Duration, Instant};

/// What a container may spend.
#[derive(Debug, Clone, Copy)]
pub struct Throughput {
    /// Request units a second of the whole container, shared out evenly; none without a bound.
    pub total: Option<u64>,
    /// Request units a second of each partition, in place of its share.
    pub per_partition: Option<f64>,
}

impl Throughput {
    /// So many for the whole container.
    pub fn total(total: Option<u64>) -> Self {
        Self {
            total,
            per_partition: None,
        }
    }

    /// What one of so many partitions gets.
    pub fn share(self, partitions: usize) -> Option<f64> {
        self.per_partition
            .or_else(|| self.total.map(|units| units as f64 / partitions.max(1) as f64))
    }
}

/// Request units of one partition, filled up every moment to at most one second's worth.
#[derive(Debug)]
pub struct Budget {
    per_second: Option<f64>,
    left: f64,
    filled: Instant,
}

impl Budget {
    /// A budget of so many request units a second, or one without an end.
    pub fn new(per_second: Option<f64>) -> Self {
        Self {
            per_second,
            left: per_second.unwrap_or(0.0),
            filled: Instant::now(),
        }
    }

    /// Request units a second, if there is a bound.
    pub fn per_second(&self) -> Option<f64> {
        self.per_second
    }

    /// Changes the rate; what is left stays, up to one second's worth.
    pub fn set(&mut self, per_second: Option<f64>) {
        *self = Self::new(per_second);
    }

    /// Whether a request may run now, else how long it has to wait.
    ///
    /// What it costs is known only afterwards, so a request may overdraw and the next one waits for it.
    pub fn admit(&mut self, now: Instant) -> Result<(), Duration> {
        let Some(per_second) = self.per_second else {
            return Ok(());
        };
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.left = (self.left + elapsed * per_second).min(per_second);
        if self.left > 0.0 {
            Ok(())
        } else {
            Err(Duration::from_secs_f64((1.0 - self.left) / per_second))
        }
    }

    /// Books what a request has cost.
    pub fn charge(&mut self, units: f64) {
        if self.per_second.is_some() {
            self.left -= units;
        }
    }
}

/// Cost of reading one document of so many bytes by its id.
pub fn read(bytes: usize) -> f64 {
    kilobytes(bytes)
}

/// Cost of a write of so many bytes.
pub fn write(bytes: usize) -> f64 {
    5.0 * kilobytes(bytes) + 0.71
}

/// Cost of a page of a feed or query of so many bytes.
pub fn page(bytes: usize) -> f64 {
    1.0 + (bytes as f64 / 1024.0) * 0.05
}

fn kilobytes(bytes: usize) -> f64 {
    bytes.div_ceil(1024).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overdrawn_budget_waits_and_recovers() {
        let start = Instant::now();
        let mut budget = Budget::new(Some(100.0));
        assert!(budget.admit(start).is_ok());
        budget.charge(150.0);
        let wait = budget.admit(start).unwrap_err();
        assert!(
            wait > Duration::from_millis(400) && wait < Duration::from_millis(600),
            "{wait:?}"
        );
        assert!(budget.admit(start + wait).is_ok());
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let mut budget = Budget::new(None);
        budget.charge(1e9);
        assert!(budget.admit(Instant::now()).is_ok());
    }
}
