// SPDX-License-Identifier: Apache-2.0

//! The seam between the HTTP shell and what answers the requests.
//!
//! The shell owns sockets, TLS, signatures, faults, latency and the request log; an [`Engine`] owns the
//! account: databases, containers, partitions and documents.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde::Deserialize;
use serde_json::Value;

/// A boxed future, so that the engine can be chosen at start.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What an engine answers: status, headers and the whole body.
pub type Response = http::Response<Bytes>;

/// What an administrative call answers: a JSON value or an error.
pub type AdminResult = Result<Value, AdminError>;

/// One request of the Cosmos protocol, read completely and with its signature already checked.
#[derive(Debug, Clone)]
pub struct Request {
    /// HTTP method.
    pub method: Method,
    /// Path as sent, percent-encoding and all.
    pub path: String,
    /// Headers as sent, names in lower case.
    pub headers: HeaderMap,
    /// The body, empty when there is none.
    pub body: Bytes,
    /// Whether it came to a region that may lag behind the writes.
    pub replica: bool,
    /// The regions of the account, the one that takes writes first; only where the account is asked for.
    pub locations: Vec<Location>,
}

/// A region as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Name.
    pub name: String,
    /// Address, with scheme and a slash at the end.
    pub endpoint: String,
}

impl Request {
    /// The value of a header when it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether a header is there and says `true` in any case.
    pub fn flag(&self, name: &str) -> bool {
        self.header(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

/// Why an administrative call was refused.
#[derive(Debug, Clone)]
pub struct AdminError {
    /// HTTP status of the answer.
    pub status: u16,
    /// What was found and what is accepted.
    pub message: String,
}

impl AdminError {
    /// An error with its status and message.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// The answer of an engine that has no such function.
    pub fn unsupported(what: &str) -> Self {
        Self::new(501, format!("this engine does not support {what}"))
    }
}

/// A container to create.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerSpec {
    /// Database, created when it is absent.
    pub database: String,
    /// Container.
    pub container: String,
    /// Partition key paths, more than one for a hierarchical key.
    #[serde(default = "default_partition_key")]
    pub partition_key: Vec<String>,
    /// Number of physical partitions.
    #[serde(default = "one")]
    pub partitions: u32,
    /// Request units a second; without it nothing is throttled.
    #[serde(default)]
    pub throughput: Option<u64>,
    /// The mode with all versions and deletes; off without it, unless the account has it on.
    #[serde(default)]
    pub all_versions_and_deletes: Option<AllVersionsSpec>,
    /// Seconds that documents live, -1 for those that say it themselves; without it nothing expires.
    #[serde(default)]
    pub default_time_to_live: Option<i64>,
}

/// The mode with all versions and deletes.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllVersionsSpec {
    /// How long a change stays readable, in seconds.
    pub retention_seconds: f64,
    /// Whether replaces and deletes carry the version before.
    #[serde(default = "yes")]
    pub previous_images: bool,
}

/// Settings of a running container; what is absent stays, `null` switches off.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SettingsSpec {
    /// The mode with all versions and deletes.
    #[serde(deserialize_with = "present")]
    pub all_versions_and_deletes: Option<Option<AllVersionsSpec>>,
    /// Seconds that documents live.
    #[serde(deserialize_with = "present")]
    pub default_time_to_live: Option<Option<i64>>,
    /// Request units a second of each partition, whatever the throughput of the container.
    #[serde(deserialize_with = "present")]
    pub request_units_per_partition: Option<Option<f64>>,
}

/// Tells `null` from an absent field.
fn present<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

fn yes() -> bool {
    true
}

/// A partition to split.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SplitSpec {
    /// Id of the partition; the one with the most documents when absent.
    pub partition: Option<String>,
    /// How long the partition is locked before its children appear.
    pub lock_millis: u64,
}

/// Partitions to merge.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MergeSpec {
    /// Ids of two or more partitions that touch each other.
    pub partitions: Vec<String>,
    /// How long the partitions are locked before the merged one appears.
    #[serde(default)]
    pub lock_millis: u64,
    /// Whether the merged partition counts its LSNs from 1 again.
    #[serde(default)]
    pub renumber_lsns: bool,
}

/// Documents to make up inside the server.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadSpec {
    /// How many documents.
    pub documents: u64,
    /// Size of a document's JSON with its system properties, in bytes.
    #[serde(default = "one_kilobyte")]
    pub document_bytes: usize,
    /// How many distinct partition key values.
    #[serde(default = "thousand")]
    pub partition_keys: u64,
    /// Ids are this, a dash and a number that goes on from load to load.
    #[serde(default = "default_id_prefix")]
    pub id_prefix: String,
}

fn default_partition_key() -> Vec<String> {
    vec!["/pk".to_owned()]
}

fn default_id_prefix() -> String {
    "doc".to_owned()
}

fn one() -> u32 {
    1
}

fn thousand() -> u64 {
    1000
}

fn one_kilobyte() -> usize {
    1024
}

/// What stands behind the HTTP shell.
///
/// Called from any thread of the runtime, many calls at once.
pub trait Engine: Send + Sync + 'static {
    /// Answers a request of the Cosmos protocol.
    fn handle<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Response>;

    /// Creates a container and answers its state; 409 when it is there.
    fn create_container(&self, spec: ContainerSpec) -> BoxFuture<'_, AdminResult>;

    /// The state of a container: RID, documents and partitions.
    fn container_state<'a>(&'a self, database: &'a str, container: &'a str) -> BoxFuture<'a, AdminResult>;

    /// Changes settings of a container and answers its state.
    fn configure<'a>(
        &'a self,
        _database: &'a str,
        _container: &'a str,
        _spec: SettingsSpec,
    ) -> BoxFuture<'a, AdminResult> {
        Box::pin(async { Err(AdminError::unsupported("settings")) })
    }

    /// Lets reads of a region see only what is older than this; 0 lets them see everything.
    fn set_lag(&self, lag: Duration) -> Result<(), AdminError> {
        if lag.is_zero() {
            Ok(())
        } else {
            Err(AdminError::unsupported("regions that lag"))
        }
    }

    /// Splits a partition in two and answers once the children are there.
    fn split<'a>(&'a self, database: &'a str, container: &'a str, spec: SplitSpec) -> BoxFuture<'a, AdminResult>;

    /// Merges partitions and answers once the merged one is there.
    fn merge<'a>(&'a self, _database: &'a str, _container: &'a str, _spec: MergeSpec) -> BoxFuture<'a, AdminResult> {
        Box::pin(async { Err(AdminError::unsupported("merge")) })
    }

    /// Makes up documents.
    fn load<'a>(&'a self, _database: &'a str, _container: &'a str, _spec: LoadSpec) -> BoxFuture<'a, AdminResult> {
        Box::pin(async { Err(AdminError::unsupported("load")) })
    }

    /// Writes with a sequence number of `from` or more, at most `limit`, as lines of JSON.
    fn write_log<'a>(
        &'a self,
        _database: &'a str,
        _container: &'a str,
        _from: u64,
        _limit: usize,
    ) -> BoxFuture<'a, Result<Bytes, AdminError>> {
        Box::pin(async { Err(AdminError::unsupported("the write log")) })
    }
}
