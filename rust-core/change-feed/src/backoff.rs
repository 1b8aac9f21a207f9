// SPDX-License-Identifier: Apache-2.0
//! How long to wait before asking again: when there was nothing new, and when a request failed. Pure: no clock, and
//! chance comes from outside.

use std::time::Duration;

/// First and longest wait after a failed request.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LONGEST: Duration = Duration::from_secs(10);

/// Doubling waits between two bounds.
#[derive(Debug, Clone)]
pub struct Backoff {
    shortest: Duration,
    longest: Duration,
    next: Duration,
}

/// A length of time to be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    step: Duration,
    asked: Duration,
}

impl Wait {
    /// Between half of the step and all of it, by `chance` in `[0, 1)`, so that ranges that fail together do not come back
    /// together. Never shorter than what the service asked for.
    pub fn length(self, chance: f64) -> Duration {
        let jittered = self.step.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0);
        jittered.max(self.asked)
    }
}

impl Backoff {
    pub fn new(shortest: Duration, longest: Duration) -> Self {
        Self {
            shortest,
            longest,
            next: shortest,
        }
    }

    /// Waits after failed requests.
    pub fn for_retries() -> Self {
        Self::new(RETRY_FIRST, RETRY_LONGEST)
    }

    /// The next wait, at least as long as the service asked for.
    pub fn next_wait(&mut self, asked: Option<Duration>) -> Wait {
        let step = self.next;
        self.next = (step * 2).min(self.longest);
        Wait {
            step,
            asked: asked.unwrap_or_default(),
        }
    }

    /// The length of the next wait, see [`Wait::length`].
    pub fn wait(&mut self, chance: f64, asked: Option<Duration>) -> Duration {
        self.next_wait(asked).length(chance)
    }

    /// Something came: start over with the shortest wait.
    pub fn reset(&mut self) {
        self.next = self.shortest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_the_longest_and_start_over() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(1000));
        let waits: Vec<u128> = (0..6).map(|_| backoff.wait(1.0, None).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1000, 1000]);
        backoff.reset();
        assert_eq!(backoff.wait(0.0, None), Duration::from_millis(50));
    }

    #[test]
    fn what_the_service_asks_for_is_kept() {
        let mut backoff = Backoff::for_retries();
        assert_eq!(backoff.wait(0.5, Some(Duration::from_secs(3))), Duration::from_secs(3));
    }
}
