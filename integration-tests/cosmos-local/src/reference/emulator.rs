// SPDX-License-Identifier: Apache-2.0

//! The driver's in-memory emulator behind plain HTTP types.

use std::sync::Arc;

use azure_core::http::Method as CoreMethod;
use azure_core::http::Request as CoreRequest;
use azure_core::http::headers::{HeaderName as CoreName, HeaderValue as CoreValue};
use azure_core::http::{AsyncRawResponse, Url};
use azure_data_cosmos_driver::in_memory_emulator::{
    EmulatorStore, InMemoryEmulatorHttpClient, VirtualAccountConfig, VirtualRegion,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use crate::engine::Response;

/// The region that Microsoft's tests prefer.
const REGION: &str = "East US 2";

/// The emulator of one account with one region.
pub(super) struct Emulator {
    client: InMemoryEmulatorHttpClient,
    endpoint: Url,
}

impl Emulator {
    /// An empty account whose account document names `endpoint`.
    pub(super) fn new(endpoint: &str) -> Result<Self, String> {
        let endpoint: Url = endpoint
            .parse()
            .map_err(|error| format!("{endpoint} is no URL: {error}"))?;
        let config = VirtualAccountConfig::new(vec![VirtualRegion::new(REGION, endpoint.clone())])
            .map_err(|error| error.to_string())?;
        let client = InMemoryEmulatorHttpClient::try_new(config).map_err(|e| e.to_string())?;
        Ok(Self { client, endpoint })
    }

    /// What administrative calls work on.
    pub(super) fn store(&self) -> Arc<EmulatorStore> {
        self.client.store()
    }

    /// Answers a request. Whatever host the client used, the emulator sees its one endpoint.
    pub(super) async fn send(&self, method: &Method, path: &str, headers: &HeaderMap, body: &Bytes) -> Response {
        let (Ok(url), Some(method)) = (self.endpoint.join(path), core_method(method)) else {
            return failure(StatusCode::BAD_REQUEST, "unknown method or bad path");
        };
        let mut request = CoreRequest::new(url, method);
        for (name, value) in headers {
            if let Ok(value) = value.to_str() {
                request.headers_mut().insert(
                    CoreName::from(name.as_str().to_owned()),
                    CoreValue::from(value.to_owned()),
                );
            }
        }
        request.set_body(body.clone());
        match self.client.execute_request(&request).await {
            Ok(response) => into_response(response).await,
            Err(error) => failure(StatusCode::BAD_REQUEST, &error.to_string()),
        }
    }

    /// Sends a request of the adapter's own.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
    ) -> Response {
        let headers = headers
            .iter()
            .filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?)))
            .collect();
        self.send(&method, path, &headers, &body).await
    }
}

/// The JSON of a body; null when it is none.
pub(super) fn json_of(response: &Response) -> Value {
    serde_json::from_slice(response.body()).unwrap_or_default()
}

/// A header's text.
pub(super) fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

fn core_method(method: &Method) -> Option<CoreMethod> {
    Some(match method.as_str() {
        "GET" => CoreMethod::Get,
        "POST" => CoreMethod::Post,
        "PUT" => CoreMethod::Put,
        "PATCH" => CoreMethod::Patch,
        "DELETE" => CoreMethod::Delete,
        "HEAD" => CoreMethod::Head,
        _ => return None,
    })
}

async fn into_response(response: AsyncRawResponse) -> Response {
    let raw = match response.try_into_raw_response().await {
        Ok(raw) => raw,
        Err(error) => return failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    };
    let body: &[u8] = raw.body().as_ref();
    let mut answer = http::Response::new(Bytes::copy_from_slice(body));
    *answer.status_mut() = StatusCode::from_u16(raw.status().into()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in raw.headers().iter() {
        if let (Ok(name), Ok(value)) = (
            HeaderName::try_from(name.as_str()),
            // The position in a change feed names an id, and a client cannot send back what is not ASCII.
            HeaderValue::from_str(&super::feed::ascii(value.as_str())),
        ) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

/// An error of the adapter's own.
pub(super) fn failure(status: StatusCode, message: &str) -> Response {
    let body = json!({"code": status.canonical_reason(), "message": message}).to_string();
    let mut answer = http::Response::new(Bytes::from(body));
    *answer.status_mut() = status;
    answer
}
