// SPDX-License-Identifier: Apache-2.0
//! What the core must know of the driver's continuation token: which ranges it has a server continuation for, and of which
//! container and mode.
//!
//! Read in the driver's `models/continuation_token.rs` and `driver/dataflow/snapshot.rs`, version 1.0.0: `c1.` and base64url
//! JSON, `{"op","rid","cfm","root":{"kind":"unordered_merge","active_tokens":[{"min_epk","max_epk","server_continuation"}]}}`;
//! `cfm` is true in the all-versions mode and absent in the other.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::configuration::Mode;
use crate::error::{Code, Error, Result};
use crate::range::EpkRange;

const PREFIX: &str = "c1.";

#[derive(Deserialize)]
struct State {
    op: String,
    rid: String,
    root: Root,
    #[serde(default)]
    cfm: Option<bool>,
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
    server_continuation: String,
}

fn malformed(what: &str) -> Error {
    Error::new(Code::PageMalformed, format!("continuation token: {what}"))
}

fn json_of(token: &str) -> Result<Vec<u8>> {
    let payload = token
        .strip_prefix(PREFIX)
        .ok_or_else(|| malformed("not of the driver's version 1"))?;
    let json = URL_SAFE_NO_PAD.decode(payload).map_err(|_| malformed("not base64"))?;
    if json.first() != Some(&b'{') {
        // serde takes a list of values for a struct as well.
        return Err(malformed("not a JSON object"));
    }
    Ok(json)
}

fn state_of(json: &[u8]) -> Result<State> {
    serde_json::from_slice(json).map_err(|e| malformed(&e.to_string()))
}

fn ranges_of(state: &State) -> Result<Vec<EpkRange>> {
    let entries = state.root.active_tokens.iter();
    entries
        .map(|entry| EpkRange::new(&entry.min_epk, &entry.max_epk))
        .collect()
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
        let state = state_of(&json_of(token)?)?;
        Ok(Self {
            ranges: ranges_of(&state)?,
            container_rid: state.rid,
        })
    }

    /// Whether the token stands for exactly this range, undivided and polled.
    pub fn is_for(&self, range: &EpkRange) -> bool {
        matches!(self.ranges.as_slice(), [only] if only.is_same(range))
    }
}

/// The LSN that the service goes on behind: its continuation of a token's only range, where that is an LSN in quotes or
/// without, as it is as far as is known.
pub(crate) fn goes_on_behind(token: &str) -> Option<i64> {
    let state = state_of(&json_of(token).ok()?).ok()?;
    match state.root.active_tokens.as_slice() {
        [only] => only.server_continuation.trim_matches('"').parse().ok(),
        _ => None,
    }
}

/// A token that a user has saved, to start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedToken {
    pub container_rid: String,
    pub mode: Mode,
    /// What each range with a continuation goes on from.
    pub ranges: Vec<SavedRange>,
}

/// One range of a saved token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedRange {
    pub range: EpkRange,
    /// The same token with this range alone, so that no position carries what the others go on from.
    pub token: String,
}

impl SavedToken {
    /// # Errors
    /// `PAGE_MALFORMED` when it is no token of a change feed.
    pub fn read(token: &str) -> Result<Self> {
        let json = json_of(token)?;
        let state = state_of(&json)?;
        if state.op != "ChangeFeed" {
            return Err(malformed("not of a change feed"));
        }
        let mut around: Value = serde_json::from_slice(&json).map_err(|e| malformed(&e.to_string()))?;
        // What is left is copied for each of maybe thousands of ranges.
        around
            .get_mut("root")
            .and_then(Value::as_object_mut)
            .ok_or_else(|| malformed("its root is no object"))?
            .remove("active_tokens");
        let ranges = ranges_of(&state)?.into_iter().zip(&state.root.active_tokens);
        Ok(Self {
            mode: match state.cfm {
                Some(true) => Mode::AllVersionsAndDeletes,
                _ => Mode::LatestVersion,
            },
            ranges: ranges
                .map(|(range, entry)| {
                    let mut alone = around.clone();
                    alone["root"]["active_tokens"] = json!([{
                        "min_epk": entry.min_epk,
                        "max_epk": entry.max_epk,
                        "server_continuation": entry.server_continuation
                    }]);
                    SavedRange {
                        range,
                        token: format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(alone.to_string())),
                    }
                })
                .collect(),
            container_rid: state.rid,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn token(json: &str) -> String {
        format!("c1.{}", URL_SAFE_NO_PAD.encode(json))
    }

    const ONE: &str = r#"{"op":"ChangeFeed","rid":"r","root":{"kind":"unordered_merge","active_tokens":[{"min_epk":"","max_epk":"FF","server_continuation":"\"5\""}]}}"#;
    const TWO: &str = r#"{"op":"ChangeFeed","rid":"r","cfm":true,"root":{"kind":"unordered_merge","start_from":{"kind":"now"},"active_tokens":[{"min_epk":"","max_epk":"7F","server_continuation":"1"},{"min_epk":"7F","max_epk":"FF","server_continuation":"2"}]}}"#;

    #[test]
    fn one_entry_is_for_its_range_and_two_are_for_none() {
        let one = TokenShape::read(&token(ONE)).unwrap();
        assert_eq!(one.container_rid, "r");
        assert!(one.is_for(&EpkRange::new("", "FF").unwrap()));
        assert!(!one.is_for(&EpkRange::new("", "7F").unwrap()));
        assert_eq!(goes_on_behind(&token(ONE)), Some(5));
        let two = TokenShape::read(&token(TWO)).unwrap();
        assert!(!two.is_for(&EpkRange::new("", "FF").unwrap()));
        assert_eq!(goes_on_behind(&token(TWO)), None);
    }

    #[test]
    fn a_saved_token_is_taken_apart_and_keeps_what_else_it_says() {
        let saved = SavedToken::read(&token(TWO)).unwrap();
        assert_eq!(saved.mode, Mode::AllVersionsAndDeletes);
        let ranges: Vec<String> = saved.ranges.iter().map(|saved| saved.range.to_string()).collect();
        assert_eq!(ranges, ["[,7F)", "[7F,FF)"]);
        let second = &saved.ranges[1];
        let shape = TokenShape::read(&second.token).unwrap();
        assert!(shape.is_for(&second.range));
        assert_eq!(goes_on_behind(&second.token), Some(2));
        let json: Value = serde_json::from_slice(&json_of(&second.token).unwrap()).unwrap();
        assert_eq!(
            (&json["cfm"], &json["root"]["start_from"]["kind"]),
            (&json!(true), &json!("now"))
        );
        assert_eq!(SavedToken::read(&token(ONE)).unwrap().mode, Mode::LatestVersion);
    }

    #[test]
    fn garbage_is_refused() {
        for bad in ["", "c2.e30", "c1.!!", "c1.e30", "\"5\"", &token(r#"["r",[[]]]"#)] {
            assert_eq!(TokenShape::read(bad).unwrap_err().code, Code::PageMalformed, "{bad}");
            assert_eq!(SavedToken::read(bad).unwrap_err().code, Code::PageMalformed, "{bad}");
        }
        // serde takes a list for an object.
        let list =
            r#"{"op":"ChangeFeed","rid":"r","root":[[{"min_epk":"","max_epk":"FF","server_continuation":"1"}]]}"#;
        assert_eq!(SavedToken::read(&token(list)).unwrap_err().code, Code::PageMalformed);
        let query = token(&ONE.replace("ChangeFeed", "Query"));
        assert!(SavedToken::read(&query).unwrap_err().message.contains("change feed"));
    }

    #[test]
    fn the_token_of_a_range_is_as_long_among_ten_thousand_as_alone() {
        let saved = |count: u32| {
            let entries: Vec<String> = (0..count)
                .map(|n| {
                    format!(
                        r#"{{"min_epk":"{n:08X}","max_epk":"{:08X}","server_continuation":"1"}}"#,
                        n + 1
                    )
                })
                .collect();
            let many = ONE.replace(
                r#"{"min_epk":"","max_epk":"FF","server_continuation":"\"5\""}"#,
                &entries.join(","),
            );
            SavedToken::read(&token(&many)).unwrap().ranges
        };
        let (alone, many) = (saved(1), saved(10_000));
        assert_eq!((alone.len(), many.len()), (1, 10_000));
        assert_eq!(many[0], alone[0]);
        assert!(many.iter().all(|range| range.token.len() == alone[0].token.len()));
    }
}
