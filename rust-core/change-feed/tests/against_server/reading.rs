// SPDX-License-Identifier: Apache-2.0
//! Reading, restoring, bounded reads, memory.

use std::collections::HashSet;

use change_feed::Session;
use serde_json::json;

use crate::harness::*;

#[test]
fn every_document_comes_once() {
    let server = TestServer::with_container(4);
    server.load(2_000);
    let mut reader = Reader::open(&server.configuration(json!({})));
    assert_eq!(reader.start_all().len(), 4);
    let mut seen = HashSet::new();
    reader.read_until_idle(|document| assert!(seen.insert(document.id.clone()), "{document:?} again"));
    assert_eq!(seen.len(), 2_000);
}

#[test]
fn an_empty_container_is_read_and_what_is_written_later_comes() {
    let server = TestServer::with_container(2);
    let mut reader = Reader::open(&server.configuration(json!({})));
    reader.start_all();
    reader.read_until_idle(|document| panic!("{document:?}"));
    let container = server.container();
    server.upsert(&container, "a", "1", 0);
    reader
        .read_while(|document| {
            assert_eq!(document.id, "1");
            false
        })
        .unwrap();
}

/// A checkpoint in the middle of a page; documents of the page, emitted and not emitted, are updated before the restore;
/// the restore cuts pages differently.
fn restore_in_mid_page(page_size_after: u32) {
    let server = TestServer::with_container(1);
    let container = server.container();
    for n in 0..20 {
        server.upsert(&container, "a", &format!("d{n}"), 0);
    }
    let (mut emitted, split) = Reader::stop_in_first_page(&server.configuration(json!({"pageSize": 10})), 4);
    // d1 and d3 were emitted, d5 was not; all leave their places.
    for id in ["d1", "d3", "d5"] {
        server.upsert(&container, "a", id, 1);
    }
    Reader::read_on(
        &server.configuration(json!({"pageSize": page_size_after})),
        split,
        &mut emitted,
    );
    assert_each_once(&emitted);
    let current = server.current();
    assert_eq!(current.len(), 20);
    assert_eq!(last_versions(&emitted), current);
    // d5's first version vanished before it was emitted, as latest-version mode says.
    assert_eq!(emitted.len(), 22);
}

#[test]
fn a_restore_in_mid_page_loses_nothing_and_repeats_nothing() {
    restore_in_mid_page(10);
}

#[test]
fn neither_does_one_with_smaller_pages() {
    restore_in_mid_page(3);
}

#[test]
fn neither_does_one_with_larger_pages() {
    restore_in_mid_page(1000);
}

#[test]
fn now_is_pinned_at_discovery() {
    let server = TestServer::with_container(2);
    let container = server.container();
    server.upsert(&container, "a", "before", 0);
    let configuration = server.configuration(json!({"startFrom": {"kind": "NOW"}}));
    let splits = Session::open(configuration.clone()).unwrap().discover(&[]).unwrap();
    // The job fails before its first page; what was written meanwhile is neither skipped nor is the past replayed.
    server.upsert(&container, "a", "after", 0);
    let mut reader = Reader::open(&configuration);
    reader.session.add_splits(splits).unwrap();
    let mut seen = vec![];
    reader.read_until_idle(|document| seen.push(document.id));
    assert_eq!(seen, ["after"]);
}

#[test]
fn a_point_in_time_includes_the_changes_of_its_second() {
    let server = TestServer::with_container(1);
    let container = server.container();
    server.upsert(&container, "a", "1", 0);
    let seconds = server.log()[0]["ts"].as_i64().unwrap();
    for (millis, expected) in [(seconds * 1000 + 999, 1), ((seconds + 2) * 1000, 0)] {
        let mut reader =
            Reader::open(&server.configuration(json!({"startFrom": {"kind": "AT", "epochMillis": millis}})));
        reader.start_all();
        let mut seen = 0;
        reader.read_until_idle(|_| seen += 1);
        assert_eq!(seen, expected, "from {millis}");
    }
}

#[test]
fn a_bounded_read_ends_where_the_container_was_at_discovery() {
    let server = TestServer::with_container(3);
    server.load(500);
    let configuration = server.configuration(json!({"stopAt": {"kind": "LATEST"}, "pageSize": 7}));
    let mut reader = Reader::open(&configuration);
    let splits = reader.session.discover(&[]).unwrap();
    let container = server.container();
    for n in 0..20 {
        server.upsert(&container, &format!("late{n}"), &format!("late{n}"), 0);
    }
    let ids: HashSet<String> = splits.iter().map(|s| s.split_id.clone()).collect();
    reader.session.add_splits(splits).unwrap();
    let mut seen = HashSet::new();
    let mut finished = HashSet::new();
    while finished.len() < ids.len() {
        let page = reader.next();
        if kind(&page) == 2 {
            finished.insert(split_id(&page));
        }
        for document in documents(&page) {
            assert!(seen.insert(document.id));
        }
    }
    assert_eq!(finished, ids);
    assert_eq!(seen.len(), 500);
    assert!(!seen.iter().any(|id| id.starts_with("late")));
}

#[test]
fn bytes_in_flight_are_bounded_and_given_back() {
    let server = TestServer::with_container(4);
    server.load(4_000);
    let bound = 8 << 20;
    let mut reader = Reader::open(&server.configuration(json!({"maxBytesInFlight": bound, "pageSize": 1000})));
    reader.start_all();
    let mut held = vec![];
    let mut documents_held = 0;
    while documents_held < 2_000 {
        let page = reader.next();
        documents_held += documents(&page).len();
        held.push(page);
        let in_flight = reader.session.metrics().unwrap()[0];
        assert!(in_flight > 0 && in_flight <= bound, "{in_flight}");
    }
    held.clear();
    let mut rest = 0;
    reader.read_until_idle(|_| rest += 1);
    assert_eq!(documents_held + rest, 4_000);
    assert_eq!(reader.session.metrics().unwrap()[0], 0);
}

#[test]
fn a_paused_range_is_not_read_and_goes_on_when_resumed() {
    let server = TestServer::with_container(1);
    let configuration = server.configuration(json!({}));
    let mut reader = Reader::open(&configuration);
    let splits = reader.session.discover(&[]).unwrap();
    let id = vec![splits[0].split_id.clone()];
    // Before it is added, as Flink may.
    reader.session.set_paused(&id, &[]).unwrap();
    reader.session.add_splits(splits).unwrap();
    server.load(10);
    assert!(
        reader
            .session
            .poll(std::time::Duration::from_millis(300))
            .unwrap()
            .is_none()
    );
    assert_eq!(reader.session.metrics().unwrap()[1], 0, "requests");
    reader.session.set_paused(&[], &id).unwrap();
    let mut seen = 0;
    reader.read_until_idle(|_| seen += 1);
    assert_eq!(seen, 10);
}

#[test]
fn close_frees_a_blocked_poll_and_a_blocked_discovery() {
    let server = TestServer::with_container(1);
    for discovering in [false, true] {
        let configuration = if discovering {
            // Nothing listens: discovery tries again until it is closed.
            server.configuration(json!({"endpoint": "http://127.0.0.1:1/", "startupTimeoutMillis": 600_000}))
        } else {
            server.configuration(json!({}))
        };
        let session = Session::open(configuration).unwrap();
        std::thread::scope(|scope| {
            let blocked = scope.spawn(|| {
                if discovering {
                    session.discover(&[]).map(drop)
                } else {
                    session.poll(std::time::Duration::from_secs(600)).map(drop)
                }
            });
            session.close();
            let error = blocked.join().unwrap().unwrap_err();
            assert_eq!(error.code, change_feed::Code::SessionClosed);
        });
        session.close();
    }
}

#[test]
fn a_wake_up_is_kept_for_the_next_poll() {
    let server = TestServer::with_container(1);
    let session = Session::open(server.configuration(json!({}))).unwrap();
    session.wake_up();
    session.wake_up();
    assert!(session.poll(std::time::Duration::from_secs(600)).unwrap().is_none());
}
