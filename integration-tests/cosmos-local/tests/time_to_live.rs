// SPDX-License-Identifier: Apache-2.0

//! Documents that live for a time.

mod common;

use std::time::{Duration, Instant};

use common::{Client, Local};
use serde_json::{Value, json};

const PATH: &str = "/dbs/db/colls/c/docs";

fn expiring(seconds: i64) -> (Local, Client) {
    let local = Local::start();
    let client = local.client();
    let spec = json!({
        "database": "db", "container": "c", "defaultTimeToLive": seconds,
        "allVersionsAndDeletes": {"retentionSeconds": 3600},
    });
    let created = client.admin("POST", "containers", &spec);
    assert_eq!(created.status, 200, "{created:?}");
    assert_eq!(created.json()["defaultTimeToLive"], seconds);
    (local, client)
}

fn put(client: &Client, id: &str, ttl: &Value) -> u16 {
    let mut document = json!({"id": id, "pk": "p"});
    if !ttl.is_null() {
        document["ttl"] = ttl.clone();
    }
    client.upsert(&document).status
}

fn read(client: &Client, id: &str) -> u16 {
    let key = [("x-ms-documentdb-partitionkey", "[\"p\"]")];
    client.send("GET", &format!("{PATH}/{id}"), &key, b"").status
}

/// Waits until a document is not there any more.
fn await_end(client: &Client, id: &str) {
    let until = Instant::now() + Duration::from_secs(30);
    while read(client, id) != 404 {
        assert!(Instant::now() < until, "{id} does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn documents_end_and_their_ends_are_in_the_feed() {
    let (_local, client) = expiring(1);
    put(&client, "longer", &json!(3600));
    put(&client, "for-ever", &json!(-1));
    put(&client, "a", &Value::Null);
    await_end(&client, "a");
    assert_eq!((read(&client, "longer"), read(&client, "for-ever")), (200, 200));
    assert_eq!(client.state()["documents"], 2);
    let headers = [
        ("a-im", "Full-Fidelity Feed"),
        ("x-ms-documentdb-partitionkeyrangeid", "0"),
        ("if-none-match", "\"3\""),
    ];
    let changes = client.send("GET", PATH, &headers, b"").documents();
    assert_eq!(changes.len(), 1);
    let metadata = &changes[0]["metadata"];
    assert_eq!(
        (&metadata["operationType"], &metadata["timeToLiveExpired"]),
        (&json!("delete"), &json!(true))
    );
    assert_eq!((&metadata["id"], &metadata["lsn"]), (&json!("a"), &json!(4)));
    assert_eq!(changes[0]["previous"]["id"], "a");
    assert_eq!(common::ids(&client.drain("0", None, &[]).0), ["longer", "for-ever"]);
    let log = client.admin("GET", "containers/db/c/log", &Value::Null).lines();
    let last = &log[3];
    assert_eq!(
        (&last["op"], &last["ttl"], &last["etag"]),
        (&json!("delete"), &json!(true), &Value::Null)
    );
    assert_eq!(log[0].get("ttl"), None);
}

#[test]
fn a_write_begins_a_new_life() {
    let (_local, client) = expiring(5);
    put(&client, "a", &Value::Null);
    std::thread::sleep(Duration::from_millis(2100));
    put(&client, "a", &Value::Null);
    await_end(&client, "a");
    let log = client.admin("GET", "containers/db/c/log", &Value::Null).lines();
    let [.., written, deleted] = log.as_slice() else {
        panic!("{log:?}");
    };
    assert_eq!((&written["op"], &deleted["op"]), (&json!("upsert"), &json!("delete")));
    let age = deleted["ts"].as_u64().unwrap() - written["ts"].as_u64().unwrap();
    assert!(age > 5, "{log:?}");
    assert_eq!(put(&client, "a", &Value::Null), 201);
}

#[test]
fn without_a_setting_of_the_container_nothing_ends() {
    let local = Local::start();
    let client = local.container(1);
    put(&client, "a", &json!(1));
    std::thread::sleep(Duration::from_millis(2100));
    assert_eq!(read(&client, "a"), 200);
    // Switched on, what is there already counts from its last write.
    let own = json!({"defaultTimeToLive": -1});
    assert_eq!(client.admin("POST", "containers/db/c/settings", &own).status, 200);
    assert_eq!(read(&client, "a"), 404);
    put(&client, "b", &Value::Null);
    let short = json!({"defaultTimeToLive": 1});
    assert_eq!(client.admin("POST", "containers/db/c/settings", &short).status, 200);
    await_end(&client, "b");
    let off = json!({"defaultTimeToLive": null});
    assert_eq!(
        client.admin("POST", "containers/db/c/settings", &off).json()["defaultTimeToLive"],
        Value::Null
    );
}

#[test]
fn nonsense_is_refused() {
    let (_local, client) = expiring(-1);
    for ttl in [json!(0), json!(-2), json!(1.5)] {
        assert_eq!(put(&client, "a", &ttl), 400, "{ttl}");
    }
    assert_eq!(put(&client, "a", &json!("soon")), 201);
    let wrong = json!({"defaultTimeToLive": 0});
    assert_eq!(client.admin("POST", "containers/db/c/settings", &wrong).status, 400);
    let unknown = json!({"ttl": 1});
    assert_eq!(client.admin("POST", "containers/db/c/settings", &unknown).status, 400);
}
