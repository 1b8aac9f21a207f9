// SPDX-License-Identifier: Apache-2.0
//! Log lines leave the core through one bounded queue per session, which Java drains into SLF4J. Nothing is printed.

use std::collections::VecDeque;

use parking_lot::Mutex;

/// Levels in the order of docs/native-interface.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    Error = 1,
    Warn = 2,
    Info = 3,
    Debug = 4,
    Trace = 5,
}

/// A Java side that stops draining must not cost memory: beyond this many lines the oldest go and are counted.
const CAPACITY: usize = 1024;

#[derive(Debug)]
struct Inner {
    lines: VecDeque<(Level, String)>,
    dropped: u64,
}

/// The queue of one session. Lines are formatted only when their level is wanted.
#[derive(Debug)]
pub struct LogQueue {
    max_level: Level,
    inner: Mutex<Inner>,
}

impl LogQueue {
    pub fn new(max_level: Level) -> Self {
        Self {
            max_level,
            inner: Mutex::new(Inner {
                lines: VecDeque::new(),
                dropped: 0,
            }),
        }
    }

    /// Queues a line; `text` is not called when the level is not wanted.
    pub fn log(&self, level: Level, text: impl FnOnce() -> String) {
        if level > self.max_level {
            return;
        }
        let text = text();
        let mut inner = self.inner.lock();
        if inner.lines.len() == CAPACITY {
            inner.lines.pop_front();
            inner.dropped += 1;
        }
        inner.lines.push_back((level, text));
    }

    /// Takes all lines, oldest first; a first line says how many were lost, if any.
    pub fn drain(&self) -> Vec<(Level, String)> {
        let mut inner = self.inner.lock();
        let mut lines = Vec::with_capacity(inner.lines.len() + 1);
        if inner.dropped > 0 {
            lines.push((
                Level::Warn,
                format!("{} log lines were dropped, the queue was full", inner.dropped),
            ));
            inner.dropped = 0;
        }
        lines.extend(inner.lines.drain(..));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_below_the_level_is_not_formatted() {
        let queue = LogQueue::new(Level::Info);
        queue.log(Level::Debug, || panic!("formatted"));
        assert!(queue.drain().is_empty());
    }

    #[test]
    fn a_full_queue_says_what_it_lost() {
        let queue = LogQueue::new(Level::Info);
        for i in 0..CAPACITY + 3 {
            queue.log(Level::Info, || i.to_string());
        }
        let lines = queue.drain();
        assert_eq!(lines.len(), CAPACITY + 1);
        assert!(lines[0].1.starts_with("3 log lines"));
        assert_eq!(lines[1].1, "3");
    }
}
