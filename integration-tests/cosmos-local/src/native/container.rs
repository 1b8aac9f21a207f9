// SPDX-License-Identifier: Apache-2.0

//! A container: its partitions, how they split and merge, and the writes that go into them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use azure_data_cosmos_driver::models::PartitionKeyDefinition;
use parking_lot::{Mutex, RwLock};
use serde_json::{Map, Value, json};

use super::document::{DocumentKey, Stamp, StoredDocument, with_system_properties};
use super::epk::{Epk, EpkRange};
use super::partition::{Partition, PartitionState, Removal, now_millis};
use super::replication::Replication;
use super::rid;
use super::settings::{OwnTimeToLive, Settings, TimeToLive};
use super::throughput::{Budget, Throughput};
use super::write_log::{WriteKind, WriteLog};

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
    /// Held while partitions split or merge, and while settings change for all of them.
    pub(super) reshaping: Mutex<()>,
    pub(super) next_partition: AtomicU32,
    pub(super) renumberings: AtomicU64,
    database_number: u32,
    number: u32,
    settings: Mutex<Settings>,
    replication: Arc<Replication>,
    throughput: Mutex<Throughput>,
    next_document: AtomicU64,
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
    /// What it says of its own time to live.
    pub time_to_live: Option<OwnTimeToLive>,
}

/// What a new container is made with.
#[derive(Debug)]
pub struct Definition {
    /// How documents are partitioned.
    pub partition_key: PartitionKeyDefinition,
    /// The body as sent.
    pub body: Map<String, Value>,
    /// Number of partitions, all of the same width.
    pub partitions: u32,
    /// Request units a second, if it has any bound.
    pub throughput: Option<u64>,
    /// What it retains.
    pub settings: Settings,
    /// How the account replicates.
    pub replication: Arc<Replication>,
}

impl Container {
    /// An empty container.
    pub fn new((database_number, number): (u32, u32), name: &str, definition: Definition) -> Self {
        let rid = rid::container(database_number, number);
        let link = format!("dbs/{}/colls/{rid}/", rid::database(database_number));
        let ranges = EpkRange::full().divide(definition.partitions);
        let throughput = Throughput::total(definition.throughput);
        let share = throughput.share(ranges.len());
        let partitions: Vec<_> = (0..)
            .zip(ranges)
            .map(|(id, range)| {
                let state = PartitionState::empty(&definition.settings, &range);
                Arc::new(Partition::new(id, range, Vec::new(), state, Budget::new(share)))
            })
            .collect();
        let container = Self {
            name: name.to_owned(),
            rid,
            link,
            partition_key: definition.partition_key,
            properties: RwLock::new(Properties {
                body: definition.body,
                stamp: new_stamp(),
            }),
            log: WriteLog::default(),
            reshaping: Mutex::new(()),
            next_partition: AtomicU32::new(partitions.len() as u32),
            renumberings: AtomicU64::new(0),
            database_number,
            number,
            settings: Mutex::new(definition.settings),
            replication: definition.replication,
            throughput: Mutex::new(throughput),
            next_document: AtomicU64::new(1),
            topology: RwLock::new(Topology {
                partitions,
                gone: HashSet::new(),
                version: 1,
            }),
        };
        container.replicate();
        container
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

    /// What the container retains.
    pub fn settings(&self) -> Settings {
        *self.settings.lock()
    }

    /// How the account replicates.
    pub fn replication(&self) -> &Replication {
        &self.replication
    }

    /// Changes what the container retains, in all its partitions.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        let _none_in_between = self.reshaping.lock();
        let settings = {
            let mut settings = self.settings.lock();
            change(&mut settings);
            *settings
        };
        for partition in self.partitions() {
            partition.state.write().configure(&settings, &partition.range);
            let replica = Settings {
                // It sees deletes like other writes.
                time_to_live: TimeToLive::Off,
                ..settings
            };
            partition.replica.write().configure(&replica, &partition.range);
        }
    }

    /// Changes the request units and spreads them over the partitions.
    pub fn set_throughput(&self, change: impl FnOnce(&mut Throughput)) {
        let mut throughput = self.throughput.lock();
        change(&mut throughput);
        let partitions = self.partitions();
        let share = throughput.share(partitions.len());
        for partition in partitions {
            partition.budget.lock().set(share);
        }
    }

    /// Deletes what has lived its time and forgets changes that are too old, in a partition whose state the caller
    /// has locked.
    pub fn tidy(&self, partition: u32, state: &mut PartitionState) {
        let now = now_millis();
        while let Some(key) = state.expired(now) {
            let lsn = state.next_lsn();
            self.delete(partition, state, lsn, &key, true);
        }
        state.trim(now);
    }

    /// The same for a partition that nobody has locked; it costs next to nothing when there is nothing to do.
    pub fn tidy_up(&self, partition: &Partition) {
        if partition.state.read().untidy(now_millis()) {
            self.tidy(partition.id, &mut partition.state.write());
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
            time_to_live: version.time_to_live,
            json,
        });
        state.put(Arc::clone(&document));
        self.log.note(partition, kind, &document);
        document
    }

    /// Deletes a document of a partition whose state the caller has locked; `expired` when it has lived its time.
    pub fn delete(
        &self,
        partition: u32,
        state: &mut PartitionState,
        lsn: u64,
        key: &DocumentKey,
        expired: bool,
    ) -> Option<Arc<StoredDocument>> {
        let removal = Removal {
            lsn,
            stamp: new_stamp(),
            expired,
        };
        let old = state.remove(key, removal)?;
        self.log.note_delete(partition, &old, removal);
        Some(old)
    }

    /// RID, settings, documents and partitions, as the administrative interface shows them.
    pub fn state(&self) -> Value {
        let (mut documents, mut bytes) = (0, 0);
        let mut partitions = Vec::new();
        for partition in self.partitions() {
            self.tidy_up(&partition);
            let state = partition.state.read();
            documents += state.len();
            bytes += state.bytes();
            let parents: Vec<_> = partition.parents.iter().map(u32::to_string).collect();
            let mut described = json!({
                "id": partition.id.to_string(),
                "minInclusive": partition.range.min.to_hex(),
                "maxExclusive": partition.range.max.to_hex(),
                "lsn": state.lsn(),
                "documents": state.len(),
                "parents": parents,
                "lockedForMillis": partition.locked_for().as_millis() as u64,
                "requestUnits": partition.budget.lock().per_second(),
            });
            if let Some(history) = state.history() {
                described["changes"] = json!(history.len());
                described["changesAfterLsn"] = json!(history.floor(|_| true));
            }
            partitions.push(described);
        }
        let settings = self.settings();
        let all_versions = settings.all_versions.map(|all_versions| {
            json!({
                "retentionSeconds": all_versions.retention.as_secs_f64(),
                "previousImages": all_versions.previous_images,
            })
        });
        json!({
            "rid": self.rid,
            "documents": documents,
            "bytes": bytes,
            "writes": self.log.len(),
            "allVersionsAndDeletes": all_versions,
            "defaultTimeToLive": settings.time_to_live.to_seconds(),
            "partitions": partitions,
        })
    }
}
