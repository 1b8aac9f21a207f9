// SPDX-License-Identifier: Apache-2.0

//! Positions from before a merge that numbered LSNs anew.
//!
//! The ETags that such a partition gives out name its generation. Who comes with one without, or with an older one, gets
//! what its reader has not had, exactly: each entry is looked up under the number that it had then. Numbers of before and
//! after do not rise together once partitions were merged whose LSNs went on, so no single new number says the same.

use std::sync::Arc;

use super::epk::{Epk, EpkRange};

/// An LSN of some generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// How many renumberings the container had seen when it was given out, as far as they concerned the partition.
    pub generation: u64,
    /// LSN of the last change before it.
    pub lsn: u64,
}

/// How far a reader has come in the feed of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// It has had what is at or before any of these: more than one while it makes up for what moved before its place.
    places: Vec<Place>,
}

impl Position {
    /// Behind an LSN.
    pub fn at(place: Place) -> Self {
        Self { places: vec![place] }
    }

    /// Reads an ETag.
    pub fn of_etag(etag: &str) -> Option<Self> {
        let places = etag.trim_matches('"').split('~').map(|text| {
            let (generation, lsn) = text.split_once('.').unwrap_or(("0", text));
            Some(Place {
                generation: generation.parse().ok()?,
                lsn: lsn.parse().ok()?,
            })
        });
        Some(Self {
            places: places.collect::<Option<_>>()?,
        })
    }

    /// Writes it as an ETag, with quotes.
    pub fn to_etag(&self) -> String {
        let places = self.places.iter().map(|place| match place.generation {
            0 => place.lsn.to_string(),
            generation => format!("{generation}.{}", place.lsn),
        });
        format!("\"{}\"", places.collect::<Vec<_>>().join("~"))
    }
}

/// How one parent's LSNs were numbered anew.
#[derive(Debug, Clone)]
pub struct Renumbering {
    /// The generation that began with it.
    pub generation: u64,
    /// What the parent covered.
    pub range: EpkRange,
    /// The new LSNs in order, each with its old one.
    pub pairs: Arc<[(u64, u64)]>,
    /// The last of the new LSNs, when it was made.
    pub last: u64,
    /// Up to which old LSN the parent did not retain all versions any more.
    pub floor: u64,
}

impl Renumbering {
    /// What the entry with a new LSN had before; none when it was written since.
    fn before(&self, lsn: u64) -> Option<u64> {
        let at = self.pairs.binary_search_by_key(&lsn, |(new, _)| *new).ok()?;
        Some(self.pairs[at].1)
    }

    /// The highest new LSN that has all that lies behind an old one behind it.
    fn all_behind(&self, lsn: u64) -> u64 {
        let behind = self.pairs.iter().filter(|(_, old)| *old > lsn);
        behind.map(|(new, _)| new - 1).min().unwrap_or(self.last)
    }
}

/// The renumberings that a partition and its ancestors went through.
#[derive(Debug, Clone, Default)]
pub struct Lineage {
    generation: u64,
    /// In the order of their generations.
    renumberings: Vec<Renumbering>,
}

impl Lineage {
    /// The generation of the partition's own LSNs.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What a read that comes with a position has still to get; `wanted` picks the parts that it is about.
    pub fn behind(&self, position: Position, wanted: impl Fn(&EpkRange) -> bool) -> Behind<'_> {
        let oldest = position.places.iter().map(|place| place.generation).min().unwrap_or(0);
        let since: Vec<&Renumbering> = self
            .renumberings
            .iter()
            .filter(|renumbering| renumbering.generation > oldest && wanted(&renumbering.range))
            .collect();
        Behind {
            position,
            generation: self.generation,
            since,
        }
    }

    /// The lineage of a merged partition.
    pub fn merge(parts: Vec<Self>) -> Self {
        let generation = parts.iter().map(|part| part.generation).max().unwrap_or(0);
        let mut renumberings: Vec<Renumbering> = parts.into_iter().flat_map(|part| part.renumberings).collect();
        // What was one partition before it was split comes with each part.
        renumberings.sort_by(|a, b| (a.generation, &a.range.min).cmp(&(b.generation, &b.range.min)));
        renumberings.dedup_by(|a, b| a.generation == b.generation && a.range == b.range);
        Self {
            generation,
            renumberings,
        }
    }

    /// Adds the renumberings of one merge.
    pub fn renumber(&mut self, generation: u64, renumberings: Vec<Renumbering>) {
        self.generation = generation;
        self.renumberings.extend(renumberings);
    }
}

/// What lies behind a position.
pub struct Behind<'a> {
    position: Position,
    generation: u64,
    /// The renumberings that matter to it, in the order of their generations.
    since: Vec<&'a Renumbering>,
}

impl Behind<'_> {
    fn is_renumbered(&self, place: &Place) -> bool {
        self.since
            .iter()
            .any(|renumbering| renumbering.generation > place.generation)
    }

    /// An LSN that all of it lies behind.
    pub fn lowest(&self) -> u64 {
        let places = self.position.places.iter().filter(|place| !self.is_renumbered(place));
        places.map(|place| place.lsn).max().unwrap_or(0)
    }

    /// Whether it has the entry with an LSN at a point.
    pub fn has(&self, lsn: u64, point: &Epk) -> bool {
        !self.position.places.iter().any(|place| self.had(place, lsn, point))
    }

    fn had(&self, place: &Place, mut lsn: u64, point: &Epk) -> bool {
        for renumbering in self.since.iter().rev() {
            if renumbering.generation > place.generation && renumbering.range.contains(point) {
                match renumbering.before(lsn) {
                    Some(before) => lsn = before,
                    None => return false,
                }
            }
        }
        lsn <= place.lsn
    }

    /// Whether some of it is not retained any more; `floor` is the last LSN of that kind now.
    pub fn is_expired(&self, floor: u64) -> bool {
        self.position
            .places
            .iter()
            .all(|place| self.expired_since(place, floor))
    }

    fn expired_since(&self, place: &Place, floor: u64) -> bool {
        let mut lsn = place.lsn;
        for together in self.since.chunk_by(|a, b| a.generation == b.generation) {
            if together[0].generation > place.generation {
                if together.iter().any(|renumbering| lsn < renumbering.floor) {
                    return true;
                }
                let all_behind = together.iter().map(|renumbering| renumbering.all_behind(lsn));
                lsn = all_behind.min().unwrap_or(lsn);
            }
        }
        lsn < floor
    }

    /// The position behind a part of it that ends with an LSN.
    pub fn after(self, lsn: u64) -> Position {
        let mut places = vec![Place {
            generation: self.generation,
            lsn,
        }];
        // Behind all that was numbered anew, what was had before is history.
        let last = self.since.iter().map(|renumbering| renumbering.last).max().unwrap_or(0);
        let still = |place: &&Place| self.is_renumbered(place) && lsn < last.max(place.lsn);
        places.extend(self.position.places.iter().filter(still));
        Position { places }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(min: &str, max: &str) -> EpkRange {
        EpkRange {
            min: Epk::from_hex(min).unwrap(),
            max: Epk::from_hex(max).unwrap(),
        }
    }

    fn old(lsn: u64) -> Position {
        Position::at(Place { generation: 0, lsn })
    }

    #[test]
    fn etags_are_read_as_written() {
        for etag in ["\"7\"", "\"3.0\"", "\"3.5~2.9~7\""] {
            assert_eq!(Position::of_etag(etag).unwrap().to_etag(), etag);
        }
        assert_eq!(Position::of_etag("12"), Position::of_etag("\"12\""));
        for wrong in ["\"x\"", "", "*", "1.2.3", "-1", "1~"] {
            assert_eq!(Position::of_etag(wrong), None, "{wrong}");
        }
    }

    /// Two parents, of which one has the later writes under the lower numbers.
    fn lineage() -> (Lineage, EpkRange, EpkRange) {
        let (low, high) = (range("", "10"), range("10", "FF"));
        let renumbering = |range: &EpkRange, pairs: &[(u64, u64)]| Renumbering {
            generation: 1,
            range: range.clone(),
            pairs: Arc::from(pairs),
            last: 5,
            floor: 15,
        };
        let mut lineage = Lineage::default();
        lineage.renumber(
            1,
            vec![
                renumbering(&low, &[(1, 20), (4, 10)]),
                renumbering(&high, &[(2, 100), (3, 200), (5, 300)]),
            ],
        );
        (lineage, low, high)
    }

    #[test]
    fn an_old_position_has_had_what_it_had() {
        let (lineage, low, _) = lineage();
        let behind = lineage.behind(old(150), |_| true);
        let has = |lsn, point: &str| behind.has(lsn, &Epk::from_hex(point).unwrap());
        assert!(!has(1, "08") && !has(4, "08"), "all of the low part");
        assert!(!has(2, "20") && has(3, "20") && has(5, "20"));
        assert!(has(6, "08") && has(6, "20"), "written since");
        assert_eq!(behind.lowest(), 0);
        let new = lineage.behind(Position::at(Place { generation: 1, lsn: 4 }), |_| true);
        assert_eq!(new.lowest(), 4);
        assert!(new.has(5, &low.min) && !new.has(4, &low.min));
    }

    #[test]
    fn a_page_in_the_middle_keeps_what_was_had() {
        let (lineage, _, _) = lineage();
        let next = lineage.behind(old(250), |_| true).after(1);
        assert_eq!(next.to_etag(), "\"1.1~250\"");
        let behind = lineage.behind(next, |_| true);
        let has = |lsn, point: &str| behind.has(lsn, &Epk::from_hex(point).unwrap());
        assert_eq!(behind.lowest(), 1);
        assert!(!has(3, "20") && has(5, "20"));
        assert_eq!(behind.after(300).to_etag(), "\"1.300\"");
    }

    #[test]
    fn a_position_from_before_the_retention_has_expired() {
        let (lineage, low, _) = lineage();
        let of_low = |lsn| lineage.behind(old(lsn), |part| part.overlaps(&low));
        assert!(of_low(14).is_expired(0));
        assert!(!of_low(15).is_expired(0));
        assert!(of_low(20).is_expired(6) && !of_low(20).is_expired(5));
    }

    #[test]
    fn what_was_one_partition_is_numbered_anew_once() {
        let (lineage, _, _) = lineage();
        let merged = Lineage::merge(vec![lineage.clone(), lineage]);
        assert_eq!(merged.renumberings.len(), 2);
    }
}
