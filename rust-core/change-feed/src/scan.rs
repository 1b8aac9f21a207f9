// SPDX-License-Identifier: Apache-2.0
//! Finds the documents in a page without decoding them: bounds, LSN, timestamp, ETag. Offsets, not copies.
//!
//! Two shapes are read. Enveloped, which the driver always asks for: `{"current":{…},"previous":{…},"metadata":{"lsn",
//! "crts","operationType"}}`. Bare: the document itself, with `_lsn`. A bare document always carries `_rid` at its top, an
//! envelope never does, so user fields named like the envelope's cannot confuse the two. No order of keys is assumed.

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::error::{Code, Error, Result};

/// A slice of the page's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub offset: u32,
    pub len: u32,
}

/// What a change did, as docs/native-interface.md numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Operation {
    /// Latest-version mode does not say.
    #[default]
    Unknown = 0,
    Create = 1,
    Replace = 2,
    Delete = 3,
}

/// One change of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Item {
    /// The document; empty for a delete without an image.
    pub document: Span,
    pub previous: Span,
    /// The ETag's JSON text without its outer quotes, escapes as they are; empty when absent.
    pub etag: Span,
    pub lsn: Option<i64>,
    /// `_ts`, or `crts` where there is no document, in milliseconds since the epoch.
    pub timestamp_millis: Option<i64>,
    pub operation: Operation,
}

#[derive(Deserialize)]
struct Feed<'a> {
    #[serde(rename = "Documents", borrow)]
    documents: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(rename = "_rid")]
    rid: Option<IgnoredAny>,
    #[serde(borrow)]
    current: Option<&'a RawValue>,
    #[serde(borrow)]
    previous: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(rename = "_lsn")]
    lsn: Option<i64>,
    #[serde(rename = "_ts")]
    timestamp: Option<i64>,
    #[serde(rename = "_etag", borrow)]
    etag: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    lsn: Option<i64>,
    crts: Option<i64>,
    #[serde(rename = "operationType", borrow)]
    operation_type: Option<&'a str>,
}

#[derive(Deserialize)]
struct System<'a> {
    #[serde(rename = "_lsn")]
    lsn: Option<i64>,
    #[serde(rename = "_ts")]
    timestamp: Option<i64>,
    #[serde(rename = "_etag", borrow)]
    etag: Option<&'a RawValue>,
}

/// Reads a page's body.
///
/// # Errors
/// `PAGE_MALFORMED` when the body is not a feed, or says an operation that is not known here: nothing is skipped.
pub fn items(body: &Bytes) -> Result<Vec<Item>> {
    if u32::try_from(body.len()).is_err() {
        return Err(malformed("it is larger than 4 GiB"));
    }
    require_object(body)?;
    let feed: Feed<'_> = serde_json::from_slice(body).map_err(json_error)?;
    feed.documents.iter().map(|raw| item(body, raw)).collect()
}

fn item(body: &Bytes, raw: &RawValue) -> Result<Item> {
    let outer: Outer<'_> = object(raw)?;
    if outer.rid.is_some() || outer.lsn.is_some() {
        return Ok(Item {
            document: span(body, raw),
            previous: Span::default(),
            etag: etag_span(body, outer.etag),
            lsn: outer.lsn,
            timestamp_millis: outer.timestamp.map(to_millis),
            operation: Operation::Unknown,
        });
    }
    if outer.current.is_none() && outer.metadata.is_none() {
        return Err(malformed(
            "an item is neither a document with '_rid' nor an envelope with 'current' or 'metadata'",
        ));
    }
    let metadata = match outer.metadata {
        Some(raw) => Some(object::<Metadata<'_>>(raw)?),
        None => None,
    };
    let current = outer.current.filter(|raw| raw.get() != "null" && raw.get() != "{}");
    let system = match current {
        Some(raw) => Some(object::<System<'_>>(raw)?),
        None => None,
    };
    let operation = match metadata.as_ref().and_then(|m| m.operation_type) {
        None => Operation::Unknown,
        Some("create") => Operation::Create,
        Some("replace") => Operation::Replace,
        Some("delete") => Operation::Delete,
        Some(other) => return Err(malformed(&format!("unknown operation type '{other}'"))),
    };
    Ok(Item {
        document: current.map_or(Span::default(), |raw| span(body, raw)),
        previous: outer
            .previous
            .filter(|raw| raw.get() != "null")
            .map_or(Span::default(), |raw| span(body, raw)),
        etag: etag_span(body, system.as_ref().and_then(|s| s.etag)),
        lsn: metadata
            .as_ref()
            .and_then(|m| m.lsn)
            .or_else(|| system.as_ref().and_then(|s| s.lsn)),
        timestamp_millis: system
            .as_ref()
            .and_then(|s| s.timestamp)
            .or_else(|| metadata.as_ref().and_then(|m| m.crts))
            .map(to_millis),
        operation,
    })
}

fn object<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T> {
    require_object(raw.get().as_bytes())?;
    serde_json::from_str(raw.get()).map_err(json_error)
}

/// serde takes a list of values for a struct as well.
fn require_object(json: &[u8]) -> Result<()> {
    match json.trim_ascii_start().first() {
        Some(b'{') => Ok(()),
        _ => Err(malformed("something else stands where an object should")),
    }
}

fn to_millis(seconds: i64) -> i64 {
    seconds.saturating_mul(1000)
}

/// Where `raw`, borrowed from `body`, lies in it.
fn span(body: &Bytes, raw: &RawValue) -> Span {
    let text = raw.get();
    Span {
        offset: (text.as_ptr() as usize - body.as_ptr() as usize) as u32,
        len: text.len() as u32,
    }
}

fn etag_span(body: &Bytes, raw: Option<&RawValue>) -> Span {
    match raw {
        Some(raw) if raw.get().len() > 2 && raw.get().starts_with('"') => {
            let whole = span(body, raw);
            Span {
                offset: whole.offset + 1,
                len: whole.len - 2,
            }
        }
        _ => Span::default(),
    }
}

fn malformed(what: &str) -> Error {
    Error::new(Code::PageMalformed, format!("the page does not read: {what}"))
}

/// serde's message may quote a document: only its kind and place are told.
fn json_error(e: serde_json::Error) -> Error {
    malformed(&format!(
        "JSON {:?} error at line {} column {}",
        e.classify(),
        e.line(),
        e.column()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(json: &str) -> (Bytes, Vec<Item>) {
        let body = Bytes::copy_from_slice(json.as_bytes());
        let items = items(&body).unwrap();
        (body, items)
    }

    fn text(body: &Bytes, span: Span) -> &str {
        std::str::from_utf8(&body[span.offset as usize..(span.offset + span.len) as usize]).unwrap()
    }

    #[test]
    fn enveloped_items_are_read_in_any_order_of_keys() {
        let (body, items) = read(
            r#"{"_count":2,"Documents":[
                {"metadata":{"operationType":"replace","lsn":7,"crts":9},"current":{"_etag":"\"e1\"","id":"a","_ts":5,"_lsn":7}},
                {"current":{"id":"b","_lsn":8,"_ts":6,"metadata":"mine"}}],"_rid":"r"}"#,
        );
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].lsn, Some(7));
        assert_eq!(items[0].timestamp_millis, Some(5000));
        assert_eq!(items[0].operation, Operation::Replace);
        assert_eq!(text(&body, items[0].etag), r#"\"e1\""#);
        assert_eq!(
            text(&body, items[0].document),
            r#"{"_etag":"\"e1\"","id":"a","_ts":5,"_lsn":7}"#
        );
        assert_eq!(items[1].lsn, Some(8));
        assert_eq!(items[1].etag, Span::default());
    }

    #[test]
    fn a_bare_document_with_fields_named_like_the_envelope_stays_whole() {
        let (body, items) = read(
            r#"{"Documents":[{"id":"a","current":{"x":1},"metadata":"text","_rid":"r","_lsn":3,"_ts":1,"_etag":"e"}]}"#,
        );
        assert!(text(&body, items[0].document).contains("\"metadata\":\"text\""));
        assert_eq!(items[0].lsn, Some(3));
    }

    #[test]
    fn a_delete_has_no_document_and_takes_its_time_from_crts() {
        let (body, items) = read(
            r#"{"Documents":[{"current":{},"previous":{"id":"a"},"metadata":{"lsn":4,"crts":2,"operationType":"delete"}}]}"#,
        );
        assert_eq!(items[0].document, Span::default());
        assert_eq!(text(&body, items[0].previous), r#"{"id":"a"}"#);
        assert_eq!(items[0].timestamp_millis, Some(2000));
        assert_eq!(items[0].operation, Operation::Delete);
    }

    #[test]
    fn what_is_no_page_is_refused_without_quoting_documents() {
        for bad in [
            "",
            "[]",
            "[[]]",
            "{}",
            r#"{"Documents":[1]}"#,
            r#"{"Documents":[["rid"]]}"#,
            r#"{"Documents":[{"current":["secretvalue"]}]}"#,
            r#"{"Documents":[{"secretfield":"secretvalue"}]}"#,
            r#"{"Documents":[{"metadata":{"operationType":"purge"},"current":{}}]}"#,
            r#"{"Documents":[{"current":{"_lsn":"secretvalue"}}]}"#,
        ] {
            let error = items(&Bytes::copy_from_slice(bad.as_bytes())).unwrap_err();
            assert_eq!(error.code, Code::PageMalformed, "{bad}");
            assert!(!error.message.contains("secretvalue"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn noise_never_panics(noise in ".{0,200}") {
            let _ = items(&Bytes::from(noise));
        }
    }
}
