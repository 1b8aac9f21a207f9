// SPDX-License-Identifier: Apache-2.0
//! Partitions that are split and merged at random while their ranges are read, and while they cannot be: a range comes back
//! to find its partition several generations away, in one piece or in parts.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::*;

const SCHEDULES: u64 = 8;
const ROUNDS: usize = 12;
const MOST_PARTITIONS: usize = 9;

struct Schedule {
    seed: u64,
    dice: fastrand::Rng,
    server: TestServer,
    reader: Reader,
    written: usize,
    loads: usize,
    seen: HashSet<String>,
    account: Vec<String>,
}

impl Schedule {
    fn new(seed: u64) -> Self {
        let server = TestServer::with_all_versions(3);
        let mut reader =
            Reader::open(&server.configuration(
                json!({"pageSize": 20, "mode": "ALL_VERSIONS_AND_DELETES", "startFrom": {"kind": "NOW"}}),
            ));
        reader.start_all();
        Self {
            seed,
            dice: fastrand::Rng::with_seed(seed),
            server,
            reader,
            written: 0,
            loads: 0,
            seen: HashSet::new(),
            account: Vec::new(),
        }
    }

    fn container(&self, what: &str, body: Value) -> Value {
        let method = if body.is_null() { "GET" } else { "POST" };
        self.server
            .admin(method, &format!("containers/{DATABASE}/{CONTAINER}{what}"), body)
    }

    fn reshape(&mut self) {
        let state = self.container("", json!(null));
        let partitions: Vec<&str> = state["partitions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|partition| partition["id"].as_str().unwrap())
            .collect();
        let lock = self.dice.choice([0, 0, 50, 300]).unwrap();
        let splits = partitions.len() < 3 || partitions.len() < MOST_PARTITIONS && self.dice.bool();
        let (what, how) = if splits {
            let parent = self.dice.choice(&partitions).unwrap();
            ("/split", json!({"partition": parent, "lockMillis": lock}))
        } else {
            let first = self.dice.usize(..partitions.len() - 1);
            let parents = &partitions[first..first + 2];
            let renumber = self.dice.bool();
            (
                "/merge",
                json!({"partitions": parents, "renumberLsns": renumber, "lockMillis": lock}),
            )
        };
        self.account.push(format!("{what} {how}"));
        self.container(what, how);
    }

    fn write(&mut self) {
        self.loads += 1;
        let documents = self.dice.usize(1..200);
        let prefix = format!("doc{}", self.loads);
        self.container(
            "/load",
            json!({"documents": documents, "documentBytes": 300, "partitionKeys": 50, "idPrefix": prefix}),
        );
        self.written += documents;
    }

    fn read(&mut self, wait: Duration) {
        if let Some(page) = self.reader.session.poll(wait).unwrap() {
            for change in follow(&mut self.reader, &page) {
                assert!(self.seen.insert(change.id), "{} again", self.tell());
            }
        }
    }

    fn tell(&self) -> String {
        format!("seed {}:\n{}", self.seed, self.account.join("\n"))
    }

    fn run(mut self) {
        for _ in 0..ROUNDS {
            let hidden = self.dice.bool();
            if hidden {
                self.account.push("out of sight:".to_owned());
                self.server
                    .fault(json!({"operation": "changefeed", "count": 1_000_000, "kind": "status", "status": 503}));
            }
            for _ in 0..self.dice.usize(1..4) {
                self.reshape();
                if self.dice.bool() {
                    self.write();
                }
            }
            if hidden {
                self.server.end_faults();
            }
            for _ in 0..self.dice.usize(..20) {
                self.read(Duration::from_millis(20));
            }
            self.account
                .push(format!("read {} of {}", self.seen.len(), self.written));
        }
        let (mut until, mut seen) = (Instant::now() + PATIENCE, self.seen.len());
        while self.seen.len() < self.written {
            if self.seen.len() > seen {
                (until, seen) = (Instant::now() + PATIENCE, self.seen.len());
            }
            assert!(
                Instant::now() < until,
                "{} of {} were read, {}\n{:?}",
                self.seen.len(),
                self.written,
                self.tell(),
                self.reader.logs()
            );
            self.read(Duration::from_millis(50));
        }
        let mut again = Vec::new();
        self.reader.read_changes_until_idle(|change| again.push(change.id));
        assert!(again.is_empty(), "{again:?} again, {}", self.tell());
    }
}

/// A position has no mark here, so that even a merge brings nothing again.
#[test]
fn every_change_comes_once_through_whatever_partitions_do() {
    std::thread::scope(|scope| {
        for seed in 0..SCHEDULES {
            scope.spawn(move || Schedule::new(seed).run());
        }
    });
}
