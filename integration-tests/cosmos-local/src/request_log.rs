// SPDX-License-Identifier: Apache-2.0

//! The last requests, so that a test can see what a client has asked for.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;

use crate::engine::{Request, Response};
use crate::operation::Operation;

/// How many requests are kept.
const CAPACITY: usize = 100_000;

/// A request and how it was answered.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    seq: u64,
    method: String,
    path: String,
    region: String,
    kind: &'static str,
    status: u16,
    sub_status: u32,
    partition_key_range_id: Option<String>,
    start_epk: Option<String>,
    end_epk: Option<String>,
    if_none_match: Option<String>,
    items: u64,
    ms: f64,
    fault: Option<&'static str>,
}

impl Entry {
    /// Describes a request; without an answer its status is 0.
    pub fn new(
        request: &Request,
        operation: Operation,
        response: Option<&Response>,
        fault: Option<&'static str>,
        region: &str,
        time: Duration,
    ) -> Self {
        let text = |name| request.header(name).map(str::to_owned);
        let number = |name| -> u64 {
            response
                .and_then(|response| response.headers().get(name))
                .and_then(|value| value.to_str().ok())
                .and_then(|value| value.parse().ok())
                .unwrap_or(0)
        };
        Self {
            seq: 0,
            method: request.method.to_string(),
            path: request.path.clone(),
            region: region.to_owned(),
            kind: operation.kind(),
            status: response.map_or(0, |response| response.status().as_u16()),
            sub_status: u32::try_from(number("x-ms-substatus")).unwrap_or(0),
            // A read by partition key names no range; the answer tells which one it was.
            partition_key_range_id: text("x-ms-documentdb-partitionkeyrangeid").or_else(|| {
                let answered = response?.headers().get("x-ms-documentdb-partitionkeyrangeid")?;
                answered.to_str().ok().map(str::to_owned)
            }),
            start_epk: text("x-ms-start-epk"),
            end_epk: text("x-ms-end-epk"),
            if_none_match: text("if-none-match"),
            items: number("x-ms-item-count"),
            ms: (time.as_secs_f64() * 1e6).round() / 1e3,
            fault,
        }
    }

    /// One line for people.
    pub fn line(&self) -> String {
        let sub_status = match self.sub_status {
            0 => String::new(),
            sub_status => format!("/{sub_status}"),
        };
        let range = self.partition_key_range_id.as_deref().unwrap_or("-");
        let etag = self.if_none_match.as_deref().unwrap_or("-");
        let fault = self.fault.map_or(String::new(), |fault| format!(" fault {fault}"));
        format!(
            "{} {} {} {}{} range {range} from {etag} items {} {} ms{fault}",
            self.kind, self.method, self.path, self.status, sub_status, self.items, self.ms
        )
    }
}

/// A ring of the last requests; numbers go on when it is cleared.
#[derive(Debug, Default)]
pub struct RequestLog(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<Entry>,
    last: u64,
}

impl RequestLog {
    /// Adds a request and numbers it.
    pub fn push(&self, mut entry: Entry) {
        let mut ring = self.0.lock();
        ring.last += 1;
        entry.seq = ring.last;
        if ring.entries.len() == CAPACITY {
            ring.entries.pop_front();
        }
        ring.entries.push_back(entry);
    }

    /// Forgets all requests.
    pub fn clear(&self) {
        self.0.lock().entries.clear();
    }

    /// Lines of JSON from a number on.
    pub fn lines(&self, from: u64, limit: usize) -> String {
        let ring = self.0.lock();
        let start = ring.entries.partition_point(|entry| entry.seq < from);
        let mut lines = String::new();
        for entry in ring.entries.iter().skip(start).take(limit) {
            lines.push_str(&serde_json::to_string(entry).unwrap_or_default());
            lines.push('\n');
        }
        lines
    }
}
