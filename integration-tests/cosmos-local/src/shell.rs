// SPDX-License-Identifier: Apache-2.0

//! What stands between a connection and the engine: signatures, regions, faults, latency and the record of requests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::header::{CONTENT_LENGTH, HOST, HeaderValue};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use uuid::Uuid;

use crate::admin;
use crate::auth::AccountKey;
use crate::connection::{AnswerBody, Cutter};
use crate::engine::{Engine, Request, Response};
use crate::faults::{Fault, FaultKind, Faults};
use crate::log::Log;
use crate::operation::{Operation, segments};
use crate::regions::{Admission, Regions};
use crate::reply::Reply;
use crate::request_log::{Entry, RequestLog};
use crate::restart::Restarts;

/// The largest request taken; the protocol's own limits are far below.
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;

/// What all connections share.
pub struct Shell {
    /// What answers the requests.
    pub engine: Arc<dyn Engine>,
    /// Misbehaviour on demand.
    pub faults: Faults,
    /// The last requests.
    pub requests: RequestLog,
    /// How much later every answer of the protocol comes.
    pub latency_millis: AtomicU64,
    /// The regions of the account.
    pub regions: Regions,
    /// Restarts of the server.
    pub restarts: Restarts,
    /// Log for people.
    pub log: Log,
    pub(crate) key: AccountKey,
    pub(crate) scheme: &'static str,
    pub(crate) address: SocketAddr,
}

/// Where a connection came in.
#[derive(Debug, Clone, Copy)]
pub struct Entrance {
    /// Number of the region.
    pub region: usize,
    /// Who is at the other end.
    pub peer: SocketAddr,
}

/// Answers one request of a connection.
pub async fn serve(
    shell: &Shell,
    entrance: Entrance,
    cutter: &Cutter,
    request: hyper::Request<Incoming>,
) -> http::Response<AnswerBody> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MAX_REQUEST_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => {
            let reply = Reply::error(413, 0, format!("the request could not be read: {error}"));
            return whole(reply.build());
        }
    };
    let path = parts.uri.path();
    if path.starts_with(admin::PREFIX) {
        if !entrance.peer.ip().is_loopback() {
            return whole(Reply::error(403, 0, "only from this machine").build());
        }
        let query = parts.uri.query().unwrap_or_default();
        return whole(admin::handle(shell, entrance.peer, &parts.method, path, query, &body).await);
    }
    let authority = parts
        .uri
        .authority()
        .map(|authority| authority.as_str())
        .or_else(|| parts.headers.get(HOST).and_then(|host| host.to_str().ok()))
        .map_or_else(|| shell.address.to_string(), str::to_owned);
    let request = Request {
        path: path.to_owned(),
        method: parts.method,
        headers: parts.headers,
        body,
        replica: false,
        locations: Vec::new(),
    };
    shell.answer(request, entrance.region, &authority, cutter).await
}

impl Shell {
    /// The regions as the administrative interface shows them.
    pub fn describe_regions(&self) -> Value {
        self.regions.describe(self.scheme)
    }

    async fn answer(
        &self,
        mut request: Request,
        region: usize,
        authority: &str,
        cutter: &Cutter,
    ) -> http::Response<AnswerBody> {
        let start = Instant::now();
        let operation = Operation::of(&request, &segments(&request.path));
        let fault = self.faults.take(operation.kind());
        let latency = Duration::from_millis(self.latency_millis.load(Ordering::Relaxed));
        let delay = latency + fault.as_ref().map_or(Duration::ZERO, Fault::delay);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let kind = fault.as_ref().map(|fault| fault.kind);
        let response = match &fault {
            Some(fault) if fault.kind == FaultKind::Status => Some(fault.answer()),
            Some(fault) if fault.kind == FaultKind::Refuse => None,
            _ => match self.regions.admit(region, operation) {
                Admission::Silence => None,
                _ if !self.key.signed(&request) => Some(unauthorized()),
                Admission::Refuse(reply) => Some(reply.build()),
                Admission::Serve { replica } => {
                    request.replica = replica;
                    if operation == Operation::ReadAccount {
                        request.locations = self.regions.locations(self.scheme, authority);
                    }
                    Some(self.engine.handle(&request).await)
                }
            },
        };
        let time = start.elapsed();
        let response = response.map(|response| finished(response, &request, time));
        let name = self.regions.name(region);
        let entry = Entry::new(
            &request,
            operation,
            response.as_ref(),
            kind.map(FaultKind::name),
            name,
            time,
        );
        if self.log.verbose() || kind.is_some() {
            self.log.line(entry.line());
        }
        self.requests.push(entry);
        let Some(response) = response else {
            cutter.cut(false);
            // The connection is about to end; there is nobody to answer to.
            return std::future::pending().await;
        };
        let body = |body| match kind {
            Some(FaultKind::Reset) => AnswerBody::broken(body, cutter.clone(), true),
            Some(FaultKind::Truncate) => AnswerBody::broken(body, cutter.clone(), false),
            Some(FaultKind::Long) => AnswerBody::long(body),
            Some(FaultKind::Short) => AnswerBody::Whole(Some(body.slice(..body.len() / 2))),
            Some(FaultKind::Status | FaultKind::Delay | FaultKind::Refuse) | None => AnswerBody::Whole(Some(body)),
        };
        let response = response.map(body);
        match kind {
            Some(FaultKind::Reset | FaultKind::Truncate | FaultKind::Long) => announced(response),
            _ => response,
        }
    }
}

fn unauthorized() -> Response {
    Reply::error(
        401,
        0,
        "The input authorization token can't serve the request. The wrong key is being used or the expected \
         payload is not built as per the protocol.",
    )
    .build()
}

/// Adds what every answer of the service has.
fn finished(mut response: Response, request: &Request, time: Duration) -> Response {
    let headers = response.headers_mut();
    let activity = request
        .header("x-ms-activity-id")
        .and_then(|id| HeaderValue::from_str(id).ok())
        .or_else(|| HeaderValue::from_str(&Uuid::new_v4().to_string()).ok());
    if let Some(activity) = activity {
        headers.entry("x-ms-activity-id").or_insert(activity);
    }
    if let Ok(time) = HeaderValue::from_str(&format!("{:.2}", time.as_secs_f64() * 1e3)) {
        headers.entry("x-ms-request-duration-ms").or_insert(time);
    }
    let fixed = [
        ("x-ms-request-charge", "1.00"),
        ("x-ms-version", "2020-07-15"),
        ("x-ms-gatewayversion", "version=cosmos-local"),
        ("x-ms-serviceversion", "version=cosmos-local"),
        ("x-ms-number-of-read-regions", "0"),
        ("x-ms-schemaversion", "1.18"),
        ("x-ms-session-token", "0:0#0#0=0"),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert_with(|| HeaderValue::from_static(value));
    }
    response
}

fn whole(response: Response) -> http::Response<AnswerBody> {
    response.map(|body| AnswerBody::Whole(Some(body)))
}

/// Says how long the body is, which is not how long it will be.
fn announced(mut response: http::Response<AnswerBody>) -> http::Response<AnswerBody> {
    if response.status() == http::StatusCode::NOT_MODIFIED {
        // A 304 has no body to break.
        *response.status_mut() = http::StatusCode::OK;
    }
    let length = HeaderValue::from(response.body().announced());
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}
