// SPDX-License-Identifier: Apache-2.0
//! All versions and deletes: what arrives, from where, and what is told when it cannot.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use azure_data_cosmos::clients::ContainerClient;
use azure_data_cosmos::models::TransactionalBatch;
use change_feed::framing::SplitSnapshot;
use change_feed::{Code, Configuration, Session};
use serde_json::{Value, json};

use crate::harness::*;
use crate::history::assert_is_what_happened;

/// Index in the session's metrics.
const RETENTION_EXPIRED: usize = 13;

fn all_versions(server: &TestServer, changes: Value) -> Configuration {
    let mut options = json!({"mode": "ALL_VERSIONS_AND_DELETES", "startFrom": {"kind": "NOW"}});
    for (option, value) in changes.as_object().unwrap() {
        options[option] = value.clone();
    }
    server.configuration(options)
}

fn present_state(server: &TestServer, changes: Value) -> Configuration {
    let mut options = json!({"startFrom": {"kind": "PRESENT_STATE_THEN_CHANGES"}});
    for (option, value) in changes.as_object().unwrap() {
        options[option] = value.clone();
    }
    all_versions(server, options)
}

/// Creates, replaces and deletes documents, by ones and in transactions, as the numbers say.
fn write(server: &TestServer, container: &ContainerClient, numbers: std::ops::Range<u32>) {
    for n in numbers {
        let pk = format!("pk{}", n % 7);
        match n % 5 {
            0 | 1 => server.upsert(container, &pk, &format!("d{}", n % 11), n),
            2 => server.upsert(container, &pk, &format!("new{n}"), n),
            3 => {
                server.upsert(container, &pk, &format!("gone{n}"), n);
                server.delete(container, &pk, &format!("gone{n}"));
            }
            _ => {
                let document = |id: &str| json!({"id": id, "pk": pk, "revision": n});
                let batch = TransactionalBatch::new(pk.clone())
                    .upsert_item(document(&format!("d{}", n % 11)), None)
                    .unwrap()
                    .upsert_item(document("batch"), None)
                    .unwrap()
                    .create_item(document(&format!("batch{n}")))
                    .unwrap();
                server
                    .block_on(container.execute_transactional_batch(batch, None))
                    .unwrap();
            }
        }
    }
}

fn read_all(reader: &mut Reader) -> Vec<Change> {
    let mut emitted = vec![];
    reader.read_changes_until_idle(|change| emitted.push(change));
    emitted
}

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
fn the_present_state_comes_first_and_then_every_change_since() {
    let server = TestServer::with_all_versions(2);
    let container = server.container();
    write(&server, &container, 0..150);
    let pinned = server.log().len();
    let configuration = present_state(&server, json!({"pageSize": 5}));
    let mut reader = Reader::open(&configuration);
    let splits = reader.session.discover(&[]).unwrap();
    // Written after the pin and before the first page: nothing of it is present state.
    write(&server, &container, 150..180);
    reader.session.add_splits(splits).unwrap();
    let mut emitted = vec![];
    let mut next = 180;
    for page in 0..12 {
        let page_read = reader.next();
        emitted.extend(follow(&mut reader, &page_read));
        if page == 4 {
            server.split(0);
        }
        write(&server, &container, next..next + 5);
        next += 5;
    }
    emitted.extend(read_all(&mut reader));
    assert_is_what_happened(&emitted, &server.log(), pinned, true);
    let logs = reader.logs();
    assert!(
        logs.iter().any(|line| line.contains("the present state was read")),
        "{logs:?}"
    );
}

/// Stops behind each group of the feed in turn and goes on from the position there.
#[test]
fn the_present_state_survives_a_restore_anywhere() {
    for stop_after in [1, 4, 9, 13, 17, 18, 19, 25, 31] {
        let server = TestServer::with_all_versions(1);
        let container = server.container();
        write(&server, &container, 0..40);
        let pinned = server.log().len();
        let configuration = present_state(&server, json!({"pageSize": 4}));
        let mut reader = Reader::open(&configuration);
        let split = reader.session.discover(&[]).unwrap().remove(0);
        write(&server, &container, 40..60);
        reader.session.add_splits(vec![split.clone()]).unwrap();
        let mut emitted = vec![];
        let mut left = stop_after;
        let position = loop {
            let page = reader.next();
            let groups = changes(&page);
            if groups.len() >= left {
                emitted.extend(groups.into_iter().take(left).flatten());
                break page.position_after(left - 1).unwrap();
            }
            left -= groups.iter().filter(|group| !group.is_empty()).count();
            emitted.extend(groups.into_iter().flatten());
        };
        drop(reader);
        write(&server, &container, 60..80);
        let mut reader = Reader::open(&configuration);
        reader
            .session
            .add_splits(vec![SplitSnapshot { position, ..split }])
            .unwrap();
        emitted.extend(read_all(&mut reader));
        assert_is_what_happened(&emitted, &server.log(), pinned, true);
    }
}

#[test]
fn a_bounded_read_of_the_present_state_ends_where_it_was_pinned() {
    let server = TestServer::with_all_versions(2);
    let container = server.container();
    write(&server, &container, 0..50);
    let log = server.log();
    let mut reader = Reader::open(&present_state(&server, json!({"stopAt": {"kind": "LATEST"}})));
    let splits = reader.session.discover(&[]).unwrap();
    server.upsert(&container, "late", "late", 0);
    let mut running: HashSet<String> = splits.iter().map(|split| split.split_id.clone()).collect();
    reader.session.add_splits(splits).unwrap();
    let mut emitted = vec![];
    while !running.is_empty() {
        let page = reader.next();
        if kind(&page) == 2 {
            assert!(running.remove(&split_id(&page)));
        }
        emitted.extend(follow(&mut reader, &page));
    }
    assert_is_what_happened(&emitted, &log, log.len(), true);
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

/// Ends a thread also when the test fails.
struct AtTheEnd<'a>(&'a AtomicBool);

impl Drop for AtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Between the two polls by which the driver pins `now`, and around them, there are always writes.
#[test]
fn what_is_written_while_it_is_pinned_is_in_one_part_or_the_other() {
    let server = TestServer::with_all_versions(2);
    let container = server.container();
    for n in 0..6 {
        server.upsert(&container, &format!("pk{n}"), "d", 0);
    }
    let done = AtomicBool::new(false);
    let mut pinned_while_writing = 0;
    std::thread::scope(|scope| {
        for writer in 0..6 {
            let (server, container, done) = (&server, &container, &done);
            scope.spawn(move || {
                let mut revision = 1;
                while !done.load(Ordering::Relaxed) {
                    server.upsert(container, &format!("pk{writer}"), "d", revision);
                    revision += 1;
                }
            });
        }
        server.admin("POST", "latency", json!({"millis": 15}));
        let _end = AtTheEnd(&done);
        for _ in 0..6 {
            let before = server.log().len();
            let mut reader = Reader::open(&present_state(&server, json!({})));
            let splits = reader.session.discover(&[]).unwrap();
            let after = server.log().len();
            pinned_while_writing += usize::from(after > before + 4);
            reader.session.add_splits(splits).unwrap();
            let mut emitted: HashMap<String, Vec<Change>> = HashMap::new();
            while emitted.len() < 6 || emitted.values().any(|changes| changes.len() < 8) {
                let page = reader.next();
                for change in follow(&mut reader, &page) {
                    emitted.entry(change.pk().to_owned()).or_default().push(change);
                }
            }
            let log = server.log();
            for (pk, changes) in emitted {
                let of_document: Vec<_> = log
                    .iter()
                    .enumerate()
                    .filter(|(_, line)| line["pk"][0] == *pk)
                    .collect();
                let place = |change: &Change| {
                    let etag = change.etag.as_deref();
                    of_document
                        .iter()
                        .position(|(_, line)| line["etag"].as_str() == etag)
                        .unwrap()
                };
                let places: Vec<usize> = changes.iter().map(place).collect();
                assert!(
                    places.windows(2).all(|pair| pair[1] == pair[0] + 1),
                    "a gap or a repeat in {pk}: {places:?}"
                );
                let first = of_document[places[0]].0;
                if changes[0].operation == 0 {
                    assert!(first < after, "{pk}: the state at the pin");
                } else {
                    // The state was overwritten before it was read, so the changes begin with the first behind the pin.
                    let behind = of_document.iter().find(|(place, _)| *place >= after).unwrap().0;
                    assert!(first <= behind, "{pk}: changes since the pin are missing");
                }
            }
        }
    });
    assert!(pinned_while_writing > 0, "nothing was written while it was pinned");
}

/// A merge while the present state is read: its end cannot be compared with the merged partition's LSNs.
#[test]
fn a_merge_under_the_present_state_repeats_and_loses_nothing() {
    for renumber in [false, true] {
        let server = TestServer::with_all_versions(1);
        let container = server.container();
        let halves = server.split_partition("0");
        write(&server, &container, 0..60);
        let pinned = server.log().len();
        let mut reader = Reader::open(&present_state(&server, json!({"pageSize": 3})));
        reader.start_all();
        let mut emitted = vec![];
        for _ in 0..4 {
            let page = reader.next();
            emitted.extend(follow(&mut reader, &page));
        }
        server.merge(&halves, renumber);
        write(&server, &container, 60..90);
        emitted.extend(read_all(&mut reader));
        let log = server.log();
        let (present, changes): (Vec<&Change>, Vec<&Change>) = emitted.iter().partition(|change| change.operation == 0);
        let key = |line: &Value| {
            (
                line["id"].as_str().unwrap().to_owned(),
                line["etag"].as_str().map(str::to_owned),
            )
        };
        let mut seen: Vec<_> = changes
            .iter()
            .map(|change| (change.id.clone(), change.etag.clone()))
            .collect();
        let mut written: Vec<_> = log[pinned..].iter().map(key).collect();
        seen.sort();
        written.sort();
        assert_eq!(seen, written, "every change since the pin, once");
        let states: HashSet<_> = present.iter().map(|change| (&change.id, &change.etag)).collect();
        assert_eq!(states.len(), present.len(), "no state twice");
        let overlap = present
            .iter()
            .filter(|state| changes.iter().any(|change| change.etag == state.etag))
            .count();
        let counted = reader.session.metrics().unwrap()[9];
        assert!(counted >= overlap as i64, "{overlap} repeated, {counted} counted");
        let unchanged = server.current();
        for (id, etag) in unchanged {
            assert!(
                emitted
                    .iter()
                    .any(|change| (&change.id, change.etag.as_ref()) == (&id, Some(&etag))),
                "{id} is missing"
            );
        }
    }
}

#[test]
fn splits_of_splits_lose_no_change() {
    let server = TestServer::with_all_versions(1);
    let container = server.container();
    write(&server, &container, 0..30);
    let pinned = server.log().len();
    let configuration = present_state(&server, json!({"pageSize": 4}));
    let splits = Session::open(configuration.clone()).unwrap().discover(&[]).unwrap();
    // All of it while nobody reads.
    for round in 0..4 {
        server.split(0);
        write(&server, &container, 30 + round * 10..40 + round * 10);
    }
    let mut reader = Reader::open(&configuration);
    reader.session.add_splits(splits).unwrap();
    let emitted = read_all(&mut reader);
    assert_is_what_happened(&emitted, &server.log(), pinned, true);
    assert_eq!(reader.session.metrics().unwrap()[10], 5, "ranges");
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
fn a_container_recreated_under_the_same_name_is_noticed() {
    let server = TestServer::with_all_versions(1);
    let configuration = all_versions(&server, json!({}));
    let mut running = Reader::open(&configuration);
    let splits = running.start_all();
    running.read_changes_until_idle(|_| ());
    server.delete_container();
    server.create_container(1);
    server.settings(json!({"allVersionsAndDeletes": {"retentionSeconds": 3600}}));
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
