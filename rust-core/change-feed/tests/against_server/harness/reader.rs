// SPDX-License-Identifier: Apache-2.0
//! A reader that does what Java does with pages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use change_feed::framing::SplitSnapshot;
use change_feed::{Configuration, Page, Result, Session};

use super::PATIENCE;
use super::quiet::Answers;
use super::rows::*;

/// Does with a session what the Java reader does.
pub struct Reader {
    pub session: Session,
    answers: Answers,
}

impl Reader {
    pub fn open(configuration: &Configuration) -> Self {
        Self {
            session: Session::open(configuration.clone()).unwrap(),
            answers: Answers::of(configuration),
        }
    }

    /// Reads the first page of a container of one partition and stops in the middle of it, as if a checkpoint were taken there
    /// and the job ended: what was emitted, and the split in that checkpoint.
    pub fn stop_in_first_page(configuration: &Configuration, groups_emitted: usize) -> (Vec<Document>, SplitSnapshot) {
        let mut reader = Self::open(configuration);
        let split = reader.start_all().remove(0);
        let page = reader.next();
        let groups = grouped(&page);
        assert!(
            groups_emitted < groups.len(),
            "in the middle of {} groups",
            groups.len()
        );
        let position = page.position_after(groups_emitted - 1).unwrap();
        let emitted = groups.into_iter().take(groups_emitted).flatten().collect();
        (emitted, SplitSnapshot { position, ..split })
    }

    /// Goes on from a checkpoint and reads to the end.
    pub fn read_on(configuration: &Configuration, split: SplitSnapshot, emitted: &mut Vec<Document>) -> Self {
        let mut reader = Self::open(configuration);
        reader.session.add_splits(vec![split]).unwrap();
        reader.read_until_idle(|document| emitted.push(document));
        reader
    }

    pub fn start_all(&mut self) -> Vec<SplitSnapshot> {
        let splits = self.session.discover(&[]).unwrap();
        self.session.add_splits(splits.clone()).unwrap();
        splits
    }

    /// The next page or event; fails the test when none comes.
    pub fn next(&mut self) -> Arc<Page> {
        let until = Instant::now() + PATIENCE;
        loop {
            assert!(
                Instant::now() < until,
                "no page came; log: {:?}",
                self.session.drain_logs()
            );
            if let Some(page) = self.session.poll(Duration::from_millis(100)).unwrap() {
                return page;
            }
        }
    }

    /// The next failure; fails the test when none comes.
    pub fn failure(&mut self) -> change_feed::Error {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Err(error) = self.session.poll(Duration::from_millis(100)) {
                return error;
            }
        }
        panic!("nothing failed; log: {:?}", self.session.drain_logs());
    }

    /// Reads, following splits, until `enough` says so.
    pub fn read_while(&mut self, mut go_on: impl FnMut(Document) -> bool) -> Result<()> {
        loop {
            let page = self.next();
            let mut more = true;
            for change in follow(self, &page) {
                more = go_on(change.document());
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// Reads, following splits, until every range has answered twice that there is nothing.
    pub fn read_until_idle(&mut self, mut each: impl FnMut(Document)) {
        self.read_changes_until_idle(|change| each(change.document()));
    }

    /// As [`Reader::read_until_idle`], with all that the changes say.
    pub fn read_changes_until_idle(&mut self, mut each: impl FnMut(Change)) {
        let mut quiet_since = None;
        let until = Instant::now() + PATIENCE;
        loop {
            assert!(
                Instant::now() < until,
                "never idle; log: {:?}",
                self.session.drain_logs()
            );
            // A range that has ended is counted no more before its event is here, so this is asked before the queue is found
            // empty. Other readers of the same server may have been answered, too; this one's own answers are counted as well.
            let metrics = self.session.metrics().unwrap();
            let ranges = metrics[10];
            let quiet = quiet_since.is_some_and(|(not_modified, number)| {
                metrics[4] - not_modified >= 2 * ranges && self.answers.twice_nothing_new(number) as i64 >= ranges
            });
            match self.session.poll(Duration::from_millis(50)).unwrap() {
                Some(page) => {
                    let changes = follow(self, &page);
                    if !changes.is_empty() || kind(&page) != 1 {
                        quiet_since = None;
                    }
                    changes.into_iter().for_each(&mut each);
                }
                None if quiet && ranges > 0 => return,
                None => {
                    quiet_since.get_or_insert_with(|| (metrics[4], self.answers.last()));
                }
            }
        }
    }

    pub fn logs(&self) -> Vec<String> {
        self.session.drain_logs().into_iter().map(|(_, line)| line).collect()
    }
}

/// Adds the children where the page says that its range was split.
pub fn follow(reader: &mut Reader, page: &Page) -> Vec<Change> {
    if kind(page) == 3 {
        reader.session.add_splits(children(page)).unwrap();
    }
    changes(page).into_iter().flatten().collect()
}
