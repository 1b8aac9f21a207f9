// SPDX-License-Identifier: Apache-2.0

//! Responses of the Cosmos protocol.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::engine::Response;

/// A response under construction.
#[derive(Debug)]
pub struct Reply {
    status: u16,
    // Boxed, because a reply is the error of many small functions.
    headers: Box<HeaderMap>,
    body: Bytes,
}

impl Reply {
    /// An empty response.
    pub fn new(status: u16) -> Self {
        let mut headers = HeaderMap::with_capacity(24);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self {
            status,
            headers: Box::new(headers),
            body: Bytes::new(),
        }
    }

    /// A response with a JSON value.
    pub fn json(status: u16, value: &Value) -> Self {
        Self::new(status).body(value.to_string())
    }

    /// An error in the shape that SDKs read.
    pub fn error(status: u16, sub_status: u32, message: impl AsRef<str>) -> Self {
        let code = match status {
            400 => "BadRequest",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "NotFound",
            408 => "RequestTimeout",
            409 => "Conflict",
            410 => "Gone",
            412 => "PreconditionFailed",
            413 => "RequestEntityTooLarge",
            429 => "TooManyRequests",
            501 => "NotImplemented",
            503 => "ServiceUnavailable",
            _ => "InternalServerError",
        };
        let reply = Self::json(status, &json!({"code": code, "message": message.as_ref()}))
            .charge(1.0)
            .header("x-ms-session-token", "0:0#0#0=0");
        if sub_status == 0 {
            reply
        } else {
            reply.header("x-ms-substatus", sub_status)
        }
    }

    /// Its status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Its sub-status, 0 when it has none.
    pub fn sub_status(&self) -> u32 {
        self.headers
            .get("x-ms-substatus")
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .unwrap_or(0)
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a header, in place of one of the same name.
    pub fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        if let Ok(value) = HeaderValue::from_str(&value.to_string()) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Sets the ETag, quotes included.
    pub fn etag(mut self, etag: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(etag) {
            self.headers.insert(ETAG, value);
        }
        self
    }

    /// Sets the cost in request units.
    pub fn charge(self, units: f64) -> Self {
        self.header("x-ms-request-charge", format!("{units:.2}"))
    }

    /// Sets how many items the body has.
    pub fn items(self, count: usize) -> Self {
        self.header("x-ms-item-count", count)
    }

    /// Finishes the response.
    pub fn build(self) -> Response {
        let mut response = Response::new(self.body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *response.headers_mut() = *self.headers;
        response
    }
}

impl From<Reply> for Response {
    fn from(reply: Reply) -> Self {
        reply.build()
    }
}
