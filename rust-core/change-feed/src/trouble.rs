// SPDX-License-Identifier: Apache-2.0
//! Tells of failures that are tried again, few lines for however many ranges and requests: one when the first range of a
//! session is in trouble, one when the last is out of it, and in between, the longer the more rarely, which range has not
//! been read for how long. Trouble that comes and goes, like steady throttling, is told of once a minute. Pure but for the
//! lock: the time comes from outside.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::error::Error;
use crate::logs::{Level, LogQueue};

/// A range that has not been read for so long is told of.
const LONG: Duration = Duration::from_secs(60);
/// No episode is told of sooner behind one that was.
const RECENT: Duration = Duration::from_secs(60);
/// What lasts is told of so often at least.
const RAREST: Duration = Duration::from_secs(900);

/// A range whose requests fail.
#[derive(Debug)]
struct Failing {
    since: Instant,
    last: Error,
    behind: Option<Behind>,
}

/// How far replicas were behind what was read of a range.
#[derive(Debug)]
struct Behind {
    since: Instant,
    /// The least that one had.
    has: i64,
    read: i64,
}

#[derive(Debug, Default)]
struct Episode {
    failing: HashMap<String, Failing>,
    /// Whether the log says that there is trouble.
    told: bool,
    /// When an episode began last that was told of.
    last_told: Option<Instant>,
    /// Ranges that were in trouble at any time of the episode, or of those before that were not told of.
    touched: HashSet<String>,
    failures: u64,
    /// When what lasts is told of next, and how long to be silent after that.
    next: Option<(Instant, Duration)>,
}

/// The present episode of a session, if any.
#[derive(Debug, Default)]
pub struct Trouble {
    episode: Mutex<Episode>,
}

impl Trouble {
    /// A request of the range failed at `now` and will be tried again.
    pub fn begin(&self, logs: &LogQueue, split_id: &str, error: &Error, now: Instant) {
        let mut episode = self.episode.lock();
        if episode.failing.is_empty() && episode.last_told.is_none_or(|last| now.duration_since(last) >= RECENT) {
            episode.told = true;
            episode.last_told = Some(now);
            logs.log(Level::Warn, || {
                format!("range {split_id}: {error}; trying again, further failures are counted and not told")
            });
        }
        episode.failures += 1;
        if !episode.touched.contains(split_id) {
            episode.touched.insert(split_id.to_owned());
        }
        match episode.failing.get_mut(split_id) {
            Some(failing) => failing.last = error.clone(),
            None => {
                let failing = Failing {
                    since: now,
                    last: error.clone(),
                    behind: None,
                };
                episode.failing.insert(split_id.to_owned(), failing);
            }
        }
        episode.tell_what_lasts(logs, now);
    }

    /// A replica has come to LSN `has` of a range in trouble only, as it said at `now`, of which LSN `read` was read.
    pub fn behind(&self, split_id: &str, has: i64, read: i64, now: Instant) {
        if let Some(failing) = self.episode.lock().failing.get_mut(split_id) {
            let (since, least) = failing
                .behind
                .as_ref()
                .map_or((now, has), |behind| (behind.since, behind.has.min(has)));
            failing.behind = Some(Behind {
                since,
                has: least,
                read,
            });
        }
    }

    /// The range is read again at `now`, or no more.
    pub fn over(&self, logs: &LogQueue, split_id: &str, now: Instant) {
        let Some(Behind { since, has, read }) = self.remove(logs, split_id).and_then(|failing| failing.behind) else {
            return;
        };
        // Replicas lag for moments. Where a failover has lost writes, LSNs are given a second time.
        let lasted = now.duration_since(since);
        if lasted >= LONG {
            logs.log(Level::Warn, || {
                format!(
                    "range {split_id}: for {} s it was answered by replicas that had come to LSN {has} only, where LSN {read} was \
                     read before. If a failover has lost writes of the account, changes that were made since, with the LSNs in \
                     between, are not read",
                    lasted.as_secs()
                )
            });
        }
    }

    fn remove(&self, logs: &LogQueue, split_id: &str) -> Option<Failing> {
        let mut episode = self.episode.lock();
        let failing = episode.failing.remove(split_id)?;
        if !episode.failing.is_empty() {
            return Some(failing);
        }
        episode.next = None;
        if std::mem::take(&mut episode.told) {
            let touched = std::mem::take(&mut episode.touched);
            let failures = std::mem::take(&mut episode.failures);
            logs.log(Level::Info, || {
                format!(
                    "reading again after {failures} failed requests of {} ranges",
                    touched.len()
                )
            });
        }
        Some(failing)
    }
}

impl Episode {
    fn tell_what_lasts(&mut self, logs: &LogQueue, now: Instant) {
        let (due, silence) = *self.next.get_or_insert((now + LONG, LONG));
        if now < due {
            return;
        }
        let Some((id, longest)) = self.failing.iter().min_by_key(|(_, failing)| failing.since) else {
            return;
        };
        let lasts = now.duration_since(longest.since);
        if lasts < LONG {
            // The one that was waited for is read again.
            self.next = Some((longest.since + LONG, silence));
            return;
        }
        self.told = true;
        logs.log(Level::Warn, || {
            format!(
                "range {id} has not been read for {} s, the longest of {} whose requests fail; its last failure: {}; still trying",
                lasts.as_secs(),
                self.failing.len(),
                longest.last
            )
        });
        self.next = Some((now + silence, (silence * 2).min(RAREST)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn lines(logs: &LogQueue) -> Vec<String> {
        logs.drain().into_iter().map(|(_, line)| line).collect()
    }

    #[test]
    fn an_episode_of_many_ranges_is_two_lines() {
        let (trouble, logs) = (Trouble::default(), LogQueue::new(Level::Info));
        let error = Error::new(Code::ServiceError, "503");
        let begin = Instant::now();
        for now in [begin, begin + RECENT] {
            for id in ["a", "b", "a"] {
                trouble.begin(&logs, id, &error, now);
            }
            trouble.over(&logs, "a", now);
            trouble.over(&logs, "never", now);
            trouble.over(&logs, "b", now);
            let lines = lines(&logs);
            assert_eq!(lines.len(), 2, "{lines:?}");
            assert_eq!(lines[1], "reading again after 3 failed requests of 2 ranges");
        }
    }

    #[test]
    fn trouble_that_comes_and_goes_is_told_once_a_minute() {
        let (trouble, logs) = (Trouble::default(), LogQueue::new(Level::Info));
        let error = Error::new(Code::ServiceError, "429");
        let begin = Instant::now();
        for tenth in 0..1200 {
            let now = begin + Duration::from_millis(tenth * 100);
            trouble.begin(&logs, "a", &error, now);
            trouble.over(&logs, "a", now);
        }
        let lines = lines(&logs);
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert_eq!(lines[1], "reading again after 1 failed requests of 1 ranges");
        assert_eq!(lines[3], "reading again after 600 failed requests of 1 ranges");
    }

    #[test]
    fn trouble_that_comes_again_and_stays_is_told_of() {
        let (trouble, logs) = (Trouble::default(), LogQueue::new(Level::Info));
        let error = Error::new(Code::ServiceError, "503");
        let begin = Instant::now();
        trouble.begin(&logs, "a", &error, begin);
        trouble.over(&logs, "a", begin);
        assert_eq!(lines(&logs).len(), 2);
        for second in 1..=61 {
            assert!(lines(&logs).is_empty(), "{second}");
            trouble.begin(&logs, "a", &error, begin + Duration::from_secs(second));
        }
        let told = lines(&logs);
        assert!(
            matches!(&told[..], [line] if line.contains("has not been read for 60 s")),
            "{told:?}"
        );
        trouble.over(&logs, "a", begin + Duration::from_secs(62));
        assert_eq!(lines(&logs).len(), 1, "reading again");
    }

    #[test]
    fn a_replica_that_was_behind_for_long_may_have_lost_writes() {
        let begin = Instant::now();
        let told = |seconds, behind: &[(u64, i64, i64)]| {
            let (trouble, logs) = (Trouble::default(), LogQueue::new(Level::Warn));
            trouble.begin(&logs, "a", &Error::new(Code::ServiceError, "503"), begin);
            for (at, has, read) in behind {
                trouble.behind("a", *has, *read, begin + Duration::from_secs(*at));
            }
            lines(&logs);
            trouble.over(&logs, "a", begin + Duration::from_secs(seconds));
            lines(&logs)
        };
        let [line] = &told(65, &[(5, 95, 100), (6, 90, 100), (7, 99, 100)])[..] else {
            panic!("one line");
        };
        assert!(
            line.contains("for 60 s") && line.contains("LSN 90 only") && line.contains("LSN 100 was"),
            "{line}"
        );
        assert!(told(64, &[(5, 90, 100)]).is_empty(), "that is lag");
        assert!(told(65, &[]).is_empty());
    }

    #[test]
    fn a_range_that_stays_in_trouble_is_named_ever_more_rarely() {
        let (trouble, logs) = (Trouble::default(), LogQueue::new(Level::Info));
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        // Others fail all the time and pass; `b` stays, and comes later than the first.
        let mut told = Vec::new();
        for second in 0..7200 {
            if second >= 20 && second % 10 == 0 {
                let error = Error::new(Code::ServiceError, format!("500 of {second}"));
                trouble.begin(&logs, "b", &error, at(second));
            }
            let passing = format!("passing {}", second / 40);
            trouble.begin(&logs, &passing, &Error::new(Code::ServiceError, "503"), at(second));
            if second % 40 == 39 {
                trouble.over(&logs, &passing, at(second));
            }
            for line in lines(&logs).into_iter().filter(|line| line.starts_with("range b")) {
                assert!(line.contains(&format!("500 of {}", second - second % 10)), "{line}");
                assert!(line.contains(&format!("for {} s", second - 20)), "{line}");
                told.push(second - 20);
            }
        }
        assert_eq!(told, [60, 120, 240, 480, 960, 1860, 2760, 3660, 4560, 5460, 6360]);
    }
}
