// SPDX-License-Identifier: Apache-2.0

//! Change-feed pages with the LSNs that the emulator leaves out.
//!
//! The emulator orders its feed by LSN but does not say which one an item has. A point read does, so each
//! item of a page is read once more; this is a referee, not a server for load.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::emulator::{Emulator, header, json_of};
use crate::engine::Response;

/// Adds `_lsn` to each document of a page, and `metadata.lsn` where documents come in envelopes.
///
/// `container` is the path of the container, as in `/dbs/a/colls/b`.
pub(super) async fn number(emulator: &Emulator, container: &str, page: Response) -> Response {
    let (mut parts, body) = page.into_parts();
    let Ok(Value::Object(mut feed)) = serde_json::from_slice::<Value>(&body) else {
        return http::Response::from_parts(parts, body);
    };
    let Some(Value::Array(items)) = feed.remove("Documents") else {
        return http::Response::from_parts(parts, body);
    };
    let paths = partition_key_paths(emulator, container).await;
    let mut numbered = Vec::with_capacity(items.len());
    for mut item in items {
        let enveloped = item.get("current").is_some() && item.get("metadata").is_some();
        let document = if enveloped { &mut item["current"] } else { &mut item };
        let Some(lsn) = lsn_of(emulator, container, &paths, document).await else {
            // It has changed since the page was made: it comes again, further on, as its new version.
            continue;
        };
        document["_lsn"] = json!(lsn);
        if enveloped {
            item["metadata"]["lsn"] = json!(lsn);
        }
        numbered.push(item);
    }
    parts.headers.insert("x-ms-item-count", numbered.len().into());
    feed.insert("_count".to_owned(), json!(numbered.len()));
    feed.insert("Documents".to_owned(), Value::Array(numbered));
    http::Response::from_parts(parts, Bytes::from(Value::Object(feed).to_string()))
}

/// The paths of a container's partition key, each split into its properties.
pub(super) async fn partition_key_paths(emulator: &Emulator, container: &str) -> Vec<Vec<String>> {
    let answer = emulator.ask(Method::GET, container, &[], Bytes::new()).await;
    json_of(&answer)["partitionKey"]["paths"]
        .as_array()
        .map(|paths| {
            paths
                .iter()
                .filter_map(Value::as_str)
                .map(|path| {
                    path.split('/')
                        .filter(|part| !part.is_empty())
                        .map(|part| part.trim_matches('"').to_owned())
                        .collect()
                })
                .collect()
        })
        .unwrap_or_default()
}

/// A document's partition key as the header has it: `{}` stands for a value that is not there.
pub(super) fn partition_key(paths: &[Vec<String>], document: &Value) -> Value {
    paths
        .iter()
        .map(|path| {
            path.iter()
                .try_fold(document, |value, name| value.get(name))
                .cloned()
                .unwrap_or_else(|| json!({}))
        })
        .collect()
}

async fn lsn_of(emulator: &Emulator, container: &str, paths: &[Vec<String>], document: &Value) -> Option<u64> {
    let id = document["id"].as_str()?;
    let path = format!("{container}/docs/{}", encode(id));
    let key = ascii(&partition_key(paths, document).to_string());
    let headers = [("x-ms-documentdb-partitionkey", key.as_str())];
    let answer = emulator.ask(Method::GET, &path, &headers, Bytes::new()).await;
    let same = header(&answer, "etag") == document["_etag"].as_str();
    let lsn = header(&answer, "x-ms-item-lsn")?.parse().ok()?;
    same.then_some(lsn)
}

/// An id as a path segment.
pub(super) fn encode(id: &str) -> String {
    percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// JSON that fits into a header: everything beyond ASCII is escaped, which only string literals can hold.
pub(super) fn ascii(json: &str) -> String {
    let mut text = String::new();
    for unit in json.chars() {
        if unit.is_ascii() {
            text.push(unit);
        } else {
            for half in unit.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{half:04x}"));
            }
        }
    }
    text
}
