// SPDX-License-Identifier: Apache-2.0
//! Ranges that are asked to stop: what another reader goes on from.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use change_feed::framing::SplitSnapshot;
use serde_json::json;

use crate::harness::*;

const DOCUMENTS: usize = 2_000;

/// Takes everything that the session has for the split until its end event: the documents, and the split where they end.
fn drain(reader: &mut Reader, split: &SplitSnapshot) -> (Vec<Document>, SplitSnapshot, usize) {
    let (mut emitted, mut position) = (Vec::new(), split.position.clone());
    loop {
        let page = reader.next();
        assert_eq!(split_id(&page), split.split_id);
        if kind(&page) != 1 {
            assert!(
                reader.session.poll(Duration::from_millis(100)).unwrap().is_none(),
                "one end event and nothing behind it"
            );
            return (
                emitted,
                SplitSnapshot {
                    position,
                    ..split.clone()
                },
                kind(&page),
            );
        }
        emitted.extend(documents(&page));
        position = page.position_after(groups(&page) - 1).unwrap();
    }
}

#[test]
fn a_released_range_is_read_on_by_another_session() {
    let server = TestServer::with_container(1);
    server.load(DOCUMENTS as u32);
    let configuration = server.configuration(json!({"pageSize": 50}));
    let mut first = Reader::open(&configuration);
    let split = first.start_all().remove(0);
    let page = first.next();
    let mut emitted = documents(&page);
    let here = SplitSnapshot {
        position: page.position_after(groups(&page) - 1).unwrap(),
        ..split.clone()
    };
    // Twice at once: a second call may find the range ended, and is remembered then for the next add.
    let twice = [split.split_id.clone(), split.split_id.clone()];
    first.session.release_splits(&twice).unwrap();
    let (documents, left, end) = drain(&mut first, &here);
    emitted.extend(documents);
    assert_eq!(end, 4);
    assert_eq!(first.session.metrics().unwrap()[10], 0, "ranges being read");
    assert!(emitted.len() < DOCUMENTS);
    let second = Reader::read_on(&configuration, left.clone(), &mut emitted);
    assert_each_once(&emitted);
    assert_eq!(emitted.len(), DOCUMENTS);
    drop(second);
    // The id may come back.
    first.session.add_splits(vec![left]).unwrap();
    assert_eq!(kind(&first.next()), 1);
}

#[test]
fn a_release_before_the_add_ends_the_range_without_a_request() {
    let server = TestServer::with_container(1);
    server.load(10);
    let mut reader = Reader::open(&server.configuration(json!({})));
    let split = reader.session.discover(&[]).unwrap().remove(0);
    reader
        .session
        .release_splits(std::slice::from_ref(&split.split_id))
        .unwrap();
    reader.session.add_splits(vec![split.clone()]).unwrap();
    let (documents, same, end) = drain(&mut reader, &split);
    assert_eq!((documents.len(), end), (0, 4));
    assert_eq!(reader.session.metrics().unwrap()[1], 0, "requests");
    reader.session.add_splits(vec![same]).unwrap();
    assert_eq!(kind(&reader.next()), 1, "remembered for one add");
}

#[test]
fn a_paused_range_and_one_without_room_are_released() {
    let server = TestServer::with_container(1);
    server.load(10);
    let mut reader = Reader::open(&server.configuration(json!({})));
    let split = reader.session.discover(&[]).unwrap().remove(0);
    let ids = [split.split_id.clone()];
    reader.session.set_paused(&ids, &[]).unwrap();
    reader.session.add_splits(vec![split.clone()]).unwrap();
    reader.session.release_splits(&ids).unwrap();
    assert_eq!(drain(&mut reader, &split).2, 4);
    reader.session.add_splits(vec![split]).unwrap();
    assert_eq!(kind(&reader.next()), 1, "the pause went with the range");
}

#[test]
fn a_range_that_ended_by_itself_says_only_that() {
    let server = TestServer::with_container(1);
    server.load(10);
    let mut reader = Reader::open(&server.configuration(json!({"stopAt": {"kind": "LATEST"}})));
    let split = reader.start_all().remove(0);
    let page = reader.next();
    assert_eq!(documents(&page).len(), 10);
    assert_eq!(kind(&reader.next()), 2);
    reader.session.release_splits(&[split.split_id]).unwrap();
    assert!(reader.session.poll(Duration::from_millis(200)).unwrap().is_none());
}

/// Two readers with room for one page each hand ranges to each other, pause, resume and drop pages late, among splits and
/// failures: room that is not given back stops one of them for ever.
#[test]
fn whatever_is_asked_of_two_readers_at_any_moment_each_document_comes_once() {
    for seed in 0..4 {
        let mut random = fastrand::Rng::with_seed(seed);
        let server = TestServer::with_container(3);
        server.load(DOCUMENTS as u32);
        let configuration = server.configuration(json!({"pageSize": 20, "maxBytesInFlight": 6 << 20}));
        let mut readers = [Reader::open(&configuration), Reader::open(&configuration)];
        // Where each range stands, and with whom.
        let mut held: HashMap<String, (usize, SplitSnapshot)> = HashMap::new();
        for split in readers[0].start_all() {
            held.insert(split.split_id.clone(), (0, split));
        }
        let mut pages = Vec::new();
        let mut seen = HashSet::new();
        let mut turns = 0;
        let until = Instant::now() + Duration::from_secs(60);
        while seen.len() < DOCUMENTS {
            assert!(
                Instant::now() < until,
                "seed {seed}: {} of {DOCUMENTS}; {:?}",
                seen.len(),
                readers.each_ref().map(Reader::logs)
            );
            turns += 1;
            let ids: Vec<String> = held.keys().cloned().collect();
            let id = &ids[random.usize(..ids.len())..][..1];
            let (holder, _) = &held[&id[0]];
            let session = &readers[*holder].session;
            match random.u8(..100) {
                0..15 => session.release_splits(id).unwrap(),
                15..20 => session.set_paused(id, &[]).unwrap(),
                20..40 => session.set_paused(&[], id).unwrap(),
                40..45 => pages.clear(),
                45 if turns < 300 => drop(server.split(random.u64(..100))),
                46..48 => server.fault(json!({"operation": "changefeed", "count": 1, "kind": "status", "status": 503})),
                48 => server.fault(json!({"operation": "changefeed", "count": 1, "kind": "reset"})),
                _ => {}
            }
            let number = random.usize(..2);
            let Some(page) = readers[number]
                .session
                .poll(Duration::from_millis(random.u64(..5)))
                .unwrap()
            else {
                // Held pages are given back in the end, or nothing more could come.
                pages.clear();
                continue;
            };
            let (holder, split) = held.remove(&split_id(&page)).expect("a page of a range that is read");
            assert_eq!(holder, number);
            match kind(&page) {
                1 => {
                    for document in documents(&page) {
                        assert!(seen.insert(document.id.clone()), "seed {seed}: {document:?} again");
                    }
                    let position = page.position_after(groups(&page) - 1).unwrap();
                    held.insert(split.split_id.clone(), (number, SplitSnapshot { position, ..split }));
                    pages.push(page);
                }
                3 => {
                    let children = children(&page);
                    readers[number].session.add_splits(children.clone()).unwrap();
                    held.extend(
                        children
                            .into_iter()
                            .map(|child| (child.split_id.clone(), (number, child))),
                    );
                }
                4 => {
                    let other = random.usize(..2);
                    readers[other].session.add_splits(vec![split.clone()]).unwrap();
                    held.insert(split.split_id.clone(), (other, split));
                }
                other => panic!("event {other}"),
            }
        }
        pages.clear();
        for reader in &readers {
            reader.session.close();
        }
        drop(readers);
        server.end_faults();
        assert_eq!(seen.len(), DOCUMENTS);
    }
}
