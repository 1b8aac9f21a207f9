// SPDX-License-Identifier: Apache-2.0

//! The second engine: Microsoft's in-memory emulator of the driver crate behind this server's HTTP shell.
//!
//! It shares no code with the native engine, so that what both agree on is not merely one author's belief.
//! A page or a write costs what its partition holds; it judges, it does not carry load. What it lacks is
//! listed in the README.

mod emulator;
mod feed;
mod log;

use std::time::Duration;

use azure_data_cosmos_driver::in_memory_emulator::ContainerConfig;
use azure_data_cosmos_driver::models::PartitionKeyDefinition;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::engine::{
    AdminError, AdminResult, BoxFuture, ContainerSpec, Engine, LoadSpec, MergeSpec, Request, Response, SplitSpec,
};
use crate::operation::{Operation, segments};
use emulator::{Emulator, json_of};
use log::WriteLog;

/// An account kept by the driver's emulator.
pub struct ReferenceEngine {
    emulator: Emulator,
    log: WriteLog,
    /// Held for a write and its log entry, so that the log's order is the order of effect.
    writes: Mutex<()>,
}

impl ReferenceEngine {
    /// An empty account reached at `endpoint`.
    ///
    /// # Errors
    /// When the endpoint is no URL, with a message for the user.
    pub fn new(endpoint: &str) -> Result<Self, String> {
        Ok(Self {
            emulator: Emulator::new(endpoint)?,
            log: WriteLog::default(),
            writes: Mutex::new(()),
        })
    }

    async fn answer(&self, request: &Request) -> Response {
        let names = segments(&request.path);
        let operation = Operation::of(request, &names);
        let container = container_path(&names);
        let forward = || {
            let path = request.path.trim_end_matches('/');
            self.emulator
                .send(&request.method, path, &request.headers, &request.body)
        };
        match operation {
            Operation::ChangeFeed if full_fidelity(request) => emulator::failure(
                http::StatusCode::BAD_REQUEST,
                "Change Feed 'All Versions and Deletes' mode must be enabled.",
            ),
            Operation::ChangeFeed => {
                let page = forward().await;
                if page.status() == http::StatusCode::OK {
                    return feed::number(&self.emulator, &container, page).await;
                }
                page
            }
            Operation::Batch
            | Operation::CreateItem
            | Operation::UpsertItem
            | Operation::ReplaceItem
            | Operation::DeleteItem => {
                let _order = self.writes.lock().await;
                let response = forward().await;
                let id = names.get(5).map(String::as_str);
                self.log.note(&container, operation, request, id, &response);
                response
            }
            Operation::DeleteContainer | Operation::DeleteDatabase => {
                let response = forward().await;
                if response.status().is_success() {
                    self.log.forget(&container);
                }
                response
            }
            _ => forward().await,
        }
    }

    async fn create(&self, spec: ContainerSpec) -> AdminResult {
        let container = path(&spec.database, &spec.container);
        if self.ask(&container).await.status().is_success() {
            let message = format!("{}/{} exists already", spec.database, spec.container);
            return Err(AdminError::new(409, message));
        }
        let definition =
            PartitionKeyDefinition::new(spec.partition_key.iter().map(|path| path.clone().into()).collect());
        let mut config = ContainerConfig::new().with_partition_count(spec.partitions);
        if let Some(throughput) = spec.throughput {
            config = config.with_throughput(throughput);
        }
        let config = config
            .build()
            .map_err(|error| AdminError::new(400, error.to_string()))?;
        let store = self.emulator.store();
        let database = format!("/dbs/{}", feed::encode(&spec.database));
        if !self.ask(&database).await.status().is_success() {
            store.create_database(&spec.database);
        }
        store.create_container_with_config(&spec.database, &spec.container, definition, config);
        self.state(&container).await
    }

    async fn state(&self, container: &str) -> AdminResult {
        let properties = self.ask(container).await;
        if !properties.status().is_success() {
            return Err(AdminError::new(404, format!("there is no container {container}")));
        }
        let ranges = json_of(&self.ask(&format!("{container}/pkranges")).await);
        let mut partitions = Vec::new();
        let mut total = 0;
        for range in ranges["PartitionKeyRanges"].as_array().into_iter().flatten() {
            let count = self.count(container, range["id"].as_str().unwrap_or_default()).await;
            total += count.unwrap_or(0);
            let parents: Vec<String> = range["parents"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned))
                .collect();
            partitions.push(json!({
                "id": range["id"],
                "minInclusive": range["minInclusive"],
                "maxExclusive": range["maxExclusive"],
                "lsn": range["_lsn"],
                // A locked partition answers no question; the emulator does not say for how long.
                "documents": count,
                "parents": parents,
                "lockedForMillis": if count.is_none() { Value::Null } else { json!(0) },
            }));
        }
        Ok(json!({
            "rid": json_of(&properties)["_rid"],
            "documents": total,
            "partitions": partitions,
        }))
    }

    /// Documents of a partition; none while it is locked.
    async fn count(&self, container: &str, range: &str) -> Option<u64> {
        let headers = [
            ("x-ms-documentdb-isquery", "True"),
            ("x-ms-documentdb-partitionkeyrangeid", range),
            ("content-type", "application/query+json"),
        ];
        let query = Bytes::from_static(br#"{"query":"SELECT VALUE COUNT(1) FROM c"}"#);
        let documents = format!("{container}/docs");
        let answer = self.emulator.ask(Method::POST, &documents, &headers, query).await;
        json_of(&answer)["Documents"][0].as_u64()
    }

    async fn split_partition(&self, database: &str, container: &str, spec: SplitSpec) -> AdminResult {
        let parent = match spec.partition {
            Some(id) => id,
            None => self.largest(&path(database, container)).await?,
        };
        let number = partition_number(&parent)?;
        let store = self.emulator.store();
        let middle = store
            .midpoint_split_epk(database, container, number)
            .map_err(|error| AdminError::new(404, error.to_string()))?;
        let lock = Duration::from_millis(spec.lock_millis);
        let children = store
            .split_partition_and_wait(database, container, number, middle, lock)
            .await
            .map_err(|error| AdminError::new(409, error.to_string()))?;
        let children: Vec<String> = children.iter().map(u32::to_string).collect();
        Ok(json!({"parent": parent, "children": children}))
    }

    async fn merge_partitions(&self, database: &str, container: &str, spec: MergeSpec) -> AdminResult {
        if !spec.renumber_lsns {
            return Err(AdminError::unsupported(
                "a merge that goes on with the LSNs; its merges renumber, say \"renumberLsns\": true",
            ));
        }
        let [left, right] = spec.partitions.as_slice() else {
            return Err(AdminError::unsupported("merging other than two partitions"));
        };
        let lock = Duration::from_millis(spec.lock_millis);
        let child = self
            .emulator
            .store()
            .merge_partitions_and_wait(
                database,
                container,
                partition_number(left)?,
                partition_number(right)?,
                lock,
            )
            .await
            .map_err(|error| AdminError::new(409, error.to_string()))?;
        Ok(json!({"parents": spec.partitions, "child": child.to_string()}))
    }

    async fn largest(&self, container: &str) -> Result<String, AdminError> {
        let state = self.state(container).await?;
        state["partitions"]
            .as_array()
            .into_iter()
            .flatten()
            .max_by_key(|partition| partition["documents"].as_u64())
            .and_then(|partition| partition["id"].as_str())
            .map(str::to_owned)
            .ok_or_else(|| AdminError::new(409, "the container has no partition to split"))
    }

    /// Loads by creating one document after the other.
    async fn fill(&self, database: &str, container: &str, spec: LoadSpec) -> AdminResult {
        let container = path(database, container);
        let before = self.state(&container).await?["documents"].as_u64().unwrap_or(0);
        let paths = feed::partition_key_paths(&self.emulator, &container).await;
        for number in before..before + spec.documents {
            let mut document = json!({
                "id": format!("{}-{number:010}", spec.id_prefix),
                "seq": number,
            });
            for path in &paths {
                let value = json!(format!("pk-{}", number % spec.partition_keys.max(1)));
                set(&mut document, path, value);
            }
            // About what the system properties will add.
            let size = document.to_string().len() + 330;
            document["payload"] = json!("x".repeat(spec.document_bytes.saturating_sub(size)));
            let key = feed::ascii(&feed::partition_key(&paths, &document).to_string());
            let headers = [
                ("x-ms-documentdb-partitionkey", key.as_str()),
                ("content-type", "application/json"),
            ];
            let body = Bytes::from(document.to_string());
            let request = Request {
                method: Method::POST,
                path: format!("{container}/docs"),
                headers: headers
                    .iter()
                    .filter_map(|(name, value)| {
                        let value = http::HeaderValue::from_str(value).ok()?;
                        Some((http::HeaderName::from_static(name), value))
                    })
                    .collect(),
                body,
                replica: false,
                locations: Vec::new(),
            };
            let response = self.answer(&request).await;
            if !response.status().is_success() {
                let status = response.status().as_u16();
                return Err(AdminError::new(status, format!("document {number} was refused")));
            }
        }
        Ok(json!({"documents": spec.documents}))
    }

    async fn ask(&self, path: &str) -> Response {
        self.emulator.ask(Method::GET, path, &[], Bytes::new()).await
    }
}

impl Engine for ReferenceEngine {
    fn handle<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Response> {
        Box::pin(self.answer(request))
    }

    fn create_container(&self, spec: ContainerSpec) -> BoxFuture<'_, AdminResult> {
        Box::pin(self.create(spec))
    }

    fn container_state<'a>(&'a self, database: &'a str, container: &'a str) -> BoxFuture<'a, AdminResult> {
        Box::pin(async move { self.state(&path(database, container)).await })
    }

    fn split<'a>(&'a self, database: &'a str, container: &'a str, spec: SplitSpec) -> BoxFuture<'a, AdminResult> {
        Box::pin(self.split_partition(database, container, spec))
    }

    fn merge<'a>(&'a self, database: &'a str, container: &'a str, spec: MergeSpec) -> BoxFuture<'a, AdminResult> {
        Box::pin(self.merge_partitions(database, container, spec))
    }

    fn load<'a>(&'a self, database: &'a str, container: &'a str, spec: LoadSpec) -> BoxFuture<'a, AdminResult> {
        Box::pin(self.fill(database, container, spec))
    }

    fn write_log<'a>(
        &'a self,
        database: &'a str,
        container: &'a str,
        from: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Bytes, AdminError>> {
        let lines = self.log.lines(&path(database, container), from, limit);
        Box::pin(async move { Ok(Bytes::from(lines)) })
    }
}

/// The path of a container, by which the log knows it.
fn path(database: &str, container: &str) -> String {
    format!("/dbs/{}/colls/{}", feed::encode(database), feed::encode(container))
}

/// The same from a request's segments; of a database when there are only those.
fn container_path(names: &[String]) -> String {
    match names {
        [_, database, _, container, ..] => path(database, container),
        [_, database, ..] => format!("/dbs/{}", feed::encode(database)),
        _ => String::new(),
    }
}

/// Whether a request is for all versions and deletes, of which the emulator keeps only the latest.
fn full_fidelity(request: &Request) -> bool {
    request
        .header("a-im")
        .is_some_and(|mode| mode.eq_ignore_ascii_case("full-fidelity feed"))
}

fn partition_number(id: &str) -> Result<u32, AdminError> {
    id.parse()
        .map_err(|_| AdminError::new(400, format!("partition '{id}' is no number")))
}

fn set(document: &mut Value, path: &[String], value: Value) {
    let mut place = document;
    for name in path {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[name.as_str()];
    }
    *place = value;
}
