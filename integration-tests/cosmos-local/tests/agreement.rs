// SPDX-License-Identifier: Apache-2.0

//! The two engines, which share no code, must answer the same to the same requests.
//!
//! Each seed makes up a container and a schedule of writes, batches, splits and reads of the change feed; both engines
//! get it in step. What differs by nature is put aside: RIDs, ETags and times, the numbers of LSNs (their order counts),
//! where pages are cut (the
//! emulator cuts transactions), and the last digits of the bounds between partitions.

mod common;

use std::collections::HashMap;

use common::{Answer, Client, Local};
use serde_json::{Value, json};

const SEEDS: u64 = 32;
const STEPS: usize = 90;
const IDS: u64 = 12;
const KEYS: u64 = 5;
/// Properties whose values an engine makes up.
const MADE_UP: [&str; 6] = ["_rid", "_self", "_etag", "_ts", "_lsn", "_attachments"];

/// A generator of small numbers that gives the same ones every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// One engine with what a reader of it has to remember.
struct Side {
    /// Serves as long as it is there.
    _local: Local,
    client: Client,
    /// Where the feed of each partition has been read to.
    positions: HashMap<String, String>,
}

impl Side {
    fn new(local: Local, paths: &[&str], partitions: u64) -> Self {
        let client = local.client();
        let spec = json!({"database": "db", "container": "c", "partitionKey": paths, "partitions": partitions});
        let created = client.admin("POST", "containers", &spec);
        assert_eq!(created.status, 200, "{created:?}");
        Self {
            _local: local,
            client,
            positions: HashMap::new(),
        }
    }

    fn write(&self, method: &str, path: &str, key: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut all = vec![("x-ms-documentdb-partitionkey", key)];
        all.extend_from_slice(headers);
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.client.send(method, path, &all, body.as_bytes())
    }

    /// Reads on in a partition and answers what came, as both engines should.
    fn read_on(&mut self, range: &str, headers: &[(&str, &str)]) -> Vec<Value> {
        let position = self.positions.get(range).map(String::as_str);
        let (items, end) = self.client.drain(range, position, headers);
        self.positions.insert(range.to_owned(), end);
        comparable(items)
    }

    /// Reads the first page of a scope that headers describe.
    fn read_scope(&self, headers: &[(&str, &str)]) -> Vec<Value> {
        let mut all = vec![("a-im", "Incremental Feed")];
        all.extend_from_slice(headers);
        let page = self.client.send("GET", "/dbs/db/colls/c/docs", &all, b"");
        match page.status {
            200 => comparable(page.documents()),
            304 => Vec::new(),
            _ => panic!("{page:?}"),
        }
    }

    fn split(&mut self, range: &str) -> Value {
        let body = json!({"partition": range});
        let answer = self.client.admin("POST", "containers/db/c/split", &body);
        assert_eq!(answer.status, 200, "{answer:?}");
        let split = answer.json();
        let position = self.positions.remove(range);
        for child in split["children"].as_array().unwrap() {
            if let Some(position) = &position {
                self.positions
                    .insert(child.as_str().unwrap().to_owned(), position.clone());
            }
        }
        split
    }

    /// The partitions as SDKs see them.
    fn ranges(&self) -> Vec<Value> {
        let answer = self.client.send("GET", "/dbs/db/colls/c/pkranges", &[], b"");
        let mut ranges: Vec<Value> = answer.json()["PartitionKeyRanges"]
            .as_array()
            .unwrap()
            .iter()
            .map(|range| {
                let bounds = ["minInclusive", "maxExclusive"].map(|name| bound(range[name].as_str().unwrap()));
                // The emulator leaves out grandparents.
                json!([range["id"], bounds, range["parents"].as_array().unwrap().last()])
            })
            .collect();
        ranges.sort_by_key(|range| range[0].to_string());
        ranges
    }

    /// The write log without what an engine makes up.
    fn log(&self) -> Vec<Value> {
        let answer = self
            .client
            .admin("GET", "containers/db/c/log?limit=100000", &Value::Null);
        answer
            .lines()
            .iter()
            .map(|line| json!([line["seq"], line["partition"], line["id"], line["pk"], line["op"]]))
            .collect()
    }
}

/// A bound of a partition, roughly: one engine cuts at 1FFF…, the other at 2000….
fn bound(hex: &str) -> Value {
    if matches!(hex, "" | "FF") {
        return json!(hex);
    }
    // Of a hierarchical key a bound may be shorter than a whole hash.
    let start: String = hex.chars().chain("00000000".chars()).take(8).collect();
    json!((u64::from_str_radix(&start, 16).unwrap() + 1) >> 4)
}

/// Puts aside what engines may differ in: an LSN becomes its rank, items of one LSN are put in order.
fn comparable(items: Vec<Value>) -> Vec<Value> {
    let lsns: Vec<u64> = items
        .iter()
        .map(|item| {
            let document = item.get("current").unwrap_or(item);
            let lsn = document["_lsn"].as_u64().unwrap();
            if let Some(metadata) = item.get("metadata") {
                assert_eq!(metadata["lsn"], lsn, "{item}");
                assert!(metadata["crts"].is_u64(), "{item}");
            }
            lsn
        })
        .collect();
    assert!(lsns.is_sorted(), "{lsns:?}");
    let mut ranks = lsns.clone();
    ranks.dedup();
    let mut rows: Vec<Value> = items
        .into_iter()
        .zip(lsns)
        .map(|(mut item, lsn)| {
            let document = match item.get_mut("current") {
                Some(document) => document,
                None => &mut item,
            };
            for name in MADE_UP {
                // Which properties there are is compared, their values are not.
                let value = document.get_mut(name).unwrap_or_else(|| panic!("{name} is missing"));
                *value = Value::Null;
            }
            if let Some(metadata) = item.get_mut("metadata") {
                metadata["lsn"] = Value::Null;
                metadata["crts"] = Value::Null;
            }
            json!([ranks.binary_search(&lsn).unwrap(), item])
        })
        .collect();
    rows.sort_by_key(|row| (row[0].as_u64(), row[1].to_string()));
    rows
}

fn run(seed: u64) {
    let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let hierarchical = numbers.below(3) == 0;
    let paths: &[&str] = if hierarchical { &["/tenant", "/user"] } else { &["/pk"] };
    let partitions = 1 + numbers.below(3);
    let mut native = Side::new(Local::start(), paths, partitions);
    let mut reference = Side::new(Local::reference(), paths, partitions);

    for step in 0..STEPS {
        let what = format!("seed {seed}, step {step}");
        let key_number = numbers.below(KEYS);
        let (key, properties) = if hierarchical {
            let (tenant, user) = (format!("t{}", key_number % 2), key_number);
            (json!([tenant, user]), json!({"tenant": tenant, "user": user}))
        } else {
            let key = format!("k{key_number}");
            (json!([key]), json!({"pk": key}))
        };
        let key = key.to_string();
        let id = format!("i{}", numbers.below(IDS));
        let mut document = properties.clone();
        document["id"] = json!(id);
        document["step"] = json!(step);
        let item = format!("/dbs/db/colls/c/docs/{id}");
        let items = "/dbs/db/colls/c/docs";
        let both = |method: &str, path: &str, headers: &[(&str, &str)], body: &Value| {
            let [ours, theirs] = [&native, &reference].map(|side| side.write(method, path, &key, headers, body));
            assert_eq!(
                (ours.status, ours.sub_status()),
                (theirs.status, theirs.sub_status()),
                "{what}: {method} {path} {ours:?} {theirs:?}"
            );
            (ours, theirs)
        };
        match numbers.below(22) {
            0..=3 => drop(both("POST", items, &[], &document)),
            4..=7 => drop(both("POST", items, &[("x-ms-documentdb-is-upsert", "True")], &document)),
            8..=9 => drop(both("PUT", &item, &[], &document)),
            10 => drop(both("PUT", &item, &[("if-match", "\"other\"")], &document)),
            11 => drop(both("DELETE", &item, &[], &Value::Null)),
            12 => {
                let (ours, theirs) = both("GET", &item, &[], &Value::Null);
                if ours.status == 200 {
                    assert_eq!(ours.json()["step"], theirs.json()["step"], "{what}");
                }
            }
            13..=15 => {
                let mut other = document.clone();
                other["id"] = json!(format!("j{}", numbers.below(IDS)));
                let batch = json!([
                    {"operationType": "Upsert", "resourceBody": document},
                    {"operationType": "Create", "resourceBody": other},
                ]);
                let headers = [
                    ("x-ms-cosmos-is-batch-request", "True"),
                    ("x-ms-cosmos-batch-atomic", "True"),
                ];
                let (ours, theirs) = both("POST", items, &headers, &batch);
                let codes = |answer: &Answer| -> Vec<Value> {
                    let results = answer.json();
                    let results = results.as_array().unwrap();
                    results.iter().map(|result| result["statusCode"].clone()).collect()
                };
                assert_eq!(codes(&ours), codes(&theirs), "{what}");
            }
            16 => {
                let headers = [("x-ms-documentdb-partitionkey", key.as_str())];
                assert_eq!(native.read_scope(&headers), reference.read_scope(&headers), "{what}");
            }
            17 => {
                let ranges = native.client.partitions();
                let [low, high] = [numbers.below(0x20), 0x20 + numbers.below(0x20)].map(|byte| format!("{byte:02X}80"));
                for range in &ranges {
                    let headers = [
                        ("x-ms-documentdb-partitionkeyrangeid", range.as_str()),
                        ("x-ms-read-key-type", "EffectivePartitionKeyRange"),
                        ("x-ms-start-epk", low.as_str()),
                        ("x-ms-end-epk", high.as_str()),
                    ];
                    assert_eq!(native.read_scope(&headers), reference.read_scope(&headers), "{what}");
                }
            }
            18 if native.ranges().len() < 6 => {
                let ranges = native.client.partitions();
                let range = &ranges[numbers.below(ranges.len() as u64) as usize];
                assert_eq!(native.split(range), reference.split(range), "{what}");
                assert_eq!(native.ranges(), reference.ranges(), "{what}");
            }
            _ => {
                let ranges = native.client.partitions();
                let range = &ranges[numbers.below(ranges.len() as u64) as usize];
                let size = (1 + numbers.below(4)).to_string();
                let mut headers = vec![("x-ms-max-item-count", size.as_str())];
                if numbers.below(2) == 0 {
                    headers.push(("x-ms-cosmos-changefeed-wire-format-version", "2021-09-15"));
                }
                assert_eq!(
                    native.read_on(range, &headers),
                    reference.read_on(range, &headers),
                    "{what}"
                );
            }
        }
    }

    for range in native.client.partitions() {
        for side in [&mut native, &mut reference] {
            side.positions.remove(&range);
        }
        let what = format!("seed {seed}, partition {range} from the beginning");
        assert_eq!(native.read_on(&range, &[]), reference.read_on(&range, &[]), "{what}");
        let count = |side: &Side| {
            let state = side.client.state();
            let partitions = state["partitions"].as_array().unwrap();
            partitions
                .iter()
                .find(|partition| partition["id"] == range.as_str())
                .unwrap()["documents"]
                .clone()
        };
        assert_eq!(count(&native), count(&reference), "{what}");
    }
    assert_eq!(native.log(), reference.log(), "seed {seed}");
}

#[test]
fn engines_agree_on_generated_schedules() {
    for seed in 1..=SEEDS {
        run(seed);
    }
}
