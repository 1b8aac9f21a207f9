// SPDX-License-Identifier: Apache-2.0
//! What the core must know of the driver's continuation token: which ranges it has a server continuation for.
//!
//! Read in the driver's `models/continuation_token.rs` and `driver/dataflow/snapshot.rs`, version 1.0.0: `c1.` and base64url
//! JSON, `{"op","rid","root":{"kind":"unordered_merge","active_tokens":[{"min_epk","max_epk","server_continuation"}]}}`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::error::{Code, Error, Result};
use crate::range::EpkRange;

#[derive(Deserialize)]
struct State {
    rid: String,
    root: Root,
}

#[derive(Deserialize)]
struct Root {
    #[serde(default)]
    active_tokens: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    min_epk: String,
    max_epk: String,
}

/// The shape of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenShape {
    pub container_rid: String,
    /// One per range with a server continuation: one for a range in one partition, more after a split.
    pub ranges: Vec<EpkRange>,
}

impl TokenShape {
    /// # Errors
    /// `PAGE_MALFORMED` when the driver's token is not as its version 1 writes it.
    pub fn read(token: &str) -> Result<Self> {
        let malformed = |what: &str| Error::new(Code::PageMalformed, format!("continuation token: {what}"));
        let payload = token
            .strip_prefix("c1.")
            .ok_or_else(|| malformed("not of the driver's version 1"))?;
        let json = URL_SAFE_NO_PAD.decode(payload).map_err(|_| malformed("not base64"))?;
        if json.first() != Some(&b'{') {
            // serde takes a list of values for a struct as well.
            return Err(malformed("not a JSON object"));
        }
        let state: State = serde_json::from_slice(&json).map_err(|e| malformed(&e.to_string()))?;
        let ranges = state
            .root
            .active_tokens
            .iter()
            .map(|entry| EpkRange::new(&entry.min_epk, &entry.max_epk))
            .collect::<Result<_>>()?;
        Ok(Self {
            container_rid: state.rid,
            ranges,
        })
    }

    /// Whether the token stands for exactly this range, undivided and polled.
    pub fn is_for(&self, range: &EpkRange) -> bool {
        matches!(self.ranges.as_slice(), [only] if only.is_same(range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(json: &str) -> String {
        format!("c1.{}", URL_SAFE_NO_PAD.encode(json))
    }

    #[test]
    fn one_entry_is_for_its_range_and_two_are_for_none() {
        let one = TokenShape::read(&token(
            r#"{"op":"ChangeFeed","rid":"r","root":{"kind":"unordered_merge","active_tokens":[{"min_epk":"","max_epk":"FF","server_continuation":"\"5\""}]}}"#,
        ))
        .unwrap();
        assert_eq!(one.container_rid, "r");
        assert!(one.is_for(&EpkRange::new("", "FF").unwrap()));
        assert!(!one.is_for(&EpkRange::new("", "7F").unwrap()));
        let two = TokenShape::read(&token(
            r#"{"op":"ChangeFeed","rid":"r","root":{"kind":"unordered_merge","active_tokens":[{"min_epk":"","max_epk":"7F","server_continuation":"1"},{"min_epk":"7F","max_epk":"FF","server_continuation":"1"}]}}"#,
        ))
        .unwrap();
        assert!(!two.is_for(&EpkRange::new("", "FF").unwrap()));
    }

    #[test]
    fn garbage_is_refused() {
        for bad in ["", "c2.e30", "c1.!!", "c1.e30", "\"5\"", &token(r#"["r",[[]]]"#)] {
            assert_eq!(TokenShape::read(bad).unwrap_err().code, Code::PageMalformed, "{bad}");
        }
    }
}
