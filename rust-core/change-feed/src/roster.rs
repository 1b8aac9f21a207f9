// SPDX-License-Identifier: Apache-2.0
//! A session's bookkeeping of its feed ranges: which are read, which are paused, which are to be released. Pure.
//!
//! Java may name a range before it is added: Flink pauses splits whose add has not been seen yet, and a release may
//! overtake an add. What was asked for is remembered until then; but a pause of a range that has ended is late, not early.

use std::collections::{HashMap, HashSet};

use crate::error::{Code, Error, Result};

/// What a range's reading is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Read,
    /// Fetch nothing for now.
    Pause,
    /// Stop, and say so behind the last page. Final.
    Release,
}

/// The feed ranges of one session, by split id.
#[derive(Debug, Default)]
pub struct Roster {
    reading: HashMap<String, Wish>,
    /// Flink forgets to clean its own list: an id stays until it is resumed or its range has ended.
    paused: HashSet<String>,
    /// Ids whose range was read and is no more. Whoever pauses one does not know yet that it has ended and will not resume it;
    /// when it is read again it would stand still for ever. Kept for the session's life: an id for each range it ever read.
    past: HashSet<String>,
    /// Ids to be released as soon as they are added.
    released: HashSet<String>,
}

impl Roster {
    /// Takes ranges on; what each is to do from the start.
    ///
    /// # Errors
    /// `INTERNAL` when an id is read already or is named twice; then nothing has changed.
    pub fn add(&mut self, ids: &[String]) -> Result<Vec<Wish>> {
        let mut new = HashSet::new();
        for id in ids {
            if self.reading.contains_key(id) || !new.insert(id) {
                return Err(Error::new(
                    Code::Internal,
                    format!("split '{id}' is being read already"),
                ));
            }
        }
        Ok(ids
            .iter()
            .map(|id| {
                let wish = if self.released.remove(id) {
                    Wish::Release
                } else if self.paused.contains(id) {
                    Wish::Pause
                } else {
                    Wish::Read
                };
                self.past.remove(id);
                self.reading.insert(id.clone(), wish);
                wish
            })
            .collect())
    }

    /// Pauses or resumes a range; what its reading is to be told, if anything.
    pub fn set_paused(&mut self, id: &str, paused: bool) -> Option<Wish> {
        if paused {
            if !self.past.contains(id) {
                self.paused.insert(id.to_owned());
            }
        } else {
            self.paused.remove(id);
        }
        let wish = self.reading.get_mut(id).filter(|wish| **wish != Wish::Release)?;
        *wish = if paused { Wish::Pause } else { Wish::Read };
        Some(*wish)
    }

    /// Releases a range; what its reading is to be told, if anything.
    pub fn release(&mut self, id: &str) -> Option<Wish> {
        match self.reading.get_mut(id) {
            Some(Wish::Release) => None,
            Some(wish) => {
                *wish = Wish::Release;
                Some(Wish::Release)
            }
            None => {
                self.released.insert(id.to_owned());
                None
            }
        }
    }

    /// Forgets a range whose reading has ended, however it did.
    pub fn ended(&mut self, id: &str) {
        if self.reading.remove(id).is_some() {
            self.past.insert(id.to_owned());
        }
        self.paused.remove(id);
    }

    /// How many ranges are read.
    pub fn len(&self) -> usize {
        self.reading.len()
    }

    /// Whether none is read.
    pub fn is_empty(&self) -> bool {
        self.reading.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn a_pause_before_the_add_holds_until_it_is_resumed() {
        let mut roster = Roster::default();
        assert_eq!(roster.set_paused("a", true), None);
        assert_eq!(roster.add(&ids(&["a", "b"])).unwrap(), [Wish::Pause, Wish::Read]);
        assert_eq!(roster.set_paused("a", false), Some(Wish::Read));
        roster.ended("a");
        assert_eq!(roster.add(&ids(&["a"])).unwrap(), [Wish::Read]);
    }

    #[test]
    fn a_pause_that_comes_behind_the_end_of_a_range_does_not_outlast_it() {
        let mut roster = Roster::default();
        roster.add(&ids(&["a"])).unwrap();
        roster.release("a");
        roster.ended("a");
        // Flink has not heard of the end yet; once it has, it neither resumes the range nor counts it as paused.
        assert_eq!(roster.set_paused("a", true), None);
        assert_eq!(roster.add(&ids(&["a"])).unwrap(), [Wish::Read]);
        assert_eq!(roster.set_paused("a", true), Some(Wish::Pause), "it is read again");
    }

    #[test]
    fn a_release_before_the_add_ends_one_reading_and_no_more() {
        let mut roster = Roster::default();
        assert_eq!(roster.release("a"), None);
        assert_eq!(roster.add(&ids(&["a"])).unwrap(), [Wish::Release]);
        assert_eq!(roster.set_paused("a", false), None, "a release is final");
        roster.ended("a");
        assert_eq!(roster.add(&ids(&["a"])).unwrap(), [Wish::Read]);
        assert_eq!(roster.release("a"), Some(Wish::Release));
        assert_eq!(roster.release("a"), None, "told once");
    }

    #[test]
    fn an_id_that_is_read_already_changes_nothing() {
        let mut roster = Roster::default();
        roster.add(&ids(&["a"])).unwrap();
        assert!(roster.add(&ids(&["b", "a"])).is_err());
        assert!(roster.add(&ids(&["c", "c"])).is_err());
        assert_eq!(roster.len(), 1);
    }
}
