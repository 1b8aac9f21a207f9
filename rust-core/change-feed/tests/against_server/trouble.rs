// SPDX-License-Identifier: Apache-2.0
//! Trouble that passes: retried without an error, told once.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::harness::*;

/// Reads a container during whose reading `fault` strikes. The driver may mend a failure itself; then nothing is told.
fn reads_through(fault: Value) {
    // Four ranges fail together, and are told of together.
    let server = TestServer::with_container(4);
    server.load(300);
    let mut reader = Reader::open(&server.configuration(json!({"pageSize": 20})));
    reader.start_all();
    let mut seen = HashSet::new();
    reader
        .read_while(|document| {
            assert!(seen.insert(document.id));
            seen.len() < 100
        })
        .unwrap();
    reader.logs();
    server.fault(fault.clone());
    reader
        .read_while(|document| {
            assert!(seen.insert(document.id.clone()), "{document:?} again");
            seen.len() < 300
        })
        .unwrap();
    reader.read_until_idle(|document| assert!(seen.insert(document.id.clone()), "{document:?} again"));
    assert_eq!(seen.len(), 300, "{fault}");
    assert_eq!(server.faults_left(), 0, "every fault struck");
    let logs = reader.logs();
    let troubles = logs.iter().filter(|line| line.contains("trying again")).count();
    let recovered = logs.iter().filter(|line| line.contains("reading again")).count();
    // As many times as there are ranges, were each out of it before the next failed.
    assert!(troubles <= 4 && recovered == troubles, "{fault}: {logs:?}");
}

#[test]
fn unavailable() {
    reads_through(json!({"operation": "changefeed", "count": 12, "kind": "status", "status": 503}));
}

#[test]
fn throttled() {
    reads_through(
        json!({"operation": "changefeed", "count": 4, "kind": "status", "status": 429, "subStatus": 3200, "retryAfterMillis": 20}),
    );
}

#[test]
fn gone_while_splitting() {
    reads_through(json!({"operation": "changefeed", "count": 3, "kind": "status", "status": 410, "subStatus": 1007}));
}

#[test]
fn an_internal_error() {
    reads_through(json!({"operation": "changefeed", "count": 3, "kind": "status", "status": 500, "subStatus": 0}));
}

#[test]
fn a_reset_in_mid_body() {
    reads_through(json!({"operation": "changefeed", "count": 3, "kind": "reset"}));
}

#[test]
fn a_truncated_body() {
    reads_through(json!({"operation": "changefeed", "count": 3, "kind": "truncate"}));
}

#[test]
fn a_body_that_is_shorter_than_its_length() {
    reads_through(json!({"operation": "changefeed", "count": 3, "kind": "long"}));
}

/// Such an answer is a whole one for HTTP; only the page does not read.
#[test]
fn a_body_that_is_longer_than_its_length() {
    reads_through(json!({"operation": "changefeed", "count": 3, "kind": "short"}));
}

#[test]
fn throttling_is_counted_and_waited_out() {
    let server = TestServer::with_container(1);
    server.load(10);
    server.fault(
        json!({"operation": "changefeed", "count": 2, "kind": "status", "status": 429, "subStatus": 3200, "retryAfterMillis": 1}),
    );
    let mut reader = Reader::open(&server.configuration(json!({})));
    reader.start_all();
    let mut seen = 0;
    reader.read_until_idle(|_| seen += 1);
    assert_eq!(seen, 10);
    assert_eq!(
        reader.session.metrics().unwrap()[5],
        2,
        "each 429 comes to the core, none is sat out by the driver"
    );
}

#[test]
fn ranges_that_miss_the_container_together_look_for_it_once() {
    let server = TestServer::with_container(16);
    server.load(100);
    let mut reader = Reader::open(&server.configuration(json!({})));
    reader.start_all();
    reader.read_until_idle(|_| ());
    let lookups = || {
        server
            .requests()
            .iter()
            .filter(|request| request["kind"] == "account")
            .count()
    };
    let before = lookups();
    server.fault(json!({"operation": "changefeed", "count": 16, "kind": "status", "status": 404, "subStatus": 0}));
    while server.faults_left() > 0 {
        assert!(reader.session.poll(std::time::Duration::from_millis(10)).is_ok());
    }
    reader.read_until_idle(|_| ());
    let found = lookups() - before;
    assert!(
        (1..=8).contains(&found),
        "{found} connections to look for one container"
    );
}

#[test]
fn a_request_without_an_answer_is_given_up_and_sent_again() {
    let server = TestServer::with_container(1);
    server.load(10);
    let mut reader = Reader::open(&server.configuration(json!({"requestTimeoutMillis": 5000})));
    reader.start_all();
    reader.read_until_idle(|_| ());
    server.fault(json!({"operation": "changefeed", "count": 1, "kind": "delay", "delayMillis": 3_600_000}));
    while server.faults_left() > 0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    server.upsert(&server.container(), "pk", "late", 0);
    reader.read_while(|document| document.id != "late").unwrap();
    let logs = reader.logs();
    assert!(logs.iter().any(|line| line.contains("'requestTimeout'")), "{logs:?}");
}
