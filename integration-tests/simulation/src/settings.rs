// SPDX-License-Identifier: Apache-2.0
//! What is drawn once for a schedule: the job's options and the weather.

use change_feed::configuration::{Mode, RetentionExpired, Start, StartFrom, Stop};
use fastrand::Rng;

use crate::container::MergeModel;
use crate::service::Weather;

#[derive(Debug, Clone)]
pub struct Settings {
    pub mode: Mode,
    pub start: StartFrom,
    pub stop: Stop,
    /// Feed ranges to start with, at least.
    pub splits: usize,
    pub partitions: u8,
    pub readers: usize,
    pub steps: usize,
    /// How partitions are merged, if they are: a service does it one way.
    pub merges: Option<MergeModel>,
    pub lists_all_ancestors: bool,
    pub weather: Weather,
    /// Where it is not a failure, changes are kept for a time only.
    pub retention_expired: RetentionExpired,
}

impl Settings {
    /// The container's clock starts at `now`, seconds.
    pub fn draw(rng: &mut Rng, now: i64) -> Self {
        let (mode, start) = match rng.u8(0..12) {
            // The tokens themselves are taken in the container's history.
            10 => (Mode::LatestVersion, StartFrom::Tokens(Vec::new())),
            11 => (Mode::AllVersionsAndDeletes, StartFrom::Tokens(Vec::new())),
            0..=3 => (Mode::LatestVersion, StartFrom::Each(Start::Beginning)),
            4 => (Mode::LatestVersion, StartFrom::Each(Start::Now)),
            5 => (
                Mode::LatestVersion,
                // A time to come means nothing to the service once it has answered "nothing new".
                StartFrom::Each(Start::At(rng.i64(now..now + 10) * 1000)),
            ),
            6..=7 => (Mode::AllVersionsAndDeletes, StartFrom::Each(Start::Now)),
            _ => (Mode::AllVersionsAndDeletes, StartFrom::PresentStateThenChanges),
        };
        let stop = match rng.u8(0..10) {
            0..=5 => Stop::Never,
            6..=7 => Stop::Latest,
            _ => Stop::At(rng.i64(now + 5..now + 40) * 1000 + rng.i64(0..1000)),
        };
        // Where partitions were merged, times need not rise with LSNs, which a start or an end in time asks for.
        let by_time = matches!(start, StartFrom::Each(Start::At(_))) || matches!(stop, Stop::At(_));
        let merges = match rng.u8(0..4) {
            _ if by_time => None,
            0 => Some(MergeModel::GoesOn),
            1 => Some(MergeModel::Renumbers),
            _ => None,
        };
        // Drawn aside: whoever knows a schedule by its seed finds it as it was.
        let retention_expired = match (mode, Rng::with_seed(rng.clone().u64(..)).u8(0..8)) {
            (Mode::AllVersionsAndDeletes, 2..=3) => RetentionExpired::StartFromNow,
            (Mode::AllVersionsAndDeletes, 6..=7) => RetentionExpired::PresentStateThenChanges,
            _ => RetentionExpired::Fail,
        };
        let mut sometimes = |most: u8| if rng.bool() { rng.u8(0..most) } else { 0 };
        let weather = Weather {
            throttled: sometimes(10),
            failing: sometimes(15),
            missing: sometimes(5),
            lagging: sometimes(60),
            stale_lists: sometimes(60),
            empty: sometimes(30),
        };
        Self {
            mode,
            start,
            stop,
            splits: if rng.bool() { 1 } else { rng.usize(1..6) },
            partitions: rng.u8(1..4),
            readers: rng.usize(1..4),
            steps: rng.usize(20..160),
            merges,
            lists_all_ancestors: rng.bool(),
            weather,
            retention_expired,
        }
    }
}
