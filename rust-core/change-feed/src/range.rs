// SPDX-License-Identifier: Apache-2.0
//! Ranges of effective partition keys: order, coverage of the key space, and what is left of a range after a split.
//! Pure; bounds are the hex text that the service uses (`""` lowest, `"FF"` above all).

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fmt;

use crate::error::{Code, Error, Result};

/// `[min, max)` in hex, upper case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EpkRange {
    min: String,
    max: String,
}

/// A physical partition as the service lists it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhysicalRange {
    /// The partition-key-range id, which every answer of the partition carries.
    pub id: String,
    pub range: EpkRange,
    /// Ids of the partitions that it came from, oldest first.
    pub parents: Vec<String>,
}

impl EpkRange {
    /// A range that is not empty, of two even-length hex texts.
    pub fn new(min: &str, max: &str) -> Result<Self> {
        let is_hex = |text: &str| text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit());
        let range = Self {
            min: min.to_ascii_uppercase(),
            max: max.to_ascii_uppercase(),
        };
        if !is_hex(min) || !is_hex(max) || compare(&range.min, &range.max) != Ordering::Less {
            return Err(Error::new(
                Code::PageMalformed,
                format!("not a range of effective partition keys: [{min},{max})"),
            ));
        }
        Ok(range)
    }

    pub fn min(&self) -> &str {
        &self.min
    }

    pub fn max(&self) -> &str {
        &self.max
    }

    /// Whether all of `other` is in this range.
    pub fn contains(&self, other: &EpkRange) -> bool {
        compare(&self.min, &other.min) != Ordering::Greater && compare(&other.max, &self.max) != Ordering::Greater
    }

    /// Whether both name the same keys, however their bounds are padded.
    pub fn is_same(&self, other: &EpkRange) -> bool {
        self.contains(other) && other.contains(self)
    }

    fn intersection(&self, other: &EpkRange) -> Option<EpkRange> {
        let min = if compare(&self.min, &other.min) == Ordering::Less {
            &other.min
        } else {
            &self.min
        };
        let max = if compare(&self.max, &other.max) == Ordering::Greater {
            &other.max
        } else {
            &self.max
        };
        (compare(min, max) == Ordering::Less).then(|| EpkRange {
            min: min.clone(),
            max: max.clone(),
        })
    }
}

impl fmt::Display for EpkRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{},{})", self.min, self.max)
    }
}

/// Order of bounds. The service pads with zero bytes at will, so trailing ones do not count.
fn compare(a: &str, b: &str) -> Ordering {
    fn canonical(mut text: &str) -> &str {
        while let Some(rest) = text.strip_suffix("00") {
            text = rest;
        }
        text
    }
    canonical(a).cmp(canonical(b))
}

/// Cuts `range` at the borders of the physical partitions it lies in; in key order. One part: nothing to cut.
///
/// # Errors
/// When the partitions leave a hole in the range: the list is not a topology.
pub fn cut_at_partitions(range: &EpkRange, partitions: &[PhysicalRange]) -> Result<Vec<EpkRange>> {
    let mut parts: Vec<EpkRange> = partitions
        .iter()
        .filter_map(|partition| range.intersection(&partition.range))
        .collect();
    parts.sort_by(|a, b| compare(&a.min, &b.min));
    check_coverage(range, parts.iter())?;
    Ok(parts)
}

/// Cuts ranges into `at_least` parts or more, where they are wide enough; for each of them its parts, in key order. As even
/// as can be: the widest part is cut first. Any cut is a right one; that it is an even one holds where keys are hashed over
/// the key space, as in version 2 and hierarchical partition keys.
pub fn cut_evenly(ranges: &[&EpkRange], at_least: usize) -> Vec<Vec<EpkRange>> {
    let bounds: Vec<(u128, u128)> = ranges
        .iter()
        .map(|range| (number(&range.min), number(&range.max)))
        .collect();
    // By the width of their parts, the widest on top; then by place, so that equal ones are cut in key order.
    let mut widest: BinaryHeap<(u128, Reverse<usize>, usize)> = bounds
        .iter()
        .enumerate()
        .map(|(place, (min, max))| (max.saturating_sub(*min), Reverse(place), 1))
        .collect();
    let mut parts = vec![1usize; ranges.len()];
    for _ in ranges.len()..at_least {
        let Some(mut top) = widest.peek_mut() else { break };
        // Parts stay wider than the rounding of their bounds.
        if top.0 < 4 {
            break;
        }
        let place = top.1.0;
        parts[place] += 1;
        top.2 += 1;
        top.0 = (bounds[place].1 - bounds[place].0) / top.2 as u128;
    }
    let ranges = ranges.iter().zip(bounds).zip(parts);
    ranges
        .map(|((range, (min, max)), parts)| {
            let step = (max - min.min(max)) / parts as u128;
            let cuts = (1..parts).map(|part| format!("{:032X}", min + step * part as u128));
            let mins = std::iter::once(range.min.clone()).chain(cuts.clone());
            let maxs = cuts.chain(std::iter::once(range.max.clone()));
            mins.zip(maxs).map(|(min, max)| EpkRange { min, max }).collect()
        })
        .collect()
}

/// The first 16 bytes of a bound as a number. A hash has its two highest bits clear, so nothing lies between the highest and
/// the `FF` that ends the key space.
fn number(bound: &str) -> u128 {
    let digits: String = bound.chars().chain(std::iter::repeat('0')).take(32).collect();
    let number = u128::from_str_radix(&digits, 16).expect("a bound is hex");
    number.min(1 << 126)
}

/// Whether sorted or unsorted `parts` cover `whole` exactly: no hole, no overlap.
pub fn check_coverage<'a>(whole: &EpkRange, parts: impl Iterator<Item = &'a EpkRange>) -> Result<()> {
    let mut parts: Vec<&EpkRange> = parts.collect();
    parts.sort_by(|a, b| compare(&a.min, &b.min));
    let mut reached = whole.min.as_str();
    for part in parts {
        match compare(&part.min, reached) {
            Ordering::Greater => return Err(hole(reached, &part.min)),
            Ordering::Less => {
                return Err(Error::new(
                    Code::RangeCoverage,
                    format!("feed range {part} overlaps one that ends at {reached}"),
                ));
            }
            Ordering::Equal => reached = &part.max,
        }
    }
    if compare(reached, &whole.max) != Ordering::Equal {
        return Err(hole(reached, &whole.max));
    }
    Ok(())
}

fn hole(from: &str, to: &str) -> Error {
    Error::new(
        Code::RangeCoverage,
        format!("no feed range covers [{from},{to}): its changes would be lost"),
    )
}

/// The whole key space.
pub fn key_space() -> EpkRange {
    EpkRange {
        min: String::new(),
        max: "FF".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(min: &str, max: &str) -> EpkRange {
        EpkRange::new(min, max).unwrap()
    }

    fn partition(id: &str, min: &str, max: &str) -> PhysicalRange {
        PhysicalRange {
            id: id.to_owned(),
            range: range(min, max),
            parents: vec![],
        }
    }

    #[test]
    fn padding_does_not_matter() {
        assert!(range("", "7F0000").is_same(&range("00", "7F")));
    }

    #[test]
    fn a_hole_and_an_overlap_are_errors() {
        let covered = [range("", "10"), range("10", "FF")];
        assert!(check_coverage(&key_space(), covered.iter()).is_ok());
        for bad in [
            vec![range("", "10"), range("11", "FF")],
            vec![range("", "20"), range("10", "FF")],
            vec![range("", "10")],
            vec![range("10", "FF")],
            vec![range("", "10"), range("", "10"), range("10", "FF")],
            vec![],
        ] {
            let error = check_coverage(&key_space(), bad.iter()).unwrap_err();
            assert_eq!(error.code, Code::RangeCoverage, "{bad:?}");
        }
    }

    #[test]
    fn a_range_in_one_partition_stays_whole() {
        let parts = cut_at_partitions(&range("10", "20"), &[partition("0", "", "FF")]).unwrap();
        assert_eq!(parts, [range("10", "20")]);
    }

    #[test]
    fn a_topology_with_a_hole_is_refused() {
        let partitions = [partition("1", "", "15"), partition("2", "18", "FF")];
        assert!(cut_at_partitions(&range("10", "20"), &partitions).is_err());
    }

    #[test]
    fn even_cuts_are_as_even_as_hashes_are() {
        let whole = key_space();
        let parts = cut_evenly(&[&whole], 4).remove(0);
        let shown: Vec<String> = parts.iter().map(ToString::to_string).collect();
        let zeros = "0".repeat(30);
        assert_eq!(
            shown,
            [
                format!("[,10{zeros})"),
                format!("[10{zeros},20{zeros})"),
                format!("[20{zeros},30{zeros})"),
                format!("[30{zeros},FF)"),
            ]
        );
    }

    #[test]
    fn the_widest_range_is_cut_first() {
        let (narrow, wide) = (range("", "10"), range("10", "FF"));
        let count = |at_least| -> Vec<usize> { cut_evenly(&[&narrow, &wide], at_least).iter().map(Vec::len).collect() };
        assert_eq!(count(1), [1, 1]);
        assert_eq!(count(2), [1, 1]);
        assert_eq!(count(3), [1, 2]);
        assert_eq!(count(4), [1, 3]);
        assert_eq!(count(8), [2, 6]);
        assert_eq!(cut_evenly(&[], 5), Vec::<Vec<EpkRange>>::new());
    }

    #[test]
    fn a_range_that_is_too_narrow_stays_whole() {
        let narrow = range(&"1".repeat(32), &format!("{}2", "1".repeat(31)));
        assert_eq!(cut_evenly(&[&narrow], 100), [vec![narrow.clone()]]);
        let hierarchical = range(&"1".repeat(64), &format!("{}2", "1".repeat(63)));
        assert_eq!(cut_evenly(&[&hierarchical], 100), [vec![hierarchical.clone()]]);
        let above_all_hashes = range("5000", "FF");
        assert_eq!(cut_evenly(&[&above_all_hashes], 3), [vec![above_all_hashes.clone()]]);
    }

    proptest! {
        #[test]
        fn even_parts_cover_each_range_exactly(
            a in "[0-9A-F]{2,64}", b in "[0-9A-F]{2,64}", c in "[0-3][0-9A-F]{1,31}", at_least in 0usize..500
        ) {
            let even = |text: &str| text[..text.len() / 2 * 2].to_owned();
            let mut cuts = [even(&a), even(&b), even(&c)];
            cuts.sort_by(|a, b| compare(a, b));
            let bounds = ["", &cuts[0], &cuts[1], &cuts[2], "FF"];
            let ranges: Vec<EpkRange> = bounds.windows(2).filter_map(|pair| EpkRange::new(pair[0], pair[1]).ok()).collect();
            let parts = cut_evenly(&ranges.iter().collect::<Vec<_>>(), at_least);
            prop_assert_eq!(parts.len(), ranges.len());
            for (range, parts) in ranges.iter().zip(&parts) {
                prop_assert!(check_coverage(range, parts.iter()).is_ok(), "{} {:?}", range, parts);
                for part in parts {
                    prop_assert!(EpkRange::new(part.min(), part.max()).is_ok(), "{}", part);
                }
            }
            let hashed = ranges.iter().map(|range| number(&range.max).saturating_sub(number(&range.min))).max().unwrap_or(0);
            if hashed > 1 << 100 {
                prop_assert!(parts.iter().map(Vec::len).sum::<usize>() >= at_least);
            }
        }

        #[test]
        fn parts_cover_the_range_exactly(
            mut cuts in proptest::collection::btree_set(1u8..0xFE, 0..12),
            (a, b) in (0u8..0xFD).prop_flat_map(|a| (Just(a), a + 1..0xFE))
        ) {
            let min = if a == 0 { String::new() } else { format!("{a:02X}") };
            let whole = range(&min, &format!("{b:02X}"));
            cuts.insert(0xFE);
            let mut low = String::new();
            let mut partitions = vec![];
            for (i, cut) in cuts.iter().enumerate() {
                let high = format!("{cut:02X}");
                partitions.push(partition(&i.to_string(), &low, &high));
                low = high;
            }
            partitions.push(partition("last", &low, "FF"));
            let parts = cut_at_partitions(&whole, &partitions).unwrap();
            prop_assert!(check_coverage(&whole, parts.iter()).is_ok());
            for part in &parts {
                prop_assert!(partitions.iter().any(|p| p.range.contains(part)));
            }
        }
    }
}
