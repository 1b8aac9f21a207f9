// SPDX-License-Identifier: Apache-2.0
//! What a user gets wrong, and what the answer names.

use change_feed::{Code, Session};
use cosmos_local::server::Options;
use serde_json::{Value, json};

use crate::harness::*;

fn discovery_error(server: &TestServer, changes: Value) -> change_feed::Error {
    Session::open(server.configuration(changes))
        .unwrap()
        .discover(&[])
        .unwrap_err()
}

#[test]
fn a_wrong_key_is_refused_and_not_told() {
    let server = TestServer::with_container(1);
    let key = "d3Jvbmcga2V5IHdyb25nIGtleQ==";
    let error = discovery_error(&server, json!({"key": key}));
    assert_eq!(error.code, Code::AuthenticationFailed, "{error}");
    assert!(
        error.message.contains("option 'key'") && !error.to_string().contains(key),
        "{error}"
    );
}

#[test]
fn a_missing_database_and_a_missing_container_are_told_apart() {
    let server = TestServer::with_container(1);
    let error = discovery_error(&server, json!({"database": "nowhere"}));
    assert_eq!(error.code, Code::DatabaseNotFound, "{error}");
    assert!(error.message.contains("'nowhere'"), "{error}");
    let error = discovery_error(&server, json!({"container": "nothing"}));
    assert_eq!(error.code, Code::ContainerNotFound, "{error}");
    assert!(error.message.contains("'nothing'"), "{error}");
}

#[test]
fn a_start_that_is_to_come_is_refused() {
    let server = TestServer::with_container(1);
    let to_come = (time::OffsetDateTime::now_utc().unix_timestamp() + 3600) * 1000;
    let error = discovery_error(
        &server,
        json!({"startFrom": {"kind": "AT", "epochMillis": to_come, "tokens": []}}),
    );
    assert_eq!(error.code, Code::ConfigurationInvalid, "{error}");
    assert!(
        error
            .message
            .contains(&format!("'startFrom.epochMillis': found '{to_come}'")),
        "{error}"
    );
}

#[test]
fn an_endpoint_that_nobody_serves_is_given_up_after_the_startup_timeout() {
    let server = TestServer::with_container(1);
    let error = discovery_error(
        &server,
        json!({"endpoint": "http://127.0.0.1:1/", "startupTimeoutMillis": 300}),
    );
    assert_eq!(error.code, Code::EndpointUnreachable, "{error}");
    assert!(error.message.contains("option 'endpoint'"), "{error}");
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_unless_it_is_an_emulators() {
    let server = TestServer::start_with(Options {
        tls: true,
        ..Options::local()
    });
    server.create_container(1);
    server.load(10);
    let error = discovery_error(&server, json!({"startupTimeoutMillis": 300}));
    assert_eq!(error.code, Code::EndpointUnreachable, "{error}");
    let changes = json!({"certificateValidation": "REQUIRED_UNLESS_EMULATOR"});
    let mut reader = Reader::open(&server.configuration(changes));
    reader.start_all();
    let mut seen = 0;
    reader.read_until_idle(|_| seen += 1);
    assert_eq!(seen, 10);
}

#[test]
fn a_container_recreated_under_the_same_name_is_noticed() {
    let server = TestServer::with_container(1);
    server.load(20);
    let configuration = server.configuration(json!({}));
    let mut running = Reader::open(&configuration);
    let splits = running.start_all();
    let mut seen = 0;
    running.read_until_idle(|_| seen += 1);
    assert_eq!(seen, 20);
    server.hide_changes(|| {
        server.delete_container();
        server.create_container(1);
        server.load(7);
    });
    let error = running.failure();
    assert_eq!(error.code, Code::ContainerRecreated, "{error}");

    let restored = Session::open(configuration.clone()).unwrap();
    assert_eq!(restored.discover(&splits).unwrap_err().code, Code::ContainerRecreated);
    let mut reader = Reader::open(&configuration);
    reader.session.add_splits(splits).unwrap();
    assert_eq!(reader.failure().code, Code::ContainerRecreated);
}

#[test]
fn a_deleted_container_is_an_error() {
    let server = TestServer::with_container(1);
    let mut reader = Reader::open(&server.configuration(json!({})));
    reader.start_all();
    reader.read_until_idle(|_| ());
    server.delete_container();
    let error = reader.failure();
    assert_eq!(error.code, Code::ContainerNotFound, "{error}");
}

#[test]
fn a_damaged_position_and_one_of_another_container_are_refused() {
    let server = TestServer::with_container(1);
    let session = Session::open(server.configuration(json!({}))).unwrap();
    let splits = session.discover(&[]).unwrap();
    let mut damaged = splits.clone();
    damaged[0].position[20] ^= 1;
    assert_eq!(
        session.add_splits(damaged.clone()).unwrap_err().code,
        Code::PositionCorrupt
    );
    assert_eq!(session.discover(&damaged).unwrap_err().code, Code::PositionCorrupt);
    let other = Session::open(server.configuration(json!({"container": "other"}))).unwrap();
    let error = other.add_splits(splits).unwrap_err();
    assert_eq!(error.code, Code::PositionMismatch);
    assert!(
        error.message.contains("'orders'") && error.message.contains("'other'"),
        "{error}"
    );
    let bounded = Session::open(server.configuration(json!({"stopAt": {"kind": "LATEST"}}))).unwrap();
    let unbounded = session.discover(&[]).unwrap();
    let error = bounded.add_splits(unbounded).unwrap_err();
    assert!(
        error.code == Code::PositionMismatch && error.message.contains("'stopAt'"),
        "{error}"
    );
    let error = session.add_splits(bounded.discover(&[]).unwrap()).unwrap_err();
    assert!(
        error.code == Code::PositionMismatch && error.message.contains("'stopAt'"),
        "{error}"
    );
}
