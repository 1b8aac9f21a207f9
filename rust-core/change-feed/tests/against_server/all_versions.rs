// SPDX-License-Identifier: Apache-2.0
//! All versions and deletes: what arrives, and what is told when it cannot.

use std::collections::HashSet;
use std::time::Duration;

use azure_data_cosmos::models::TransactionalBatch;
use change_feed::framing::SplitSnapshot;
use change_feed::{Code, Configuration, Session};
use serde_json::{Value, json};

use crate::harness::*;
use crate::history::*;

/// Indexes in the session's metrics.
const RETENTION_EXPIRED: usize = 13;
const NOT_MODIFIED: usize = 4;

#[test]
fn every_version_and_delete_arrives_once_with_what_it_says() {
    let server = TestServer::with_all_versions(2);
    let container = server.container();
    let mut reader = Reader::open(&all_versions(&server, json!({"pageSize": 7})));
    reader.start_all();
    write(&server, &container, 0..60);
    let emitted = read_all(&mut reader);
    assert_is_what_happened(&emitted, &server.log(), 0, false);
    for change in &emitted {
        assert!(change.timestamp_millis > 1_700_000_000_000, "{change:?}");
        match change.operation {
            1 => assert_eq!(change.previous, None),
            2 => {
                let revision = |image: &Option<Value>| image.as_ref().unwrap()["revision"].as_u64().unwrap();
                assert!(revision(&change.previous) < revision(&change.current), "{change:?}");
            }
            _ => {
                assert_eq!(change.current, None);
                assert_eq!(change.previous.as_ref().unwrap()["id"], *change.id);
                assert!(!change.time_to_live_expired);
            }
        }
    }
}

#[test]
fn a_transaction_is_one_group() {
    let server = TestServer::with_all_versions(1);
    let container = server.container();
    let mut reader = Reader::open(&all_versions(&server, json!({"pageSize": 1})));
    reader.start_all();
    let batch = TransactionalBatch::new("a")
        .create_item(json!({"id": "x", "pk": "a"}))
        .unwrap()
        .replace_item("x", json!({"id": "x", "pk": "a", "v": 2}), None)
        .unwrap()
        .delete_item("x", None);
    server
        .block_on(container.execute_transactional_batch(batch, None))
        .unwrap();
    let page = loop {
        let page = reader.next();
        if !changes(&page).concat().is_empty() {
            break page;
        }
    };
    let operations: Vec<Vec<u8>> = changes(&page)
        .iter()
        .map(|group| group.iter().map(|change| change.operation).collect())
        .collect();
    assert_eq!(operations, [[1, 2, 3]]);
}

#[test]
fn a_document_whose_time_is_over_is_a_delete_that_says_so() {
    let server = TestServer::with_all_versions(1);
    server.settings(json!({"defaultTimeToLive": 1}));
    let mut reader = Reader::open(&all_versions(&server, json!({})));
    reader.start_all();
    server.upsert(&server.container(), "a", "short", 0);
    let mut emitted = vec![];
    while emitted.len() < 2 {
        let page = reader.next();
        emitted.extend(follow(&mut reader, &page));
    }
    assert_eq!((emitted[0].operation, emitted[1].operation), (1, 3));
    assert!(emitted[1].time_to_live_expired);
    assert_eq!((emitted[1].pk(), &*emitted[1].id), ("a", "short"));
}

#[test]
fn now_is_pinned_at_discovery() {
    let server = TestServer::with_all_versions(2);
    let container = server.container();
    write(&server, &container, 0..20);
    let pinned = server.log().len();
    let configuration = all_versions(&server, json!({}));
    let splits = Session::open(configuration.clone()).unwrap().discover(&[]).unwrap();
    // The job fails before its first page.
    write(&server, &container, 20..40);
    let mut reader = Reader::open(&configuration);
    reader.session.add_splits(splits).unwrap();
    assert_is_what_happened(&read_all(&mut reader), &server.log(), pinned, false);
}

#[test]
fn a_restore_in_mid_page_is_exact() {
    for page_size_after in [1, 3, 1000] {
        let server = TestServer::with_all_versions(1);
        let container = server.container();
        let configuration = all_versions(&server, json!({"pageSize": 40}));
        let mut reader = Reader::open(&configuration);
        let split = reader.session.discover(&[]).unwrap().remove(0);
        write(&server, &container, 0..40);
        reader.session.add_splits(vec![split.clone()]).unwrap();
        let page = loop {
            let page = reader.next();
            if groups(&page) > 5 {
                break page;
            }
        };
        let mut emitted: Vec<Change> = changes(&page).into_iter().take(5).flatten().collect();
        let position = page.position_after(4).unwrap();
        drop(reader);
        server.split(0);
        write(&server, &container, 40..60);
        let mut reader = Reader::open(&all_versions(&server, json!({"pageSize": page_size_after})));
        reader
            .session
            .add_splits(vec![SplitSnapshot { position, ..split }])
            .unwrap();
        emitted.extend(read_all(&mut reader));
        assert_is_what_happened(&emitted, &server.log(), 0, false);
    }
}

#[test]
fn merges_lose_no_change() {
    for renumber in [false, true] {
        let server = TestServer::with_all_versions(1);
        let container = server.container();
        let configuration = all_versions(&server, json!({"pageSize": 6}));
        let mut reader = Reader::open(&configuration);
        reader.start_all();
        write(&server, &container, 0..30);
        let mut emitted = read_all(&mut reader);
        let halves = server.split_partition("0");
        write(&server, &container, 30..60);
        emitted.extend(read_all(&mut reader));
        server.merge(&halves, renumber);
        write(&server, &container, 60..90);
        emitted.extend(read_all(&mut reader));
        let mut seen = HashSet::new();
        // What comes twice is allowed after a merge, and here nothing does: no range was in the middle of a page.
        emitted.retain(|change| seen.insert((change.id.clone(), change.operation, change.etag.clone(), change.lsn)));
        let log = server.log();
        assert!(emitted.len() >= log.len(), "{} of {}", emitted.len(), log.len());
        if !renumber {
            assert_is_what_happened(&emitted, &log, 0, false);
        }
    }
}

#[test]
fn a_container_without_the_mode_is_refused_clearly() {
    let server = TestServer::with_container(1);
    for configuration in [all_versions(&server, json!({})), present_state(&server, json!({}))] {
        let error = Session::open(configuration).unwrap().discover(&[]).unwrap_err();
        assert_eq!(error.code, Code::ModeUnavailable, "{error}");
        assert!(
            error.message.contains("option 'changeFeedMode'") && error.message.contains("continuous backup"),
            "{error}"
        );
        assert_eq!(error.http_status, 400);
    }
}

#[test]
fn a_mode_that_is_switched_off_under_a_reader_is_told() {
    let server = TestServer::with_all_versions(1);
    let mut reader = Reader::open(&all_versions(&server, json!({})));
    reader.start_all();
    reader.read_changes_until_idle(|_| ());
    server.settings(json!({"allVersionsAndDeletes": null}));
    let error = reader.failure();
    assert_eq!(error.code, Code::ModeUnavailable, "{error}");
}

/// Splits whose positions are older than what the server keeps.
fn expired(server: &TestServer, configuration: &Configuration) -> Vec<SplitSnapshot> {
    let splits = Session::open(configuration.clone()).unwrap().discover(&[]).unwrap();
    let container = server.container();
    write(server, &container, 0..10);
    server.settings(json!({"allVersionsAndDeletes": {"retentionSeconds": 1}}));
    server.await_no_changes();
    splits
}

#[test]
fn an_expired_position_fails_and_says_what_to_do() {
    let server = TestServer::with_all_versions(1);
    let configuration = all_versions(&server, json!({}));
    let splits = expired(&server, &configuration);
    let mut reader = Reader::open(&configuration);
    reader.session.add_splits(splits).unwrap();
    let error = reader.failure();
    assert_eq!(error.code, Code::RetentionExpired, "{error}");
    assert!(error.message.contains("'retentionExpired'"), "{error}");
}

#[test]
fn an_expired_position_goes_on_as_was_declared() {
    for (fallback, from_present_state) in [("START_FROM_NOW", false), ("PRESENT_STATE_THEN_CHANGES", true)] {
        let server = TestServer::with_all_versions(1);
        let configuration = all_versions(&server, json!({"retentionExpired": fallback}));
        let splits = expired(&server, &configuration);
        server.settings(json!({"allVersionsAndDeletes": {"retentionSeconds": 3600}}));
        let pinned = server.log().len();
        let mut reader = Reader::open(&configuration);
        reader.session.add_splits(splits).unwrap();
        let mut emitted = read_all(&mut reader);
        write(&server, &server.container(), 10..30);
        emitted.extend(read_all(&mut reader));
        assert_is_what_happened(&emitted, &server.log(), pinned, from_present_state);
        assert_eq!(reader.session.metrics().unwrap()[RETENTION_EXPIRED], 1);
        let logs = reader.logs();
        let told = logs
            .iter()
            .filter(|line| line.contains("option 'retentionExpired'"))
            .count();
        assert_eq!(told, 1, "{logs:?}");
    }
}

#[test]
fn where_an_expired_range_goes_on_is_pinned_before_anything_comes() {
    let server = TestServer::with_all_versions(1);
    let configuration = all_versions(&server, json!({"retentionExpired": "START_FROM_NOW"}));
    let splits = expired(&server, &configuration);
    server.settings(json!({"allVersionsAndDeletes": {"retentionSeconds": 3600}}));
    let pinned = server.log().len();
    let mut reader = Reader::open(&configuration);
    reader.session.add_splits(splits.clone()).unwrap();
    let mut split = splits[0].clone();
    while reader.session.metrics().unwrap()[NOT_MODIFIED] < 10 {
        if let Some(page) = reader.session.poll(Duration::from_millis(10)).unwrap() {
            assert!(follow(&mut reader, &page).is_empty());
            split.position = page.position_after(0).unwrap();
        }
    }
    // The job fails here, and what is written before it is read again was not written before the range went on.
    drop(reader);
    write(&server, &server.container(), 10..30);
    let mut reader = Reader::open(&configuration);
    reader.session.add_splits(vec![split]).unwrap();
    assert_is_what_happened(&read_all(&mut reader), &server.log(), pinned, false);
}

#[test]
fn an_expired_position_of_a_partition_that_was_split_since_goes_on_as_was_declared() {
    for (fallback, from_present_state) in [("START_FROM_NOW", false), ("PRESENT_STATE_THEN_CHANGES", true)] {
        let server = TestServer::with_all_versions(1);
        let configuration = all_versions(&server, json!({"retentionExpired": fallback}));
        let splits = expired(&server, &configuration);
        server.split(0);
        server.settings(json!({"allVersionsAndDeletes": {"retentionSeconds": 3600}}));
        let pinned = server.log().len();
        let mut reader = Reader::open(&configuration);
        reader.session.add_splits(splits).unwrap();
        let mut emitted = read_all(&mut reader);
        write(&server, &server.container(), 10..30);
        emitted.extend(read_all(&mut reader));
        assert_is_what_happened(&emitted, &server.log(), pinned, from_present_state);
        assert_eq!(
            reader.session.metrics().unwrap()[RETENTION_EXPIRED],
            2,
            "once for each half"
        );
    }
}

#[test]
fn a_container_recreated_under_the_same_name_is_noticed() {
    let server = TestServer::with_all_versions(1);
    let configuration = all_versions(&server, json!({}));
    let mut running = Reader::open(&configuration);
    let splits = running.start_all();
    running.read_changes_until_idle(|_| ());
    server.hide_changes(|| {
        server.delete_container();
        server.create_container(1);
        server.settings(json!({"allVersionsAndDeletes": {"retentionSeconds": 3600}}));
    });
    assert_eq!(running.failure().code, Code::ContainerRecreated);
    let restored = Session::open(configuration).unwrap();
    assert_eq!(restored.discover(&splits).unwrap_err().code, Code::ContainerRecreated);
}

#[test]
fn a_deleted_container_is_an_error() {
    let server = TestServer::with_all_versions(1);
    let mut reader = Reader::open(&all_versions(&server, json!({})));
    reader.start_all();
    reader.read_changes_until_idle(|_| ());
    server.delete_container();
    assert_eq!(reader.failure().code, Code::ContainerNotFound);
}
