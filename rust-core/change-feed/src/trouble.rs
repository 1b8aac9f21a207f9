// SPDX-License-Identifier: Apache-2.0
//! Tells of passing failures once: one line when the first range of a session is in trouble, one when the last is out of
//! it, however many ranges and requests fail in between.

use std::collections::HashSet;

use parking_lot::Mutex;

use crate::error::Error;
use crate::logs::{Level, LogQueue};

#[derive(Debug, Default)]
struct Episode {
    ranges: HashSet<String>,
    /// Ranges that were in trouble at any time of the episode.
    touched: HashSet<String>,
    failures: u64,
}

/// The present episode of a session, if any.
#[derive(Debug, Default)]
pub struct Trouble {
    episode: Mutex<Episode>,
}

impl Trouble {
    /// A request of the range failed and will be tried again.
    pub fn begin(&self, logs: &LogQueue, split_id: &str, error: &Error) {
        let mut episode = self.episode.lock();
        if episode.ranges.is_empty() {
            logs.log(Level::Warn, || {
                format!("range {split_id}: {error}; trying again, further failures are counted and not told")
            });
        }
        episode.failures += 1;
        if episode.ranges.insert(split_id.to_owned()) {
            episode.touched.insert(split_id.to_owned());
        }
    }

    /// The range is read again, or no more.
    pub fn over(&self, logs: &LogQueue, split_id: &str) {
        let mut episode = self.episode.lock();
        if episode.ranges.remove(split_id) && episode.ranges.is_empty() {
            let Episode { touched, failures, .. } = std::mem::take(&mut *episode);
            logs.log(Level::Info, || {
                format!(
                    "reading again after {failures} failed requests of {} ranges",
                    touched.len()
                )
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn an_episode_of_many_ranges_is_two_lines() {
        let (trouble, logs) = (Trouble::default(), LogQueue::new(Level::Info));
        let error = Error::new(Code::ServiceError, "503");
        for _ in 0..2 {
            for id in ["a", "b", "a"] {
                trouble.begin(&logs, id, &error);
            }
            trouble.over(&logs, "a");
            trouble.over(&logs, "never");
            trouble.over(&logs, "b");
            let lines: Vec<String> = logs.drain().into_iter().map(|(_, line)| line).collect();
            assert_eq!(lines.len(), 2, "{lines:?}");
            assert_eq!(lines[1], "reading again after 3 failed requests of 2 ranges");
        }
    }
}
