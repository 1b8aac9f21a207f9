// SPDX-License-Identifier: Apache-2.0

//! The administrative interface: load, log, faults, latency and the record of requests.

mod common;

use std::io;
use std::time::{Duration, Instant};

use common::{Client, Local};
use serde_json::{Value, json};

fn fault(client: &Client, rule: Value) {
    let answer = client.admin("POST", "faults", &rule);
    assert_eq!(answer.status, 200, "{answer:?}");
}

fn try_feed(client: &Client) -> io::Result<common::Answer> {
    let headers = [
        ("a-im", "Incremental Feed"),
        ("x-ms-documentdb-partitionkeyrangeid", "0"),
    ];
    client.try_send("GET", "/dbs/db/colls/c/docs", &headers, b"")
}

#[test]
fn containers_are_created_once_and_described() {
    let local = Local::start();
    let client = local.client();
    assert_eq!(
        client.admin("GET", "health", &Value::Null).json(),
        json!({"status": "ok"})
    );
    let spec =
        json!({"database": "db", "container": "c", "partitionKey": ["/pk"], "partitions": 4, "throughput": null});
    let created = client.admin("POST", "containers", &spec);
    assert_eq!(created.status, 200);
    assert_eq!(client.admin("POST", "containers", &spec).status, 409);
    let state = client.state();
    assert_eq!(created.json(), state);
    assert_eq!(state["documents"], 0);
    let partitions = state["partitions"].as_array().unwrap();
    assert_eq!(partitions.len(), 4);
    assert_eq!(partitions[0]["minInclusive"], "");
    assert_eq!(partitions[3]["maxExclusive"], "FF");
    assert_eq!(client.admin("GET", "containers/db/other", &Value::Null).status, 404);
    let unknown = client.admin(
        "POST",
        "containers",
        &json!({"database": "db", "container": "d", "size": 1}),
    );
    assert_eq!(unknown.status, 400);
    assert!(unknown.json()["error"].as_str().unwrap().contains("size"));
    assert_eq!(client.admin("GET", "nothing", &Value::Null).status, 404);
}

#[test]
fn the_log_has_every_write_in_order() {
    let local = Local::start();
    let client = local.container(2);
    let load = json!({"documents": 10, "documentBytes": 300, "partitionKeys": 3, "idPrefix": "x"});
    let loaded = client.admin("POST", "containers/db/c/load", &load).json();
    assert_eq!(loaded["documents"], 10);
    let written = client.upsert(&json!({"id": "y", "pk": "p"}));
    client.send(
        "DELETE",
        "/dbs/db/colls/c/docs/y",
        &[("x-ms-documentdb-partitionkey", "[\"p\"]")],
        b"",
    );
    let log = client.admin("GET", "containers/db/c/log", &Value::Null).lines();
    let numbers: Vec<_> = log.iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
    assert!(log[0]["id"].as_str().unwrap().starts_with("x-"));
    let upsert = &log[10];
    assert_eq!(upsert["op"], "upsert");
    assert_eq!(upsert["etag"], written.header("etag"));
    assert_eq!(upsert["pk"], json!(["p"]));
    assert_eq!(log[11]["op"], "delete");
    assert_eq!(log[11]["lsn"].as_u64().unwrap(), upsert["lsn"].as_u64().unwrap() + 1);
    let some = client
        .admin("GET", "containers/db/c/log?from=4&limit=2", &Value::Null)
        .lines();
    assert_eq!(some, log[3..5]);
    assert_eq!(
        client.admin("GET", "containers/db/c/log?from=x", &Value::Null).status,
        400
    );
}

#[test]
fn faults_answer_statuses_as_often_as_asked() {
    let local = Local::start();
    let client = local.container(1);
    fault(
        &client,
        json!({"operation": "changefeed", "kind": "status", "status": 429, "subStatus": 3200, "retryAfterMillis": 7, "count": 2, "skip": 1}),
    );
    assert_eq!(client.send("GET", "/dbs/db/colls/c/pkranges", &[], b"").status, 200);
    assert_eq!(client.feed("0", None, &[]).status, 304);
    let throttled = client.feed("0", None, &[]);
    assert_eq!((throttled.status, throttled.sub_status()), (429, 3200));
    assert_eq!(throttled.header("x-ms-retry-after-ms"), "7");
    assert_eq!(client.admin("GET", "faults", &Value::Null).json()[0]["count"], 1);
    assert_eq!(client.feed("0", None, &[]).status, 429);
    assert_eq!(client.feed("0", None, &[]).status, 304);
    fault(&client, json!({"kind": "status", "count": 100}));
    assert_eq!(client.feed("0", None, &[]).status, 503);
    assert_eq!(client.admin("DELETE", "faults", &Value::Null).status, 204);
    assert_eq!(client.feed("0", None, &[]).status, 304);
    let wrong = client.admin("POST", "faults", &json!({"operation": "everything", "kind": "status"}));
    assert_eq!(wrong.status, 400);
}

#[test]
fn connections_break_in_the_middle_of_a_body_and_work_again() {
    let local = Local::start();
    let client = local.container(1);
    for number in 0..100 {
        client.upsert(&json!({"id": number.to_string(), "pk": "p"}));
    }
    for (kind, expected) in [
        ("reset", io::ErrorKind::ConnectionReset),
        ("truncate", io::ErrorKind::UnexpectedEof),
        ("long", io::ErrorKind::UnexpectedEof),
        ("refuse", io::ErrorKind::UnexpectedEof),
    ] {
        fault(&client, json!({"operation": "changefeed", "kind": kind}));
        let broken = try_feed(&client).expect_err(kind);
        assert_eq!(broken.kind(), expected, "{kind}: {broken}");
        assert_eq!(try_feed(&client).unwrap().documents().len(), 100);
    }
}

#[test]
fn half_a_body_can_pass_for_all_of_it() {
    let local = Local::start();
    let client = local.container(1);
    client.upsert(&json!({"id": "a", "pk": "p"}));
    let whole = client.feed("0", None, &[]).body;
    fault(&client, json!({"operation": "changefeed", "kind": "short"}));
    let half = try_feed(&client).unwrap();
    assert_eq!((half.status, half.body.as_slice()), (200, &whole[..whole.len() / 2]));
    assert_eq!(try_feed(&client).unwrap().body, whole);
}

#[test]
fn answers_can_be_made_late() {
    let local = Local::start();
    let client = local.container(1);
    let late = Duration::from_millis(300);
    fault(
        &client,
        json!({"operation": "changefeed", "kind": "delay", "delayMillis": 300}),
    );
    let start = Instant::now();
    assert_eq!(client.feed("0", None, &[]).status, 304);
    assert!(start.elapsed() >= late);
    assert_eq!(client.admin("POST", "latency", &json!({"millis": 300})).status, 200);
    let start = Instant::now();
    assert_eq!(client.send("GET", "/", &[], b"").status, 200);
    assert!(start.elapsed() >= late);
}

#[test]
fn requests_are_on_record() {
    let local = Local::start();
    let client = local.container(1);
    client.upsert(&json!({"id": "a", "pk": "p"}));
    client.feed("0", Some("\"0\""), &[("x-ms-start-epk", ""), ("x-ms-end-epk", "3F")]);
    client.feed("9", None, &[]);
    let requests = client.admin("GET", "requests", &Value::Null).lines();
    assert_eq!(requests.len(), 3);
    assert_eq!(
        (&requests[0]["kind"], &requests[0]["status"]),
        (&json!("write"), &json!(201))
    );
    let read = &requests[1];
    assert_eq!(read["kind"], "changefeed");
    assert_eq!(read["partitionKeyRangeId"], "0");
    assert_eq!(read["endEpk"], "3F");
    assert_eq!(read["ifNoneMatch"], "\"0\"");
    assert_eq!(read["items"], 1);
    assert_eq!(
        (&requests[2]["status"], &requests[2]["subStatus"]),
        (&json!(410), &json!(1002))
    );
    let from = client.admin("GET", "requests?from=3", &Value::Null).lines();
    assert_eq!(from, requests[2..]);
    assert_eq!(client.admin("DELETE", "requests", &Value::Null).status, 204);
    client.feed("0", None, &[]);
    let later = client.admin("GET", "requests", &Value::Null).lines();
    assert_eq!(later.len(), 1);
    assert_eq!(later[0]["seq"], 4);
}
