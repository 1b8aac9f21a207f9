// SPDX-License-Identifier: Apache-2.0
//! "Framed splits" of docs/native-interface.md: how a list of splits crosses between Java and Rust.

use crate::error::{Code, Error, Result};

/// A split as Java keeps it: an id, a range for people, and position bytes that only this crate reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitSnapshot {
    pub split_id: String,
    /// `[minInclusive,maxExclusive)` in hex.
    pub feed_range: String,
    /// A [`crate::position::Position`] in its encoded form; empty where only the id matters.
    pub position: Vec<u8>,
}

/// Frames splits. Fails never: lengths over 4 GiB cannot occur.
pub fn encode_splits(splits: &[SplitSnapshot]) -> Vec<u8> {
    let mut out = Vec::with_capacity(
        4 + splits
            .iter()
            .map(|s| 12 + s.split_id.len() + s.feed_range.len() + s.position.len())
            .sum::<usize>(),
    );
    put_len(&mut out, splits.len());
    for split in splits {
        for field in [split.split_id.as_bytes(), split.feed_range.as_bytes(), &split.position] {
            put_len(&mut out, field.len());
            out.extend_from_slice(field);
        }
    }
    out
}

/// Reads framed splits; refuses truncation, bytes left over and text that is not UTF-8.
pub fn decode_splits(bytes: &[u8]) -> Result<Vec<SplitSnapshot>> {
    let mut reader = FieldReader { rest: bytes };
    let count = reader.length()?;
    let mut splits = Vec::new();
    for _ in 0..count {
        splits.push(SplitSnapshot {
            split_id: reader.text()?,
            feed_range: reader.text()?,
            position: reader.field()?.to_vec(),
        });
    }
    if !reader.rest.is_empty() {
        return Err(malformed("bytes left over"));
    }
    Ok(splits)
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}

fn malformed(what: &str) -> Error {
    Error::new(Code::Internal, format!("framed splits: {what}"))
}

struct FieldReader<'a> {
    rest: &'a [u8],
}

impl<'a> FieldReader<'a> {
    fn length(&mut self) -> Result<usize> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<4>()
            .ok_or_else(|| malformed("truncated length"))?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*head) as usize)
    }

    fn field(&mut self) -> Result<&'a [u8]> {
        let len = self.length()?;
        if len > self.rest.len() {
            return Err(malformed("truncated field"));
        }
        let (field, rest) = self.rest.split_at(len);
        self.rest = rest;
        Ok(field)
    }

    fn text(&mut self) -> Result<String> {
        String::from_utf8(self.field()?.to_vec()).map_err(|_| malformed("text that is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_split() -> impl Strategy<Value = SplitSnapshot> {
        (".*", ".*", proptest::collection::vec(any::<u8>(), 0..64)).prop_map(|(id, range, position)| SplitSnapshot {
            split_id: id,
            feed_range: range,
            position,
        })
    }

    proptest! {
        #[test]
        fn what_is_framed_is_read_back(splits in proptest::collection::vec(any_split(), 0..8)) {
            prop_assert_eq!(decode_splits(&encode_splits(&splits)).unwrap(), splits);
        }

        #[test]
        fn every_truncation_is_refused(splits in proptest::collection::vec(any_split(), 1..4), cut in any::<prop::sample::Index>()) {
            let bytes = encode_splits(&splits);
            prop_assert!(decode_splits(&bytes[..cut.index(bytes.len())]).is_err());
        }

        #[test]
        fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode_splits(&bytes);
        }
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = encode_splits(&[]);
        bytes.push(0);
        assert!(decode_splits(&bytes).is_err());
    }
}
