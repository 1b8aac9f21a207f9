// SPDX-License-Identifier: Apache-2.0

//! Effective partition keys: where a partition key value lies in the space that partitions divide.

use std::sync::Arc;

use azure_data_cosmos_driver::models::{
    FeedRange, PartitionKey, PartitionKeyDefinition, PartitionKeyValue, PartitionKeyVersion,
};

/// A point of the space, its bytes without trailing zeros.
///
/// The service takes a boundary with and without its padding for the same one; without it plain byte order
/// is the order of the space.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epk(Arc<[u8]>);

impl Epk {
    /// The lower end of the space, written as the empty string.
    pub fn min() -> Self {
        Self(Arc::from([]))
    }

    /// The upper end of the space (exclusive), written `FF`.
    pub fn max() -> Self {
        Self(Arc::from([0xFF]))
    }

    /// Reads an even number of hexadecimal digits.
    pub fn from_hex(hex: &str) -> Option<Self> {
        if !hex.len().is_multiple_of(2) || !hex.is_ascii() {
            return None;
        }
        let mut bytes = Vec::with_capacity(hex.len() / 2);
        for at in (0..hex.len()).step_by(2) {
            bytes.push(u8::from_str_radix(&hex[at..at + 2], 16).ok()?);
        }
        Some(Self::from_bytes(&bytes))
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        Self(Arc::from(&bytes[..end]))
    }

    /// The point as hexadecimal digits in upper case.
    pub fn to_hex(&self) -> String {
        use std::fmt::Write;
        let mut hex = String::with_capacity(self.0.len() * 2);
        for byte in self.0.iter() {
            write!(hex, "{byte:02X}").expect("a string takes every write");
        }
        hex
    }

    /// The first eight bytes as a number that orders like the point, for filters that need no pointer chase.
    pub fn prefix(&self) -> u64 {
        let mut prefix = [0u8; 8];
        let length = self.0.len().min(8);
        prefix[..length].copy_from_slice(&self.0[..length]);
        u64::from_be_bytes(prefix)
    }

    fn as_number(&self) -> u128 {
        let mut number = [0u8; 16];
        let length = self.0.len().min(16);
        number[..length].copy_from_slice(&self.0[..length]);
        u128::from_be_bytes(number)
    }

    fn from_number(number: u128) -> Self {
        Self::from_bytes(&number.to_be_bytes())
    }
}

/// A range of the space: from `min` (inclusive) to `max` (exclusive).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpkRange {
    /// Lower end, inclusive.
    pub min: Epk,
    /// Upper end, exclusive.
    pub max: Epk,
}

impl EpkRange {
    /// The whole space.
    pub fn full() -> Self {
        Self {
            min: Epk::min(),
            max: Epk::max(),
        }
    }

    /// Whether the point lies in the range.
    pub fn contains(&self, epk: &Epk) -> bool {
        *epk >= self.min && *epk < self.max
    }

    /// Whether the two have a point in common.
    pub fn overlaps(&self, other: &EpkRange) -> bool {
        self.min < other.max && other.min < self.max
    }

    /// Cuts the range into `count` parts of the same width.
    pub fn divide(&self, count: u32) -> Vec<EpkRange> {
        let count = count.max(1);
        let low = self.min.as_number();
        let width = (self.top() - low) / u128::from(count);
        let mut parts = Vec::with_capacity(count as usize);
        let mut min = self.min.clone();
        for part in 1..count {
            // One below the round number, as in the service: a boundary without trailing zeros is written
            // in one way only.
            let max = Epk::from_number(low + width * u128::from(part) - 1);
            parts.push(EpkRange { min, max: max.clone() });
            min = max;
        }
        parts.push(EpkRange {
            min,
            max: self.max.clone(),
        });
        parts
    }

    /// The point in the middle, or none when the range is too narrow to cut.
    pub fn middle(&self) -> Option<Epk> {
        let low = self.min.as_number();
        let middle = Epk::from_number(low + self.top().checked_sub(low)? / 2);
        (middle > self.min && middle < self.max).then_some(middle)
    }

    /// Hashes have their two top bits clear, so nothing lies above `3F…`.
    fn top(&self) -> u128 {
        self.max.as_number().min(0x40 << 120)
    }
}

/// Where the documents of a partition key lie: one point, or a range for the prefix of a hierarchical key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyScope {
    /// A complete key.
    Point(Epk),
    /// The first values of a hierarchical key.
    Prefix(EpkRange),
}

impl KeyScope {
    /// Computes it with the driver's own hashing; none for a number of values that no key can have.
    pub fn of(values: &[PartitionKeyValue], definition: &PartitionKeyDefinition) -> Option<Self> {
        if values.is_empty() || values.len() > definition.paths().len() {
            return None;
        }
        let key = PartitionKey::try_from(values.to_vec()).ok()?;
        let range = FeedRange::for_partition(key, definition);
        let point = |epk: &azure_data_cosmos_driver::models::EffectivePartitionKey| {
            Epk::from_hex(&epk.to_hex()).expect("the driver writes hexadecimal digits")
        };
        let (min, max) = (point(range.min_inclusive()), point(range.max_exclusive()));
        Some(if min == max {
            Self::Point(min)
        } else {
            Self::Prefix(EpkRange { min, max })
        })
    }

    /// Whether the point lies in the scope.
    pub fn contains(&self, epk: &Epk) -> bool {
        match self {
            Self::Point(point) => point == epk,
            Self::Prefix(range) => range.contains(epk),
        }
    }
}

/// Whether keys of the definition are spread evenly over the space, so that halves are cut by number.
pub fn evenly_spread(definition: &PartitionKeyDefinition) -> bool {
    definition.version() == PartitionKeyVersion::V2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_does_not_tell_boundaries_apart() {
        assert_eq!(Epk::from_hex("80"), Epk::from_hex("800000"));
        assert!(Epk::from_hex("80").unwrap() < Epk::from_hex("8001").unwrap());
        assert_eq!(Epk::from_hex("8"), None);
        assert_eq!(Epk::from_hex("8G"), None);
    }

    #[test]
    fn parts_cover_the_space_without_gap() {
        for count in [1, 2, 3, 4, 7, 16] {
            let parts = EpkRange::full().divide(count);
            assert_eq!(parts.len(), count as usize);
            assert_eq!(parts[0].min, Epk::min());
            assert_eq!(parts.last().unwrap().max, Epk::max());
            for pair in parts.windows(2) {
                assert_eq!(pair[0].max, pair[1].min);
            }
        }
    }

    #[test]
    fn a_known_key_hashes_as_in_the_service() {
        let definition = PartitionKeyDefinition::new(vec!["/pk".into()]);
        let scope = KeyScope::of(&[PartitionKeyValue::from("customer42".to_owned())], &definition);
        assert_eq!(
            scope,
            Epk::from_hex("19819C94CE42A1654CCC8110539D9589").map(KeyScope::Point)
        );
    }
}
