// SPDX-License-Identifier: Apache-2.0

//! The change feed of latest versions: each document once, under the LSN of its last write.

use std::cmp::Ordering;
use std::sync::Arc;

use super::document::StoredDocument;
use super::epk::{Epk, EpkRange};

/// Places of the feed that hold no document any more are swept once they are this many and the majority.
const SWEEP_AT: usize = 1024;

/// A place in the feed: the write that has it, and the document unless a later write took it away.
#[derive(Debug, Clone)]
struct Place {
    lsn: u64,
    epk_prefix: u64,
    seconds: u32,
    document: Option<Arc<StoredDocument>>,
}

/// Places in the order of LSNs.
#[derive(Debug, Clone, Default)]
pub struct LatestFeed {
    places: Vec<Place>,
    gaps: usize,
}

impl LatestFeed {
    /// Adds a version; its LSN is not below any that is there.
    pub fn append(&mut self, document: Arc<StoredDocument>) {
        self.places.push(Place {
            lsn: document.lsn,
            epk_prefix: document.key.epk.prefix(),
            seconds: document.stamp.seconds,
            document: Some(document),
        });
    }

    /// Takes a version away.
    pub fn leave(&mut self, old: &Arc<StoredDocument>) {
        let first = self.places.partition_point(|place| place.lsn < old.lsn);
        let place = self.places[first..].iter_mut().find(|place| {
            place
                .document
                .as_ref()
                .is_some_and(|document| Arc::ptr_eq(document, old))
        });
        if let Some(place) = place {
            place.document = None;
            self.gaps += 1;
        }
        if self.gaps >= SWEEP_AT && self.gaps * 2 > self.places.len() {
            self.sweep();
        }
    }

    fn sweep(&mut self) {
        self.places.retain(|place| place.document.is_some());
        self.gaps = 0;
    }

    /// Number of places, those without a document as well.
    #[cfg(test)]
    pub fn places(&self) -> usize {
        self.places.len()
    }

    /// Where the feed goes on after an LSN.
    pub fn place_after(&self, lsn: u64) -> usize {
        self.places.partition_point(|place| place.lsn <= lsn)
    }

    /// The first place whose write is not older than a second.
    ///
    /// Seconds rise with LSNs except in a merged partition, so this looks at every place.
    pub fn place_at(&self, seconds: u64) -> usize {
        self.places
            .iter()
            .position(|place| u64::from(place.seconds) >= seconds)
            .unwrap_or(self.places.len())
    }

    /// Documents from a place on that lie in a range, oldest first.
    pub fn go_on_from<'a>(
        &'a self,
        place: usize,
        range: &'a EpkRange,
    ) -> impl Iterator<Item = &'a Arc<StoredDocument>> {
        let low = range.min.prefix();
        let high = range.max.prefix();
        self.places[place..]
            .iter()
            .filter(move |place| place.epk_prefix >= low && place.epk_prefix <= high)
            .filter_map(|place| place.document.as_ref())
            .filter(|document| range.contains(&document.key.epk))
    }

    /// What lies below a point, and what does not.
    pub fn split(self, middle: &Epk) -> [Self; 2] {
        let prefix = middle.prefix();
        let (low, high): (Vec<Place>, Vec<Place>) =
            self.places
                .into_iter()
                .partition(|place| match (place.epk_prefix.cmp(&prefix), &place.document) {
                    (Ordering::Equal, Some(document)) => document.key.epk < *middle,
                    (order, _) => order.is_lt(),
                });
        [low, high].map(|places| {
            let mut feed = Self { places, gaps: 0 };
            feed.sweep();
            feed
        })
    }

    /// One feed of several.
    pub fn merge(parts: Vec<Self>) -> Self {
        let mut places: Vec<Place> = parts.into_iter().flat_map(|part| part.places).collect();
        places.sort_by_key(|place| place.lsn);
        let mut feed = Self { places, gaps: 0 };
        feed.sweep();
        feed
    }
}
