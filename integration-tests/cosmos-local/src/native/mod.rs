// SPDX-License-Identifier: Apache-2.0

//! The server's own engine: everything in memory, a page costs what the page holds.

mod batch;
mod body;
mod catalog;
mod change_feed;
mod container;
mod control;
mod document;
mod epk;
mod expiry;
mod history;
mod items;
mod key;
mod latest;
mod lineage;
mod load;
mod numbers;
mod page;
mod partition;
mod queries;
mod replication;
mod reshape;
mod reshaping;
mod rid;
mod scope;
mod settings;
mod throughput;
mod write_log;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use self::catalog::{Catalog, Database, NewContainer};
use self::container::Container;
use self::settings::{AllVersions, Settings, TimeToLive};
use self::write_log::WriteKind;
use crate::engine::{
    AdminError, AdminResult, BoxFuture, ContainerSpec, Engine, LoadSpec, MergeSpec, Request, Response, SettingsSpec,
    SplitSpec,
};
use crate::operation::{Operation, segments};
use crate::reply::Reply;

/// Sub-status of a request for a container that was deleted and created again.
const RID_MISMATCH: u32 = 1024;

/// More than any container that we have heard of.
const MOST_PARTITIONS: u32 = 10_000;

/// The account of the native engine.
#[derive(Debug, Default)]
pub struct NativeEngine {
    catalog: Catalog,
    /// What containers get that ask for nothing themselves.
    all_versions: Option<AllVersions>,
}

impl NativeEngine {
    /// An account with continuous backup, whose containers all retain their versions and deletes for a time.
    pub fn with_all_versions(retention: Duration) -> Self {
        Self {
            catalog: Catalog::default(),
            all_versions: Some(AllVersions {
                retention,
                previous_images: true,
            }),
        }
    }

    fn respond(&self, request: &Request) -> Result<Reply, Reply> {
        let path = segments(&request.path);
        let operation = Operation::of(request, &path);
        let name = |at: usize| path.get(at).map_or("", String::as_str);
        let database = || self.database(name(1));
        let container = || self.container(request, name(1), name(3));
        match operation {
            Operation::ReadAccount => Ok(control::account(request, self.all_versions.is_some())),
            Operation::CreateDatabase => control::create_database(&self.catalog, request),
            Operation::ListDatabases => Ok(control::feed("Databases", "", self.databases())),
            Operation::QueryDatabases => queries::resources(request, "Databases", "", self.databases()),
            Operation::ReadDatabase => Ok(control::read_database(&*database()?)),
            Operation::DeleteDatabase => {
                if self.catalog.delete_database(name(1)) {
                    Ok(Reply::new(204).charge(2.0))
                } else {
                    Err(absent("database", name(1)))
                }
            }
            Operation::CreateContainer => {
                control::create_container(&self.catalog, &*database()?, self.all_versions, request)
            }
            Operation::ListContainers => {
                let database = database()?;
                Ok(control::feed(
                    "DocumentCollections",
                    &database.rid,
                    containers(&database),
                ))
            }
            Operation::QueryContainers => {
                let database = database()?;
                let all = containers(&database);
                queries::resources(request, "DocumentCollections", &database.rid, all)
            }
            Operation::ReadContainer => Ok(control::container_reply(200, &*container()?)),
            Operation::ReplaceContainer => control::replace_container(&*container()?, self.all_versions, request),
            Operation::DeleteContainer => {
                container()?;
                self.catalog.delete_container(&*database()?, name(3));
                Ok(Reply::new(204).charge(2.0))
            }
            Operation::ReadPartitionKeyRanges => Ok(control::partition_key_ranges(&*container()?, request)),
            Operation::ChangeFeed => change_feed::read(&*container()?, request),
            Operation::ListItems => queries::scan(&*container()?, request),
            Operation::QueryItems => queries::items(&*container()?, request),
            Operation::QueryPlan => container().and_then(|_| queries::plan(request)),
            Operation::CreateItem => items::write(&*container()?, request, WriteKind::Create, None),
            Operation::UpsertItem => items::write(&*container()?, request, WriteKind::Upsert, None),
            Operation::ReadItem => items::read(&*container()?, request, name(5)),
            Operation::ReplaceItem => items::write(&*container()?, request, WriteKind::Replace, Some(name(5))),
            Operation::DeleteItem => items::delete(&*container()?, request, name(5)),
            Operation::ListOffers => Ok(control::feed("Offers", "", self.offers())),
            Operation::QueryOffers => queries::resources(request, "Offers", "", self.offers()),
            Operation::ReadOffer => control::read_offer(&self.catalog, name(1)),
            Operation::ReplaceOffer => control::replace_offer(&self.catalog, name(1), request),
            Operation::Batch => batch::run(&*container()?, request),
            Operation::Unsupported => Err(Reply::error(
                501,
                0,
                format!("{} {} is not supported", request.method, request.path),
            )),
        }
    }

    /// Names the owner of what was asked for, by name and by RID; the Java SDK makes links of them.
    fn with_owner(&self, request: &Request, reply: Reply) -> Reply {
        let path = segments(&request.path);
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        let ["dbs", database, "colls", rest @ ..] = names.as_slice() else {
            return reply;
        };
        let Some(database) = self.catalog.database(database) else {
            return reply;
        };
        let owner = format!("dbs/{}", database.name);
        let (owner, rid) = match rest {
            [container, _, ..] => match database.container(container) {
                Some(container) => (format!("{owner}/colls/{}", container.name), container.rid.clone()),
                None => return reply,
            },
            _ => (owner, database.rid.clone()),
        };
        reply
            .header("x-ms-alt-content-path", owner)
            .header("x-ms-content-path", rid)
    }

    fn database(&self, name: &str) -> Result<Arc<Database>, Reply> {
        self.catalog.database(name).ok_or_else(|| absent("database", name))
    }

    fn container(&self, request: &Request, database: &str, name: &str) -> Result<Arc<Container>, Reply> {
        let container = self
            .database(database)?
            .container(name)
            .ok_or_else(|| absent("container", name))?;
        let intended = request.header("x-ms-cosmos-intended-collection-rid");
        if intended.is_some_and(|rid| rid != container.rid) {
            return Err(Reply::error(
                400,
                RID_MISMATCH,
                "The collection resource ID does not match the intended collection resource ID.",
            ));
        }
        Ok(container)
    }

    fn databases(&self) -> Vec<Value> {
        let databases = self.catalog.databases();
        databases.iter().map(|database| database.to_json()).collect()
    }

    fn offers(&self) -> Vec<Value> {
        let offers = self.catalog.offers();
        offers.iter().map(|offer| offer.to_json()).collect()
    }

    fn find(&self, database: &str, container: &str) -> Result<Arc<Container>, AdminError> {
        self.catalog
            .database(database)
            .and_then(|database| database.container(container))
            .ok_or_else(|| AdminError::new(404, format!("container {database}/{container} does not exist")))
    }

    fn create(&self, spec: ContainerSpec) -> AdminResult {
        if spec.partitions == 0 || spec.partitions > MOST_PARTITIONS {
            return Err(AdminError::new(
                400,
                format!("partitions: {} is not between 1 and {MOST_PARTITIONS}", spec.partitions),
            ));
        }
        let kind = if spec.partition_key.len() > 1 {
            "MultiHash"
        } else {
            "Hash"
        };
        let settings = Settings {
            all_versions: match &spec.all_versions_and_deletes {
                Some(all_versions) => Some(AllVersions::of_spec(all_versions)?),
                None => self.all_versions,
            },
            time_to_live: time_to_live(spec.default_time_to_live)?,
        };
        let mut body = json!({
            "id": spec.container,
            "partitionKey": {"paths": spec.partition_key, "kind": kind, "version": 2},
        });
        if let Some(seconds) = spec.default_time_to_live {
            body["defaultTtl"] = json!(seconds);
        }
        let Value::Object(body) = body else {
            unreachable!("the body is written as an object just above");
        };
        let partition_key = control::definition(&body)
            .map_err(|_| AdminError::new(400, "partitionKey: one to three paths such as /pk are needed"))?;
        let database = self
            .catalog
            .database(&spec.database)
            .or_else(|| self.catalog.create_database(&spec.database))
            // Lost a race for the name: then it is there.
            .or_else(|| self.catalog.database(&spec.database))
            .ok_or_else(|| AdminError::new(409, format!("database {} was deleted", spec.database)))?;
        let new = NewContainer {
            name: spec.container.clone(),
            partition_key,
            body,
            partitions: spec.partitions,
            offer: spec.throughput.map(|units| json!({"offerThroughput": units})),
            settings,
        };
        self.catalog
            .create_container(&database, new)
            .map(|container| container.state())
            .ok_or_else(|| {
                AdminError::new(
                    409,
                    format!("container {}/{} exists already", spec.database, spec.container),
                )
            })
    }
}

impl Engine for NativeEngine {
    fn handle<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Response> {
        let reply = self.respond(request).unwrap_or_else(|error| error);
        let reply = self.with_owner(request, reply);
        Box::pin(std::future::ready(reply.build()))
    }

    fn create_container(&self, spec: ContainerSpec) -> BoxFuture<'_, AdminResult> {
        Box::pin(async move { self.create(spec) })
    }

    fn container_state<'a>(&'a self, database: &'a str, container: &'a str) -> BoxFuture<'a, AdminResult> {
        Box::pin(async move { Ok(self.find(database, container)?.state()) })
    }

    fn configure<'a>(
        &'a self,
        database: &'a str,
        container: &'a str,
        spec: SettingsSpec,
    ) -> BoxFuture<'a, AdminResult> {
        Box::pin(async move {
            let container = self.find(database, container)?;
            configure(&container, &spec)?;
            Ok(container.state())
        })
    }

    fn set_lag(&self, lag: Duration) -> Result<(), AdminError> {
        self.catalog.set_lag(lag);
        Ok(())
    }

    fn split<'a>(&'a self, database: &'a str, container: &'a str, spec: SplitSpec) -> BoxFuture<'a, AdminResult> {
        Box::pin(async move {
            let container = self.find(database, container)?;
            let lock = Duration::from_millis(spec.lock_millis);
            container.split(spec.partition.as_deref(), lock).await
        })
    }

    fn merge<'a>(&'a self, database: &'a str, container: &'a str, spec: MergeSpec) -> BoxFuture<'a, AdminResult> {
        Box::pin(async move {
            let container = self.find(database, container)?;
            let lock = Duration::from_millis(spec.lock_millis);
            container.merge(&spec.partitions, lock, spec.renumber_lsns).await
        })
    }

    fn load<'a>(&'a self, database: &'a str, container: &'a str, spec: LoadSpec) -> BoxFuture<'a, AdminResult> {
        Box::pin(async move {
            let container = self.find(database, container)?;
            tokio::task::spawn_blocking(move || load::run(&container, &spec))
                .await
                .map_err(|error| AdminError::new(500, format!("the load failed: {error}")))?
        })
    }

    fn write_log<'a>(
        &'a self,
        database: &'a str,
        container: &'a str,
        from: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Bytes, AdminError>> {
        Box::pin(async move {
            let container = self.find(database, container)?;
            for partition in container.partitions() {
                container.tidy_up(&partition);
            }
            // Millions of lines take seconds to write, too long for a worker of the runtime.
            tokio::task::spawn_blocking(move || Bytes::from(container.log.lines(from, limit)))
                .await
                .map_err(|error| AdminError::new(500, format!("the log could not be read: {error}")))
        })
    }
}

fn containers(database: &Database) -> Vec<Value> {
    let containers = database.containers();
    containers
        .iter()
        .map(|container| control::container_json(container))
        .collect()
}

fn configure(container: &Container, spec: &SettingsSpec) -> Result<(), AdminError> {
    // All of it is checked before any of it takes effect.
    let all_versions = match &spec.all_versions_and_deletes {
        Some(Some(all_versions)) => Some(Some(AllVersions::of_spec(all_versions)?)),
        Some(None) => Some(None),
        None => None,
    };
    let time_to_live = spec.default_time_to_live.map(time_to_live).transpose()?;
    if let Some(Some(units)) = spec.request_units_per_partition
        && !(units.is_finite() && units > 0.0)
    {
        return Err(AdminError::new(
            400,
            format!("requestUnitsPerPartition: {units} is not above 0"),
        ));
    }
    container.configure(|settings| {
        settings.all_versions = all_versions.unwrap_or(settings.all_versions);
        settings.time_to_live = time_to_live.unwrap_or(settings.time_to_live);
    });
    if let Some(units) = spec.request_units_per_partition {
        container.set_throughput(|throughput| throughput.per_partition = units);
    }
    Ok(())
}

fn time_to_live(seconds: Option<i64>) -> Result<TimeToLive, AdminError> {
    TimeToLive::of_seconds(seconds).map_err(|message| AdminError::new(400, format!("defaultTimeToLive: {message}")))
}

fn absent(what: &str, name: &str) -> Reply {
    Reply::error(404, 0, format!("{what} {name} does not exist"))
}
