// SPDX-License-Identifier: Apache-2.0

//! Which partition, and which part of it, a request means.

use std::sync::Arc;
use std::time::Instant;

use super::container::Container;
use super::epk::{Epk, EpkRange, KeyScope};
use super::key::KeyValues;
use super::partition::Partition;
use crate::engine::Request;
use crate::reply::Reply;

/// Sub-status of a partition that is being split or merged.
const BEING_RESHAPED: u32 = 1007;
/// Sub-status of a partition that was split or merged away.
const RANGE_GONE: u32 = 1002;
/// Sub-status of a replica that has not come as far as the client's session.
const SESSION_NOT_AVAILABLE: u32 = 1002;
/// Sub-status of a partition key that is not the document's.
const KEY_MISMATCH: u32 = 1001;

/// Partition key of a request, range of keys, and the partition that it names.
#[derive(Debug)]
pub struct Scope {
    /// The key, if the request has one.
    pub key: Option<KeyScope>,
    /// The range of `x-ms-start-epk` and `x-ms-end-epk`; everything when there is none.
    pub range: EpkRange,
    /// The partitions with something of it, in order.
    pub partitions: Vec<Arc<Partition>>,
}

impl Scope {
    /// Reads the scope of a feed or query.
    pub fn of_feed(container: &Container, request: &Request) -> Result<Self, Reply> {
        let key = match request.header("x-ms-documentdb-partitionkey") {
            None => None,
            Some(header) => KeyValues::from_header(header).map_err(bad_request)?,
        };
        let key = match key {
            None => None,
            Some(key) => Some(key_scope(container, &key)?),
        };
        let bound = |name: &str, open: Epk| match request.header(name) {
            None => Ok(open),
            Some(hex) => {
                Epk::from_hex(hex).ok_or_else(|| bad_request(format!("{name}: {hex} is no partition key bound")))
            }
        };
        let range = EpkRange {
            min: bound("x-ms-start-epk", Epk::min())?,
            max: bound("x-ms-end-epk", Epk::max())?,
        };
        let id = request
            .header("x-ms-documentdb-partitionkeyrangeid")
            // Some SDKs put the container's RID and a comma in front of the id.
            .map(|id| id.rsplit(',').next().unwrap_or(id).trim());
        let partitions = match (id, &key) {
            (Some(id), _) => vec![container.partition(id).ok_or_else(gone)?],
            (None, Some(KeyScope::Point(epk))) => vec![container.partition_of(epk)],
            (None, Some(KeyScope::Prefix(prefix))) => overlapping(container, prefix),
            (None, None) => overlapping(container, &range),
        };
        Ok(Self { key, range, partitions })
    }

    /// Whether a document at this point belongs to the scope.
    pub fn contains(&self, epk: &Epk) -> bool {
        self.range.contains(epk) && self.key.as_ref().is_none_or(|key| key.contains(epk))
    }
}

fn overlapping(container: &Container, range: &EpkRange) -> Vec<Arc<Partition>> {
    let mut partitions = container.partitions();
    partitions.retain(|partition| partition.range.overlaps(range));
    partitions
}

/// Places a key, or explains why the container has no such key.
pub fn key_scope(container: &Container, key: &KeyValues) -> Result<KeyScope, Reply> {
    KeyScope::of(&key.values, &container.partition_key).ok_or_else(|| {
        key_mismatch(format!(
            "the partition key has {} values, the container {}",
            key.values.len(),
            container.partition_key.paths().len()
        ))
    })
}

/// Places a key that must be complete.
pub fn key_point(container: &Container, key: &KeyValues) -> Result<Epk, Reply> {
    match key_scope(container, key)? {
        KeyScope::Point(epk) => Ok(epk),
        KeyScope::Prefix(_) => Err(key_mismatch(
            "the operation needs values for all paths of the partition key",
        )),
    }
}

/// Refuses work on a locked partition, or on one without request units.
pub fn admit(partition: &Partition) -> Result<(), Reply> {
    if !partition.locked_for().is_zero() {
        return Err(Reply::error(
            410,
            BEING_RESHAPED,
            format!("partition {} is being split or merged", partition.id),
        ));
    }
    partition.budget.lock().admit(Instant::now()).map_err(|wait| {
        Reply::error(
            429,
            3200,
            "Request rate is large. More Request Units may be needed, so no changes were made.",
        )
        .header("x-ms-retry-after-ms", wait.as_millis().max(1))
    })
}

/// Refuses a read whose session has seen more of the partition than there is.
pub fn check_session(request: &Request, partition: &Partition, lsn: u64) -> Result<(), Reply> {
    let Some(tokens) = request.header("x-ms-session-token") else {
        return Ok(());
    };
    let ahead = tokens
        .split(',')
        .filter_map(|token| token.split_once(':'))
        .any(|(id, progress)| {
            let mut parts = progress.split('#');
            let first = parts.next();
            let seen = parts.next().or(first).and_then(|seen| seen.parse::<u64>().ok());
            id.trim() == partition.id.to_string() && seen.is_some_and(|seen| seen > lsn)
        });
    if ahead {
        return Err(Reply::error(
            404,
            SESSION_NOT_AVAILABLE,
            "The read session is not available for the input session token.",
        ));
    }
    Ok(())
}

/// Headers that tell where a response comes from.
pub fn stamped(reply: Reply, container: &Container, partition: &Partition, lsn: u64) -> Reply {
    reply
        .header("lsn", lsn)
        .header("x-ms-documentdb-partitionkeyrangeid", partition.id)
        .header(
            "x-ms-cosmos-internal-partition-id",
            container.partition_rid(partition.id),
        )
        .header("x-ms-session-token", session_token(partition, lsn))
        .header("x-ms-global-committed-lsn", lsn)
        .header("x-ms-quorum-acked-lsn", lsn)
        .header("x-ms-cosmos-quorum-acked-llsn", lsn)
        .header("x-ms-cosmos-llsn", lsn)
}

/// The session token of a partition that has come to an LSN.
pub fn session_token(partition: &Partition, lsn: u64) -> String {
    format!("{}:0#{lsn}#0={lsn}", partition.id)
}

/// 400 without a sub-status.
pub fn bad_request(message: impl AsRef<str>) -> Reply {
    Reply::error(400, 0, message)
}

/// 400 for a partition key that does not fit.
pub fn key_mismatch(message: impl AsRef<str>) -> Reply {
    Reply::error(400, KEY_MISMATCH, message)
}

/// 410 for a partition that is no more.
pub fn gone() -> Reply {
    Reply::error(
        410,
        RANGE_GONE,
        "The partition key range is no more; it was split or merged.",
    )
}
