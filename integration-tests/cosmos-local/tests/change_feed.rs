// SPDX-License-Identifier: Apache-2.0

//! The change feed over a real socket: pages, starts, transactions, ranges, splits and merges.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use common::{Client, Local, ids};
use serde_json::{Value, json};

fn write(client: &Client, numbers: impl IntoIterator<Item = u32>) {
    for number in numbers {
        let document = json!({"id": format!("i{number}"), "pk": format!("p{number}"), "n": number});
        let answer = client.upsert(&document);
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    }
}

#[test]
fn pages_follow_each_other_by_etag_until_not_modified() {
    let local = Local::start();
    let client = local.container(1);
    write(&client, 0..5);
    let two = [("x-ms-max-item-count", "2")];
    let first = client.feed("0", None, &two);
    assert_eq!(first.status, 200);
    assert_eq!(first.header("etag"), "\"2\"");
    assert_eq!(first.header("lsn"), "5");
    assert_eq!(first.header("x-ms-item-count"), "2");
    assert_eq!(first.header("x-ms-documentdb-partitionkeyrangeid"), "0");
    assert_eq!(first.header("x-ms-session-token"), "0:0#5#0=5");
    assert!(first.headers.contains_key("x-ms-activity-id"));
    assert!(first.header("x-ms-request-charge").parse::<f64>().unwrap() > 0.0);
    let lsns: Vec<_> = first.documents().iter().map(|item| item["_lsn"].clone()).collect();
    assert_eq!(lsns, [1, 2]);

    let (all, etag) = client.drain("0", None, &two);
    assert_eq!(ids(&all), ["i0", "i1", "i2", "i3", "i4"]);
    assert_eq!(etag, "\"5\"");
    write(&client, [1]);
    let (new, etag) = client.drain("0", Some(&etag), &two);
    assert_eq!(ids(&new), ["i1"]);
    assert_eq!(etag, "\"6\"");
    // The updated document has left its old place.
    assert_eq!(ids(&client.drain("0", None, &two).0), ["i0", "i2", "i3", "i4", "i1"]);
}

#[test]
fn deletes_are_not_in_the_feed_but_move_its_end() {
    let local = Local::start();
    let client = local.container(1);
    write(&client, 0..3);
    let deleted = client.send(
        "DELETE",
        "/dbs/db/colls/c/docs/i2",
        &[("x-ms-documentdb-partitionkey", "[\"p2\"]")],
        b"",
    );
    assert_eq!(deleted.status, 204);
    let (items, etag) = client.drain("0", None, &[]);
    assert_eq!(ids(&items), ["i0", "i1"]);
    assert_eq!(etag, "\"4\"");
}

#[test]
fn a_read_can_begin_now_or_at_a_time() {
    let local = Local::start();
    let client = local.container(1);
    write(&client, 0..3);
    let now = client.feed("0", Some("*"), &[]);
    assert_eq!((now.status, now.header("etag")), (304, "\"3\""));
    write(&client, 3..5);
    let etag = now.header("etag").to_owned();
    assert_eq!(ids(&client.drain("0", Some(&etag), &[]).0), ["i3", "i4"]);

    let hour = Duration::from_secs(3600);
    let past = httpdate::fmt_http_date(SystemTime::now() - hour);
    let future = httpdate::fmt_http_date(SystemTime::now() + hour);
    assert_eq!(
        client
            .feed("0", None, &[("if-modified-since", &past)])
            .documents()
            .len(),
        5
    );
    assert_eq!(client.feed("0", None, &[("if-modified-since", &future)]).status, 304);
    assert_eq!(
        client.feed("0", None, &[("if-modified-since", "yesterday")]).status,
        400
    );
    assert_eq!(client.feed("0", Some("\"x\""), &[]).status, 400);
}

#[test]
fn items_come_bare_or_in_an_envelope() {
    let local = Local::start();
    let client = local.container(1);
    write(&client, 0..1);
    let bare = &client.feed("0", None, &[]).documents()[0];
    assert_eq!((&bare["id"], &bare["_lsn"]), (&json!("i0"), &json!(1)));
    let header = [("x-ms-cosmos-changefeed-wire-format-version", "2021-09-15")];
    let enveloped = &client.feed("0", None, &header).documents()[0];
    assert_eq!(&enveloped["current"], bare);
    assert_eq!(enveloped["metadata"]["lsn"], 1);
    assert_eq!(enveloped["metadata"]["crts"], bare["_ts"]);
}

#[test]
fn a_transaction_is_never_cut_by_a_page() {
    let local = Local::start();
    let client = local.container(1);
    write(&client, 0..1);
    let operations: Vec<Value> = (0..10)
        .map(|number| {
            let document = json!({"id": format!("b{number}"), "pk": "p"});
            json!({"operationType": "Create", "resourceBody": document})
        })
        .collect();
    let answer = client.send(
        "POST",
        "/dbs/db/colls/c/docs",
        &[
            ("x-ms-cosmos-is-batch-request", "True"),
            ("x-ms-cosmos-batch-atomic", "True"),
            ("x-ms-documentdb-partitionkey", "[\"p\"]"),
        ],
        json!(operations).to_string().as_bytes(),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    write(&client, 1..2);
    let sizes: Vec<usize> = {
        let mut etag = None;
        let mut sizes = Vec::new();
        loop {
            let page = client.feed("0", etag.as_deref(), &[("x-ms-max-item-count", "1")]);
            if page.status == 304 {
                break sizes;
            }
            let documents = page.documents();
            assert!(documents.iter().all(|item| item["_lsn"] == documents[0]["_lsn"]));
            sizes.push(documents.len());
            etag = Some(page.header("etag").to_owned());
        }
    };
    assert_eq!(sizes, [1, 10, 1]);
}

#[test]
fn a_failed_batch_leaves_nothing_behind() {
    let local = Local::start();
    let client = local.container(1);
    let batch = |operations: Value| {
        client.send(
            "POST",
            "/dbs/db/colls/c/docs",
            &[
                ("x-ms-cosmos-is-batch-request", "True"),
                ("x-ms-documentdb-partitionkey", "[\"p\"]"),
            ],
            operations.to_string().as_bytes(),
        )
    };
    let create = |id: &str, pk: &str| json!({"operationType": "Create", "resourceBody": {"id": id, "pk": pk}});
    let failed = batch(json!([create("a", "p"), create("a", "p")]));
    assert_eq!(failed.status, 207);
    let statuses: Vec<_> = failed
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["statusCode"].clone())
        .collect();
    assert_eq!(statuses, [424, 409]);
    assert_eq!(
        batch(json!([create("a", "p"), create("b", "other")])).json()[1]["statusCode"],
        400
    );
    assert_eq!(client.feed("0", None, &[]).status, 304);
    assert_eq!(client.state()["partitions"][0]["lsn"], 0);

    let read = json!({"operationType": "Read", "id": "a"});
    let delete = json!({"operationType": "Delete", "id": "a"});
    let fine = batch(json!([create("a", "p"), read, delete, create("a", "p")]));
    assert_eq!(fine.status, 200, "{fine:?}");
    assert_eq!(fine.json()[1]["resourceBody"]["id"], "a");
    assert_eq!(ids(&client.drain("0", None, &[]).0), ["a"]);
}

#[test]
fn half_ranges_divide_a_partition() {
    let local = Local::start();
    let client = local.container(1);
    write(&client, 0..40);
    let middle = "1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF";
    let low = client
        .drain("0", None, &[("x-ms-end-epk", middle), ("x-ms-max-item-count", "3")])
        .0;
    let high = client
        .drain("0", None, &[("x-ms-start-epk", middle), ("x-ms-max-item-count", "3")])
        .0;
    assert!(!low.is_empty() && !high.is_empty());
    let mut all = [ids(&low), ids(&high)].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 40);
    assert_eq!(low.len() + high.len(), 40);
    let one = client.send(
        "GET",
        "/dbs/db/colls/c/docs",
        &[
            ("a-im", "Incremental Feed"),
            ("x-ms-documentdb-partitionkey", "[\"p7\"]"),
        ],
        b"",
    );
    assert_eq!(ids(&one.documents()), ["i7"]);
}

#[test]
fn children_go_on_where_the_parent_was() {
    let local = Local::start();
    let client = local.container(1);
    write(&client, 0..30);
    let token = client
        .feed("0", None, &[("x-ms-max-item-count", "10")])
        .header("etag")
        .to_owned();
    let before = client.send("GET", "/dbs/db/colls/c/pkranges", &[], b"");
    let etag = before.header("etag").to_owned();
    let known = client.send("GET", "/dbs/db/colls/c/pkranges", &[("if-none-match", &etag)], b"");
    assert_eq!(known.status, 304);

    let split = client
        .admin("POST", "containers/db/c/split", &json!({"partition": "0"}))
        .json();
    assert_eq!(split, json!({"parent": "0", "children": ["1", "2"]}));
    let gone = client.feed("0", Some(&token), &[]);
    assert_eq!((gone.status, gone.sub_status()), (410, 1002));
    let after = client.send("GET", "/dbs/db/colls/c/pkranges", &[("if-none-match", &etag)], b"");
    assert_eq!(after.status, 200);
    for range in after.json()["PartitionKeyRanges"].as_array().unwrap() {
        assert_eq!(range["parents"], json!(["0"]));
    }

    write(&client, 30..40);
    let mut seen = Vec::new();
    for child in ["1", "2"] {
        let (items, _) = client.drain(child, Some(&token), &[("x-ms-max-item-count", "3")]);
        for item in &items {
            assert!(item["_lsn"].as_u64().unwrap() > 10);
        }
        let new = items.iter().filter(|item| item["n"].as_u64().unwrap() >= 30);
        assert!(new.clone().count() > 0);
        assert!(new.clone().all(|item| item["_lsn"].as_u64().unwrap() > 30));
        seen.extend(ids(&items));
    }
    seen.sort();
    let mut expected: Vec<String> = (10..40).map(|number| format!("i{number}")).collect();
    expected.sort();
    assert_eq!(seen, expected);
}

#[test]
fn a_partition_is_locked_while_it_splits() {
    let local = Local::start();
    let client = local.container(1);
    write(&client, 0..10);
    let splitting = client.clone();
    // It ends with the server.
    let split = std::thread::spawn(move || {
        splitting.raw(
            "POST",
            "/_admin/containers/db/c/split",
            &[],
            br#"{"lockMillis": 600000}"#,
        )
    });
    while client.state()["partitions"][0]["lockedForMillis"] == 0 {
        assert!(!split.is_finished(), "the split ended without a lock");
    }
    let locked = client.feed("0", None, &[]);
    assert_eq!((locked.status, locked.sub_status()), (410, 1007));
    let refused = client.upsert(&json!({"id": "x", "pk": "p"}));
    assert_eq!((refused.status, refused.sub_status()), (410, 1007));
    drop(local);
    assert!(split.join().unwrap().is_err());
}

#[test]
fn a_partition_that_was_split_is_gone() {
    let local = Local::start();
    let client = local.container(1);
    write(&client, 0..10);
    let split = client.admin("POST", "containers/db/c/split", &json!({"lockMillis": 1}));
    assert_eq!(split.status, 200);
    let gone = client.feed("0", None, &[]);
    assert_eq!((gone.status, gone.sub_status()), (410, 1002));
    assert_eq!(client.upsert(&json!({"id": "x", "pk": "p"})).status, 201);
}

#[test]
fn merged_partitions_go_on_or_count_anew() {
    let local = Local::start();
    let client = local.container(4);
    write(&client, 0..40);
    let highest = client.state()["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .take(2)
        .map(|partition| partition["lsn"].as_u64().unwrap())
        .max();
    let merged = client.admin("POST", "containers/db/c/merge", &json!({"partitions": ["0", "1"]}));
    assert_eq!(merged.json()["child"], "4");
    let state = client.state();
    let child = &state["partitions"][0];
    assert_eq!(child["lsn"].as_u64(), highest);
    assert_eq!(child["parents"], json!(["0", "1"]));

    let anew = json!({"partitions": ["4", "2"], "renumberLsns": true});
    assert_eq!(
        client.admin("POST", "containers/db/c/merge", &anew).json()["child"],
        "5"
    );
    let items = client.drain("5", None, &[]).0;
    let lsns: Vec<_> = items.iter().map(|item| item["_lsn"].as_u64().unwrap()).collect();
    assert_eq!(lsns, (1..=items.len() as u64).collect::<Vec<_>>());
    assert_eq!(client.partitions(), ["5", "3"]);

    let apart = client.admin("POST", "containers/db/c/merge", &json!({"partitions": ["5", "5"]}));
    assert_eq!(apart.status, 400);
    let absent = client.admin("POST", "containers/db/c/merge", &json!({"partitions": ["5", "9"]}));
    assert_eq!(absent.status, 404);
}

/// Writers and splits run against each other; then every reader that followed the topology has seen the last
/// version of each document, in the order of its partition key.
#[test]
fn nothing_is_lost_while_partitions_split_under_load() {
    let local = Local::start();
    let client = local.container(2);
    let done = AtomicBool::new(false);
    let versions = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let client = client.clone();
                scope.spawn(move || {
                    for number in 0..300 {
                        let key = format!("w{writer}-{}", number % 40);
                        let answer = client.upsert(&json!({"id": key, "pk": key, "n": number}));
                        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
                    }
                })
            })
            .collect();
        let splits = scope.spawn(|| {
            for _ in 0..4 {
                let split = client.admin("POST", "containers/db/c/split", &json!({}));
                assert_eq!(split.status, 200, "{split:?}");
            }
        });
        let reader = scope.spawn(|| follow(&client, &done));
        for writer in writers {
            writer.join().unwrap();
        }
        splits.join().unwrap();
        done.store(true, Ordering::Release);
        reader.join().unwrap()
    });
    assert_eq!(client.partitions().len(), 6);

    let mut last: BTreeMap<String, String> = BTreeMap::new();
    for entry in client.admin("GET", "containers/db/c/log", &Value::Null).lines() {
        last.insert(
            entry["id"].as_str().unwrap().to_owned(),
            entry["etag"].as_str().unwrap().to_owned(),
        );
    }
    assert_eq!(last.len(), 80);
    let read: BTreeMap<_, _> = versions.into_iter().map(|(id, version)| (id, version.0)).collect();
    assert_eq!(read, last);
}

/// Reads all partitions, children from their parents' tokens, and answers ETag and number by id.
fn follow(client: &Client, done: &AtomicBool) -> HashMap<String, (String, u64)> {
    let mut tokens: HashMap<String, Option<String>> = HashMap::new();
    for id in client.partitions() {
        tokens.insert(id, None);
    }
    let mut versions: HashMap<String, (String, u64)> = HashMap::new();
    loop {
        let last_round = done.load(Ordering::Acquire);
        let mut quiet = true;
        for (range, token) in tokens.clone() {
            let page = client.feed(&range, token.as_deref(), &[("x-ms-max-item-count", "7")]);
            if page.status == 410 {
                quiet = false;
                let ranges = client.send("GET", "/dbs/db/colls/c/pkranges", &[], b"").json();
                let children = ranges["PartitionKeyRanges"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|child| child["parents"].as_array().unwrap().contains(&json!(range)));
                let children: Vec<_> = children.map(|child| child["id"].as_str().unwrap().to_owned()).collect();
                if !children.is_empty() {
                    tokens.remove(&range);
                    for child in children {
                        tokens.insert(child, token.clone());
                    }
                }
                continue;
            }
            if page.status == 200 {
                quiet = false;
                for item in page.documents() {
                    let number = item["n"].as_u64().unwrap();
                    let version = (item["_etag"].as_str().unwrap().to_owned(), number);
                    let old = versions.insert(item["id"].as_str().unwrap().to_owned(), version);
                    assert!(old.is_none_or(|(_, old)| old < number), "order within {item}");
                }
            }
            tokens.insert(range, Some(page.header("etag").to_owned()));
        }
        if last_round && quiet {
            return versions;
        }
    }
}

#[test]
fn a_partition_without_request_units_asks_for_patience() {
    let local = Local::start();
    let client = local.client();
    let spec = json!({"database": "db", "container": "c", "throughput": 1});
    assert_eq!(client.admin("POST", "containers", &spec).status, 200);
    let mut throttled = None;
    for number in 0..2000 {
        let answer = client.upsert(&json!({"id": number.to_string(), "pk": "p"}));
        if answer.status == 429 {
            throttled = Some(answer);
            break;
        }
    }
    let throttled = throttled.expect("a request unit a second lasts for 2000 writes");
    assert_eq!(throttled.sub_status(), 3200);
    assert!(throttled.header("x-ms-retry-after-ms").parse::<u64>().unwrap() > 0);
}

#[test]
fn reads_of_a_partition_without_request_units_wait_and_those_of_others_do_not() {
    let local = Local::start();
    let client = local.container(2);
    let load = json!({"documents": 2000, "documentBytes": 1024, "partitionKeys": 100});
    assert_eq!(client.admin("POST", "containers/db/c/load", &load).status, 200);
    let units = |value: Value| {
        let settings = json!({"requestUnitsPerPartition": value});
        let state = client.admin("POST", "containers/db/c/settings", &settings);
        assert_eq!(state.status, 200, "{state:?}");
        state.json()["partitions"][0]["requestUnits"].clone()
    };
    // A budget that is overdrawn stays so for as long as any test runs.
    assert_eq!(units(json!(0.01)), 0.01);
    let begin = Instant::now();
    let page = [("x-ms-max-item-count", "1000")];
    let first = client.feed("0", None, &page);
    assert_eq!(first.status, 200);
    let charge: f64 = first.header("x-ms-request-charge").parse().unwrap();
    assert!(charge > 40.0, "{charge}");
    let throttled = client.feed("0", Some(first.header("etag")), &page);
    assert_eq!((throttled.status, throttled.sub_status()), (429, 3200));
    // What the page has cost is more than a second's worth: the wait is as long as it takes to earn the rest.
    let wait: u64 = throttled.header("x-ms-retry-after-ms").parse().unwrap();
    let all = (charge + 1.0) * 100_000.0;
    let least = all - 5_000.0 - begin.elapsed().as_secs_f64() * 1000.0;
    assert!((least..=all).contains(&(wait as f64)), "{wait} for {charge}");
    assert_eq!(client.feed("1", None, &page).status, 200);
    // A split gives each child a budget of its own, whatever the parent has spent.
    let split = client.admin("POST", "containers/db/c/split", &json!({"partition": "0"}));
    assert_eq!(split.json()["children"], json!(["2", "3"]));
    assert_eq!(client.state()["partitions"][1]["requestUnits"], 0.01);
    for child in ["2", "3"] {
        assert_eq!(client.feed(child, None, &page).status, 200);
        assert_eq!(client.feed(child, None, &page).status, 429);
    }
    assert_eq!(units(Value::Null), Value::Null);
    // The reads go on where they were.
    assert_eq!(client.feed("2", Some(first.header("etag")), &page).status, 304);
    assert_eq!(client.feed("1", None, &page).status, 200);
}

#[test]
fn more_throughput_brings_more_partitions() {
    let local = Local::start();
    let client = local.client();
    let spec = json!({"database": "db", "container": "c", "throughput": 1000});
    assert_eq!(client.admin("POST", "containers", &spec).status, 200);
    write(&client, 0..20);
    let offers = client.send("GET", "/offers", &[], b"").json();
    let mut offer = offers["Offers"][0].clone();
    assert_eq!(offer["content"]["offerThroughput"], 1000);
    offer["content"]["offerThroughput"] = json!(25_000);
    let path = format!("/offers/{}", offer["_rid"].as_str().unwrap());
    // An offer is signed by its RID alone.
    let signature = client.signature("PUT", "offers", &offer["_rid"].as_str().unwrap().to_lowercase());
    let headers: Vec<(&str, &str)> = signature
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let replaced = client
        .raw("PUT", &path, &headers, offer.to_string().as_bytes())
        .unwrap();
    assert_eq!(replaced.status, 200, "{replaced:?}");
    assert_eq!(client.partitions().len(), 3);
    assert_eq!(client.state()["documents"], 20);
}

#[test]
fn a_page_costs_what_it_holds() {
    let local = Local::start();
    let client = local.container(1);
    let load = json!({"documents": 5000, "documentBytes": 1024, "partitionKeys": 50});
    assert_eq!(
        client.admin("POST", "containers/db/c/load", &load).json()["documents"],
        5000
    );
    let page = client.feed("0", None, &[("x-ms-max-item-count", "1000")]);
    assert_eq!(page.documents().len(), 1000);
    let size = page.body.len() / 1000;
    assert!((1000..1060).contains(&size), "{size} bytes a document");
    let whole = client.feed("0", None, &[("x-ms-max-item-count", "5000")]);
    assert!(whole.body.len() <= 4 * 1024 * 1024 + 256);
    assert!(whole.documents().len() > 3900);
}
