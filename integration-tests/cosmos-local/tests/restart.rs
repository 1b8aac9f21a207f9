// SPDX-License-Identifier: Apache-2.0

//! A restart as clients see it: connections are reset, connecting is refused, and then all is as before.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{Answer, Client, Local, ids};
use cosmos_local::server::{Options, SecondRegion};
use serde_json::{Value, json};

/// For a server that is to come back; nothing is looked at in the meantime.
const AWAY: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(30);

fn restart(client: &Client, away: Duration) {
    let answer = client.admin("POST", "restart", &json!({"awayMillis": away.as_millis() as u64}));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("connection"), "close");
}

fn host(endpoint: &str) -> String {
    endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned()
}

/// A connection that has been used and is open.
fn used_connection(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /_admin/health HTTP/1.1\r\nhost: {address}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"{\"status\":\"ok\"}") {
        let mut part = [0; 512];
        let read = stream.read(&mut part).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&part[..read]);
    }
    stream
}

fn wait_until_back(address: &str) {
    let begin = Instant::now();
    while let Err(error) = TcpStream::connect(address) {
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
        assert!(begin.elapsed() < PATIENCE, "it does not come back");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A page of all versions and deletes.
fn changes(client: &Client, etag: &str) -> Answer {
    let headers = [
        ("a-im", "Full-Fidelity Feed"),
        ("x-ms-documentdb-partitionkeyrangeid", "0"),
        ("if-none-match", etag),
    ];
    client.send("GET", "/dbs/db/colls/c/docs", &headers, b"")
}

#[test]
fn it_comes_back_as_it_was() {
    let local = Local::start();
    let client = local.client();
    let spec = json!({
        "database": "db", "container": "c", "allVersionsAndDeletes": {"retentionSeconds": 3600}, "defaultTimeToLive": -1,
    });
    assert_eq!(client.admin("POST", "containers", &spec).status, 200);
    let all_versions = changes(&client, "*").header("etag").to_owned();
    for id in ["a", "b", "c"] {
        client.upsert(&json!({"id": id, "pk": "x"}));
    }
    let (before, latest) = client.drain("0", None, &[]);
    assert_eq!(ids(&before), ["a", "b", "c"]);
    let session = client.feed("0", None, &[]).header("x-ms-session-token").to_owned();
    let state = client.state();
    let log = client.admin("GET", "containers/db/c/log", &Value::Null).lines();
    let address = host(&local.server().endpoint());

    let begin = Instant::now();
    restart(&client, AWAY);
    wait_until_back(&address);
    assert!(begin.elapsed() >= AWAY, "back after {:?}", begin.elapsed());

    assert_eq!(client.state(), state);
    assert_eq!(client.admin("GET", "containers/db/c/log", &Value::Null).lines(), log);
    client.upsert(&json!({"id": "d", "pk": "x"}));
    let session = [("x-ms-session-token", session.as_str())];
    let (after, _) = client.drain("0", Some(&latest), &session);
    assert_eq!(ids(&after), ["d"]);
    let changes = changes(&client, &all_versions).documents();
    let created: Vec<Value> = changes.iter().map(|change| change["current"]["id"].clone()).collect();
    assert_eq!(created, ["a", "b", "c", "d"]);
}

#[test]
fn a_request_under_way_gets_no_answer() {
    let local = Local::start();
    let client = local.container(1);
    assert_eq!(client.admin("POST", "latency", &json!({"millis": 600_000})).status, 200);
    let waiting = std::thread::spawn({
        let client = client.clone();
        move || client.try_send("GET", "/dbs/db", &[], b"")
    });
    let begin = Instant::now();
    // Nobody can see when the request has come; a restart that is too early for it is followed by another.
    while !waiting.is_finished() && begin.elapsed() < PATIENCE {
        restart(&client, Duration::ZERO);
        wait_until_back(&host(&local.server().endpoint()));
    }
    assert!(waiting.is_finished(), "the request still waits for its answer");
    assert!(waiting.join().unwrap().is_err());
}

#[test]
fn both_regions_go_connecting_is_refused_and_they_come_back_as_they_were() {
    let local = Local::with(Options {
        second_region: Some(SecondRegion {
            name: "West US 2".to_owned(),
            port: 0,
        }),
        ..Options::local()
    });
    let client = local.container(1);
    assert_eq!(
        client.admin("POST", "failover", &json!({"to": "West US 2"})).status,
        200
    );
    let regions = local.server().regions();
    let second = host(regions[1]["endpoint"].as_str().unwrap());
    let addresses = [host(&local.server().endpoint()), second];
    restart(&client, AWAY);
    for address in &addresses {
        wait_until_back(address);
    }
    assert_eq!(local.server().regions(), regions);
    assert_eq!(regions[1]["writes"], true);
    let open: Vec<TcpStream> = addresses.iter().map(|address| used_connection(address)).collect();
    // It ends while it is away.
    restart(&client, Duration::from_millis(600_000));
    for (address, mut open) in addresses.iter().zip(open) {
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let dead = open.read(&mut [0; 1]).unwrap_err();
        assert_eq!(dead.kind(), ErrorKind::ConnectionReset);
    }
}

#[test]
fn it_restarts_again_and_again_and_refuses_nonsense() {
    let local = Local::start();
    let client = local.container(1);
    for _ in 0..20 {
        restart(&client, Duration::ZERO);
        wait_until_back(&host(&local.server().endpoint()));
    }
    assert_eq!(client.partitions(), ["0"]);
    for (wrong, why) in [
        (json!({"awayMillis": 600_001}), "awayMillis"),
        (json!({"away": 1}), "away"),
        (json!({"awayMillis": -1}), "-1"),
    ] {
        let answer = client.admin("POST", "restart", &wrong);
        assert_eq!(answer.status, 400, "{wrong}");
        assert!(answer.json()["error"].as_str().unwrap().contains(why), "{answer:?}");
    }
}
