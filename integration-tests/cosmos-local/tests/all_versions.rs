// SPDX-License-Identifier: Apache-2.0

//! The change feed with all versions and deletes over a real socket.

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use common::{Answer, Client, Local};
use serde_json::{Value, json};

const PATH: &str = "/dbs/db/colls/c/docs";
const MODE: (&str, &str) = ("a-im", "Full-Fidelity Feed");

/// A server with a container whose changes stay readable for an hour.
fn retaining(partitions: u32) -> (Local, Client) {
    retaining_for(partitions, json!({"retentionSeconds": 3600}))
}

fn retaining_for(partitions: u32, all_versions: Value) -> (Local, Client) {
    let local = Local::start();
    let client = local.client();
    let spec = json!({
        "database": "db", "container": "c", "partitions": partitions, "allVersionsAndDeletes": all_versions,
    });
    let created = client.admin("POST", "containers", &spec);
    assert_eq!(created.status, 200, "{created:?}");
    (local, client)
}

fn put(client: &Client, id: &str, n: u32) {
    let answer = client.upsert(&json!({"id": id, "pk": "p", "n": n}));
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
}

fn delete(client: &Client, id: &str) {
    let answer = client.send(
        "DELETE",
        &format!("{PATH}/{id}"),
        &[("x-ms-documentdb-partitionkey", "[\"p\"]")],
        b"",
    );
    assert_eq!(answer.status, 204, "{answer:?}");
}

fn batch(client: &Client, operations: &Value) {
    let headers = [
        ("x-ms-cosmos-is-batch-request", "True"),
        ("x-ms-cosmos-batch-atomic", "True"),
        ("x-ms-documentdb-partitionkey", "[\"p\"]"),
    ];
    let answer = client.send("POST", PATH, &headers, operations.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
}

fn page(client: &Client, range: &str, etag: &str, headers: &[(&str, &str)]) -> Answer {
    let mut all = vec![
        MODE,
        ("x-ms-documentdb-partitionkeyrangeid", range),
        ("if-none-match", etag),
        ("x-ms-cosmos-changefeed-wire-format-version", "2021-09-15"),
    ];
    all.extend_from_slice(headers);
    client.send("GET", PATH, &all, b"")
}

/// The ETag of now.
fn now(client: &Client, range: &str) -> String {
    let answer = page(client, range, "*", &[]);
    assert_eq!(answer.status, 304, "{answer:?}");
    answer.header("etag").to_owned()
}

/// All changes after an ETag, and the ETag of the 304 at their end.
fn drain(client: &Client, range: &str, etag: &str, headers: &[(&str, &str)]) -> (Vec<Value>, String) {
    let mut changes = Vec::new();
    let mut etag = etag.to_owned();
    loop {
        let answer = page(client, range, &etag, headers);
        etag = answer.header("etag").to_owned();
        match answer.status {
            200 => changes.extend(answer.documents()),
            304 => return (changes, etag),
            _ => panic!("{answer:?}"),
        }
    }
}

fn message(answer: &Answer) -> String {
    answer.json()["message"].as_str().unwrap().to_owned()
}

fn operations(changes: &[Value]) -> Vec<String> {
    let text = |change: &Value| {
        let metadata = &change["metadata"];
        let id = change["current"]["id"].as_str().or(metadata["id"].as_str()).unwrap();
        format!("{} {id}", metadata["operationType"].as_str().unwrap())
    };
    changes.iter().map(text).collect()
}

#[test]
fn every_version_and_delete_comes_in_its_envelope() {
    let (_local, client) = retaining(1);
    put(&client, "early", 0);
    let start = now(&client, "0");
    put(&client, "a", 1);
    put(&client, "a", 2);
    delete(&client, "a");
    put(&client, "a", 3);
    let (changes, end) = drain(&client, "0", &start, &[]);
    assert_eq!(operations(&changes), ["create a", "replace a", "delete a", "create a"]);
    let [created, replaced, deleted, again] = changes.as_slice() else {
        panic!("{changes:?}");
    };
    assert_eq!(
        (&created["current"]["n"], &created["current"]["_lsn"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(created.get("previous"), None);
    let metadata = json!({"operationType": "create", "lsn": 2, "crts": created["current"]["_ts"]});
    assert_eq!(created["metadata"], metadata);

    assert_eq!(replaced["current"]["n"], 2);
    assert_eq!(replaced["previous"]["n"], 1);
    assert_eq!(replaced["previous"]["_etag"], created["current"]["_etag"]);
    assert_eq!(replaced["metadata"]["previousImageLSN"], 2);

    assert_eq!(deleted["current"], json!({}));
    assert_eq!(deleted["previous"]["n"], 2);
    let metadata = &deleted["metadata"];
    assert_eq!(
        (&metadata["lsn"], &metadata["previousImageLSN"]),
        (&json!(4), &json!(3))
    );
    assert_eq!(
        (&metadata["id"], &metadata["partitionKey"]),
        (&json!("a"), &json!({"pk": "p"}))
    );
    assert!(metadata["crts"].as_u64() >= created["current"]["_ts"].as_u64());
    assert_eq!(metadata.get("timeToLiveExpired"), None);

    assert_eq!((&again["current"]["n"], again.get("previous")), (&json!(3), None));
    assert_eq!(drain(&client, "0", &end, &[]).0, [] as [Value; 0]);
    // The other mode goes on as if this one were not there.
    assert_eq!(common::ids(&client.drain("0", None, &[]).0), ["early", "a"]);
}

#[test]
fn ids_and_keys_of_deletes_keep_their_spelling() {
    let local = Local::start();
    let client = local.client();
    let spec = json!({
        "database": "db", "container": "c", "partitionKey": ["/tenant", "/place/zip", "/none"],
        "allVersionsAndDeletes": {"retentionSeconds": 60, "previousImages": false},
    });
    assert_eq!(client.admin("POST", "containers", &spec).status, 200);
    let start = now(&client, "0");
    let id = "a\"b\u{1}ü";
    let key = "[\"t\\\"x\",1.5,{}]";
    let document = json!({"id": id, "tenant": "t\"x", "place": {"zip": 1.5}});
    let headers = [("x-ms-documentdb-partitionkey", key)];
    let created = client.send("POST", PATH, &headers, document.to_string().as_bytes());
    assert_eq!(created.status, 201, "{created:?}");
    let operations = json!([{"operationType": "Delete", "id": id}]);
    let headers = [
        ("x-ms-cosmos-is-batch-request", "True"),
        ("x-ms-documentdb-partitionkey", key),
    ];
    let deleted = client.send("POST", PATH, &headers, operations.to_string().as_bytes());
    assert_eq!(deleted.status, 200, "{deleted:?}");
    let (changes, _) = drain(&client, "0", &start, &[]);
    let metadata = &changes[1]["metadata"];
    assert_eq!(metadata["id"], id);
    assert_eq!(metadata["partitionKey"], json!({"tenant": "t\"x", "place/zip": 1.5}));
    assert_eq!(
        (changes[1].get("previous"), &metadata["previousImageLSN"]),
        (None, &json!(1))
    );
}

#[test]
fn a_transaction_is_never_cut_and_shows_each_step() {
    let (_local, client) = retaining(1);
    let start = now(&client, "0");
    put(&client, "x", 0);
    batch(
        &client,
        &json!([
            {"operationType": "Create", "resourceBody": {"id": "y", "pk": "p"}},
            {"operationType": "Replace", "id": "y", "resourceBody": {"id": "y", "pk": "p", "n": 2}},
            {"operationType": "Delete", "id": "x"},
        ]),
    );
    put(&client, "z", 0);
    let one = [("x-ms-max-item-count", "1")];
    let mut etag = start;
    let mut sizes = Vec::new();
    loop {
        let answer = page(&client, "0", &etag, &one);
        if answer.status == 304 {
            break;
        }
        etag = answer.header("etag").to_owned();
        let changes = answer.documents();
        let lsn = &changes[0]["metadata"]["lsn"];
        assert!(
            changes.iter().all(|change| change["metadata"]["lsn"] == *lsn),
            "{changes:?}"
        );
        sizes.push((changes.len(), operations(&changes)));
    }
    let expected = [
        (1, vec!["create x".to_owned()]),
        (3, ["create y", "replace y", "delete x"].map(str::to_owned).to_vec()),
        (1, vec!["create z".to_owned()]),
    ];
    assert_eq!(sizes, expected);
}

#[test]
fn only_now_and_an_etag_are_starts() {
    let (_local, client) = retaining(1);
    put(&client, "a", 0);
    let range = ("x-ms-documentdb-partitionkeyrangeid", "0");
    let beginning = client.send("GET", PATH, &[MODE, range], b"");
    assert_eq!((beginning.status, beginning.sub_status()), (400, 0));
    assert!(message(&beginning).contains("Start from beginning is not supported"));
    let date = httpdate::fmt_http_date(SystemTime::now());
    let in_time = client.send("GET", PATH, &[MODE, range, ("if-modified-since", &date)], b"");
    assert_eq!(in_time.status, 400);
    assert!(message(&in_time).contains("point in time"));
}

#[test]
fn the_mode_has_to_be_on() {
    let local = Local::start();
    let client = local.container(1);
    put(&client, "a", 0);
    for etag in ["*", "\"1\""] {
        let off = page(&client, "0", etag, &[]);
        assert_eq!(off.status, 400);
        assert!(message(&off).starts_with("Change Feed 'All Versions and Deletes' mode must be enabled."));
    }
    let on = json!({"allVersionsAndDeletes": {"retentionSeconds": 60}});
    let state = client.admin("POST", "containers/db/c/settings", &on);
    assert_eq!(state.status, 200, "{state:?}");
    assert_eq!(
        state.json()["allVersionsAndDeletes"],
        json!({"retentionSeconds": 60.0, "previousImages": true})
    );
    // What was written before is not there.
    let early = page(&client, "0", "\"0\"", &[]);
    assert_eq!(early.status, 400);
    assert!(message(&early).contains("retention"), "{early:?}");
    put(&client, "a", 1);
    assert_eq!(operations(&drain(&client, "0", "\"1\"", &[]).0), ["replace a"]);
    let off = json!({"allVersionsAndDeletes": null});
    assert_eq!(client.admin("POST", "containers/db/c/settings", &off).status, 200);
    assert_eq!(page(&client, "0", "*", &[]).status, 400);
    let wrong = json!({"allVersionsAndDeletes": {"retentionSeconds": 0}});
    assert_eq!(client.admin("POST", "containers/db/c/settings", &wrong).status, 400);
}

#[test]
fn a_continuation_older_than_the_retention_is_refused() {
    let (_local, client) = retaining(1);
    let retain = |seconds: f64| {
        let settings = json!({"allVersionsAndDeletes": {"retentionSeconds": seconds}});
        assert_eq!(client.admin("POST", "containers/db/c/settings", &settings).status, 200);
    };
    let start = now(&client, "0");
    put(&client, "a", 0);
    assert_eq!(page(&client, "0", &start, &[]).status, 200);
    retain(0.1);
    let until = Instant::now() + Duration::from_secs(30);
    while client.state()["partitions"][0]["changes"] != 0 {
        assert!(Instant::now() < until, "the change is kept");
        std::thread::sleep(Duration::from_millis(10));
    }
    let expired = page(&client, "0", &start, &[]);
    assert_eq!((expired.status, expired.sub_status()), (400, 0));
    assert!(message(&expired).contains("outside of the retention"), "{expired:?}");
    assert_eq!(client.state()["partitions"][0]["changesAfterLsn"], 1);
    // Who has seen the last change that is gone has missed nothing.
    assert_eq!(page(&client, "0", "\"1\"", &[]).status, 304);
    retain(3600.0);
    put(&client, "a", 1);
    let (changes, _) = drain(&client, "0", "\"1\"", &[]);
    assert_eq!(operations(&changes), ["replace a"]);
}

#[test]
fn a_page_holds_four_megabytes_at_most() {
    let (_local, client) = retaining(1);
    let start = now(&client, "0");
    let payload = "x".repeat(600_000);
    for n in 0..6 {
        let document = json!({"id": "a", "pk": "p", "n": n, "payload": payload});
        assert!(matches!(client.upsert(&document).status, 200 | 201));
    }
    let first = page(&client, "0", &start, &[]);
    assert!(first.body.len() <= 4 * 1024 * 1024 + 256, "{}", first.body.len());
    // One without and two with a previous image make 3 MB; the next would make more than four.
    assert_eq!(first.documents().len(), 3);
    let (changes, _) = drain(&client, "0", &start, &[]);
    let numbers: Vec<_> = changes.iter().map(|change| change["current"]["n"].clone()).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
}

/// Documents of several keys, and for each the ids of its changes in order.
fn write_everywhere(client: &Client, round: u32) {
    for number in 0..20 {
        let document = json!({"id": format!("i{number}"), "pk": format!("p{number}"), "round": round});
        assert!(matches!(client.upsert(&document).status, 200 | 201));
    }
}

#[test]
fn children_have_the_changes_of_their_parent() {
    let (_local, client) = retaining(1);
    let start = now(&client, "0");
    write_everywhere(&client, 1);
    write_everywhere(&client, 2);
    let (before, _) = drain(&client, "0", &start, &[]);
    let split = client.admin("POST", "containers/db/c/split", &json!({"partition": "0"}));
    assert_eq!(split.json()["children"], json!(["1", "2"]));
    let gone = page(&client, "0", &start, &[]);
    assert_eq!((gone.status, gone.sub_status()), (410, 1002));
    let [low, high] = ["1", "2"].map(|range| drain(&client, range, &start, &[]).0);
    assert!(!low.is_empty() && !high.is_empty());
    let mut after = [low, high].concat();
    after.sort_by_key(|change| change["metadata"]["lsn"].as_u64());
    assert_eq!(after, before);
    write_everywhere(&client, 3);
    let more: usize = ["1", "2"]
        .iter()
        .map(|range| drain(&client, range, "\"40\"", &[]).0.len())
        .sum();
    assert_eq!(more, 20);
}

#[test]
fn a_merged_partition_has_the_changes_of_both() {
    for renumber in [false, true] {
        let (_local, client) = retaining(2);
        let starts = ["0", "1"].map(|range| now(&client, range));
        write_everywhere(&client, 1);
        let read: Vec<_> = ["0", "1"]
            .iter()
            .zip(&starts)
            .map(|(range, start)| drain(&client, range, start, &[]))
            .collect();
        write_everywhere(&client, 2);
        let state = client.state();
        let bounds = state["partitions"][0]["maxExclusive"].as_str().unwrap().to_owned();
        let merge = json!({"partitions": ["0", "1"], "renumberLsns": renumber});
        assert_eq!(
            client.admin("POST", "containers/db/c/merge", &merge).json()["child"],
            "2"
        );
        write_everywhere(&client, 3);
        // Each parent's ETag goes on in its own part of the range, with every change once.
        let halves = [("", bounds.as_str()), (bounds.as_str(), "FF")];
        let mut seen = Vec::new();
        for ((_, etag), (min, max)) in read.iter().zip(halves) {
            let range = [("x-ms-start-epk", min), ("x-ms-end-epk", max)];
            let (changes, end) = drain(&client, "2", etag, &range);
            let rounds: Vec<_> = changes
                .iter()
                .map(|change| change["current"]["round"].as_u64())
                .collect();
            assert!(
                rounds.iter().all(|round| *round >= Some(2)),
                "renumber {renumber}: {rounds:?}"
            );
            assert_eq!(drain(&client, "2", &end, &range).0.len(), 0);
            seen.extend(operations(&changes));
        }
        assert_eq!(seen.len(), 40, "renumber {renumber}");
        // From the start of the history on nothing is missing either.
        let all = drain(&client, "2", &starts[0], &[]).0;
        assert_eq!(all.len(), 60, "renumber {renumber}");
    }
}

#[test]
fn latest_versions_too_go_on_from_a_parents_etag_after_a_renumbering_merge() {
    let local = Local::start();
    let client = local.container(2);
    write_everywhere(&client, 1);
    let etags = ["0", "1"].map(|range| {
        let first = client.feed(range, None, &[("x-ms-max-item-count", "3")]);
        first.header("etag").to_owned()
    });
    let bounds = client.state()["partitions"][0]["maxExclusive"]
        .as_str()
        .unwrap()
        .to_owned();
    let merge = json!({"partitions": ["0", "1"], "renumberLsns": true});
    assert_eq!(client.admin("POST", "containers/db/c/merge", &merge).status, 200);
    let halves = [("", bounds.as_str()), (bounds.as_str(), "FF")];
    let rest: usize = etags
        .iter()
        .zip(halves)
        .map(|(etag, (min, max))| {
            let range = [("x-ms-start-epk", min), ("x-ms-end-epk", max)];
            client.drain("2", Some(etag), &range).0.len()
        })
        .sum();
    assert_eq!(rest, 14);
}

#[test]
fn sub_ranges_and_keys_have_their_own_changes() {
    let (_local, client) = retaining(1);
    let start = now(&client, "0");
    write_everywhere(&client, 1);
    write_everywhere(&client, 2);
    let key = [
        MODE,
        ("if-none-match", start.as_str()),
        ("x-ms-documentdb-partitionkey", "[\"p7\"]"),
    ];
    let of_key = client.send("GET", PATH, &key, b"").documents();
    assert_eq!(operations(&of_key), ["create i7", "replace i7"]);
    let counts = [("", "20"), ("20", "FF")].map(|(min, max)| {
        let range = [("x-ms-start-epk", min), ("x-ms-end-epk", max)];
        drain(&client, "0", &start, &range).0.len()
    });
    assert!(
        counts[0] > 0 && counts[1] > 0 && counts[0] + counts[1] == 40,
        "{counts:?}"
    );
}

#[test]
fn a_containers_own_policy_switches_the_mode_on() {
    let local = Local::start();
    let client = local.client();
    assert_eq!(client.send("POST", "/dbs", &[], br#"{"id":"db"}"#).status, 201);
    let mut body = json!({
        "id": "c",
        "partitionKey": {"paths": ["/pk"], "kind": "Hash", "version": 2},
        "changeFeedPolicy": {"retentionDuration": 5},
    });
    let created = client.send("POST", "/dbs/db/colls", &[], body.to_string().as_bytes());
    assert_eq!(created.status, 201, "{created:?}");
    let start = now(&client, "0");
    put(&client, "a", 0);
    put(&client, "a", 1);
    let (changes, _) = drain(&client, "0", &start, &[]);
    assert_eq!(operations(&changes), ["create a", "replace a"]);
    // As in Microsoft's emulator: the policy alone brings no previous image.
    assert_eq!(changes[1].get("previous"), None);
    body["changeFeedPolicy"] = json!({"retentionDuration": 0});
    let replaced = client.send("PUT", "/dbs/db/colls/c", &[], body.to_string().as_bytes());
    assert_eq!(replaced.status, 200, "{replaced:?}");
    assert_eq!(page(&client, "0", "*", &[]).status, 400);
}

/// A generator of small numbers that gives the same ones every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}

/// A range that a reader follows through splits and merges: bounds, partition, and where it has come to.
#[derive(Clone, Debug)]
struct Followed {
    min: String,
    max: String,
    partition: String,
    etag: String,
}

/// Reads on in all ranges and notes each change under its partition key.
fn follow(client: &Client, ranges: &mut [Followed], size: &str, seen: &mut BTreeMap<String, Vec<Value>>) {
    for range in ranges {
        let headers = [
            ("x-ms-start-epk", range.min.as_str()),
            ("x-ms-end-epk", range.max.as_str()),
            ("x-ms-max-item-count", size),
        ];
        let (changes, etag) = drain(client, &range.partition, &range.etag, &headers);
        range.etag = etag;
        for change in changes {
            let (current, metadata) = (&change["current"], &change["metadata"]);
            let operation = metadata["operationType"].clone();
            let (id, pk) = match operation.as_str() {
                Some("delete") => (&metadata["id"], &metadata["partitionKey"]["pk"]),
                _ => (&current["id"], &current["pk"]),
            };
            let of_key = seen.entry(pk.as_str().unwrap().to_owned()).or_default();
            of_key.push(json!([
                operation,
                id,
                current.get("_etag"),
                change["previous"].get("_etag")
            ]));
        }
    }
}

/// What the feed should have had of each partition key, from the write log.
fn expected(client: &Client) -> BTreeMap<String, Vec<Value>> {
    let mut current: BTreeMap<String, Value> = BTreeMap::new();
    let mut expected: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in client.admin("GET", "containers/db/c/log", &Value::Null).lines() {
        let key = line["pk"][0].as_str().unwrap().to_owned();
        let document = format!("{key} {}", line["id"]);
        let before = current.remove(&document);
        let change = if line["op"] == "delete" {
            json!(["delete", line["id"], null, before])
        } else {
            current.insert(document, line["etag"].clone());
            let operation = if before.is_some() { "replace" } else { "create" };
            json!([operation, line["id"], line["etag"], before])
        };
        expected.entry(key).or_default().push(change);
    }
    expected
}

/// The partitions of the container with their bounds.
fn bounds(client: &Client) -> Vec<Followed> {
    let state = client.state();
    let partitions = state["partitions"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    partitions
        .map(|partition| Followed {
            min: text(&partition["minInclusive"]),
            max: text(&partition["maxExclusive"]),
            partition: text(&partition["id"]),
            etag: String::new(),
        })
        .collect()
}

fn run_schedule(seed: u64) {
    let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (_local, client) = retaining(2);
    let mut ranges = bounds(&client);
    for range in &mut ranges {
        range.etag = now(&client, &range.partition);
    }
    let mut seen = BTreeMap::new();
    for _ in 0..120 {
        let key = format!("p{}", numbers.below(8));
        let id = format!("i{}", numbers.below(3));
        let header = json!([key]).to_string();
        let headers = [("x-ms-documentdb-partitionkey", header.as_str())];
        let document = json!({"id": id, "pk": key});
        match numbers.below(12) {
            0..=4 => assert!(client.upsert(&document).status < 300),
            5..=6 => drop(client.send("DELETE", &format!("{PATH}/{id}"), &headers, b"")),
            7..=8 => {
                let other = json!({"id": format!("b{}", numbers.below(3)), "pk": key});
                let operations = json!([
                    {"operationType": "Upsert", "resourceBody": document},
                    {"operationType": "Upsert", "resourceBody": other},
                    {"operationType": "Delete", "id": id},
                ]);
                let headers = [headers[0], ("x-ms-cosmos-is-batch-request", "True")];
                let answer = client.send("POST", PATH, &headers, operations.to_string().as_bytes());
                assert_eq!(answer.status, 200);
            }
            9 if ranges.len() < 8 => {
                let parent = ranges[numbers.below(ranges.len())].partition.clone();
                let split = client.admin("POST", "containers/db/c/split", &json!({"partition": parent}));
                assert_eq!(split.status, 200, "{split:?}");
                // Every range goes on in each partition that has a part of it.
                let old = std::mem::take(&mut ranges);
                for partition in bounds(&client) {
                    ranges.extend(old.iter().filter_map(|range| {
                        let (min, max) = (
                            range.min.clone().max(partition.min.clone()),
                            range.max.clone().min(partition.max.clone()),
                        );
                        (min < max).then(|| Followed {
                            min,
                            max,
                            partition: partition.partition.clone(),
                            etag: range.etag.clone(),
                        })
                    }));
                }
            }
            10 => {
                let partitions = bounds(&client);
                if partitions.len() > 1 {
                    let at = numbers.below(partitions.len() - 1);
                    let parents = [&partitions[at].partition, &partitions[at + 1].partition];
                    let merge = json!({"partitions": parents, "renumberLsns": numbers.below(2) == 0});
                    let merged = client.admin("POST", "containers/db/c/merge", &merge).json();
                    for range in ranges.iter_mut().filter(|range| parents.contains(&&range.partition)) {
                        range.partition = merged["child"].as_str().unwrap().to_owned();
                    }
                }
            }
            _ => {
                let size = (1 + numbers.below(4)).to_string();
                follow(&client, &mut ranges, &size, &mut seen);
            }
        }
    }
    follow(&client, &mut ranges, "100", &mut seen);
    for (key, changes) in expected(&client) {
        assert_eq!(seen.remove(&key), Some(changes), "seed {seed}, {key}");
    }
    assert!(seen.is_empty(), "seed {seed}: {seen:?}");
}

/// Whoever follows splits and both kinds of merges has every change of each partition key once and in order.
#[test]
fn generated_schedules_lose_and_repeat_no_change() {
    for seed in 1..=24 {
        run_schedule(seed);
    }
}
