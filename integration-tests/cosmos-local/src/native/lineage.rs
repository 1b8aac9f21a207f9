// SPDX-License-Identifier: Apache-2.0

//! Positions from before a merge that numbered LSNs anew.
//!
//! The ETags that such a partition gives out name its generation; one without, or with an older one, is translated, so
//! that whoever read a parent goes on without a loss, if not without repeats.

use std::sync::Arc;

use super::epk::EpkRange;

/// A place in the feed of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// How many renumberings the container had seen when it was given out, as far as they concerned the partition.
    pub generation: u64,
    /// LSN of the last change before it.
    pub lsn: u64,
}

impl Position {
    /// Reads an ETag.
    pub fn of_etag(etag: &str) -> Option<Self> {
        let text = etag.trim_matches('"');
        let (generation, lsn) = text.split_once('.').unwrap_or(("0", text));
        Some(Self {
            generation: generation.parse().ok()?,
            lsn: lsn.parse().ok()?,
        })
    }

    /// Writes it as an ETag, with quotes.
    pub fn to_etag(self) -> String {
        if self.generation == 0 {
            format!("\"{}\"", self.lsn)
        } else {
            format!("\"{}.{}\"", self.generation, self.lsn)
        }
    }
}

/// How one parent's LSNs were numbered anew.
#[derive(Debug, Clone)]
pub struct Renumbering {
    /// The generation that began with it.
    pub generation: u64,
    /// What the parent covered.
    pub range: EpkRange,
    /// Old LSNs in order, each with its new one, which rise as well.
    pub pairs: Arc<[(u64, u64)]>,
    /// The last of the new LSNs, when it was made.
    pub last: u64,
    /// Up to which old LSN the parent did not retain all versions any more.
    pub floor: u64,
}

/// Where a read goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Continuation {
    /// LSN of the last change before it, in the partition's own numbers.
    pub lsn: u64,
    /// Whether all versions after it were not retained when LSNs were numbered anew.
    pub expired: bool,
}

impl Renumbering {
    /// Where the new numbers go on after an old one.
    pub fn translate(&self, lsn: u64) -> u64 {
        let next = self.pairs.partition_point(|(old, _)| *old <= lsn);
        self.pairs.get(next).map_or(self.last, |(_, new)| new - 1)
    }
}

/// The renumberings that a partition and its ancestors went through.
#[derive(Debug, Clone, Default)]
pub struct Lineage {
    generation: u64,
    renumberings: Vec<Renumbering>,
}

impl Lineage {
    /// The generation of the partition's own LSNs.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Where a read goes on that comes with a position; `wanted` picks the parts that it is about.
    pub fn translate(&self, position: Position, wanted: impl Fn(&EpkRange) -> bool) -> Continuation {
        let mut lsn = position.lsn;
        let mut expired = false;
        let mut at = 0;
        while let Some(first) = self.renumberings.get(at) {
            let generation = first.generation;
            let together = self.renumberings[at..].partition_point(|next| next.generation == generation);
            if generation > position.generation {
                let wanted = self.renumberings[at..at + together]
                    .iter()
                    .filter(|renumbering| wanted(&renumbering.range));
                expired |= wanted.clone().any(|renumbering| lsn < renumbering.floor);
                lsn = wanted
                    .map(|renumbering| renumbering.translate(lsn))
                    .min()
                    .unwrap_or(lsn);
            }
            at += together;
        }
        Continuation { lsn, expired }
    }

    /// The lineage of a merged partition.
    pub fn merge(parts: Vec<Self>) -> Self {
        let generation = parts.iter().map(|part| part.generation).max().unwrap_or(0);
        let mut renumberings: Vec<Renumbering> = parts.into_iter().flat_map(|part| part.renumberings).collect();
        renumberings.sort_by_key(|renumbering| renumbering.generation);
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

#[cfg(test)]
mod tests {
    use super::super::epk::Epk;
    use super::*;

    fn range(min: &str, max: &str) -> EpkRange {
        EpkRange {
            min: Epk::from_hex(min).unwrap(),
            max: Epk::from_hex(max).unwrap(),
        }
    }

    #[test]
    fn etags_are_read_as_written() {
        for position in [(0, 7), (3, 0)].map(|(generation, lsn)| Position { generation, lsn }) {
            assert_eq!(Position::of_etag(&position.to_etag()), Some(position));
        }
        assert_eq!(Position::of_etag("12"), Position::of_etag("\"12\""));
        for wrong in ["\"x\"", "", "*", "1.2.3", "-1"] {
            assert_eq!(Position::of_etag(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_old_position_is_translated_for_what_it_covers() {
        let (low, high) = (range("", "10"), range("10", "FF"));
        let mut lineage = Lineage::default();
        let renumbering = |range: &EpkRange, pairs: &[(u64, u64)]| Renumbering {
            generation: 1,
            range: range.clone(),
            pairs: Arc::from(pairs),
            last: 5,
            floor: 15,
        };
        lineage.renumber(
            1,
            vec![
                renumbering(&low, &[(10, 1), (20, 4)]),
                renumbering(&high, &[(100, 2), (200, 3), (300, 5)]),
            ],
        );
        let old = |lsn| Position { generation: 0, lsn };
        let of = |position, wanted: &EpkRange| lineage.translate(position, |part| part.overlaps(wanted));
        let gone = |lsn| Continuation { lsn, expired: true };
        let there = |lsn| Continuation { lsn, expired: false };
        assert_eq!(of(old(0), &low), gone(0));
        assert_eq!(of(old(10), &low), gone(3));
        assert_eq!(of(old(20), &low), there(5));
        assert_eq!(of(old(150), &high), there(2));
        // A position for both is where the first change of either comes.
        assert_eq!(of(old(150), &EpkRange::full()), there(2));
        let new = Position { generation: 1, lsn: 4 };
        assert_eq!(of(new, &low), there(4));
    }
}
