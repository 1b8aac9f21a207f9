// SPDX-License-Identifier: Apache-2.0
//! The one check: what the sink shows equals what the feed says.
//!
//! All versions: every change in scope once. Latest version: the last version of every document in scope once, each change
//! once at most. In order per key, each transaction whole. Once more only what a merge allows, which is counted;
//! less only where a range said that it went on from somewhere else, because what it stood before was kept no more.

use std::collections::{HashMap, HashSet};

use change_feed::configuration::{Mode, Start, StartFrom};
use change_feed::position::{End, Position};

use crate::container::{ChangeId, Container, KEYS, bounds};
use crate::service::Service;
use crate::settings::Settings;
use crate::sink::{Emitted, What};

/// What a job owes, known when it starts.
#[derive(Debug)]
pub struct Owed {
    mode: Mode,
    present_state: bool,
    /// For each key how many of its changes come before the start.
    from: [usize; KEYS as usize],
    from_second: i64,
    /// For each key how many of its changes come before the end.
    until: [usize; KEYS as usize],
    until_second: i64,
}

/// What may come otherwise than owed.
#[derive(Debug, Default)]
pub struct Excuses {
    /// Keys whose end was taken again after a merge.
    pub end_retaken: [bool; KEYS as usize],
}

/// How far a key has come.
#[derive(Debug, Default, Clone, Copy)]
struct Key {
    /// How often its present state was begun after the first time.
    beginnings: usize,
    phase: usize,
    /// The last change of each phase.
    last: [Option<ChangeId>; 2],
}

impl Key {
    fn starts_over(&mut self) {
        self.beginnings += 1;
        self.phase = 0;
        self.last[0] = None;
    }
}

impl Owed {
    /// What is owed by a job that starts with these positions.
    pub fn by(settings: &Settings, positions: &[Position], service: &Service) -> Self {
        let mut owed = Self {
            mode: settings.mode,
            present_state: settings.start == StartFrom::PresentStateThenChanges,
            from: [0; KEYS as usize],
            from_second: i64::MIN,
            until: [usize::MAX; KEYS as usize],
            until_second: i64::MAX,
        };
        if let StartFrom::Each(Start::At(millis)) = settings.start {
            owed.from_second = millis.div_euclid(1000);
        }
        for position in positions {
            let start = match &position.then {
                Some(then) => Some((Mode::AllVersionsAndDeletes, &then.token)),
                None => position.token.as_ref().map(|token| (position.mode, token)),
            };
            let (low, high) = bounds(&position.range);
            if let Some((mode, token)) = start {
                for key in low..high {
                    owed.from[usize::from(key)] = service.read_behind(mode, token, key);
                }
            }
            match position.job_end() {
                Some(End::Lsn(end)) => {
                    let place = end.lineage.partition_id.parse().expect("partitions are numbered");
                    for key in low..high {
                        owed.until[usize::from(key)] = service.container.up_to(place, end.lsn, key);
                    }
                }
                Some(End::Time(millis)) => owed.until_second = millis.div_euclid(1000),
                None => {}
            }
        }
        owed
    }

    /// Compares; gives the number of changes that a merge made come again.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn check(&self, container: &Container, committed: &[Emitted], excuses: &Excuses) -> Result<usize, String> {
        let changes = &container.changes;
        let mut shown = [vec![0usize; changes.len()], vec![0usize; changes.len()]];
        let mut allowed = vec![0usize; changes.len()];
        let mut repeated = 0;
        // What a range left out when it went on from somewhere else, and whose present state came then.
        let mut left_out = vec![false; changes.len()];
        let mut begun_again = vec![false; changes.len()];
        let mut keys = [Key::default(); KEYS as usize];
        let mut group_of: HashMap<(usize, usize, usize), usize> = HashMap::new();
        let mut in_time: Vec<&Emitted> = committed.iter().collect();
        in_time.sort_by_key(|emitted| emitted.time);
        for (number, emitted) in in_time.iter().enumerate() {
            let (group, present) = match &emitted.what {
                What::Repeats(again) => {
                    again.iter().for_each(|&change| allowed[change] += 1);
                    continue;
                }
                What::Gap(gap) => {
                    gap.lost.iter().for_each(|&change| left_out[change] = true);
                    for &change in &gap.present {
                        begun_again[change] = true;
                        shown[0][change] = 0;
                    }
                    let of: HashSet<u8> = gap.present.iter().map(|&change| changes[change].key).collect();
                    of.into_iter().for_each(|key| keys[usize::from(key)].starts_over());
                    continue;
                }
                What::Finished { .. } => continue,
                What::Group { changes, present } => (changes, *present),
            };
            // Phase 0 is the present state, phase 1 the feed proper.
            let phase = usize::from(!present);
            for &id in group {
                let change = &changes[id];
                if change.delete && (present || self.mode == Mode::LatestVersion) {
                    return Err(format!("change {id} is a delete, which latest version does not bring"));
                }
                shown[phase][id] += 1;
                if shown[phase][id] > 1 {
                    if shown[phase][id] > 1 + allowed[id] {
                        return Err(format!("change {id} was emitted twice"));
                    }
                    repeated += 1;
                    continue;
                }
                let key = &mut keys[usize::from(change.key)];
                if phase < key.phase || key.last[phase].is_some_and(|last| last > id) {
                    return Err(format!("change {id} of key {} was emitted out of order", change.key));
                }
                key.phase = phase;
                key.last[phase] = Some(id);
                let part = (key.beginnings, phase, change.commit);
                if *group_of.entry(part).or_insert(number) != number {
                    return Err(format!("transaction {} of change {id} was torn", change.commit));
                }
            }
        }
        let mut ordinals = [0usize; KEYS as usize];
        let mut latest: HashMap<(u8, u8), ChangeId> = HashMap::new();
        for (id, change) in changes.iter().enumerate() {
            latest.insert((change.key, change.document), id);
        }
        for (id, change) in changes.iter().enumerate() {
            let key = usize::from(change.key);
            let ordinal = ordinals[key];
            ordinals[key] += 1;
            let started = ordinal >= self.from[key] && change.second >= self.from_second;
            let before_end = ordinal < self.until[key] && change.second <= self.until_second;
            let is_last = latest[&(change.key, change.document)] == id && !change.delete;
            let (must, may) = match self.mode {
                Mode::AllVersionsAndDeletes => (started && before_end, started),
                Mode::LatestVersion => (started && before_end && is_last, started),
            };
            let may = may && (before_end || excuses.end_retaken[key]);
            if must && shown[1][id] == 0 && !left_out[id] {
                return Err(format!("change {id} of key {key} was lost"));
            }
            if !may && shown[1][id] > 0 {
                return Err(format!("change {id} of key {key} lies outside of what was asked for"));
            }
            let was_present = self.present_state && ordinal < self.from[key];
            let was_present = was_present || begun_again[id];
            if was_present && is_last && ordinal < self.until[key] && shown[0][id] == 0 {
                return Err(format!("change {id} of key {key} is missing in the present state"));
            }
            if !was_present && shown[0][id] > 0 && !excuses.end_retaken[key] {
                return Err(format!("change {id} of key {key} is later than the present state"));
            }
        }
        Ok(repeated)
    }
}
