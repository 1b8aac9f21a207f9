// SPDX-License-Identifier: Apache-2.0

//! A record of the writes that went through, told from requests and responses.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::emulator::{header, json_of};
use crate::engine::{Request, Response};
use crate::operation::Operation;

/// Writes of each container, by its path, in the order they took effect.
#[derive(Default)]
pub(super) struct WriteLog(Mutex<HashMap<String, Vec<Value>>>);

impl WriteLog {
    /// Notes a write when it was one and went through; call it before the next write is let in.
    pub(super) fn note(
        &self,
        container: &str,
        operation: Operation,
        request: &Request,
        id: Option<&str>,
        response: &Response,
    ) {
        if !response.status().is_success() {
            return;
        }
        let lsn = header(response, "lsn").and_then(|lsn| lsn.parse::<u64>().ok());
        let partition = header(response, "x-ms-documentdb-partitionkeyrangeid").unwrap_or_default();
        let key = request
            .header("x-ms-documentdb-partitionkey")
            .and_then(|key| serde_json::from_str::<Value>(key).ok())
            .unwrap_or_default();
        let mut log = self.0.lock();
        let entries = log.entry(container.to_owned()).or_default();
        let mut push = |op: &str, id: &str, etag: Option<&str>| {
            let seq = entries.len() + 1;
            entries.push(json!({
                "seq": seq, "lsn": lsn, "partition": partition, "id": id, "pk": key,
                "etag": etag, "op": op, "ts": now(),
            }));
        };
        if operation == Operation::Batch {
            // A batch that failed in one of its operations (207) has written nothing.
            if response.status() != http::StatusCode::OK {
                return;
            }
            let operations = decode(&request.body);
            let results = json_of(response);
            for (operation, result) in list(&operations).iter().zip(list(&results)) {
                let op = operation["operationType"].as_str().unwrap_or_default().to_lowercase();
                if matches!(op.as_str(), "create" | "upsert" | "replace" | "delete") {
                    let id = operation["id"].as_str().or(operation["resourceBody"]["id"].as_str());
                    push(&op, id.unwrap_or_default(), result["eTag"].as_str());
                }
            }
            return;
        }
        let op = match operation {
            Operation::CreateItem => "create",
            Operation::UpsertItem => "upsert",
            Operation::ReplaceItem => "replace",
            Operation::DeleteItem => "delete",
            _ => return,
        };
        let body = decode(&request.body);
        let id = id.or(body["id"].as_str()).unwrap_or_default();
        push(op, id, header(response, "etag"));
    }

    /// Writes with a number of `from` or more, at most `limit`, as lines of JSON.
    pub(super) fn lines(&self, container: &str, from: u64, limit: usize) -> String {
        let skip = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        let log = self.0.lock();
        let entries = log.get(container).map(Vec::as_slice).unwrap_or_default();
        entries
            .iter()
            .skip(skip)
            .take(limit)
            .map(|entry| format!("{entry}\n"))
            .collect()
    }

    /// Forgets a container that was deleted.
    pub(super) fn forget(&self, container: &str) {
        self.0
            .lock()
            .retain(|path, _| path != container && !path.starts_with(&format!("{container}/")));
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A body as JSON, whichever of the two formats it has.
fn decode(body: &[u8]) -> Value {
    if azure_data_cosmos_driver::binary_json::is_binary(body) {
        azure_data_cosmos_driver::binary_json::decode(body).unwrap_or_default()
    } else {
        serde_json::from_slice(body).unwrap_or_default()
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}
