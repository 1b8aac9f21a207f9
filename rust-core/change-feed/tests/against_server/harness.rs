// SPDX-License-Identifier: Apache-2.0
//! A server, a container, writes through Microsoft's SDK, and a reader that does what Java does with pages.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use azure_core::credentials::Secret;
use azure_data_cosmos::clients::ContainerClient;
use azure_data_cosmos::{AccountReference, CosmosClient, RoutingStrategy};
use change_feed::framing::{SplitSnapshot, decode_splits};
use change_feed::{Configuration, Page, Result, Session};
use cosmos_local::native::NativeEngine;
use cosmos_local::server::{Options, Server};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

pub const DATABASE: &str = "shop";
pub const CONTAINER: &str = "orders";

/// Nothing here takes longer unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

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

    pub fn create_container(&self, partitions: u32) {
        self.admin(
            "POST",
            "containers",
            json!({"database": DATABASE, "container": CONTAINER, "partitionKey": ["/pk"], "partitions": partitions}),
        );
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

    pub fn end_faults(&self) {
        self.admin("DELETE", "faults", Value::Null);
    }

    pub fn fault(&self, fault: Value) {
        self.admin("POST", "faults", fault);
    }

    /// Every write that the server made, oldest first.
    pub fn log(&self) -> Vec<Value> {
        let url = format!("{}containers/{DATABASE}/{CONTAINER}/log", self.server().admin());
        let text = self
            .runtime
            .block_on(async { self.http.get(url).send().await.unwrap().text().await.unwrap() });
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
        self.runtime.block_on(async {
            let account = AccountReference::with_authentication_key(
                self.server().endpoint().parse().unwrap(),
                Secret::from(self.server().key().to_owned()),
            );
            CosmosClient::builder()
                .build(account, RoutingStrategy::PreferredRegions(vec![]))
                .await
                .unwrap()
                .database_client(DATABASE.to_owned())
                .container_client(CONTAINER.to_owned(), None)
                .await
                .unwrap()
        })
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
            "itemsWithoutLsn": "FAIL", "startupTimeoutMillis": 5000, "requestTimeoutMillis": 10000,
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

/// One emitted change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Document {
    pub id: String,
    pub etag: String,
    pub pk: String,
    pub lsn: i64,
}

/// Fails when a change was emitted twice.
pub fn assert_each_once(emitted: &[Document]) {
    let unique: HashSet<_> = emitted.iter().map(|d| (&d.id, &d.etag)).collect();
    assert_eq!(unique.len(), emitted.len(), "twice: {emitted:?}");
}

/// The last ETag emitted of each document.
pub fn last_versions(emitted: &[Document]) -> HashMap<String, String> {
    emitted.iter().map(|d| (d.id.clone(), d.etag.clone())).collect()
}

/// Does with a session what the Java reader does.
pub struct Reader {
    pub session: Session,
}

impl Reader {
    pub fn open(configuration: &Configuration) -> Self {
        Self {
            session: Session::open(configuration.clone()).unwrap(),
        }
    }

    /// Reads the first page of a container of one partition and stops in the middle of it, as if a checkpoint were taken there
    /// and the job ended: what was emitted, and the split in that checkpoint.
    pub fn stop_in_first_page(configuration: &Configuration, groups_emitted: usize) -> (Vec<Document>, SplitSnapshot) {
        let mut reader = Self::open(configuration);
        let split = reader.start_all().remove(0);
        let page = reader.next();
        let groups = grouped(&page);
        assert!(
            groups_emitted < groups.len(),
            "in the middle of {} groups",
            groups.len()
        );
        let position = page.position_after(groups_emitted - 1).unwrap();
        let emitted = groups.into_iter().take(groups_emitted).flatten().collect();
        (emitted, SplitSnapshot { position, ..split })
    }

    /// Goes on from a checkpoint and reads to the end.
    pub fn read_on(configuration: &Configuration, split: SplitSnapshot, emitted: &mut Vec<Document>) -> Self {
        let mut reader = Self::open(configuration);
        reader.session.add_splits(vec![split]).unwrap();
        reader.read_until_idle(|document| emitted.push(document));
        reader
    }

    pub fn start_all(&mut self) -> Vec<SplitSnapshot> {
        let splits = self.session.discover(&[]).unwrap();
        self.session.add_splits(splits.clone()).unwrap();
        splits
    }

    /// The next page or event; fails the test when none comes.
    pub fn next(&mut self) -> Arc<Page> {
        let until = Instant::now() + PATIENCE;
        loop {
            assert!(
                Instant::now() < until,
                "no page came; log: {:?}",
                self.session.drain_logs()
            );
            if let Some(page) = self.session.poll(Duration::from_millis(100)).unwrap() {
                return page;
            }
        }
    }

    /// The next failure; fails the test when none comes.
    pub fn failure(&mut self) -> change_feed::Error {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Err(error) = self.session.poll(Duration::from_millis(100)) {
                return error;
            }
        }
        panic!("nothing failed; log: {:?}", self.session.drain_logs());
    }

    /// Reads, following splits, until `enough` says so.
    pub fn read_while(&mut self, mut go_on: impl FnMut(Document) -> bool) -> Result<()> {
        loop {
            let page = self.next();
            let mut more = true;
            for document in follow(self, &page) {
                more = go_on(document);
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// Reads, following splits, until every range has answered twice that there is nothing.
    pub fn read_until_idle(&mut self, mut each: impl FnMut(Document)) {
        let mut quiet_since = self.session.metrics().unwrap();
        let until = Instant::now() + PATIENCE;
        loop {
            assert!(
                Instant::now() < until,
                "never idle; log: {:?}",
                self.session.drain_logs()
            );
            match self.session.poll(Duration::from_millis(50)).unwrap() {
                Some(page) => {
                    let documents = follow(self, &page);
                    if !documents.is_empty() || kind(&page) == 3 {
                        quiet_since = self.session.metrics().unwrap();
                    }
                    documents.into_iter().for_each(&mut each);
                }
                None => {
                    let now = self.session.metrics().unwrap();
                    // NOT_MODIFIED counts all ranges; each must have had its turn since the last document.
                    if now[4] - quiet_since[4] >= 4 * now[10] {
                        return;
                    }
                }
            }
        }
    }

    pub fn logs(&self) -> Vec<String> {
        self.session.drain_logs().into_iter().map(|(_, line)| line).collect()
    }
}

fn follow(reader: &mut Reader, page: &Page) -> Vec<Document> {
    if kind(page) == 3 {
        reader.session.add_splits(children(page)).unwrap();
    }
    documents(page)
}

fn u32_at(index: &[u8], at: usize) -> usize {
    u32::from_le_bytes(index[at..at + 4].try_into().unwrap()) as usize
}

/// 1 documents, 2 range finished, 3 range split, 4 range released.
pub fn kind(page: &Page) -> usize {
    u32_at(page.index(), 4)
}

pub fn groups(page: &Page) -> usize {
    u32_at(page.index(), 20)
}

pub fn split_id(page: &Page) -> String {
    let index = page.index();
    let at = u32_at(index, 24);
    String::from_utf8(index[at..at + u32_at(index, 28)].to_vec()).unwrap()
}

pub fn children(page: &Page) -> Vec<SplitSnapshot> {
    let index = page.index();
    let at = u32_at(index, 40);
    decode_splits(&index[at..at + u32_at(index, 44)]).unwrap()
}

pub fn documents(page: &Page) -> Vec<Document> {
    grouped(page).into_iter().flatten().collect()
}

/// A page's documents by commit group.
pub fn grouped(page: &Page) -> Vec<Vec<Document>> {
    let index = page.index();
    let mut all: Vec<Vec<Document>> = vec![vec![]; groups(page)];
    for row in 0..u32_at(index, 16) {
        let at = 72 + row * 64;
        let body = page.body().unwrap();
        let offset = u32_at(index, at);
        let json: Value = serde_json::from_slice(&body[offset..offset + u32_at(index, at + 4)]).unwrap();
        let etag_at = u32_at(index, at + 24);
        let etag = std::str::from_utf8(&body[etag_at..etag_at + u32_at(index, at + 28)]).unwrap();
        assert_eq!(
            etag.replace("\\\"", "\""),
            json["_etag"].as_str().unwrap(),
            "the ETag's place"
        );
        all[u32_at(index, at + 44)].push(Document {
            id: json["id"].as_str().unwrap().to_owned(),
            etag: json["_etag"].as_str().unwrap().to_owned(),
            pk: json["pk"].to_string(),
            lsn: i64::from_le_bytes(index[at + 8..at + 16].try_into().unwrap()),
        });
    }
    all
}
