// SPDX-License-Identifier: Apache-2.0

//! Transactional batches: all of their operations or none, under one log sequence number.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::body;
use super::container::Container;
use super::document::DocumentKey;
use super::epk::Epk;
use super::items::{self, Incoming};
use super::partition::{Partition, PartitionState};
use super::scope::{bad_request, key_point};
use super::throughput;
use super::write_log::WriteKind;
use crate::engine::Request;
use crate::reply::Reply;

/// The most operations of a batch.
const MAX_OPERATIONS: usize = 100;
/// The largest batch, in bytes of its JSON.
const MAX_BYTES: usize = 2 * 1024 * 1024;
/// Status of an operation that did not run because another one failed.
const FAILED_DEPENDENCY: u16 = 424;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Operation<'a> {
    operation_type: String,
    id: Option<String>,
    #[serde(borrow)]
    resource_body: Option<&'a RawValue>,
    if_match: Option<String>,
    if_none_match: Option<String>,
}

/// An operation that was read and checked.
enum Step {
    Read {
        key: DocumentKey,
        if_none_match: Option<String>,
    },
    Write {
        kind: WriteKind,
        incoming: Incoming,
        if_match: Option<String>,
    },
    Delete {
        key: DocumentKey,
        if_match: Option<String>,
    },
}

/// Why a batch comes to nothing: the operation, its status and sub-status.
struct Failure {
    at: usize,
    status: u16,
    sub_status: u32,
}

/// Runs a batch.
pub fn run(container: &Container, request: &Request) -> Result<Reply, Reply> {
    if request.body.len() > MAX_BYTES {
        let size = request.body.len();
        return Err(Reply::error(
            413,
            0,
            format!("the batch has {size} bytes, more than {MAX_BYTES}"),
        ));
    }
    let header = items::header_key(request)?
        .ok_or_else(|| bad_request("x-ms-documentdb-partitionkey: a batch needs a partition key"))?;
    let epk = key_point(container, &header)?;
    let text = body::text(&request.body)?;
    let operations: Vec<Operation<'_>> = serde_json::from_slice(&text)
        .map_err(|error| bad_request(format!("the body is no list of batch operations: {error}")))?;
    let count = operations.len();
    if count == 0 || count > MAX_OPERATIONS {
        return Err(bad_request(format!(
            "the batch has {count} operations, not 1 to {MAX_OPERATIONS}"
        )));
    }
    let mut steps = Vec::with_capacity(count);
    for (at, operation) in operations.into_iter().enumerate() {
        let step = match operation.resource_body {
            // The body's own partition key has to be the batch's; which operation it was shows in the results.
            Some(body) => match Incoming::read(container, body.get().as_bytes(), Some(&header)) {
                Ok(incoming) => operation.with_body(incoming),
                Err(reply) => {
                    let failure = Failure {
                        at,
                        status: reply.status(),
                        sub_status: reply.sub_status(),
                    };
                    return items::with_partition(container, request, &epk, |_, _| Ok(failed(&failure, count)));
                }
            },
            None => operation.without_body(&epk),
        };
        steps.push(step?);
    }
    let wanted = body::wanted(request);
    items::with_partition(container, request, &epk, |partition, state| {
        Ok(match check(state, &steps) {
            Err(failure) => failed(&failure, steps.len()),
            Ok(()) => commit(container, partition, state, &steps, wanted),
        })
    })
}

impl Operation<'_> {
    fn with_body(self, incoming: Incoming) -> Result<Step, Reply> {
        let kind = match self.operation_type.as_str() {
            "Create" => WriteKind::Create,
            "Upsert" => WriteKind::Upsert,
            "Replace" => WriteKind::Replace,
            other => return Err(unknown(other)),
        };
        if self.id.is_some_and(|id| *id != *incoming.key.id) {
            return Err(bad_request("id: the operation and its body name different ids"));
        }
        Ok(Step::Write {
            kind,
            incoming,
            if_match: self.if_match,
        })
    }

    fn without_body(self, epk: &Epk) -> Result<Step, Reply> {
        let key = |id: Option<String>| {
            id.map(|id| DocumentKey {
                epk: epk.clone(),
                id: Arc::from(id),
            })
            .ok_or_else(|| bad_request("id: the operation needs one"))
        };
        match self.operation_type.as_str() {
            "Read" => Ok(Step::Read {
                key: key(self.id)?,
                if_none_match: self.if_none_match,
            }),
            "Delete" => Ok(Step::Delete {
                key: key(self.id)?,
                if_match: self.if_match,
            }),
            "Create" | "Upsert" | "Replace" => Err(bad_request("resourceBody: the operation needs a document")),
            other => Err(unknown(other)),
        }
    }
}

fn unknown(operation: &str) -> Reply {
    bad_request(format!(
        "operationType: {operation} is none of Create, Upsert, Replace, Read, Delete"
    ))
}

/// Plays the batch through without changing anything.
fn check(state: &PartitionState, steps: &[Step]) -> Result<(), Failure> {
    // What the batch itself has written or deleted by then; such a version's ETag no client can know.
    let mut written: HashSet<&DocumentKey> = HashSet::new();
    let mut deleted: HashSet<&DocumentKey> = HashSet::new();
    for (at, step) in steps.iter().enumerate() {
        let fail = |status| {
            Err(Failure {
                at,
                status,
                sub_status: 0,
            })
        };
        let key = step.key();
        let changed = written.contains(key) || deleted.contains(key);
        let there = written.contains(key) || (!deleted.contains(key) && state.get(key).is_some());
        match step {
            Step::Read { .. } | Step::Delete { .. } if !there => return fail(404),
            Step::Write { kind, .. } if there && *kind == WriteKind::Create => return fail(409),
            Step::Write { kind, .. } if !there && *kind == WriteKind::Replace => return fail(404),
            _ => {}
        }
        let if_match = match step {
            Step::Write { if_match, .. } | Step::Delete { if_match, .. } => if_match.as_deref(),
            Step::Read { .. } => None,
        };
        if let Some(etag) = if_match.filter(|etag| *etag != "*" && there) {
            let current = state.get(key).map(|document| document.stamp.etag());
            if changed || current.as_deref() != Some(etag) {
                return fail(412);
            }
        }
        match step {
            Step::Read { .. } => {}
            Step::Write { .. } => {
                deleted.remove(key);
                written.insert(key);
            }
            Step::Delete { .. } => {
                written.remove(key);
                deleted.insert(key);
            }
        }
    }
    Ok(())
}

fn commit(
    container: &Container,
    partition: &Partition,
    state: &mut PartitionState,
    steps: &[Step],
    wanted: bool,
) -> Reply {
    let writes = steps.iter().any(|step| !matches!(step, Step::Read { .. }));
    let lsn = if writes { state.next_lsn() } else { state.lsn() };
    let mut results = Vec::with_capacity(steps.len());
    let mut total = 0.0;
    for step in steps {
        let (result, charge) = match step {
            Step::Read { key, if_none_match } => read(state, key, if_none_match.as_deref()),
            Step::Write { kind, incoming, .. } => {
                let created = state.get(&incoming.key).is_none();
                let document = container.write(partition.id, state, lsn, *kind, incoming.version());
                let charge = throughput::write(document.json.len());
                let mut result = Map::new();
                result.insert("statusCode".to_owned(), json!(if created { 201 } else { 200 }));
                result.insert("eTag".to_owned(), json!(document.stamp.etag()));
                if wanted && let Ok(body) = serde_json::from_slice(&document.json) {
                    result.insert("resourceBody".to_owned(), body);
                }
                (result, charge)
            }
            Step::Delete { key, .. } => {
                let old = container.delete(partition.id, state, lsn, key, false);
                let mut result = Map::new();
                result.insert("statusCode".to_owned(), json!(204));
                (result, throughput::write(old.map_or(0, |old| old.json.len())))
            }
        };
        total += charge;
        results.push(with_charge(result, charge));
    }
    partition.budget.lock().charge(total);
    Reply::json(200, &Value::Array(results))
        .items(steps.len())
        .charge(total)
        .header("x-ms-item-lsn", lsn)
}

fn read(state: &PartitionState, key: &DocumentKey, if_none_match: Option<&str>) -> (Map<String, Value>, f64) {
    let mut result = Map::new();
    let Some(document) = state.get(key) else {
        // `check` has seen it, under the same lock.
        result.insert("statusCode".to_owned(), json!(404));
        return (result, 1.0);
    };
    let etag = document.stamp.etag();
    let known = if_none_match == Some(etag.as_str());
    result.insert("statusCode".to_owned(), json!(if known { 304 } else { 200 }));
    result.insert("eTag".to_owned(), json!(etag));
    if !known && let Ok(body) = serde_json::from_slice(&document.json) {
        result.insert("resourceBody".to_owned(), body);
    }
    (result, throughput::read(document.json.len()))
}

fn with_charge(mut result: Map<String, Value>, charge: f64) -> Value {
    result.insert("requestCharge".to_owned(), json!((charge * 100.0).round() / 100.0));
    Value::Object(result)
}

/// 207: the failed operation with its status, all others as depending on it.
fn failed(failure: &Failure, count: usize) -> Reply {
    let results: Vec<Value> = (0..count)
        .map(|at| {
            let mut result = Map::new();
            if at == failure.at {
                result.insert("statusCode".to_owned(), json!(failure.status));
                if failure.sub_status != 0 {
                    result.insert("subStatusCode".to_owned(), json!(failure.sub_status));
                }
            } else {
                result.insert("statusCode".to_owned(), json!(FAILED_DEPENDENCY));
            }
            with_charge(result, 1.0)
        })
        .collect();
    Reply::json(207, &Value::Array(results))
        .items(count)
        .charge(count as f64)
}

impl Step {
    fn key(&self) -> &DocumentKey {
        match self {
            Self::Read { key, .. } | Self::Delete { key, .. } => key,
            Self::Write { incoming, .. } => &incoming.key,
        }
    }
}
