// SPDX-License-Identifier: Apache-2.0
//! Readers of all versions and deletes, writes for them, and whether what they emitted is what the server wrote.

use std::collections::BTreeMap;

use azure_data_cosmos::clients::ContainerClient;
use azure_data_cosmos::models::TransactionalBatch;
use change_feed::Configuration;
use serde_json::{Value, json};

use crate::harness::*;

pub fn all_versions(server: &TestServer, changes: Value) -> Configuration {
    let mut options = json!({"mode": "ALL_VERSIONS_AND_DELETES", "startFrom": {"kind": "NOW"}});
    for (option, value) in changes.as_object().unwrap() {
        options[option] = value.clone();
    }
    server.configuration(options)
}

pub fn present_state(server: &TestServer, changes: Value) -> Configuration {
    let mut options = json!({"startFrom": {"kind": "PRESENT_STATE_THEN_CHANGES"}});
    for (option, value) in changes.as_object().unwrap() {
        options[option] = value.clone();
    }
    all_versions(server, options)
}

/// Creates, replaces and deletes documents, by ones and in transactions, as the numbers say.
pub fn write(server: &TestServer, container: &ContainerClient, numbers: std::ops::Range<u32>) {
    for n in numbers {
        let pk = format!("pk{}", n % 7);
        match n % 5 {
            0 | 1 => server.upsert(container, &pk, &format!("d{}", n % 11), n),
            2 => server.upsert(container, &pk, &format!("new{n}"), n),
            3 => {
                server.upsert(container, &pk, &format!("gone{n}"), n);
                server.delete(container, &pk, &format!("gone{n}"));
            }
            _ => {
                let document = |id: &str| json!({"id": id, "pk": pk, "revision": n});
                let batch = TransactionalBatch::new(pk.clone())
                    .upsert_item(document(&format!("d{}", n % 11)), None)
                    .unwrap()
                    .upsert_item(document("batch"), None)
                    .unwrap()
                    .create_item(document(&format!("batch{n}")))
                    .unwrap();
                server
                    .block_on(container.execute_transactional_batch(batch, None))
                    .unwrap();
            }
        }
    }
}

pub fn read_all(reader: &mut Reader) -> Vec<Change> {
    let mut emitted = vec![];
    reader.read_changes_until_idle(|change| emitted.push(change));
    emitted
}

/// Partition key and id.
type Name = (String, String);

/// What happened to each document, oldest first: the operation (1 create, 2 replace, 3 delete) and the ETag, but of deletes.
type History = BTreeMap<Name, Vec<(u8, Option<String>)>>;

fn history(log: &[Value]) -> History {
    let mut history = History::new();
    for line in log {
        let text = |field: &str| line[field].as_str().unwrap().to_owned();
        let versions = history
            .entry((line["pk"][0].as_str().unwrap().to_owned(), text("id")))
            .or_default();
        let exists = versions.last().is_some_and(|(operation, _)| *operation != 3);
        let operation = match (line["op"].as_str().unwrap(), exists) {
            ("delete", _) => 3,
            (_, true) => 2,
            (_, false) => 1,
        };
        versions.push((operation, line["etag"].as_str().map(str::to_owned)));
    }
    history
}

/// Fails unless the emitted changes are all of the log's lines behind the first `pinned`, each once and in order; before them
/// at most one present state of each document, which must be there and the last before the pin where nothing followed and
/// the present state was asked for.
pub fn assert_is_what_happened(emitted: &[Change], log: &[Value], pinned: usize, with_present_state: bool) {
    let (before, all) = (history(&log[..pinned]), history(log));
    let mut seen = History::new();
    for change in emitted {
        seen.entry((change.pk().to_owned(), change.id.clone()))
            .or_default()
            .push((change.operation, change.etag.clone()));
    }
    for (name, expected) in &all {
        let known = before.get(name).map_or(&[][..], Vec::as_slice);
        let changes = &expected[known.len()..];
        let found = seen.remove(name).unwrap_or_default();
        let (present, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|(operation, _)| *operation == 0);
        assert_eq!(found, changes, "changes of {name:?}");
        let at_pin = known.last().filter(|(operation, _)| *operation != 3);
        assert!(
            with_present_state || present.is_empty(),
            "nobody asked for the present state of {name:?}"
        );
        match (at_pin, present.as_slice()) {
            (None, []) => {}
            (Some(_), []) => assert!(
                !with_present_state || !changes.is_empty(),
                "the present state of {name:?} is missing"
            ),
            (Some((_, etag)), [(_, present)]) => assert_eq!(present, etag, "the present state of {name:?}"),
            (_, more) => panic!("the present state of {name:?}, at the pin {at_pin:?}: {more:?}"),
        }
    }
    assert!(seen.is_empty(), "never written: {seen:?}");
    for name in all.keys() {
        let lsns: Vec<i64> = emitted
            .iter()
            .filter(|change| (change.pk(), &*change.id) == (&*name.0, &*name.1))
            .map(|change| change.lsn)
            .collect();
        assert!(lsns.is_sorted(), "{name:?}: {lsns:?}");
    }
}
