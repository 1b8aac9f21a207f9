// SPDX-License-Identifier: Apache-2.0
//! Partition splits under a reader.

use std::collections::HashSet;

use change_feed::Session;
use serde_json::json;

use crate::harness::*;

#[test]
fn a_split_in_mid_read_loses_nothing_and_repeats_nothing() {
    for lock_millis in [0, 700] {
        let server = TestServer::with_container(2);
        server.load(3_000);
        let mut reader = Reader::open(&server.configuration(json!({"pageSize": 50})));
        reader.start_all();
        let mut seen = HashSet::new();
        reader
            .read_while(|document| {
                assert!(seen.insert(document.id));
                seen.len() < 500
            })
            .unwrap();
        server.split(lock_millis);
        // A locked range answers nothing while the other does, so silence proves nothing yet.
        reader
            .read_while(|document| {
                assert!(seen.insert(document.id.clone()), "{document:?} again");
                seen.len() < 3_000
            })
            .unwrap();
        reader.read_until_idle(|document| assert!(seen.insert(document.id.clone()), "{document:?} again"));
        assert_eq!(seen.len(), 3_000, "lock {lock_millis} ms; {:?}", reader.logs());
        assert_eq!(reader.session.metrics().unwrap()[10], 3, "ranges");
    }
}

#[test]
fn children_start_where_the_parent_ended_and_inherit_its_mark() {
    let server = TestServer::with_container(1);
    let container = server.container();
    for n in 0..40 {
        server.upsert(&container, &format!("pk{n}"), &format!("d{n}"), 0);
    }
    let (mut emitted, split) = Reader::stop_in_first_page(&server.configuration(json!({"pageSize": 20})), 7);
    // The reader is down while the partition is split, twice.
    server.split(0);
    server.split(0);
    server.upsert(&container, "pk2", "d2", 1);
    Reader::read_on(&server.configuration(json!({"pageSize": 6})), split, &mut emitted);
    assert_each_once(&emitted);
    assert_eq!(emitted.len(), 41);
    assert_eq!(last_versions(&emitted), server.current());
}

#[test]
fn a_page_of_one_child_is_never_emitted_under_the_parent() {
    let server = TestServer::with_container(1);
    server.load(200);
    let mut reader = Reader::open(&server.configuration(json!({"pageSize": 50})));
    let parent = reader.start_all()[0].split_id.clone();
    let first = reader.next();
    assert_eq!(split_id(&first), parent);
    server.split(0);
    let mut generation_of_documents = vec![];
    loop {
        let page = reader.next();
        if kind(&page) == 3 {
            assert_eq!(split_id(&page), parent);
            let children = children(&page);
            assert_eq!(children.len(), 2);
            for child in &children {
                assert!(child.split_id.ends_with("@1"), "{child:?}");
            }
            break;
        }
        generation_of_documents.push(split_id(&page));
    }
    // One page may have been fetched before the split; none of a child.
    assert!(generation_of_documents.len() <= 1);
}

#[test]
fn a_restored_parent_and_its_children_cover_the_container() {
    let server = TestServer::with_container(2);
    let configuration = server.configuration(json!({}));
    let reader = Reader::open(&configuration);
    let splits = reader.session.discover(&[]).unwrap();
    server.split(0);
    assert!(reader.session.discover(&splits).unwrap().is_empty());
    let hole = reader.session.discover(&splits[..1]).unwrap_err();
    assert_eq!(hole.code, change_feed::Code::RangeCoverage);
}

/// The partitions are listed, the first poll of `now` fails, the partition is split before the next.
#[test]
fn a_split_while_a_start_is_pinned_is_followed() {
    let server = TestServer::with_container(1);
    let outage = json!({"operation": "changefeed", "count": 1_000_000, "kind": "status", "status": 503});
    server.fault(outage);
    let session = Session::open(server.configuration(json!({"startFrom": {"kind": "NOW"}}))).unwrap();
    let splits = std::thread::scope(|scope| {
        let discovering = scope.spawn(|| session.discover(&[]));
        server.await_request("changefeed");
        server.split(0);
        server.end_faults();
        discovering.join().unwrap().unwrap()
    });
    assert_eq!(splits.len(), 2);
}

/// Splits, and a merge that numbers LSNs anew, while nobody reads; the range looks like a child of the first split.
#[test]
fn a_mark_does_not_survive_a_merge_below_a_split() {
    let server = TestServer::with_container(1);
    let container = server.container();
    for n in 0..60 {
        server.upsert(&container, &format!("pk{n}"), &format!("d{n}"), 0);
    }
    let (mut emitted, split) = Reader::stop_in_first_page(&server.configuration(json!({"pageSize": 60})), 50);
    let first = server.split_partition("0");
    let second = server.split_partition(&first[0]);
    server.merge(&second, true);
    for n in 0..60 {
        server.upsert(&container, &format!("pk{n}"), &format!("late{n}"), 0);
    }
    let reader = Reader::read_on(&server.configuration(json!({})), split, &mut emitted);
    // Repeats are allowed after a merge, losses are not.
    assert_eq!(last_versions(&emitted), server.current());
    assert!(reader.session.metrics().unwrap()[9] > 0, "repeated after a merge");
}
