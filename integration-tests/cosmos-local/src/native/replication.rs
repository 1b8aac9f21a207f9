// SPDX-License-Identifier: Apache-2.0

//! The region that takes no writes and lags behind the one that does.
//!
//! As long as there is no lag both read the same state. With a lag each partition has a second one, and the first keeps
//! what the second has not seen; whoever reads the second brings it up to the time before the lag.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLockReadGuard;

use super::container::Container;
use super::history::Change;
use super::partition::{Partition, PartitionState, now_millis};
use super::settings::{Settings, TimeToLive};
use crate::engine::Request;

/// The lag of the account.
#[derive(Debug, Default)]
pub struct Replication {
    lag_millis: AtomicU64,
}

impl Replication {
    /// Changes the lag; `Container::replicate` has to follow for all containers.
    pub fn set_lag(&self, lag: Duration) {
        let millis = u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
        self.lag_millis.store(millis, Ordering::Release);
    }

    /// The lag in milliseconds, unless there is none.
    pub fn lag(&self) -> Option<u64> {
        Some(self.lag_millis.load(Ordering::Acquire)).filter(|millis| *millis > 0)
    }
}

impl PartitionState {
    /// What a region that lags behind begins with. It expires nothing by itself: it sees deletes like other writes.
    fn replica(&self, settings: Settings, partition: &Partition) -> Self {
        let mut replica = self.clone();
        replica.outbox = None;
        let settings = Settings {
            time_to_live: TimeToLive::Off,
            ..settings
        };
        replica.configure(&settings, &partition.range);
        replica
    }
}

impl Container {
    /// Begins or ends to keep what a lagging region sees, as the account has it.
    pub fn replicate(&self) {
        let _none_in_between = self.reshaping.lock();
        for partition in self.partitions() {
            self.replicate_partition(&partition);
        }
    }

    /// The same for one partition.
    pub fn replicate_partition(&self, partition: &Partition) {
        let mut state = partition.state.write();
        match (self.replication().lag(), &state.outbox) {
            (Some(_), None) if !state.retired() => {
                *partition.replica.write() = state.replica(self.settings(), partition);
                state.outbox = Some(VecDeque::new());
            }
            (None, Some(_)) => {
                *partition.replica.write() = PartitionState::default();
                state.outbox = None;
            }
            _ => {}
        }
    }

    /// What a request sees of a partition.
    pub fn view<'a>(&self, partition: &'a Partition, request: &Request) -> RwLockReadGuard<'a, PartitionState> {
        self.tidy_up(partition);
        match self.replication().lag() {
            Some(lag) if request.replica => {
                // A lag may have begun this moment.
                self.replicate_partition(partition);
                catch_up(partition, lag);
                partition.replica.read()
            }
            _ => partition.state.read(),
        }
    }
}

/// Lets a replica see what is older than the lag, whole transactions at a time.
fn catch_up(partition: &Partition, lag: u64) {
    let now = now_millis();
    let mut state = partition.state.write();
    let mut replica = partition.replica.write();
    let mut last = None;
    if let Some(outbox) = &mut state.outbox {
        let seen = |change: &Change, last| change.millis.saturating_add(lag) <= now || Some(change.lsn) == last;
        while let Some(change) = outbox.front().filter(|change| seen(change, last)) {
            last = Some(change.lsn);
            replica.apply(change);
            outbox.pop_front();
        }
    }
    replica.trim(now);
}
