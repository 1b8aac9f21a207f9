// SPDX-License-Identifier: Apache-2.0
//! Where reading starts and ends, and into how many ranges the key space is cut.

use std::collections::HashSet;

use azure_data_cosmos::clients::ContainerClient;
use azure_data_cosmos::feed::FeedScope;
use azure_data_cosmos::models::{ContainerProperties, PartitionKeyDefinition, PartitionKeyVersion};
use azure_data_cosmos::options::{ChangeFeedMode, ChangeFeedOptions, ChangeFeedStartFrom};
use change_feed::{Code, Session};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::harness::*;
use crate::history::assert_is_what_happened;

/// Reads the feed by the SDK until nothing is new, and gives the token that it hands out then.
fn token_behind_everything(
    server: &TestServer,
    container: &ContainerClient,
    scope: FeedScope,
    mode: ChangeFeedMode,
    start: ChangeFeedStartFrom,
) -> String {
    server.block_on(async {
        let options = ChangeFeedOptions::default().with_mode(mode);
        let mut pages = container
            .query_change_feed::<Value>(scope, start, Some(options))
            .await
            .unwrap();
        let mut quiet = 0;
        while quiet < 8 {
            let page = pages.next().await.unwrap().unwrap();
            quiet = if page.items().is_empty() { quiet + 1 } else { 0 };
        }
        pages.to_continuation_token().unwrap().as_str().to_owned()
    })
}

fn tokens(tokens: &[String]) -> Value {
    json!({"kind": "TOKENS", "epochMillis": 0, "tokens": tokens})
}

#[test]
fn reading_starts_behind_saved_tokens() {
    let server = TestServer::with_container(3);
    let container = server.container();
    server.load(60);
    let whole = token_behind_everything(
        &server,
        &container,
        FeedScope::full_container(),
        ChangeFeedMode::LatestVersion,
        ChangeFeedStartFrom::Beginning,
    );
    let by_range: Vec<String> = server
        .block_on(container.read_feed_ranges(None))
        .unwrap()
        .into_iter()
        .map(|range| {
            token_behind_everything(
                &server,
                &container,
                FeedScope::range(range),
                ChangeFeedMode::LatestVersion,
                ChangeFeedStartFrom::Beginning,
            )
        })
        .collect();
    assert_eq!(by_range.len(), 3);
    // Cut where the partitions are by now.
    server.split(0);
    let after: HashSet<String> = (0..20).map(|n| format!("after{n}")).collect();
    for id in &after {
        server.upsert(&container, id, id, 0);
    }
    for (saved, splits) in [(vec![whole.clone()], 4), (by_range, 4)] {
        let configuration = server.configuration(json!({"startFrom": tokens(&saved)}));
        let mut reader = Reader::open(&configuration);
        assert_eq!(reader.start_all().len(), splits);
        let mut seen = HashSet::new();
        reader.read_until_idle(|document| assert!(seen.insert(document.id)));
        assert_eq!(seen, after);
    }
    let halved = server.configuration(json!({"startFrom": tokens(&[whole]), "minSplits": 9}));
    let mut reader = Reader::open(&halved);
    assert_eq!(reader.start_all().len(), 9);
    let mut seen = HashSet::new();
    reader.read_until_idle(|document| assert!(seen.insert(document.id)));
    assert_eq!(seen, after);
}

#[test]
fn reading_of_all_versions_starts_behind_a_saved_token() {
    let server = TestServer::with_all_versions(2);
    let container = server.container();
    server.upsert(&container, "a", "before", 0);
    let pinned = server.log().len();
    let token = token_behind_everything(
        &server,
        &container,
        FeedScope::full_container(),
        ChangeFeedMode::AllVersionsAndDeletes,
        ChangeFeedStartFrom::Now,
    );
    for n in 0..9 {
        server.upsert(&container, &format!("pk{}", n % 3), "d", n);
    }
    server.delete(&container, "a", "before");
    let all = json!({"mode": "ALL_VERSIONS_AND_DELETES", "startFrom": tokens(std::slice::from_ref(&token))});
    let mut reader = Reader::open(&server.configuration(all));
    reader.start_all();
    let mut emitted = vec![];
    reader.read_changes_until_idle(|change| emitted.push(change));
    assert_is_what_happened(&emitted, &server.log(), pinned, false);
    let latest = server.configuration_json(json!({"startFrom": tokens(&[token])}));
    let error = change_feed::Configuration::from_json(latest.to_string().as_bytes()).unwrap_err();
    assert!(
        error.message.contains("'startFrom.tokens'") && error.message.contains("ALL_VERSIONS_AND_DELETES"),
        "{error}"
    );
}

#[test]
fn tokens_that_do_not_fit_are_refused_by_the_options_name() {
    let server = TestServer::with_container(2);
    server.create("other", 1);
    let mode = ChangeFeedMode::LatestVersion;
    let of = |container: &ContainerClient, scope| {
        token_behind_everything(&server, container, scope, mode, ChangeFeedStartFrom::Now)
    };
    let other = of(&server.container_named("other"), FeedScope::full_container());
    let container = server.container();
    let ranges = server.block_on(container.read_feed_ranges(None)).unwrap();
    let half = of(&container, FeedScope::range(ranges[0].clone()));
    let whole = of(&container, FeedScope::full_container());
    for (saved, code) in [
        (vec![other], Code::ConfigurationInvalid),
        (vec![half.clone()], Code::RangeCoverage),
        (vec![whole, half], Code::RangeCoverage),
    ] {
        let session = Session::open(server.configuration(json!({"startFrom": tokens(&saved)}))).unwrap();
        let error = session.discover(&[]).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains("option 'startFrom.tokens'"), "{error}");
    }
}

#[test]
fn ranges_are_cut_until_there_are_enough() {
    let server = TestServer::with_container(1);
    server.load(2_000);
    let mut reader = Reader::open(&server.configuration(json!({"minSplits": 5, "pageSize": 50})));
    let splits = reader.start_all();
    assert_eq!(splits.len(), 5);
    let mut seen = HashSet::new();
    let mut of_range = std::collections::HashMap::<String, u32>::new();
    while seen.len() < 500 {
        let page = reader.next();
        for document in documents(&page) {
            *of_range.entry(split_id(&page)).or_default() += 1;
            assert!(seen.insert(document.id));
        }
    }
    assert!(of_range.len() > 1, "keys are in more than one range");
    // The partition is cut in the middle of one of the five.
    server.split(0);
    reader.read_until_idle(|document| assert!(seen.insert(document.id)));
    assert_eq!(seen.len(), 2_000);
    assert_eq!(reader.session.metrics().unwrap()[10], 6, "ranges");
}

/// Any cut is a right one, whatever the keys are hashed by.
#[test]
fn every_kind_of_partition_key_is_cut_without_loss() {
    let server = TestServer::with_container(1);
    let keys = |paths: &[&'static str]| PartitionKeyDefinition::new(paths.iter().copied().map(Into::into).collect());
    for (name, definition) in [
        ("version1", keys(&["/pk"]).with_version(PartitionKeyVersion::V1)),
        ("version2", keys(&["/pk"])),
        ("hierarchical", keys(&["/pk", "/part"])),
    ] {
        let properties = ContainerProperties::new(name, definition);
        let client = server.client();
        let database = client.database_client(DATABASE.to_owned());
        server.block_on(database.create_container(properties, None)).unwrap();
        let load = json!({"documents": 600, "documentBytes": 300, "partitionKeys": 90, "idPrefix": "d"});
        server.admin("POST", &format!("containers/{DATABASE}/{name}/load"), load);
        let configuration = server.configuration(json!({"container": name, "minSplits": 16, "pageSize": 20}));
        let mut reader = Reader::open(&configuration);
        assert_eq!(reader.start_all().len(), 16);
        let mut seen = HashSet::new();
        let first = reader.next();
        seen.extend(changes(&first).into_iter().flatten().map(|change| change.id));
        server.admin("POST", &format!("containers/{DATABASE}/{name}/split"), json!({}));
        reader.read_changes_until_idle(|change| assert!(seen.insert(change.id)));
        assert_eq!(seen.len(), 600, "{name}");
    }
}

#[test]
fn a_read_up_to_a_time_ends_behind_its_second() {
    for all_versions in [false, true] {
        let server = TestServer::with_all_versions(2);
        let container = server.container();
        let mode = if all_versions {
            json!({"mode": "ALL_VERSIONS_AND_DELETES", "startFrom": {"kind": "NOW"}})
        } else {
            json!({})
        };
        let splits = Session::open(server.configuration(mode.clone())).unwrap();
        let begun = splits.discover(&[]).unwrap();
        drop(begun);
        let with_end = |millis: i64| {
            let mut options = mode.clone();
            options["stopAt"] = json!({"kind": "AT", "epochMillis": millis});
            server.configuration(options)
        };
        for n in 0..10 {
            server.upsert(&container, &format!("pk{n}"), &format!("d{n}"), 0);
        }
        let last_second = server
            .log()
            .iter()
            .map(|line| line["ts"].as_i64().unwrap())
            .max()
            .unwrap();
        let mut reader = Reader::open(&with_end(last_second * 1000));
        let mut options = mode.clone();
        options["stopAt"] = json!({"kind": "AT", "epochMillis": last_second * 1000});
        let splits = reader.session.discover(&[]).unwrap();
        let mut running: HashSet<String> = splits.iter().map(|split| split.split_id.clone()).collect();
        reader.session.add_splits(splits).unwrap();
        // Of a later second: not emitted, and what ends the range that it is in.
        while server
            .block_on(async { time::OffsetDateTime::now_utc() })
            .unix_timestamp()
            <= last_second
        {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        server.upsert(&container, "pk0", "late", 0);
        let mut seen = HashSet::new();
        while !running.is_empty() {
            let page = reader.next();
            if kind(&page) == 2 {
                running.remove(&split_id(&page));
            }
            for change in follow(&mut reader, &page) {
                assert!(seen.insert(change.id));
            }
        }
        assert!(!seen.contains("late"));
        assert_eq!(seen.len(), if all_versions { 0 } else { 10 });
    }
}

#[test]
fn an_answer_that_was_asked_for_before_the_end_and_came_late_does_not_end_a_range() {
    let server = TestServer::with_container(1);
    // What may still be on its way to a replica at the end is waited for, five seconds: then the first answer has not come yet.
    let millis = time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000 + 2000;
    let mut reader =
        Reader::open(&server.configuration(json!({"stopAt": {"kind": "AT", "epochMillis": millis as i64}})));
    let splits = reader.session.discover(&[]).unwrap();
    server.fault(json!({"operation": "changefeed", "count": 1, "kind": "delay", "delayMillis": 8000}));
    reader.session.add_splits(splits).unwrap();
    while kind(&reader.next()) != 2 {}
    assert_eq!(server.faults_left(), 0);
    let not_modified = reader.session.metrics().unwrap()[4];
    assert!(
        not_modified > 1,
        "what was written after the first was asked for is read"
    );
}

#[test]
fn a_state_is_not_read_otherwise_than_it_was_written() {
    let server = TestServer::with_all_versions(1);
    let discover = |options: &Value| {
        let session = Session::open(server.configuration(options.clone())).unwrap();
        session.discover(&[]).unwrap()
    };
    let latest = json!({});
    let all = json!({"mode": "ALL_VERSIONS_AND_DELETES", "startFrom": {"kind": "NOW"}});
    let present = json!({"mode": "ALL_VERSIONS_AND_DELETES", "startFrom": {"kind": "PRESENT_STATE_THEN_CHANGES"}});
    let until = |millis: i64| json!({"stopAt": {"kind": "AT", "epochMillis": millis}});
    for (written, read, named) in [
        (&latest, &all, ["LATEST_VERSION", "ALL_VERSIONS_AND_DELETES"]),
        (&all, &latest, ["LATEST_VERSION", "ALL_VERSIONS_AND_DELETES"]),
        (&present, &latest, ["LATEST_VERSION", "ALL_VERSIONS_AND_DELETES"]),
        (&latest, &until(5_000), ["never", "at 5000"]),
        (&until(5_000), &until(6_000), ["at 5000", "at 6000"]),
    ] {
        let state = discover(written);
        let session = Session::open(server.configuration(read.clone())).unwrap();
        for error in [
            session.discover(&state).unwrap_err(),
            session.add_splits(state.clone()).unwrap_err(),
        ] {
            assert_eq!(error.code, Code::PositionMismatch, "{error}");
            assert!(named.iter().all(|name| error.message.contains(name)), "{error}");
        }
    }
    // A start is the affair of a job without state.
    let state = discover(&present);
    let session = Session::open(server.configuration(all)).unwrap();
    assert!(session.discover(&state).unwrap().is_empty());
}

#[test]
fn another_endpoint_of_the_same_account_is_told_and_taken() {
    let server = TestServer::with_container(1);
    let here = server.configuration_json(json!({}));
    let state = Session::open(server.configuration(json!({})))
        .unwrap()
        .discover(&[])
        .unwrap();
    let there = here["endpoint"].as_str().unwrap().replace("127.0.0.1", "localhost");
    let session = Session::open(server.configuration(json!({"endpoint": there}))).unwrap();
    assert!(session.discover(&state).unwrap().is_empty());
    let logs: Vec<String> = session.drain_logs().into_iter().map(|(_, line)| line).collect();
    assert!(
        logs.iter()
            .any(|line| line.contains("127.0.0.1") && line.contains("localhost")),
        "{logs:?}"
    );
    session.add_splits(state).unwrap();
}
