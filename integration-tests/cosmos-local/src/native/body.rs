// SPDX-License-Identifier: Apache-2.0

//! Bodies in text and in Cosmos's binary JSON.

use std::borrow::Cow;

use azure_data_cosmos_driver::binary_json;
use bytes::Bytes;
use serde_json::Value;

use super::scope::bad_request;
use crate::engine::Request;
use crate::reply::Reply;

/// The body as JSON text, whichever form it came in.
pub fn text(body: &Bytes) -> Result<Cow<'_, [u8]>, Reply> {
    if binary_json::is_binary(body) {
        binary_json::transcode_to_text(body)
            .map(Cow::Owned)
            .map_err(|error| bad_request(format!("the body is no binary JSON: {error}")))
    } else {
        Ok(Cow::Borrowed(body))
    }
}

/// The body as a JSON value.
pub fn value(body: &Bytes) -> Result<Value, Reply> {
    let text = text(body)?;
    serde_json::from_slice(&text).map_err(|error| bad_request(format!("the body is no JSON: {error}")))
}

/// Text in the form that the client has asked for.
pub fn negotiated(request: &Request, text: &[u8]) -> Bytes {
    let binary = request
        .header("x-ms-cosmos-supported-serialization-formats")
        .is_some_and(|formats| {
            formats
                .split(',')
                .any(|format| format.trim().eq_ignore_ascii_case("cosmosbinary"))
        });
    match binary.then(|| serde_json::from_slice::<Value>(text)) {
        Some(Ok(value)) => Bytes::from(binary_json::encode(&value)),
        _ => Bytes::copy_from_slice(text),
    }
}

/// Whether a write answers the document; SDKs switch it off with `Prefer: return=minimal`.
pub fn wanted(request: &Request) -> bool {
    match request.header("x-ms-cosmos-populate-content-response-on-write") {
        Some(wanted) => wanted.eq_ignore_ascii_case("true"),
        None => !request
            .header("prefer")
            .is_some_and(|prefer| prefer.contains("return=minimal")),
    }
}
