// SPDX-License-Identifier: Apache-2.0

//! How the partitions of a container split, merge and grow in number.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::container::Container;
use super::epk::{Epk, EpkRange, evenly_spread};
use super::partition::{Partition, PartitionState};
use super::throughput::Budget;
use crate::engine::AdminError;

impl Container {
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
        self.tidy(parent.id, &mut state);
        parent.replica.write().retire();
        let [left, right] = state.retire().split(&low, &high);
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
        for (parent, state) in parents.iter().zip(&mut states) {
            self.tidy(parent.id, state);
        }
        for parent in parents {
            parent.replica.write().retire();
        }
        let parts = states.iter_mut().map(|state| state.retire()).collect();
        let merged = if renumber {
            let ranges: Vec<EpkRange> = parents.iter().map(|parent| parent.range.clone()).collect();
            let generation = self.renumberings.fetch_add(1, Ordering::Relaxed) + 1;
            PartitionState::merge_renumbered(parts, &ranges, generation)
        } else {
            PartitionState::merge(parts)
        };
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
        let partition = Arc::new(Partition::new(id, range, parents, state, Budget::new(None)));
        self.replicate_partition(&partition);
        partition
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
        self.set_throughput(|_| {});
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
