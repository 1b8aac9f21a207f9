// SPDX-License-Identifier: Apache-2.0

//! Databases, containers and offers by name and by RID.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use azure_data_cosmos_driver::models::PartitionKeyDefinition;
use parking_lot::RwLock;
use serde_json::{Map, Value, json};

use super::container::{Container, Definition, new_stamp};
use super::document::Stamp;
use super::replication::Replication;
use super::rid;
use super::settings::Settings;

/// Request units a second that one physical partition can give.
const UNITS_PER_PARTITION: u64 = 10_000;
/// The most partitions that a throughput brings about.
const MAX_PARTITIONS: u64 = 1000;

/// A database.
#[derive(Debug)]
pub struct Database {
    /// Name.
    pub name: String,
    /// RID.
    pub rid: String,
    number: u32,
    stamp: Stamp,
    containers: RwLock<BTreeMap<String, Arc<Container>>>,
    next_container: AtomicU32,
}

impl Database {
    /// The body that a read answers.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.name,
            "_rid": self.rid,
            "_self": format!("dbs/{}/", self.rid),
            "_etag": self.stamp.etag(),
            "_colls": "colls/",
            "_users": "users/",
            "_ts": self.stamp.seconds,
        })
    }

    /// ETag with quotes.
    pub fn etag(&self) -> String {
        self.stamp.etag()
    }

    /// Its containers by name.
    pub fn containers(&self) -> Vec<Arc<Container>> {
        self.containers.read().values().cloned().collect()
    }

    /// A container by name or RID.
    pub fn container(&self, name: &str) -> Option<Arc<Container>> {
        let containers = self.containers.read();
        containers
            .get(name)
            .or_else(|| containers.values().find(|container| container.rid == name))
            .cloned()
    }
}

/// Provisioned throughput of a container.
#[derive(Debug, Clone)]
pub struct Offer {
    /// RID of the offer, which is its id as well.
    pub rid: String,
    /// What it is for.
    pub container: Arc<Container>,
    /// Throughput, manual or autoscale.
    pub content: Value,
    stamp: Stamp,
}

impl Offer {
    /// The body that a read answers.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.rid,
            "_rid": self.rid,
            "_self": format!("offers/{}/", self.rid),
            "_etag": self.stamp.etag(),
            "_ts": self.stamp.seconds,
            "offerVersion": "V2",
            "offerType": "Invalid",
            "resource": self.container.link,
            "offerResourceId": self.container.rid,
            "content": self.content,
        })
    }

    /// ETag with quotes.
    pub fn etag(&self) -> String {
        self.stamp.etag()
    }
}

/// What a new container shall be.
#[derive(Debug)]
pub struct NewContainer {
    /// Name.
    pub name: String,
    /// How its documents are partitioned.
    pub partition_key: PartitionKeyDefinition,
    /// The body as sent.
    pub body: Map<String, Value>,
    /// Number of physical partitions.
    pub partitions: u32,
    /// Content of its offer, if it is to have one.
    pub offer: Option<Value>,
    /// What it retains.
    pub settings: Settings,
}

/// The account.
#[derive(Debug, Default)]
pub struct Catalog {
    databases: RwLock<BTreeMap<String, Arc<Database>>>,
    offers: RwLock<BTreeMap<String, Offer>>,
    next_database: AtomicU32,
    next_offer: AtomicU32,
    replication: Arc<Replication>,
}

impl Catalog {
    /// All databases by name.
    pub fn databases(&self) -> Vec<Arc<Database>> {
        self.databases.read().values().cloned().collect()
    }

    /// A database by name or RID.
    pub fn database(&self, name: &str) -> Option<Arc<Database>> {
        let databases = self.databases.read();
        databases
            .get(name)
            .or_else(|| databases.values().find(|database| database.rid == name))
            .cloned()
    }

    /// Creates a database; none when the name is taken.
    pub fn create_database(&self, name: &str) -> Option<Arc<Database>> {
        let mut databases = self.databases.write();
        if databases.contains_key(name) {
            return None;
        }
        let number = self.next_database.fetch_add(1, Ordering::Relaxed) + 1;
        let database = Arc::new(Database {
            name: name.to_owned(),
            rid: rid::database(number),
            number,
            stamp: new_stamp(),
            containers: RwLock::default(),
            next_container: AtomicU32::new(1),
        });
        databases.insert(name.to_owned(), Arc::clone(&database));
        Some(database)
    }

    /// Deletes a database with all that is in it.
    pub fn delete_database(&self, name: &str) -> bool {
        let Some(database) = self.database(name) else {
            return false;
        };
        for container in database.containers() {
            self.drop_offer(&container);
        }
        self.databases.write().remove(&database.name).is_some()
    }

    /// Creates a container; none when the name is taken.
    pub fn create_container(&self, database: &Database, new: NewContainer) -> Option<Arc<Container>> {
        let mut containers = database.containers.write();
        if containers.contains_key(&new.name) {
            return None;
        }
        let number = database.next_container.fetch_add(1, Ordering::Relaxed);
        let container = Arc::new(Container::new(
            (database.number, number),
            &new.name,
            Definition {
                partition_key: new.partition_key,
                body: new.body,
                partitions: new.partitions,
                throughput: new.offer.as_ref().and_then(units),
                settings: new.settings,
                replication: Arc::clone(&self.replication),
            },
        ));
        containers.insert(new.name, Arc::clone(&container));
        drop(containers);
        if let Some(content) = new.offer {
            let rid = rid::offer(self.next_offer.fetch_add(1, Ordering::Relaxed) + 1);
            let offer = Offer {
                rid: rid.clone(),
                container: Arc::clone(&container),
                content,
                stamp: new_stamp(),
            };
            self.offers.write().insert(rid, offer);
        }
        Some(container)
    }

    /// Deletes a container.
    pub fn delete_container(&self, database: &Database, name: &str) -> bool {
        let Some(container) = database.container(name) else {
            return false;
        };
        self.drop_offer(&container);
        database.containers.write().remove(&container.name).is_some()
    }

    fn drop_offer(&self, container: &Arc<Container>) {
        self.offers
            .write()
            .retain(|_, offer| !Arc::ptr_eq(&offer.container, container));
    }

    /// Lets the region that takes no writes lag behind.
    pub fn set_lag(&self, lag: Duration) {
        self.replication.set_lag(lag);
        for database in self.databases() {
            for container in database.containers() {
                container.replicate();
            }
        }
    }

    /// All offers.
    pub fn offers(&self) -> Vec<Offer> {
        self.offers.read().values().cloned().collect()
    }

    /// An offer by its RID.
    pub fn offer(&self, rid: &str) -> Option<Offer> {
        self.offers.read().get(rid).cloned()
    }

    /// Puts new throughput into an offer and into force.
    pub fn replace_offer(&self, rid: &str, content: Value) -> Option<Offer> {
        let mut offers = self.offers.write();
        let offer = offers.get_mut(rid)?;
        let units = units(&content);
        offer.content = content;
        offer.stamp = new_stamp();
        let offer = offer.clone();
        drop(offers);
        offer.container.set_throughput(|throughput| throughput.total = units);
        offer.container.grow(partitions_for(units) as usize);
        Some(offer)
    }
}

/// Physical partitions that a throughput needs.
pub fn partitions_for(units: Option<u64>) -> u32 {
    units
        .unwrap_or(0)
        .div_ceil(UNITS_PER_PARTITION)
        .clamp(1, MAX_PARTITIONS) as u32
}

/// Request units a second that an offer allows: the most of an autoscale one.
pub fn units(content: &Value) -> Option<u64> {
    content["offerAutopilotSettings"]["maxThroughput"]
        .as_u64()
        .or_else(|| content["offerThroughput"].as_u64())
}
