// SPDX-License-Identifier: Apache-2.0
//! Two regions, one of which takes the writes: failovers, and a region that lags behind.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use change_feed::framing::SplitSnapshot;
use cosmos_local::server::{Options, SecondRegion};
use serde_json::{Value, json};

use crate::harness::*;

const EAST: &str = "East US 2";
const WEST: &str = "West US 2";

fn two_regions() -> TestServer {
    let server = TestServer::start_with(Options {
        second_region: Some(SecondRegion {
            name: WEST.to_owned(),
            port: 0,
        }),
        ..Options::local()
    });
    server.create_container(2);
    server
}

/// Writes documents `from` to `from + 50` through Microsoft's SDK.
fn write(server: &TestServer, container: &azure_data_cosmos::clients::ContainerClient, from: u32) {
    for n in from..from + 50 {
        server.upsert(container, &format!("pk{}", n % 7), &format!("d{n}"), 0);
    }
}

fn read_until(reader: &mut Reader, seen: &mut HashSet<String>, count: usize) {
    reader
        .read_while(|document| {
            assert!(seen.insert(document.id.clone()), "{document:?} again");
            seen.len() < count
        })
        .unwrap();
}

#[test]
fn a_failover_loses_and_repeats_nothing() {
    let server = two_regions();
    let container = server.container();
    let mut reader = Reader::open(&server.configuration(json!({"pageSize": 10})));
    reader.start_all();
    let mut seen = HashSet::new();
    write(&server, &container, 0);
    read_until(&mut reader, &mut seen, 50);
    server.admin("POST", "failover", json!({"to": WEST}));
    // The SDK is told 403/3, asks the account where to write, and writes there.
    write(&server, &container, 50);
    read_until(&mut reader, &mut seen, 100);
    let requests = server.requests();
    assert!(
        requests
            .iter()
            .any(|request| request["status"] == 403 && request["subStatus"] == 3)
    );
    // Back again, with a client of its own: the other would trust what it was told for a while.
    server.admin("POST", "failover", json!({"to": EAST}));
    write(&server, &server.container(), 100);
    read_until(&mut reader, &mut seen, 150);
    reader.read_until_idle(|document| panic!("{document:?} again"));
}

#[test]
fn a_region_that_lags_delays_and_loses_nothing() {
    let server = two_regions();
    let container = server.container();
    write(&server, &container, 0);
    let mut reader = Reader::open(&server.configuration(json!({"pageSize": 10})));
    reader.start_all();
    let mut seen = HashSet::new();
    read_until(&mut reader, &mut seen, 50);
    // The region that the reader has read so far takes no writes any more and comes later than the other.
    server.admin("POST", "regions", json!({"region": EAST, "lagMillis": 400}));
    server.admin("POST", "failover", json!({"to": WEST}));
    for round in 1..4 {
        write(&server, &container, round * 50);
        read_until(&mut reader, &mut seen, (round as usize + 1) * 50);
    }
    reader.read_until_idle(|document| panic!("{document:?} again"));
}

#[test]
fn a_region_that_goes_down_is_left_for_the_other() {
    let server = two_regions();
    let container = server.container();
    write(&server, &container, 0);
    let mut reader = Reader::open(&server.configuration(json!({"pageSize": 10})));
    reader.start_all();
    let mut seen = HashSet::new();
    read_until(&mut reader, &mut seen, 50);
    server.admin("POST", "failover", json!({"to": WEST}));
    write(&server, &container, 50);
    server.admin("POST", "regions", json!({"region": EAST, "state": "down"}));
    write(&server, &container, 100);
    read_until(&mut reader, &mut seen, 150);
    let requests = server.requests();
    let last = requests
        .iter()
        .rev()
        .find(|request| request["kind"] == "changefeed" && request["status"] == 200);
    assert_eq!(last.expect("a page was read")["region"], WEST);
}

/// There is nothing but positions, behind pages and at a `now`, to tell that the region is behind.
#[test]
fn a_restored_reader_does_not_go_back_with_a_region_that_is_behind() {
    let server = two_regions();
    server.admin("POST", "regions", json!({"region": WEST, "lagMillis": 600_000}));
    write(&server, &server.container(), 0);
    let from_beginning = server.configuration(json!({"pageSize": 10}));
    let mut reader = Reader::open(&from_beginning);
    let mut read: HashMap<String, SplitSnapshot> = reader
        .start_all()
        .into_iter()
        .map(|split| (split.split_id.clone(), split))
        .collect();
    let mut seen = 0;
    while seen < 50 {
        let page = reader.next();
        seen += documents(&page).len();
        read.get_mut(&split_id(&page)).unwrap().position = page.position_after(groups(&page) - 1).unwrap();
    }
    drop(reader);
    // The account is asked while it can be.
    let mut behind_pages = Reader::open(&from_beginning);
    behind_pages.session.discover(&[]).unwrap();
    let mut at_now = Reader::open(&server.configuration(json!({"startFrom": {"kind": "NOW"}})));
    let pinned = at_now.session.discover(&[]).unwrap();

    server.admin("POST", "regions", json!({"region": EAST, "state": "down"}));
    let before = server.requests().len();
    behind_pages.session.add_splits(read.into_values().collect()).unwrap();
    at_now.session.add_splits(pinned).unwrap();
    let nothing_new = |request: &Value| request["kind"] == "changefeed" && request["status"] == 304;
    let until = Instant::now() + PATIENCE;
    while server.requests()[before..].iter().filter(|r| nothing_new(r)).count() < 12 {
        assert!(Instant::now() < until, "the other region was not asked");
        for reader in [&behind_pages, &at_now] {
            if let Some(page) = reader.session.poll(Duration::from_millis(10)).unwrap() {
                assert!(documents(&page).is_empty(), "the region has nothing");
            }
        }
    }
    server.admin("POST", "regions", json!({"region": WEST, "lagMillis": 0}));
    behind_pages.read_until_idle(|document| panic!("{document:?} again"));
    at_now.read_until_idle(|document| panic!("{document:?} is older than now"));
}

/// A range that has been read in one region is not read from another that is behind.
#[test]
fn a_region_that_is_behind_what_was_read_is_not_taken_for_up_to_date() {
    let server = two_regions();
    let container = server.container();
    server.admin("POST", "regions", json!({"region": WEST, "lagMillis": 600_000}));
    write(&server, &container, 0);
    let mut reader = Reader::open(&server.configuration(json!({"pageSize": 10})));
    reader.start_all();
    let mut seen = HashSet::new();
    read_until(&mut reader, &mut seen, 50);
    server.admin("POST", "regions", json!({"region": EAST, "state": "down"}));
    let west = |status: u64| {
        let requests = server.requests();
        let mut of_west = requests
            .iter()
            .filter(|request| request["kind"] == "changefeed" && request["region"] == WEST);
        of_west.position(|request| request["status"] == status)
    };
    let until = Instant::now() + PATIENCE;
    while west(404).is_none() {
        assert!(Instant::now() < until, "the other region was not asked");
        if let Some(page) = reader.session.poll(Duration::from_millis(10)).unwrap() {
            assert!(documents(&page).is_empty(), "the region has nothing");
        }
    }
    assert_eq!(west(304), None, "it is behind");
    server.admin("POST", "regions", json!({"region": WEST, "lagMillis": 0}));
    reader.read_until_idle(|document| panic!("{document:?} again"));
    assert!(west(404) < west(304));
}
