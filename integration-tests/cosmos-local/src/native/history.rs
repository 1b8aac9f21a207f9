// SPDX-License-Identifier: Apache-2.0

//! All versions and deletes of a partition, as far back as its container retains them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::document::StoredDocument;
use super::epk::{Epk, EpkRange};
use super::settings::AllVersions;

/// What a change did to its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// There was none.
    Create,
    /// There was an older version.
    Replace,
    /// It was taken away.
    Delete,
}

/// One version or delete.
#[derive(Debug, Clone)]
pub struct Change {
    /// Log sequence number of the write or batch.
    pub lsn: u64,
    /// Number of the write among all of the server.
    pub write: u64,
    /// Time of the write, in milliseconds since 1970.
    pub millis: u64,
    /// The version before, if there was one.
    pub before: Option<Arc<StoredDocument>>,
    /// The new version; none for a delete.
    pub after: Option<Arc<StoredDocument>>,
    /// Whether it is a delete because the document had lived its time.
    pub expired: bool,
}

impl Change {
    /// What happened.
    pub fn kind(&self) -> ChangeKind {
        match (&self.before, &self.after) {
            (None, _) => ChangeKind::Create,
            (Some(_), Some(_)) => ChangeKind::Replace,
            (Some(_), None) => ChangeKind::Delete,
        }
    }

    /// The document after the change, or before it when there is none after.
    pub fn document(&self) -> &Arc<StoredDocument> {
        self.after
            .as_ref()
            .or(self.before.as_ref())
            .expect("a change has a version before or after")
    }

    /// Where its document lies.
    pub fn epk(&self) -> &Epk {
        &self.document().key.epk
    }

    /// The same change under other LSNs.
    pub fn renumbered(&self, lsn_of: impl Fn(u64) -> u64) -> Self {
        let renumber = |document: &Arc<StoredDocument>| Arc::new(document.renumbered(lsn_of(document.lsn)));
        Self {
            lsn: lsn_of(self.lsn),
            write: self.write,
            millis: self.millis,
            before: self.before.as_ref().map(renumber),
            after: self.after.as_ref().map(renumber),
            expired: self.expired,
        }
    }
}

/// The changes of a partition by LSN.
#[derive(Debug, Clone)]
pub struct History {
    changes: VecDeque<Change>,
    /// Up to which LSN changes are not there any more, by range: partitions that merged had their own.
    floors: Vec<(EpkRange, u64)>,
    retention: Duration,
    previous_images: bool,
}

impl History {
    /// A history that begins after an LSN.
    pub fn begin(settings: AllVersions, range: EpkRange, lsn: u64) -> Self {
        Self {
            changes: VecDeque::new(),
            floors: vec![(range, lsn)],
            retention: settings.retention,
            previous_images: settings.previous_images,
        }
    }

    /// Changes the settings; what is there stays until it is too old.
    pub fn configure(&mut self, settings: AllVersions) {
        self.retention = settings.retention;
        self.previous_images = settings.previous_images;
    }

    /// Whether readers get the versions before changes.
    pub fn previous_images(&self) -> bool {
        self.previous_images
    }

    /// Adds a change; its LSN is not below any that is there.
    pub fn push(&mut self, change: Change) {
        self.changes.push_back(change);
    }

    /// Number of changes.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// When the oldest change becomes too old, in milliseconds since 1970.
    pub fn due(&self) -> Option<u64> {
        self.changes
            .front()
            .map(|change| change.millis.saturating_add(self.retention.as_millis() as u64))
    }

    /// Forgets what is older than the retention.
    pub fn trim(&mut self, now: u64) {
        while self.due().is_some_and(|due| due <= now) {
            let Some(change) = self.changes.pop_front() else {
                return;
            };
            for (range, floor) in &mut self.floors {
                if range.contains(change.epk()) {
                    *floor = change.lsn.max(*floor);
                }
            }
        }
    }

    /// Up to which LSN changes are not there any more, of those parts that `wanted` picks.
    pub fn floor(&self, wanted: impl Fn(&EpkRange) -> bool) -> u64 {
        self.floors
            .iter()
            .filter(|(part, _)| wanted(part))
            .map(|(_, floor)| *floor)
            .max()
            .unwrap_or(0)
    }

    /// Changes of a range after an LSN, oldest first.
    pub fn after<'a>(&'a self, lsn: u64, range: &'a EpkRange) -> impl Iterator<Item = &'a Change> {
        let from = self.changes.partition_point(|change| change.lsn <= lsn);
        self.changes.range(from..).filter(|change| range.contains(change.epk()))
    }

    /// All changes, oldest first.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter()
    }

    /// What each of the two parts of a partition has of it.
    pub fn split(self, low: &EpkRange, high: &EpkRange) -> [Self; 2] {
        let (below, above): (VecDeque<Change>, VecDeque<Change>) =
            self.changes.into_iter().partition(|change| low.contains(change.epk()));
        let part = |changes, range: &EpkRange| Self {
            changes,
            floors: self
                .floors
                .iter()
                .filter(|(part, _)| part.overlaps(range))
                .cloned()
                .collect(),
            retention: self.retention,
            previous_images: self.previous_images,
        };
        [part(below, low), part(above, high)]
    }

    /// One history of several; their LSNs go on.
    pub fn merge(parts: Vec<Self>) -> Option<Self> {
        let mut parts = parts.into_iter();
        let mut merged = parts.next()?;
        for mut part in parts {
            merged.changes.append(&mut part.changes);
            merged.floors.append(&mut part.floors);
        }
        merged
            .changes
            .make_contiguous()
            .sort_by_key(|change| (change.lsn, change.write));
        Some(merged)
    }

    /// The same history under other LSNs; positions from before are not judged by it any more.
    pub fn renumbered(self, changes: Vec<Change>) -> Self {
        let floors = self.floors.into_iter().map(|(range, _)| (range, 0)).collect();
        Self {
            changes: VecDeque::from(changes),
            floors,
            retention: self.retention,
            previous_images: self.previous_images,
        }
    }
}
