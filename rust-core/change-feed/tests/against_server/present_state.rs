// SPDX-License-Identifier: Apache-2.0
//! The present state and then every change since: no gap, and no overlap but the one that is documented.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use change_feed::Session;
use change_feed::framing::SplitSnapshot;
use serde_json::{Value, json};

use crate::harness::*;
use crate::history::*;

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
                    let mut behind = of_document.iter().filter(|(place, _)| *place >= after);
                    assert!(
                        behind.next().is_none_or(|(place, _)| first <= *place),
                        "{pk}: changes since the pin are missing"
                    );
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
