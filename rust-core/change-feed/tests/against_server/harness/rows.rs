// SPDX-License-Identifier: Apache-2.0
//! What a page holds, read as Java reads it.

use std::collections::{HashMap, HashSet};

use change_feed::Page;
use change_feed::framing::{SplitSnapshot, decode_splits};
use serde_json::Value;

/// One emitted change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Document {
    pub id: String,
    pub etag: String,
    pub pk: String,
    pub lsn: i64,
}

/// One emitted row with all that it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// 0 unknown, 1 create, 2 replace, 3 delete.
    pub operation: u8,
    pub id: String,
    pub lsn: i64,
    pub timestamp_millis: i64,
    pub etag: Option<String>,
    pub current: Option<Value>,
    pub previous: Option<Value>,
    pub partition_key: Option<Value>,
    pub time_to_live_expired: bool,
}

impl Change {
    /// The value of the partition key, wherever the change has it.
    pub fn pk(&self) -> &str {
        let holder = self.current.as_ref().or(self.partition_key.as_ref()).expect("a key");
        holder["pk"].as_str().unwrap()
    }

    pub fn document(self) -> Document {
        let current = self.current.expect("a document");
        Document {
            etag: self.etag.unwrap_or_default(),
            pk: current["pk"].to_string(),
            id: self.id,
            lsn: self.lsn,
        }
    }
}

/// Fails when a change was emitted twice.
pub fn assert_each_once(emitted: &[Document]) {
    let unique: HashSet<_> = emitted.iter().map(|d| (&d.id, &d.etag)).collect();
    assert_eq!(unique.len(), emitted.len(), "twice: {emitted:?}");
}

/// The last ETag emitted of each document.
pub fn last_versions(emitted: &[Document]) -> HashMap<String, String> {
    emitted.iter().map(|d| (d.id.clone(), d.etag.clone())).collect()
}

fn u32_at(index: &[u8], at: usize) -> usize {
    u32::from_le_bytes(index[at..at + 4].try_into().unwrap()) as usize
}

/// 1 documents, 2 range finished, 3 range split, 4 range released.
pub fn kind(page: &Page) -> usize {
    u32_at(page.index(), 4)
}

pub fn groups(page: &Page) -> usize {
    u32_at(page.index(), 20)
}

pub fn split_id(page: &Page) -> String {
    let index = page.index();
    let at = u32_at(index, 24);
    String::from_utf8(index[at..at + u32_at(index, 28)].to_vec()).unwrap()
}

pub fn children(page: &Page) -> Vec<SplitSnapshot> {
    let index = page.index();
    let at = u32_at(index, 40);
    decode_splits(&index[at..at + u32_at(index, 44)]).unwrap()
}

pub fn documents(page: &Page) -> Vec<Document> {
    grouped(page).into_iter().flatten().collect()
}

/// A page's documents by commit group.
pub fn grouped(page: &Page) -> Vec<Vec<Document>> {
    changes(page)
        .into_iter()
        .map(|group| group.into_iter().map(Change::document).collect())
        .collect()
}

/// A page's changes by commit group.
pub fn changes(page: &Page) -> Vec<Vec<Change>> {
    let index = page.index();
    let mut all: Vec<Vec<Change>> = vec![vec![]; groups(page)];
    for row in 0..u32_at(index, 16) {
        let at = 72 + row * 64;
        let body = page.body().unwrap();
        let slice = |field: usize| {
            let (offset, len) = (u32_at(index, at + field), u32_at(index, at + field + 4));
            (len > 0).then(|| std::str::from_utf8(&body[offset..offset + len]).unwrap())
        };
        let json = |field: usize| slice(field).map(|text| serde_json::from_str::<Value>(text).unwrap());
        let text = |field: usize| slice(field).map(|text| text.replace("\\\"", "\""));
        let i64_at = |field: usize| i64::from_le_bytes(index[at + field..at + field + 8].try_into().unwrap());
        let change = Change {
            operation: index[at + 40],
            id: text(48).expect("an id"),
            lsn: i64_at(8),
            timestamp_millis: i64_at(16),
            etag: text(24),
            current: json(0),
            previous: json(32),
            partition_key: json(56),
            time_to_live_expired: index[at + 41] & 1 != 0,
        };
        if let Some(current) = &change.current {
            assert_eq!(current["_etag"].as_str(), change.etag.as_deref(), "the ETag's place");
            assert_eq!(current["id"], *change.id, "the id's place");
        }
        all[u32_at(index, at + 44)].push(change);
    }
    all
}
