// SPDX-License-Identifier: Apache-2.0
//! The parts of the key space that splits and partitions cover.

/// Bounds in hexadecimal digits, as the service writes them: the first belongs to it, the last does not.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Range {
    pub min: String,
    pub max: String,
}

impl Range {
    /// A split is named by its range and its generation: `00-1F@3`.
    pub fn of_split(name: &str) -> Option<Self> {
        let (range, _) = name.split_once('@')?;
        let (min, max) = range.split_once('-')?;
        Some(Self {
            min: min.to_owned(),
            max: max.to_owned(),
        })
    }

    /// Whether all of another one lies in it. Digits of bounds compare like the bounds.
    pub fn contains(&self, other: &Self) -> bool {
        self.min <= other.min && other.max <= self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_from_the_name_of_its_split() {
        let all = Range::of_split("-FF@0").unwrap();
        let part = Range::of_split("1F-2A@13").unwrap();
        assert_eq!((part.min.as_str(), part.max.as_str()), ("1F", "2A"));
        assert!(all.contains(&part) && part.contains(&part) && !part.contains(&all));
        assert!(!Range::of_split("20-3A@0").unwrap().contains(&part));
        assert_eq!(Range::of_split("0"), None);
    }
}
