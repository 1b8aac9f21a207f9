// SPDX-License-Identifier: Apache-2.0

//! Point operations on items.

use std::sync::Arc;

use super::body;
use super::container::{Container, Version};
use super::document::{Document, DocumentKey, MAX_DOCUMENT_BYTES, StoredDocument};
use super::epk::Epk;
use super::key::KeyValues;
use super::partition::{Partition, PartitionState};
use super::scope::{admit, bad_request, check_session, gone, key_mismatch, key_point, stamped};
use super::settings::OwnTimeToLive;
use super::throughput;
use super::write_log::WriteKind;
use crate::engine::Request;
use crate::reply::Reply;

const NOT_FOUND: &str = "Entity with the specified id does not exist in the system.";
const CONFLICT: &str = "Entity with the specified id already exists in the system.";
const PRECONDITION: &str = "One of the specified pre-condition is not met.";

/// A document of a request, checked and placed.
#[derive(Debug)]
pub struct Incoming {
    /// Key in the container.
    pub key: DocumentKey,
    /// Partition key values as a JSON array.
    pub partition_key: Arc<str>,
    /// The user's properties without the brace at the end.
    pub open_text: String,
    /// What it says of its own time to live.
    pub time_to_live: Option<OwnTimeToLive>,
}

impl Incoming {
    /// Checks a document against its container, and against the key of the request's header if there is one.
    pub fn read(container: &Container, text: &[u8], header: Option<&KeyValues>) -> Result<Self, Reply> {
        if text.len() > MAX_DOCUMENT_BYTES {
            return Err(Reply::error(
                413,
                0,
                format!("the document has {} bytes, more than {MAX_DOCUMENT_BYTES}", text.len()),
            ));
        }
        let document = Document::parse(text).map_err(bad_request)?;
        let id = document
            .id()
            .filter(|id| valid_id(id))
            .ok_or_else(|| bad_request("id: a string of 1 to 1023 bytes without / \\ ? # is needed"))?;
        let key = KeyValues::from_document(&document, &container.partition_key).map_err(bad_request)?;
        if header.is_some_and(|header| header.values != key.values) {
            return Err(key_mismatch(
                "PartitionKey extracted from document doesn't match the one specified in the header.",
            ));
        }
        let time_to_live = OwnTimeToLive::of_property(document.value("ttl").as_ref()).map_err(bad_request)?;
        Ok(Self {
            key: DocumentKey {
                epk: key_point(container, &key)?,
                id: Arc::from(id),
            },
            partition_key: Arc::from(key.json),
            open_text: document.open_text(),
            time_to_live,
        })
    }

    /// The version to write.
    pub fn version(&self) -> Version<'_> {
        Version {
            key: self.key.clone(),
            partition_key: Arc::clone(&self.partition_key),
            open_text: &self.open_text,
            time_to_live: self.time_to_live,
        }
    }
}

fn valid_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 1023 && !id.contains(['/', '\\', '?', '#'])
}

/// Reads the partition key header.
pub fn header_key(request: &Request) -> Result<Option<KeyValues>, Reply> {
    match request.header("x-ms-documentdb-partitionkey") {
        None => Ok(None),
        Some(header) => KeyValues::from_header(header).map_err(bad_request),
    }
}

/// The key of an item that is addressed by id; it needs the whole partition key.
fn addressed(container: &Container, request: &Request, id: &str) -> Result<DocumentKey, Reply> {
    let key = header_key(request)?
        .ok_or_else(|| key_mismatch("x-ms-documentdb-partitionkey: the partition key is needed for this operation"))?;
    Ok(DocumentKey {
        epk: key_point(container, &key)?,
        id: Arc::from(id),
    })
}

/// Finds an item by its key, or by its RID in place of its id.
pub fn find<'a>(
    container: &Container,
    state: &'a PartitionState,
    key: &DocumentKey,
) -> Option<&'a Arc<StoredDocument>> {
    state.get(key).or_else(|| {
        state
            .at_epk(&key.epk)
            .take_while(|document| document.key.epk == key.epk)
            .find(|document| container.document_rid(document.ordinal) == *key.id)
    })
}

/// Finds the partition of a point for a request, which may name the partition itself.
pub fn partition_for(container: &Container, request: &Request, epk: &Epk) -> Result<Arc<Partition>, Reply> {
    let partition = container.partition_of(epk);
    let named = request
        .header("x-ms-documentdb-partitionkeyrangeid")
        .map(|id| id.rsplit(',').next().unwrap_or(id).trim());
    if named.is_some_and(|id| id != partition.id.to_string()) {
        return Err(gone());
    }
    Ok(partition)
}

/// Runs a write on the partition of a point, again when the partition was split away meanwhile.
pub fn with_partition(
    container: &Container,
    request: &Request,
    epk: &Epk,
    mut write: impl FnMut(&Partition, &mut PartitionState) -> Result<Reply, Reply>,
) -> Result<Reply, Reply> {
    loop {
        let partition = partition_for(container, request, epk)?;
        admit(&partition)?;
        let mut state = partition.state.write();
        if !state.retired() {
            container.tidy(partition.id, &mut state);
            let result = write(&partition, &mut state);
            let lsn = state.lsn();
            drop(state);
            let stamp = |reply: Reply| stamped(reply, container, &partition, lsn);
            return result.map(stamp).map_err(stamp);
        }
    }
}

/// Creates, upserts or replaces an item.
pub fn write(container: &Container, request: &Request, kind: WriteKind, id: Option<&str>) -> Result<Reply, Reply> {
    let header = header_key(request)?;
    let text = body::text(&request.body)?;
    let incoming = Incoming::read(container, &text, header.as_ref())?;
    with_partition(container, request, &incoming.key.epk, |partition, state| {
        if let Some(id) = id.filter(|id| **id != *incoming.key.id) {
            // An item addressed by its RID has another id in its body, which is then its real one.
            let key = DocumentKey {
                epk: incoming.key.epk.clone(),
                id: Arc::from(id),
            };
            match find(container, state, &key) {
                Some(found) if found.key == incoming.key => {}
                Some(_) => return Err(bad_request("id: the id in the body is not that of the item")),
                None => return Err(Reply::error(404, 0, NOT_FOUND)),
            }
        }
        let existing = state.get(&incoming.key);
        check_write(kind, existing, request.header("if-match"))?;
        let created = existing.is_none();
        let lsn = state.next_lsn();
        let document = container.write(partition.id, state, lsn, kind, incoming.version());
        let charge = throughput::write(document.json.len());
        partition.budget.lock().charge(charge);
        let reply = Reply::new(if created { 201 } else { 200 })
            .charge(charge)
            .etag(&document.stamp.etag())
            .header("x-ms-item-lsn", lsn);
        Ok(if body::wanted(request) {
            reply.body(body::negotiated(request, &document.json))
        } else {
            reply
        })
    })
}

/// Whether a write may happen over what is there.
pub fn check_write(
    kind: WriteKind,
    existing: Option<&Arc<StoredDocument>>,
    if_match: Option<&str>,
) -> Result<(), Reply> {
    match (kind, existing) {
        (WriteKind::Create, Some(_)) => return Err(Reply::error(409, 0, CONFLICT)),
        (WriteKind::Replace | WriteKind::Delete, None) => {
            return Err(Reply::error(404, 0, NOT_FOUND));
        }
        _ => {}
    }
    let matches = match (if_match, existing) {
        (None | Some("*"), _) | (_, None) => true,
        (Some(etag), Some(existing)) => etag == existing.stamp.etag(),
    };
    if matches {
        Ok(())
    } else {
        Err(Reply::error(412, 0, PRECONDITION))
    }
}

/// Reads an item.
pub fn read(container: &Container, request: &Request, id: &str) -> Result<Reply, Reply> {
    let key = addressed(container, request, id)?;
    loop {
        let partition = partition_for(container, request, &key.epk)?;
        admit(&partition)?;
        let state = container.view(&partition, request);
        if state.retired() {
            continue;
        }
        let lsn = state.lsn();
        let found = find(container, &state, &key).cloned();
        drop(state);
        let stamp = |reply: Reply| stamped(reply, container, &partition, lsn);
        check_session(request, &partition, lsn).map_err(stamp)?;
        let Some(document) = found else {
            return Err(stamp(Reply::error(404, 0, NOT_FOUND)));
        };
        let charge = throughput::read(document.json.len());
        partition.budget.lock().charge(charge);
        let etag = document.stamp.etag();
        let reply = if request.header("if-none-match") == Some(etag.as_str()) {
            Reply::new(304)
        } else {
            Reply::new(200).body(body::negotiated(request, &document.json))
        };
        return Ok(stamp(
            reply.charge(charge).etag(&etag).header("x-ms-item-lsn", document.lsn),
        ));
    }
}

/// Deletes an item.
pub fn delete(container: &Container, request: &Request, id: &str) -> Result<Reply, Reply> {
    let key = addressed(container, request, id)?;
    with_partition(container, request, &key.epk, |partition, state| {
        let existing = find(container, state, &key).cloned();
        check_write(WriteKind::Delete, existing.as_ref(), request.header("if-match"))?;
        let key = existing.map_or_else(|| key.clone(), |existing| existing.key.clone());
        let lsn = state.next_lsn();
        let old = container.delete(partition.id, state, lsn, &key, false);
        let charge = throughput::write(old.map_or(0, |old| old.json.len()));
        partition.budget.lock().charge(charge);
        Ok(Reply::new(204).charge(charge).header("x-ms-item-lsn", lsn))
    })
}
