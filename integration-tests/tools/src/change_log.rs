// SPDX-License-Identifier: Apache-2.0
//! The truth that a job's output is compared with: every write to a container, in order.
//!
//! It comes from the local server (`GET /_admin/containers/{db}/{coll}/log`) or, where there is no such thing, from the
//! journal of `orders-writer`. Both are lines of JSON of one shape.

use std::io::BufRead;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a write did to its document.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    Create,
    Replace,
    Upsert,
    Delete,
    /// Only in a journal: the answer to a write was lost, so the document may have a version that nobody has seen.
    Uncertain,
}

/// One write.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Entry {
    /// Position in the log, never decreasing; a journal gives the documents of a transaction the same.
    pub seq: u64,
    /// Physical partition and log sequence number: equal for the documents of a transaction. A journal has neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lsn: Option<u64>,
    /// Id of the document, unique within its partition key.
    pub id: String,
    /// Partition key: one value per path.
    pub pk: Value,
    /// ETag of the version that the write made, with or without its quotes; of no use for a delete, absent for an uncertain
    /// write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    pub op: Operation,
    /// When it was written, seconds since the epoch; a journal does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts: Option<i64>,
}

/// A partition key in one spelling, whether it was written as `"x"`, as `["x"]`, or as `{"path":"x"}`.
pub fn partition_key_text(pk: &Value) -> String {
    match pk {
        Value::Array(_) => pk.to_string(),
        Value::Object(values) => Value::Array(values.values().cloned().collect()).to_string(),
        single => format!("[{single}]"),
    }
}

/// An ETag without the quotes around it.
pub fn bare_etag(etag: &str) -> &str {
    etag.trim_matches('"')
}

/// Reads lines of JSON; empty lines are skipped, anything else that is no entry is an error that names its line.
pub fn read(reader: impl BufRead) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    for (index, line) in reader.lines().enumerate() {
        let line = line.map_err(|error| format!("log, line {}: {error}", index + 1))?;
        if line.trim().is_empty() {
            continue;
        }
        let entry = serde_json::from_str(&line).map_err(|error| format!("log, line {}: {error}: {line}", index + 1))?;
        entries.push(entry);
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_servers_shape_and_the_journals() {
        let text = concat!(
            r#"{"seq":1,"lsn":7,"partition":"0","id":"a","pk":["x"],"etag":"\"00-1\"","op":"create","ts":1700000000}"#,
            "\n\n",
            r#"{"seq":2,"id":"a","pk":"x","op":"uncertain"}"#,
            "\n"
        );
        let entries = read(text.as_bytes()).expect("both lines are entries");
        assert_eq!(entries.len(), 2);
        assert_eq!(bare_etag(entries[0].etag.as_deref().expect("has an ETag")), "00-1");
        assert_eq!(partition_key_text(&entries[0].pk), partition_key_text(&entries[1].pk));
        assert_eq!(
            partition_key_text(&serde_json::json!({"customer": "x"})),
            partition_key_text(&entries[0].pk)
        );
        assert_eq!(entries[1].op, Operation::Uncertain);
    }

    #[test]
    fn names_the_line_that_is_no_entry() {
        let error = read("{\"seq\":1".as_bytes()).expect_err("cut off");
        assert!(error.starts_with("log, line 1: "), "{error}");
    }
}
