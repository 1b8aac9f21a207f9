// SPDX-License-Identifier: Apache-2.0

//! The body of a page of the change feed: whole transactions until it is full.

use std::fmt::Write;
use std::sync::Arc;

use azure_data_cosmos_driver::models::PartitionKeyDefinition;
use serde_json::Value;
use serde_json::value::RawValue;

use super::document::StoredDocument;
use super::history::{Change, ChangeKind};
use super::key::path_names;

/// A response holds no more than this, except for one transaction that is larger by itself.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// What the JSON around a latest version takes at most.
const ENVELOPE_BYTES: usize = 96;
/// The same around a version or delete with its metadata, without the id and the partition key of a delete.
const METADATA_BYTES: usize = 256;

/// Something that a page can hold.
pub trait Entry {
    /// Its LSN; entries of one LSN are one transaction.
    fn lsn(&self) -> u64;
    /// How many bytes it takes at most.
    fn size(&self) -> usize;
    /// Appends its JSON.
    fn write(&self, body: &mut Vec<u8>);
}

/// A document's latest version.
#[derive(Debug, Clone, Copy)]
pub struct Latest<'a> {
    /// The version.
    pub document: &'a Arc<StoredDocument>,
    /// Whether it comes with metadata around it.
    pub enveloped: bool,
}

impl Entry for Latest<'_> {
    fn lsn(&self) -> u64 {
        self.document.lsn
    }

    fn size(&self) -> usize {
        self.document.json.len() + ENVELOPE_BYTES
    }

    fn write(&self, body: &mut Vec<u8>) {
        let lsn = self.document.lsn;
        if self.enveloped {
            body.extend_from_slice(b"{\"current\":");
        }
        current(body, self.document);
        if self.enveloped {
            let seconds = self.document.stamp.seconds;
            append(
                body,
                format_args!(",\"metadata\":{{\"lsn\":{lsn},\"crts\":{seconds}}}}}"),
            );
        }
    }
}

/// A version or delete.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a> {
    /// What happened.
    pub change: &'a Change,
    /// Whether the version before comes with it.
    pub previous_images: bool,
    /// How the container's documents are partitioned.
    pub definition: &'a PartitionKeyDefinition,
}

impl Entry for Version<'_> {
    fn lsn(&self) -> u64 {
        self.change.lsn
    }

    fn size(&self) -> usize {
        let document = self.change.document();
        let after = self.change.after.as_ref().map_or(0, |after| after.json.len());
        let before = self.previous().map_or(0, |before| before.json.len());
        let identity = match self.change.kind() {
            // Each byte of an id may have to be escaped; the names of the key's paths come with its values.
            ChangeKind::Delete => {
                let paths: usize = self.definition.paths().iter().map(|path| path.len()).sum();
                document.key.id.len() * 6 + document.partition_key.len() + paths * 6 + 64
            }
            ChangeKind::Create | ChangeKind::Replace => 0,
        };
        METADATA_BYTES + after + before + identity
    }

    fn write(&self, body: &mut Vec<u8>) {
        let kind = match self.change.kind() {
            ChangeKind::Create => "create",
            ChangeKind::Replace => "replace",
            ChangeKind::Delete => "delete",
        };
        body.extend_from_slice(b"{\"current\":");
        match &self.change.after {
            Some(after) => current(body, after),
            None => body.extend_from_slice(b"{}"),
        }
        if let Some(before) = self.previous() {
            body.extend_from_slice(b",\"previous\":");
            body.extend_from_slice(&before.json);
        }
        append(
            body,
            format_args!(
                ",\"metadata\":{{\"operationType\":\"{kind}\",\"lsn\":{},\"crts\":{}",
                self.change.lsn,
                self.change.millis / 1000
            ),
        );
        if let Some(before) = &self.change.before {
            append(body, format_args!(",\"previousImageLSN\":{}", before.lsn));
        }
        if self.change.expired {
            body.extend_from_slice(b",\"timeToLiveExpired\":true");
        }
        if self.change.after.is_none() {
            self.identity(body);
        }
        body.extend_from_slice(b"}}");
    }
}

impl Version<'_> {
    fn previous(&self) -> Option<&Arc<StoredDocument>> {
        self.change.before.as_ref().filter(|_| self.previous_images)
    }

    /// Id and partition key of a deleted document, the key as an object of the names and values that it had.
    fn identity(&self, body: &mut Vec<u8>) {
        let document = self.change.document();
        append(
            body,
            format_args!(",\"id\":{},\"partitionKey\":{{", Value::from(document.key.id.as_ref())),
        );
        let values: Vec<&RawValue> = serde_json::from_str(&document.partition_key).unwrap_or_default();
        let mut first = true;
        for (path, value) in self.definition.paths().iter().zip(values) {
            if value.get() == "{}" {
                // The document had no such property.
                continue;
            }
            let name = path_names(path).map(|names| names.join("/")).unwrap_or_default();
            let comma = if first { "" } else { "," };
            append(body, format_args!("{comma}{}:{}", Value::from(name), value.get()));
            first = false;
        }
        body.push(b'}');
    }
}

/// A version with its LSN, as all feeds have it.
fn current(body: &mut Vec<u8>, document: &StoredDocument) {
    body.extend_from_slice(document.open_json());
    append(body, format_args!(",\"_lsn\":{}}}", document.lsn));
}

fn append(body: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    struct Bytes<'a>(&'a mut Vec<u8>);

    impl Write for Bytes<'_> {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }

    // Memory takes every write.
    let _ = Bytes(body).write_fmt(text);
}

/// The items of a response.
#[derive(Debug, Default)]
pub struct Page {
    /// The body; empty without items.
    pub body: Vec<u8>,
    /// Number of items.
    pub items: usize,
    /// LSN of the last item.
    pub last_lsn: u64,
}

impl Page {
    /// Takes whole transactions until the page is full.
    pub fn fill<E: Entry>(rid: &str, mut entries: impl Iterator<Item = E>, limit: usize) -> Self {
        let mut page = Self::default();
        let mut next = entries.next();
        let mut group: Vec<E> = Vec::new();
        while let Some(first) = next {
            let lsn = first.lsn();
            group.clear();
            group.push(first);
            next = entries.next();
            while let Some(more) = next.take_if(|more| more.lsn() == lsn) {
                group.push(more);
                next = entries.next();
            }
            let size: usize = group.iter().map(Entry::size).sum();
            if page.items == 0 {
                // A guess from the first item; a page that turns out larger grows once or twice.
                let expected = size.saturating_mul(limit.min(4096)).min(MAX_PAGE_BYTES) + 256;
                page.body.reserve(expected);
                append(&mut page.body, format_args!("{{\"_rid\":\"{rid}\",\"Documents\":["));
            } else if page.body.len() + size > MAX_PAGE_BYTES {
                break;
            }
            for entry in &group {
                if page.items > 0 {
                    page.body.push(b',');
                }
                entry.write(&mut page.body);
                page.items += 1;
            }
            page.last_lsn = lsn;
            if page.items >= limit {
                break;
            }
        }
        if page.items > 0 {
            append(&mut page.body, format_args!("],\"_count\":{}}}", page.items));
        }
        page
    }
}
