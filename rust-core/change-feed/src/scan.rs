// SPDX-License-Identifier: Apache-2.0
//! Finds the documents in a page without decoding them: bounds, LSN, timestamp, ETag, id. Offsets, not copies.
//!
//! Two shapes are read. Enveloped, which the driver always asks for: `{"current":{…},"previous":{…},"metadata":{"lsn",
//! "crts","operationType","id","partitionKey","timeToLiveExpired"}}`. Bare: the document itself, with `_lsn`. A bare document
//! always carries `_rid` at its top, an envelope never does, so user fields named like the envelope's cannot confuse the two.
//! No order of keys is assumed.

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::configuration::Mode;
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
    /// The document; empty for a delete and for nothing else.
    pub document: Span,
    /// The document before the change, where the service keeps it.
    pub previous: Span,
    /// The ETag's JSON text without its outer quotes, escapes as they are; empty when absent.
    pub etag: Span,
    /// The id's JSON text without its outer quotes, escapes as they are; empty when absent.
    pub id: Span,
    /// A delete's partition key, JSON as the service sent it; empty when absent.
    pub partition_key: Span,
    pub lsn: Option<i64>,
    /// `_ts`, or `crts` where there is no document, in milliseconds since the epoch.
    pub timestamp_millis: Option<i64>,
    pub operation: Operation,
    /// A delete because the document's time to live was over.
    pub time_to_live_expired: bool,
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
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    lsn: Option<i64>,
    crts: Option<i64>,
    #[serde(rename = "operationType", borrow)]
    operation_type: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(rename = "partitionKey", borrow)]
    partition_key: Option<&'a RawValue>,
    #[serde(rename = "timeToLiveExpired")]
    time_to_live_expired: Option<bool>,
}

#[derive(Deserialize)]
struct System<'a> {
    /// Of a document in an envelope it may be the user's own, of any kind; the envelope's goes before it.
    #[serde(rename = "_lsn", borrow)]
    lsn: Option<&'a RawValue>,
    #[serde(rename = "_ts")]
    timestamp: Option<i64>,
    #[serde(rename = "_etag", borrow)]
    etag: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

/// Reads a page's body.
///
/// # Errors
/// `PAGE_MALFORMED` when the body is not a feed of this mode, or says an operation that is not known here: nothing is skipped.
pub fn items(body: &Bytes, mode: Mode) -> Result<Vec<Item>> {
    if u32::try_from(body.len()).is_err() {
        return Err(malformed("it is larger than 4 GiB"));
    }
    require_object(body)?;
    let feed: Feed<'_> = serde_json::from_slice(body).map_err(json_error)?;
    let items: Vec<Item> = feed
        .documents
        .iter()
        .map(|raw| item(body, raw))
        .collect::<Result<_>>()?;
    if mode == Mode::AllVersionsAndDeletes && items.iter().any(|item| item.operation == Operation::Unknown) {
        // Latest versions taken for all of them would be a loss that nobody sees.
        return Err(malformed(
            "it is of the all-versions mode and an item says no operation type",
        ));
    }
    Ok(items)
}

fn item(body: &Bytes, raw: &RawValue) -> Result<Item> {
    let outer: Outer<'_> = object(raw)?;
    if outer.rid.is_some() || outer.lsn.is_some() {
        return Ok(Item {
            document: span(body, raw),
            etag: text_span(body, outer.etag),
            id: text_span(body, outer.id),
            lsn: outer.lsn,
            timestamp_millis: outer.timestamp.map(to_millis),
            ..Item::default()
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
    let operation = operation(metadata.as_ref().and_then(|m| m.operation_type))?;
    let current = outer.current.filter(|raw| raw.get() != "null" && raw.get() != "{}");
    let system = match current {
        Some(raw) => Some(object::<System<'_>>(raw)?),
        None => None,
    };
    let system = system.as_ref();
    let common = Item {
        previous: outer
            .previous
            .filter(|raw| raw.get() != "null")
            .map_or(Span::default(), |raw| span(body, raw)),
        lsn: match (metadata.as_ref().and_then(|m| m.lsn), system.and_then(|s| s.lsn)) {
            (Some(lsn), _) => Some(lsn),
            (None, Some(lsn)) => Some(serde_json::from_str(lsn.get()).map_err(json_error)?),
            (None, None) => None,
        },
        operation,
        ..Item::default()
    };
    let id_of = |id: Option<&RawValue>| text_span(body, id);
    let crts = metadata.as_ref().and_then(|m| m.crts).map(to_millis);
    if operation == Operation::Delete {
        // What `current` holds of a deleted document, nothing or its id and key, is not its content.
        let metadata = metadata.as_ref();
        let id = metadata.and_then(|m| m.id).or(system.and_then(|s| s.id));
        return Ok(Item {
            id: id_of(id),
            partition_key: metadata
                .and_then(|m| m.partition_key)
                .map_or(Span::default(), |raw| span(body, raw)),
            timestamp_millis: crts,
            time_to_live_expired: metadata.and_then(|m| m.time_to_live_expired).unwrap_or(false),
            ..common
        });
    }
    let Some(current) = current else {
        return Err(malformed("an item has no document and is not a delete"));
    };
    Ok(Item {
        document: span(body, current),
        etag: text_span(body, system.and_then(|s| s.etag)),
        id: id_of(system.and_then(|s| s.id)),
        timestamp_millis: system.and_then(|s| s.timestamp).map(to_millis).or(crts),
        ..common
    })
}

fn operation(text: Option<&RawValue>) -> Result<Operation> {
    match text.map(RawValue::get) {
        None => Ok(Operation::Unknown),
        Some(r#""create""#) => Ok(Operation::Create),
        Some(r#""replace""#) => Ok(Operation::Replace),
        Some(r#""delete""#) => Ok(Operation::Delete),
        Some(other) => Err(malformed(&format!("unknown operation type {other}"))),
    }
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

/// Where a text's content lies; nothing for what is no text or an empty one.
fn text_span(body: &Bytes, raw: Option<&RawValue>) -> Span {
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
mod tests;
