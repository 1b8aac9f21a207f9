// SPDX-License-Identifier: Apache-2.0

//! A container: its partitions, how they split and merge, and the writes that go into them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use azure_data_cosmos_driver::models::PartitionKeyDefinition;
use parking_lot::{Mutex, RwLock};
use serde_json::{Map, Value, json};

use super::document::{DocumentKey, Stamp, StoredDocument, with_system_properties};
use super::epk::{Epk, EpkRange, evenly_spread};
use super::partition::{Partition, PartitionState};
use super::rid;
use super::throughput::Budget;
use super::write_log::{WriteKind, WriteLog};
use crate::engine::AdminError;

/// Numbers every write of the server, so that no two versions have the same ETag.
static WRITES: AtomicU64 = AtomicU64::new(0);

/// The stamp of a write that happens now.
pub fn new_stamp() -> Stamp {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    Stamp {
        write: WRITES.fetch_add(1, Ordering::Relaxed) + 1,
        seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
    }
}

/// Which partitions a container has now.
#[derive(Debug)]
pub struct Topology {
    /// In the order of their ranges, without gap.
    pub partitions: Vec<Arc<Partition>>,
    /// Ids of partitions that were split or merged away.
    pub gone: HashSet<u32>,
    /// Rises with every split and merge.
    pub version: u64,
}

/// What a client may change of a container.
#[derive(Debug, Clone)]
pub struct Properties {
    /// The body as sent, without system properties.
    pub body: Map<String, Value>,
    /// Version and time of the last change.
    pub stamp: Stamp,
}

/// A container and all it holds.
#[derive(Debug)]
pub struct Container {
    /// Name.
    pub name: String,
    /// RID.
    pub rid: String,
    /// `_self` of the container.
    pub link: String,
    /// How documents are partitioned.
    pub partition_key: PartitionKeyDefinition,
    /// The body with policies.
    pub properties: RwLock<Properties>,
    /// Partitions.
    pub topology: RwLock<Topology>,
    /// Every write.
    pub log: WriteLog,
    database_number: u32,
    number: u32,
    throughput: Mutex<Option<u64>>,
    next_document: AtomicU64,
    next_partition: AtomicU32,
    reshaping: Mutex<()>,
}

/// A version to write.
#[derive(Debug)]
pub struct Version<'a> {
    /// Key in the container.
    pub key: DocumentKey,
    /// Partition key values as a JSON array.
    pub partition_key: Arc<str>,
    /// The user's properties without the brace at the end.
    pub open_text: &'a str,
}

impl Container {
    /// A container with as many partitions of the same width as asked for.
    pub fn new(
        (database_number, number): (u32, u32),
        name: &str,
        partition_key: PartitionKeyDefinition,
        body: Map<String, Value>,
        partitions: u32,
        throughput: Option<u64>,
    ) -> Self {
        let rid = rid::container(database_number, number);
        let link = format!("dbs/{}/colls/{rid}/", rid::database(database_number));
        let ranges = EpkRange::full().divide(partitions);
        let budget = share(throughput, ranges.len());
        let partitions: Vec<_> = (0..)
            .zip(ranges)
            .map(|(id, range)| {
                let state = PartitionState::default();
                Arc::new(Partition::new(id, range, Vec::new(), state, Budget::new(budget)))
            })
            .collect();
        Self {
            name: name.to_owned(),
            rid,
            link,
            partition_key,
            properties: RwLock::new(Properties {
                body,
                stamp: new_stamp(),
            }),
            log: WriteLog::default(),
            database_number,
            number,
            throughput: Mutex::new(throughput),
            next_document: AtomicU64::new(1),
            next_partition: AtomicU32::new(partitions.len() as u32),
            topology: RwLock::new(Topology {
                partitions,
                gone: HashSet::new(),
                version: 1,
            }),
            reshaping: Mutex::new(()),
        }
    }

    /// The partitions as they are now.
    pub fn partitions(&self) -> Vec<Arc<Partition>> {
        self.topology.read().partitions.clone()
    }

    /// The partition that a point lies in.
    pub fn partition_of(&self, epk: &Epk) -> Arc<Partition> {
        let topology = self.topology.read();
        let after = topology
            .partitions
            .partition_point(|partition| partition.range.min <= *epk);
        Arc::clone(&topology.partitions[after.saturating_sub(1)])
    }

    /// The partition with an id, when it is there.
    pub fn partition(&self, id: &str) -> Option<Arc<Partition>> {
        let id: u32 = id.parse().ok()?;
        let topology = self.topology.read();
        topology.partitions.iter().find(|partition| partition.id == id).cloned()
    }

    /// Takes the number of the next document.
    pub fn next_ordinal(&self) -> u64 {
        self.next_document.fetch_add(1, Ordering::Relaxed)
    }

    /// RID of one of its documents.
    pub fn document_rid(&self, ordinal: u64) -> String {
        rid::document(self.database_number, self.number, ordinal)
    }

    /// RID of one of its partitions.
    pub fn partition_rid(&self, id: u32) -> String {
        rid::partition(self.database_number, self.number, id)
    }

    /// Request units a second, if it has any bound.
    pub fn throughput(&self) -> Option<u64> {
        *self.throughput.lock()
    }

    /// Changes the request units and spreads them over the partitions.
    pub fn set_throughput(&self, throughput: Option<u64>) {
        *self.throughput.lock() = throughput;
        let partitions = self.partitions();
        let budget = share(throughput, partitions.len());
        for partition in partitions {
            partition.budget.lock().set(budget);
        }
    }

    /// Writes a version into a partition whose state the caller has locked.
    ///
    /// A batch passes the same LSN for all its versions.
    pub fn write(
        &self,
        partition: u32,
        state: &mut PartitionState,
        lsn: u64,
        kind: WriteKind,
        version: Version<'_>,
    ) -> Arc<StoredDocument> {
        let ordinal = state
            .get(&version.key)
            .map_or_else(|| self.next_ordinal(), |old| old.ordinal);
        let stamp = new_stamp();
        let json = with_system_properties(version.open_text, &self.document_rid(ordinal), &self.link, stamp);
        let document = Arc::new(StoredDocument {
            key: version.key,
            partition_key: version.partition_key,
            ordinal,
            stamp,
            lsn,
            json,
        });
        state.put(Arc::clone(&document));
        self.log.note(partition, kind, &document);
        document
    }

    /// Deletes a document of a partition whose state the caller has locked.
    pub fn delete(
        &self,
        partition: u32,
        state: &mut PartitionState,
        lsn: u64,
        key: &DocumentKey,
    ) -> Option<Arc<StoredDocument>> {
        let old = state.remove(key)?;
        self.log.note_delete(partition, &old, lsn, new_stamp());
        Some(old)
    }

    /// Splits a partition in two: locks it, waits, then puts both children into its place.
    pub async fn split(&self, id: Option<&str>, lock: Duration) -> Result<Value, AdminError> {
        let parent = match id {
            Some(id) => self.partition(id).ok_or_else(|| self.no_partition(id))?,
            None => self.largest(),
        };
        let locked = Locked::new(vec![Arc::clone(&parent)], lock);
        if !lock.is_zero() {
            tokio::time::sleep(lock).await;
        }
        let children = self.split_now(&parent)?;
        drop(locked);
        Ok(json!({"parent": parent.id.to_string(), "children": children}))
    }

    fn split_now(&self, parent: &Arc<Partition>) -> Result<Vec<String>, AdminError> {
        let _one_at_a_time = self.reshaping.lock();
        let mut state = parent.state.write();
        if state.retired() {
            return Err(AdminError::new(409, format!("partition {} is gone", parent.id)));
        }
        let middle = self
            .split_point(&parent.range, &state)
            .ok_or_else(|| AdminError::new(409, format!("partition {} is too narrow to split", parent.id)))?;
        let [left, right] = state.retire().split(&middle);
        let mut lineage = parent.parents.clone();
        lineage.push(parent.id);
        let low = EpkRange {
            min: parent.range.min.clone(),
            max: middle.clone(),
        };
        let high = EpkRange {
            min: middle,
            max: parent.range.max.clone(),
        };
        let children =
            [(low, left), (high, right)].map(|(range, state)| self.new_partition(range, lineage.clone(), state));
        let ids = children.iter().map(|child| child.id.to_string()).collect();
        self.replace(&[parent.id], children.to_vec());
        Ok(ids)
    }

    /// Splits the largest partitions until there are so many, as the service does for a larger throughput.
    pub fn grow(&self, partitions: usize) {
        while self.partitions().len() < partitions {
            // Too narrow a partition, or one that another call has split meanwhile, ends it.
            if self.split_now(&self.largest()).is_err() {
                return;
            }
        }
    }

    fn largest(&self) -> Arc<Partition> {
        self.partitions()
            .into_iter()
            .max_by_key(|partition| partition.state.read().len())
            .expect("a container has a partition")
    }

    /// Merges partitions that touch each other into one.
    pub async fn merge(&self, ids: &[String], lock: Duration, renumber: bool) -> Result<Value, AdminError> {
        if ids.len() < 2 {
            return Err(AdminError::new(400, "partitions: two or more ids are needed"));
        }
        let mut parents = Vec::with_capacity(ids.len());
        for id in ids {
            parents.push(self.partition(id).ok_or_else(|| self.no_partition(id))?);
        }
        parents.sort_by(|left, right| left.range.min.cmp(&right.range.min));
        if parents.windows(2).any(|pair| pair[0].range.max != pair[1].range.min) {
            return Err(AdminError::new(
                400,
                "partitions: the partitions must touch each other, each named once",
            ));
        }
        let locked = Locked::new(parents.clone(), lock);
        if !lock.is_zero() {
            tokio::time::sleep(lock).await;
        }
        let child = self.merge_now(&parents, renumber)?;
        drop(locked);
        Ok(json!({"parents": ids, "child": child}))
    }

    fn merge_now(&self, parents: &[Arc<Partition>], renumber: bool) -> Result<String, AdminError> {
        let _one_at_a_time = self.reshaping.lock();
        let mut states: Vec<_> = parents.iter().map(|parent| parent.state.write()).collect();
        if states.iter().any(|state| state.retired()) {
            return Err(AdminError::new(409, "a partition is gone"));
        }
        let mut merged = PartitionState::merge(states.iter_mut().map(|state| state.retire()).collect());
        if renumber {
            merged = merged.renumbered();
        }
        let mut lineage: Vec<u32> = Vec::new();
        for parent in parents {
            for id in parent.parents.iter().chain([&parent.id]) {
                if !lineage.contains(id) {
                    lineage.push(*id);
                }
            }
        }
        let range = EpkRange {
            min: parents[0].range.min.clone(),
            max: parents[parents.len() - 1].range.max.clone(),
        };
        let child = self.new_partition(range, lineage, merged);
        let gone: Vec<u32> = parents.iter().map(|parent| parent.id).collect();
        let id = child.id.to_string();
        self.replace(&gone, vec![child]);
        Ok(id)
    }

    fn new_partition(&self, range: EpkRange, parents: Vec<u32>, state: PartitionState) -> Arc<Partition> {
        let id = self.next_partition.fetch_add(1, Ordering::Relaxed);
        // `replace` shares out the request units once the new number of partitions is known.
        Arc::new(Partition::new(id, range, parents, state, Budget::new(None)))
    }

    fn replace(&self, gone: &[u32], new: Vec<Arc<Partition>>) {
        let mut topology = self.topology.write();
        topology.partitions.retain(|partition| !gone.contains(&partition.id));
        topology.partitions.extend(new);
        topology
            .partitions
            .sort_by(|left, right| left.range.min.cmp(&right.range.min));
        topology.gone.extend(gone);
        topology.version += 1;
        drop(topology);
        self.set_throughput(self.throughput());
    }

    /// Hashes are halved by number; keys of the older hashing, which is uneven, by what is there.
    fn split_point(&self, range: &EpkRange, state: &PartitionState) -> Option<Epk> {
        if evenly_spread(&self.partition_key) {
            return range.middle();
        }
        let middle = state
            .after(None)
            .nth(state.len() / 2)
            .map(|document| document.key.epk.clone());
        middle.filter(|epk| *epk > range.min).or_else(|| range.middle())
    }

    fn no_partition(&self, id: &str) -> AdminError {
        let known: Vec<_> = self
            .partitions()
            .iter()
            .map(|partition| partition.id.to_string())
            .collect();
        AdminError::new(
            404,
            format!("partition {id} is not there; the container has {}", known.join(", ")),
        )
    }

    /// RID, documents and partitions, as the administrative interface shows them.
    pub fn state(&self) -> Value {
        let (mut documents, mut bytes) = (0, 0);
        let mut partitions = Vec::new();
        for partition in self.partitions() {
            let state = partition.state.read();
            documents += state.len();
            bytes += state.bytes();
            let parents: Vec<_> = partition.parents.iter().map(u32::to_string).collect();
            partitions.push(json!({
                "id": partition.id.to_string(),
                "minInclusive": partition.range.min.to_hex(),
                "maxExclusive": partition.range.max.to_hex(),
                "lsn": state.lsn(),
                "documents": state.len(),
                "parents": parents,
                "lockedForMillis": partition.locked_for().as_millis() as u64,
            }));
        }
        json!({
            "rid": self.rid,
            "documents": documents,
            "bytes": bytes,
            "writes": self.log.len(),
            "partitions": partitions,
        })
    }
}

/// Unlocks partitions again when a split or merge does not come about.
struct Locked(Vec<Arc<Partition>>);

impl Locked {
    fn new(partitions: Vec<Arc<Partition>>, time: Duration) -> Self {
        for partition in &partitions {
            partition.lock_for(time);
        }
        Self(partitions)
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        for partition in &self.0 {
            partition.lock_for(Duration::ZERO);
        }
    }
}

fn share(throughput: Option<u64>, partitions: usize) -> Option<f64> {
    throughput.map(|units| units as f64 / partitions.max(1) as f64)
}
