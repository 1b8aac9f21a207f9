// SPDX-License-Identifier: Apache-2.0

//! The server's own record of every write of a container, to compare a reader's results with.

use std::fmt::Write;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;

use super::document::{Stamp, StoredDocument};
use super::partition::Removal;

/// How many entries are read under one lock.
const PIECE: usize = 4096;

/// What a write was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind {
    /// A document that was not there.
    Create,
    /// A new version by replacing.
    Replace,
    /// A new version, or a document that was not there, by upserting.
    Upsert,
    /// A document taken away.
    Delete,
}

impl WriteKind {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Upsert => "upsert",
            Self::Delete => "delete",
        }
    }
}

#[derive(Debug)]
struct Entry {
    lsn: u64,
    partition: u32,
    kind: WriteKind,
    expired: bool,
    stamp: Stamp,
    id: Arc<str>,
    partition_key: Arc<str>,
}

/// Writes in the order they took effect; numbers begin at 1.
#[derive(Debug, Default)]
pub struct WriteLog {
    entries: Mutex<Vec<Entry>>,
}

impl WriteLog {
    /// Notes a version; call it under the lock of its partition, so that the order is the partition's.
    pub fn note(&self, partition: u32, kind: WriteKind, document: &StoredDocument) {
        self.push(Entry {
            lsn: document.lsn,
            partition,
            kind,
            expired: false,
            stamp: document.stamp,
            id: Arc::clone(&document.key.id),
            partition_key: Arc::clone(&document.partition_key),
        });
    }

    /// Notes a delete, with the LSN and stamp of the delete itself.
    pub fn note_delete(&self, partition: u32, document: &StoredDocument, removal: Removal) {
        self.push(Entry {
            lsn: removal.lsn,
            partition,
            kind: WriteKind::Delete,
            expired: removal.expired,
            stamp: removal.stamp,
            id: Arc::clone(&document.key.id),
            partition_key: Arc::clone(&document.partition_key),
        });
    }

    fn push(&self, entry: Entry) {
        self.entries.lock().push(entry);
    }

    /// Lines of JSON from a number on.
    pub fn lines(&self, from: u64, limit: usize) -> String {
        let mut start = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        let end = start.saturating_add(limit);
        let mut lines = String::new();
        while start < end {
            // Piece by piece, so that a long answer does not keep the writers waiting.
            let piece = PIECE.min(end - start);
            let found = self.piece(start, piece, &mut lines);
            if found < piece {
                break;
            }
            start += piece;
        }
        lines
    }

    fn piece(&self, start: usize, limit: usize, lines: &mut String) -> usize {
        let entries = self.entries.lock();
        let mut found = 0;
        for (at, entry) in entries.iter().enumerate().skip(start).take(limit) {
            let etag = match entry.kind {
                WriteKind::Delete => Value::Null,
                _ => Value::from(entry.stamp.etag()),
            };
            let _ = write!(
                lines,
                "{{\"seq\":{},\"lsn\":{},\"partition\":\"{}\",\"id\":{},\"pk\":{},\"etag\":{etag},\"op\":\"{}\",",
                at + 1,
                entry.lsn,
                entry.partition,
                Value::from(entry.id.as_ref()),
                entry.partition_key,
                entry.kind.name(),
            );
            let purged = if entry.expired { "\"ttl\":true," } else { "" };
            let _ = writeln!(lines, "{purged}\"ts\":{}}}", entry.stamp.seconds);
            found += 1;
        }
        found
    }

    /// Number of writes so far.
    pub fn len(&self) -> usize {
        self.entries.lock().len()
    }
}
