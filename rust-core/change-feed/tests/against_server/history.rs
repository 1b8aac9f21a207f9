// SPDX-License-Identifier: Apache-2.0
//! What the server wrote, document by document, and what a reader emitted of it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::*;

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
