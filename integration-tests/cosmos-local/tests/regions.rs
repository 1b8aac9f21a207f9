// SPDX-License-Identifier: Apache-2.0

//! Two regions: the account document, writes in the wrong place, a region that lags, failover.

mod common;

use std::io;
use std::time::{Duration, Instant};

use common::{Answer, Client, Local, ids};
use cosmos_local::server::{Options, SecondRegion};
use serde_json::{Value, json};

const EAST: &str = "East US 2";
const WEST: &str = "West US 2";

/// A server with two regions, and a client of each; the container is `c`.
struct Two {
    _local: Local,
    east: Client,
    west: Client,
}

impl Two {
    fn start(partitions: u32) -> Self {
        let local = Local::with(Options {
            second_region: Some(SecondRegion {
                name: WEST.to_owned(),
                port: 0,
            }),
            ..Options::local()
        });
        let regions = local.server().regions();
        let address = |at: usize| {
            let endpoint = regions[at]["endpoint"].as_str().unwrap();
            endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned()
        };
        let [east, west] = [0, 1].map(|at| Client::new(&address(at), local.server().key()));
        let spec = json!({
            "database": "db", "container": "c", "partitions": partitions,
            "allVersionsAndDeletes": {"retentionSeconds": 3600},
        });
        assert_eq!(east.admin("POST", "containers", &spec).status, 200);
        Self {
            _local: local,
            east,
            west,
        }
    }

    fn change(&self, change: &Value) -> Answer {
        self.east.admin("POST", "regions", change)
    }
}

fn put(client: &Client, id: &str) -> Answer {
    client.upsert(&json!({"id": id, "pk": "p"}))
}

fn locations(client: &Client, kind: &str) -> Vec<(String, String)> {
    let account = client.send("GET", "/", &[], b"").json();
    let locations = account[kind].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    locations
        .iter()
        .map(|location| (text(&location["name"]), text(&location["databaseAccountEndpoint"])))
        .collect()
}

fn names(client: &Client, kind: &str) -> Vec<String> {
    locations(client, kind).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn the_account_names_both_and_writes_go_to_one() {
    let two = Two::start(1);
    for client in [&two.east, &two.west] {
        assert_eq!(names(client, "writableLocations"), [EAST]);
        assert_eq!(names(client, "readableLocations"), [EAST, WEST]);
    }
    let endpoints: Vec<String> = locations(&two.west, "readableLocations")
        .into_iter()
        .map(|(_, endpoint)| endpoint)
        .collect();
    let regions = two.east.admin("GET", "regions", &Value::Null).json();
    assert_eq!(
        json!(endpoints),
        json!([regions[0]["endpoint"], regions[1]["endpoint"]])
    );

    assert_eq!(put(&two.east, "a").status, 201);
    let refused = put(&two.west, "b");
    assert_eq!((refused.status, refused.sub_status()), (403, 3));
    assert_eq!(ids(&two.west.drain("0", None, &[]).0), ["a"]);
    let requests = two.east.admin("GET", "requests", &Value::Null).lines();
    let of_write = requests.iter().rev().find(|request| request["status"] == 403).unwrap();
    assert_eq!(of_write["region"], WEST);
}

#[test]
fn a_failover_moves_the_writes() {
    let two = Two::start(1);
    put(&two.east, "a");
    let to = json!({"to": WEST});
    let regions = two.east.admin("POST", "failover", &to).json();
    assert_eq!(
        (&regions[0]["writes"], &regions[1]["writes"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(names(&two.east, "writableLocations"), [WEST]);
    assert_eq!(names(&two.east, "readableLocations"), [WEST, EAST]);
    assert_eq!(put(&two.east, "b").sub_status(), 3);
    assert_eq!(put(&two.west, "b").status, 201);
    assert_eq!(ids(&two.east.drain("0", None, &[]).0), ["a", "b"]);
    assert_eq!(two.east.admin("POST", "failover", &json!({"to": "Mars"})).status, 404);
}

#[test]
fn a_region_that_lags_sees_whole_transactions_later() {
    let two = Two::start(1);
    put(&two.east, "old");
    assert_eq!(two.change(&json!({"region": WEST, "lagMillis": 3_600_000})).status, 200);
    let written = Instant::now();
    let operations: Vec<Value> = (0..5)
        .map(|n| json!({"operationType": "Create", "resourceBody": {"id": format!("b{n}"), "pk": "p"}}))
        .chain([json!({"operationType": "Delete", "id": "old"})])
        .collect();
    let headers = [
        ("x-ms-cosmos-is-batch-request", "True"),
        ("x-ms-documentdb-partitionkey", "[\"p\"]"),
    ];
    let body = json!(operations).to_string();
    let batch = two.east.send("POST", "/dbs/db/colls/c/docs", &headers, body.as_bytes());
    assert_eq!(batch.status, 200, "{batch:?}");
    let session = batch.header("x-ms-session-token").to_owned();

    let read = || two.west.feed("0", Some("\"1\""), &[]);
    let early = read();
    assert_eq!(
        (early.status, early.header("etag"), early.header("lsn")),
        (304, "\"1\"", "1")
    );
    assert_eq!(ids(&two.west.feed("0", None, &[]).documents()), ["old"]);
    let ahead = two.west.feed("0", Some("\"1\""), &[("x-ms-session-token", &session)]);
    assert_eq!((ahead.status, ahead.sub_status()), (404, 1002));
    let item = [("x-ms-documentdb-partitionkey", "[\"p\"]")];
    assert_eq!(two.west.send("GET", "/dbs/db/colls/c/docs/b0", &item, b"").status, 404);
    // The region that takes the writes sees them.
    assert_eq!(two.east.feed("0", Some("\"1\""), &[]).documents().len(), 5);

    let lag = Duration::from_millis(500);
    assert_eq!(two.change(&json!({"region": WEST, "lagMillis": 500})).status, 200);
    let page = loop {
        let page = read();
        if page.status == 200 {
            break page;
        }
        assert!(
            written.elapsed() < Duration::from_secs(10),
            "the region never catches up"
        );
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(written.elapsed() >= lag);
    assert_eq!((page.documents().len(), page.header("lsn")), (5, "2"));
    let changes = [
        ("a-im", "Full-Fidelity Feed"),
        ("x-ms-documentdb-partitionkeyrangeid", "0"),
        ("if-none-match", "\"1\""),
    ];
    let [west, east] =
        [&two.west, &two.east].map(|client| client.send("GET", "/dbs/db/colls/c/docs", &changes, b"").documents());
    assert_eq!((west.len(), &west), (6, &east));
}

#[test]
fn a_lagging_region_follows_splits_and_catches_up_in_a_failover() {
    let two = Two::start(1);
    assert_eq!(two.change(&json!({"region": WEST, "lagMillis": 3_600_000})).status, 200);
    let write = |client: &Client, from: u32| {
        for n in from..from + 10 {
            let document = json!({"id": n.to_string(), "pk": format!("p{n}")});
            assert_eq!(client.upsert(&document).status, 201);
        }
    };
    let count = |client: &Client| -> usize {
        let partitions = client.partitions();
        partitions.iter().map(|id| client.drain(id, None, &[]).0.len()).sum()
    };
    write(&two.east, 0);
    assert_eq!((count(&two.west), count(&two.east)), (0, 10));
    let split = two.east.admin("POST", "containers/db/c/split", &json!({}));
    assert_eq!(split.status, 200);
    assert_eq!(two.west.feed("0", None, &[]).sub_status(), 1002);
    assert_eq!(count(&two.west), 10);
    write(&two.east, 10);
    assert_eq!((count(&two.west), count(&two.east)), (10, 20));
    assert_eq!(two.east.admin("POST", "failover", &json!({"to": WEST})).status, 200);
    assert_eq!(count(&two.west), 20);
    // The lag was that of the other region.
    write(&two.west, 20);
    assert_eq!(count(&two.east), 30);
}

#[test]
fn a_region_can_be_removed_or_down() {
    let two = Two::start(1);
    put(&two.east, "a");
    assert_eq!(two.change(&json!({"region": EAST, "state": "removed"})).status, 409);
    assert_eq!(two.change(&json!({"region": WEST, "state": "removed"})).status, 200);
    assert_eq!(names(&two.east, "readableLocations"), [EAST]);
    let removed = two.west.feed("0", None, &[]);
    assert_eq!((removed.status, removed.sub_status()), (403, 1008));
    assert_eq!(two.east.admin("POST", "failover", &json!({"to": WEST})).status, 409);
    assert_eq!(two.change(&json!({"region": WEST, "state": "online"})).status, 200);
    assert_eq!(two.change(&json!({"region": EAST, "state": "down"})).status, 200);
    let silent = two.east.try_send("GET", "/", &[], b"").expect_err("down");
    assert_eq!(silent.kind(), io::ErrorKind::UnexpectedEof);
    // The way out of an outage: the other region takes over.
    assert_eq!(two.west.admin("POST", "failover", &json!({"to": WEST})).status, 200);
    assert_eq!(put(&two.west, "b").status, 201);
    assert_eq!(two.change(&json!({"region": "Mars"})).status, 404);
}
