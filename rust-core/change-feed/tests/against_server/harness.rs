// SPDX-License-Identifier: Apache-2.0
//! A server, a container, writes through Microsoft's SDK; a reader and what it reads in the modules below.

mod quiet;
mod reader;
mod rows;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use azure_core::credentials::Secret;
use azure_data_cosmos::clients::ContainerClient;
use azure_data_cosmos::{AccountReference, CosmosClient, RoutingStrategy};
use change_feed::Configuration;
use cosmos_local::native::NativeEngine;
use cosmos_local::server::{Options, Server};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

pub use reader::*;
pub use rows::*;

pub const DATABASE: &str = "shop";
pub const CONTAINER: &str = "orders";

/// Nothing here takes longer unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct TestServer {
    runtime: Runtime,
    server: Option<Server>,
    http: reqwest::Client,
}

impl TestServer {
    pub fn start() -> Self {
        Self::start_with(Options::local())
    }

    pub fn start_with(options: Options) -> Self {
        let runtime = Runtime::new().unwrap();
        let server = runtime
            .block_on(Server::start(options, Arc::new(NativeEngine::default())))
            .unwrap();
        Self {
            runtime,
            server: Some(server),
            // The admin interface of a TLS server has the same certificate, which is nobody's business here.
            http: reqwest::Client::builder()
                .tls_danger_accept_invalid_certs(true)
                .build()
                .unwrap(),
        }
    }

    /// A server with an empty container.
    pub fn with_container(partitions: u32) -> Self {
        let server = Self::start();
        server.create_container(partitions);
        server
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// A server with an empty container that retains all versions and deletes.
    pub fn with_all_versions(partitions: u32) -> Self {
        let server = Self::start();
        server.create_container(partitions);
        server.settings(json!({"allVersionsAndDeletes": {"retentionSeconds": 3600}}));
        server
    }

    pub fn create_container(&self, partitions: u32) {
        self.create(CONTAINER, partitions);
    }

    pub fn create(&self, container: &str, partitions: u32) {
        self.admin(
            "POST",
            "containers",
            json!({"database": DATABASE, "container": container, "partitionKey": ["/pk"], "partitions": partitions}),
        );
    }

    pub fn settings(&self, settings: Value) {
        self.admin("POST", &format!("containers/{DATABASE}/{CONTAINER}/settings"), settings);
    }

    pub fn delete(&self, container: &ContainerClient, pk: &str, id: &str) {
        self.block_on(container.delete_item(pk.to_owned(), id, None)).unwrap();
    }

    pub fn delete_container(&self) {
        let container = self.container();
        self.runtime.block_on(container.delete(None)).unwrap();
    }

    pub fn load(&self, documents: u32) {
        self.admin(
            "POST",
            &format!("containers/{DATABASE}/{CONTAINER}/load"),
            json!({"documents": documents, "documentBytes": 300, "partitionKeys": 50, "idPrefix": "doc"}),
        );
    }

    pub fn split(&self, lock_millis: u64) -> Value {
        self.admin(
            "POST",
            &format!("containers/{DATABASE}/{CONTAINER}/split"),
            json!({"lockMillis": lock_millis}),
        )
    }

    /// Splits a partition; its children's ids.
    pub fn split_partition(&self, id: &str) -> Vec<String> {
        let path = format!("containers/{DATABASE}/{CONTAINER}/split");
        let split = self.admin("POST", &path, json!({"partition": id}));
        let children = split["children"].as_array().unwrap();
        children.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    }

    pub fn merge(&self, partitions: &[String], renumber_lsns: bool) {
        let path = format!("containers/{DATABASE}/{CONTAINER}/merge");
        self.admin(
            "POST",
            &path,
            json!({"partitions": partitions, "renumberLsns": renumber_lsns}),
        );
    }

    /// Waits until the server was asked something of a kind.
    pub fn await_request(&self, kind: &str) {
        let url = format!("{}requests", self.server().admin());
        let kind = format!("\"kind\":\"{kind}\"");
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let asked = self
                .runtime
                .block_on(async { self.http.get(&url).send().await.unwrap().text().await.unwrap() });
            if asked.contains(&kind) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("no request with {kind}");
    }

    /// Waits until the server has forgotten all versions and deletes.
    pub fn await_no_changes(&self) {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let state = self.admin("GET", &format!("containers/{DATABASE}/{CONTAINER}"), Value::Null);
            let partitions = state["partitions"].as_array().unwrap();
            if partitions.iter().all(|partition| partition["changes"] == 0) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("changes are kept");
    }

    pub fn end_faults(&self) {
        self.admin("DELETE", "faults", Value::Null);
    }

    /// Does something while the only range that is read is told to ask later, so that no request meets it half done.
    pub fn hide_changes(&self, something: impl FnOnce()) {
        const MANY: u64 = 1_000_000;
        self.fault(
            json!({"operation": "changefeed", "count": MANY, "kind": "status", "status": 429, "subStatus": 3200}),
        );
        let until = Instant::now() + PATIENCE;
        while self.faults_left() == MANY {
            assert!(Instant::now() < until, "nobody asks for changes");
            std::thread::sleep(Duration::from_millis(5));
        }
        something();
        self.end_faults();
    }

    pub fn fault(&self, fault: Value) {
        self.admin("POST", "faults", fault);
    }

    /// Every write that the server made, oldest first.
    pub fn log(&self) -> Vec<Value> {
        self.lines(&format!("containers/{DATABASE}/{CONTAINER}/log"))
    }

    /// The requests that the server was asked, oldest first.
    pub fn requests(&self) -> Vec<Value> {
        self.lines("requests")
    }

    fn lines(&self, path: &str) -> Vec<Value> {
        let url = format!("{}{path}", self.server().admin());
        let text = self.block_on(async { self.http.get(url).send().await.unwrap().text().await.unwrap() });
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How many requests are still to fail.
    pub fn faults_left(&self) -> u64 {
        let rules = self.admin("GET", "faults", Value::Null);
        let rules = rules.as_array().expect("a list of rules").iter();
        rules.map(|rule| rule["count"].as_u64().unwrap()).sum()
    }

    pub fn admin(&self, method: &str, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.server().admin());
        self.runtime.block_on(async {
            let mut request = self.http.request(method.parse().unwrap(), url);
            if !body.is_null() {
                request = request.json(&body);
            }
            let response = request.send().await.unwrap();
            let status = response.status();
            let text = response.text().await.unwrap();
            assert!(status.is_success(), "{method} {path}: {status} {text}");
            serde_json::from_str(&text).unwrap_or(Value::Null)
        })
    }

    /// The container through Microsoft's SDK.
    pub fn container(&self) -> ContainerClient {
        self.container_named(CONTAINER)
    }

    pub fn container_named(&self, name: &str) -> ContainerClient {
        let client = self.client();
        let database = client.database_client(DATABASE.to_owned());
        self.block_on(database.container_client(name.to_owned(), None)).unwrap()
    }

    /// Microsoft's client of the server.
    pub fn client(&self) -> CosmosClient {
        let account = AccountReference::with_authentication_key(
            self.server().endpoint().parse().unwrap(),
            Secret::from(self.server().key().to_owned()),
        );
        let building = CosmosClient::builder().build(account, RoutingStrategy::PreferredRegions(vec![]));
        self.block_on(building).unwrap()
    }

    /// Runs a future on the server's runtime.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    pub fn upsert(&self, container: &ContainerClient, pk: &str, id: &str, revision: u32) {
        self.runtime.block_on(async {
            container
                .upsert_item(
                    pk.to_owned(),
                    id,
                    json!({"id": id, "pk": pk, "revision": revision}),
                    None,
                )
                .await
                .unwrap();
        });
    }

    /// All documents' ids and ETags, as a read of the whole feed finds them now.
    pub fn current(&self) -> HashMap<String, String> {
        let mut session = Reader::open(&self.configuration(json!({})));
        session.start_all();
        let mut current = HashMap::new();
        session.read_until_idle(|document| {
            current.insert(document.id, document.etag);
        });
        current
    }

    /// A configuration of this server's container, with `changes` on top.
    pub fn configuration(&self, changes: Value) -> Configuration {
        Configuration::from_json(self.configuration_json(changes).to_string().as_bytes()).unwrap()
    }

    pub fn configuration_json(&self, changes: Value) -> Value {
        let mut configuration = json!({
            "endpoint": self.server().endpoint(), "key": self.server().key(),
            "database": DATABASE, "container": CONTAINER,
            "mode": "LATEST_VERSION", "startFrom": {"kind": "BEGINNING"}, "stopAt": {"kind": "NEVER"},
            "minSplits": 1, "retentionExpired": "FAIL",
            "pageSize": 100, "maxBytesInFlight": 64 << 20, "idlePollMinMillis": 5, "idlePollMaxMillis": 20,
            "itemsWithoutLsn": "FAIL", "startupTimeoutMillis": 60_000, "requestTimeoutMillis": 10000,
            "certificateValidation": "REQUIRED", "applicationName": "core-tests"
        });
        for (option, value) in changes.as_object().unwrap() {
            configuration[option] = value.clone();
        }
        configuration
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
    }
}
