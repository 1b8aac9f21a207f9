// SPDX-License-Identifier: Apache-2.0
//! A page of the change feed, as the service answers it.

use bytes::Bytes;
use change_feed::configuration::Mode;
use change_feed::scan::{self, Item, Operation, Span};
use serde_json::Value;

/// What is found without decoding is what a JSON library finds by decoding all of it.
pub fn check(input: &[u8]) -> bool {
    let body = Bytes::copy_from_slice(input);
    let all_versions = scan::items(&body, Mode::AllVersionsAndDeletes);
    let Ok(items) = scan::items(&body, Mode::LatestVersion) else {
        assert!(all_versions.is_err(), "a page is a page in every mode");
        return false;
    };
    let every_change_says_what_it_is = items.iter().all(|item| item.operation != Operation::Unknown);
    assert_eq!(
        all_versions.is_ok(),
        every_change_says_what_it_is,
        "the all-versions mode takes no change that says nothing"
    );
    for item in &items {
        for span in [item.document, item.previous, item.etag, item.id, item.partition_key] {
            text(&body, span);
        }
    }
    // The library refuses a few things that a scan has no need to look at: numbers beyond f64, lone surrogates.
    if let Ok(page) = serde_json::from_slice::<Value>(input) {
        let documents = page["Documents"].as_array().expect("a page has documents");
        assert_eq!(items.len(), documents.len(), "number of items");
        for (item, expected) in items.iter().zip(documents) {
            compare(&body, item, expected);
        }
    }
    true
}

fn compare(body: &Bytes, item: &Item, expected: &Value) {
    let bare = !expected["_rid"].is_null() || !expected["_lsn"].is_null();
    if bare {
        assert_eq!(value(body, item.document).as_ref(), Some(expected), "a bare document");
        assert_eq!(item.lsn, expected["_lsn"].as_i64(), "a bare document's LSN");
        return;
    }
    let (current, metadata) = (&expected["current"], &expected["metadata"]);
    let deleted = metadata["operationType"] == "delete";
    assert_eq!(item.operation == Operation::Delete, deleted, "a delete");
    if let Some(key) = value(body, item.partition_key) {
        assert!(deleted && key == metadata["partitionKey"], "a delete's partition key");
    }
    match value(body, item.document) {
        Some(found) => assert!(!deleted && &found == current, "an enveloped document"),
        None => assert!(deleted, "a document was not found: {current}"),
    }
    if let Some(previous) = value(body, item.previous) {
        assert_eq!(previous, expected["previous"], "a previous image");
    }
    let lsn = metadata["lsn"].as_i64();
    assert_eq!(
        item.lsn,
        lsn.or_else(|| current["_lsn"].as_i64()),
        "an enveloped document's LSN"
    );
}

/// None for an empty span, which stands for something absent.
fn value(body: &Bytes, span: Span) -> Option<Value> {
    let text = text(body, span);
    (!text.is_empty()).then(|| serde_json::from_str(text).expect("a span holds JSON"))
}

/// A span lies in the body and cuts no character.
fn text(body: &Bytes, span: Span) -> &str {
    let start = span.offset as usize;
    std::str::from_utf8(&body[start..start + span.len as usize]).expect("a span holds UTF-8")
}
