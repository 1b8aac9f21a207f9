// SPDX-License-Identifier: Apache-2.0

//! Which documents of a partition have lived their time.

use std::collections::BTreeSet;

use super::document::{DocumentKey, StoredDocument};
use super::settings::TimeToLive;

/// Documents by the second they expire in.
#[derive(Debug, Clone)]
pub struct Expiry {
    time_to_live: TimeToLive,
    queue: BTreeSet<(u64, DocumentKey)>,
}

impl Expiry {
    /// A queue of documents under a container's setting; none when nothing expires.
    pub fn of<'a>(time_to_live: TimeToLive, documents: impl Iterator<Item = &'a StoredDocument>) -> Option<Self> {
        if time_to_live == TimeToLive::Off {
            return None;
        }
        let mut expiry = Self {
            time_to_live,
            queue: BTreeSet::new(),
        };
        for document in documents {
            expiry.add(document);
        }
        Some(expiry)
    }

    /// The container's setting.
    pub fn time_to_live(&self) -> TimeToLive {
        self.time_to_live
    }

    /// Adds a version.
    pub fn add(&mut self, document: &StoredDocument) {
        if let Some(second) = self.second(document) {
            self.queue.insert((second, document.key.clone()));
        }
    }

    /// Takes a version out.
    pub fn remove(&mut self, document: &StoredDocument) {
        if let Some(second) = self.second(document) {
            self.queue.remove(&(second, document.key.clone()));
        }
    }

    fn second(&self, document: &StoredDocument) -> Option<u64> {
        self.time_to_live
            .of_document(document.time_to_live)
            .map(|seconds| u64::from(document.stamp.seconds) + u64::from(seconds))
    }

    /// When the first document expires, in milliseconds since 1970: once its second is over.
    pub fn due(&self) -> Option<u64> {
        self.queue.first().map(|(second, _)| (second + 1) * 1000)
    }

    /// The first document, when it has expired.
    pub fn expired(&self, now: u64) -> Option<DocumentKey> {
        self.due()
            .filter(|due| *due <= now)
            .and_then(|_| self.queue.first().map(|(_, key)| key.clone()))
    }
}
