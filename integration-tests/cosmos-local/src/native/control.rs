// SPDX-License-Identifier: Apache-2.0

//! Account, databases, containers, partition key ranges and offers.

use std::sync::Arc;

use azure_data_cosmos_driver::models::PartitionKeyDefinition;
use serde_json::{Map, Value, json};

use super::body;
use super::catalog::{Catalog, Database, NewContainer, Offer, partitions_for, units};
use super::container::{Container, new_stamp};
use super::scope::bad_request;
use super::settings::{AllVersions, Settings, TimeToLive};
use crate::engine::Request;
use crate::reply::Reply;

/// The account document.
pub fn account(request: &Request, continuous_backup: bool) -> Reply {
    let locations: Vec<Value> = request
        .locations
        .iter()
        .map(|location| json!({"name": location.name, "databaseAccountEndpoint": location.endpoint}))
        .collect();
    let policy = json!({"asyncReplication": false, "minReplicaSetSize": 1, "maxReplicasetSize": 4});
    Reply::json(
        200,
        &json!({
            "id": "cosmos-local",
            "_rid": "cosmos-local.documents.azure.com",
            "_self": "",
            "_dbs": "//dbs/",
            "media": "//media/",
            "addresses": "//addresses/",
            "writableLocations": locations.get(..1),
            "readableLocations": locations,
            "enableMultipleWriteLocations": false,
            "continuousBackupEnabled": continuous_backup,
            "enableNRegionSynchronousCommit": false,
            "enablePerPartitionFailoverBehavior": false,
            "userReplicationPolicy": policy,
            "systemReplicationPolicy": policy,
            "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"},
            "readPolicy": {"primaryReadCoefficient": 1, "secondaryReadCoefficient": 1},
            "queryEngineConfiguration": "{\"maxSqlQueryInputLength\":262144}",
        }),
    )
    .charge(0.0)
}

/// A list of resources under the name that SDKs look for.
pub fn feed(name: &str, rid: &str, resources: Vec<Value>) -> Reply {
    let count = resources.len();
    Reply::json(200, &json!({"_rid": rid, name: resources, "_count": count}))
        .items(count)
        .charge(1.0)
}

fn named(request: &Request) -> Result<(String, Map<String, Value>), Reply> {
    let Value::Object(body) = body::value(&request.body)? else {
        return Err(bad_request("the body must be a JSON object"));
    };
    match body.get("id").and_then(Value::as_str) {
        Some(id) if !id.is_empty() && id.len() <= 255 && !id.contains(['/', '\\', '?', '#']) => {
            Ok((id.to_owned(), body))
        }
        _ => Err(bad_request("id: a name of 1 to 255 bytes without / \\ ? # is needed")),
    }
}

fn database_reply(status: u16, database: &Database) -> Reply {
    Reply::json(status, &database.to_json())
        .etag(&database.etag())
        .charge(2.0)
}

/// Creates a database.
pub fn create_database(catalog: &Catalog, request: &Request) -> Result<Reply, Reply> {
    let (name, _) = named(request)?;
    match catalog.create_database(&name) {
        Some(database) => Ok(database_reply(201, &database)),
        None => Err(Reply::error(409, 0, format!("database {name} exists already"))),
    }
}

/// Reads a database.
pub fn read_database(database: &Database) -> Reply {
    database_reply(200, database)
}

/// Creates a container.
pub fn create_container(
    catalog: &Catalog,
    database: &Database,
    all_versions: Option<AllVersions>,
    request: &Request,
) -> Result<Reply, Reply> {
    let (name, body) = named(request)?;
    let offer = offer_content(request)?;
    let partitions = partitions_for(offer.as_ref().and_then(units));
    let new = NewContainer {
        partition_key: definition(&body)?,
        settings: settings(&body, all_versions)?,
        name: name.clone(),
        body,
        partitions,
        offer,
    };
    match catalog.create_container(database, new) {
        Some(container) => Ok(container_reply(201, &container)),
        None => Err(Reply::error(409, 0, format!("container {name} exists already"))),
    }
}

/// The partition key of a container's body; without a version it is of the older hashing.
pub fn definition(body: &Map<String, Value>) -> Result<PartitionKeyDefinition, Reply> {
    let wire = body
        .get("partitionKey")
        .ok_or_else(|| bad_request("partitionKey: the container needs one"))?;
    let definition: PartitionKeyDefinition =
        serde_json::from_value(wire.clone()).map_err(|error| bad_request(format!("partitionKey: {error}")))?;
    if definition.paths().is_empty() || definition.paths().len() > 3 {
        return Err(bad_request("partitionKey: one to three paths are needed"));
    }
    for path in definition.paths() {
        super::key::path_names(path).map_err(bad_request)?;
    }
    Ok(definition)
}

/// What a container's body asks to retain; `all_versions` is the account's own setting.
fn settings(body: &Map<String, Value>, all_versions: Option<AllVersions>) -> Result<Settings, Reply> {
    Ok(Settings {
        all_versions: AllVersions::of_body(body, all_versions),
        time_to_live: TimeToLive::of_body(body).map_err(|message| bad_request(format!("defaultTtl: {message}")))?,
    })
}

fn offer_content(request: &Request) -> Result<Option<Value>, Reply> {
    if let Some(settings) = request.header("x-ms-cosmos-offer-autopilot-settings") {
        let settings: Value =
            serde_json::from_str(settings).map_err(|error| bad_request(format!("autopilot settings: {error}")))?;
        return autoscale(settings).map(Some);
    }
    match request.header("x-ms-offer-throughput") {
        None => Ok(None),
        Some(units) => match units.trim().parse::<u64>() {
            Ok(units) if units >= 400 => Ok(Some(json!({"offerThroughput": units}))),
            _ => Err(bad_request(format!(
                "x-ms-offer-throughput: {units} is no number of 400 or more"
            ))),
        },
    }
}

fn autoscale(settings: Value) -> Result<Value, Reply> {
    let most = settings["maxThroughput"]
        .as_u64()
        .filter(|most| *most >= 1000)
        .ok_or_else(|| bad_request("maxThroughput: a number of 1000 or more is needed"))?;
    Ok(json!({"offerThroughput": most / 10, "offerAutopilotSettings": settings}))
}

/// The body of a container: what was sent, defaults for what was not, and system properties.
pub fn container_json(container: &Container) -> Value {
    let properties = container.properties.read();
    let mut body = json!({
        "indexingPolicy": {
            "indexingMode": "consistent",
            "automatic": true,
            "includedPaths": [{"path": "/*"}],
            "excludedPaths": [{"path": "/\"_etag\"/?"}],
        },
        "conflictResolutionPolicy": {
            "mode": "LastWriterWins",
            "conflictResolutionPath": "/_ts",
            "conflictResolutionProcedure": "",
        },
        "geospatialConfig": {"type": "Geography"},
    });
    if let Value::Object(body) = &mut body {
        for (name, value) in &properties.body {
            if !name.starts_with('_') {
                body.insert(name.clone(), value.clone());
            }
        }
    }
    let indexing = &mut body["indexingPolicy"];
    if let Some(mode) = indexing["indexingMode"].as_str() {
        // SDKs say `false` unless told otherwise; the service indexes by itself as long as it indexes at all.
        indexing["automatic"] = json!(!mode.eq_ignore_ascii_case("none"));
    }
    body["id"] = json!(container.name);
    body["_rid"] = json!(container.rid);
    body["_self"] = json!(container.link);
    body["_etag"] = json!(properties.stamp.etag());
    body["_ts"] = json!(properties.stamp.seconds);
    for link in ["docs", "sprocs", "triggers", "udfs", "conflicts"] {
        body[format!("_{link}")] = json!(format!("{link}/"));
    }
    body
}

/// The answer to a read or write of a container.
pub fn container_reply(status: u16, container: &Container) -> Reply {
    let etag = container.properties.read().stamp.etag();
    Reply::json(status, &container_json(container)).etag(&etag).charge(2.0)
}

/// Replaces the policies of a container; its name and partition key stay.
pub fn replace_container(
    container: &Container,
    all_versions: Option<AllVersions>,
    request: &Request,
) -> Result<Reply, Reply> {
    let (name, body) = named(request)?;
    if name != container.name {
        return Err(bad_request("id: a container keeps its name"));
    }
    if definition(&body)? != container.partition_key {
        return Err(bad_request("partitionKey: a container keeps its partition key"));
    }
    let settings = settings(&body, all_versions)?;
    let mut properties = container.properties.write();
    if let Some(etag) = request.header("if-match")
        && etag != properties.stamp.etag()
    {
        return Err(Reply::error(412, 0, "the container has changed"));
    }
    properties.body = body;
    properties.stamp = new_stamp();
    drop(properties);
    container.configure(|current| *current = settings);
    Ok(container_reply(200, container))
}

/// Partition key ranges with the RIDs and the parents that clients follow splits by.
pub fn partition_key_ranges(container: &Container, request: &Request) -> Reply {
    let topology = container.topology.read();
    let version = topology.version;
    let partitions: Vec<_> = topology.partitions.iter().map(Arc::clone).collect();
    drop(topology);
    let etag = format!("\"{version}\"");
    if request.header("if-none-match") == Some(etag.as_str()) {
        return Reply::new(304).etag(&etag).charge(1.0);
    }
    let stamp = container.properties.read().stamp;
    let count = partitions.len();
    let ranges = partitions
        .iter()
        .map(|partition| {
            let parents: Vec<_> = partition.parents.iter().map(u32::to_string).collect();
            json!({
                "_rid": container.partition_rid(partition.id),
                "id": partition.id.to_string(),
                "_etag": stamp.etag(),
                "minInclusive": partition.range.min.to_hex(),
                "maxExclusive": partition.range.max.to_hex(),
                "ridPrefix": partition.id,
                "_self": format!("{}pkranges/{}/", container.link, container.partition_rid(partition.id)),
                "throughputFraction": 1.0 / count as f64,
                "status": "online",
                "parents": parents,
                "ownedArchivalPKRangeIds": [],
                "_ts": stamp.seconds,
            })
        })
        .collect();
    feed("PartitionKeyRanges", &container.rid, ranges).etag(&etag)
}

/// Reads an offer.
pub fn read_offer(catalog: &Catalog, rid: &str) -> Result<Reply, Reply> {
    catalog
        .offer(rid)
        .map(|offer| offer_reply(&offer))
        .ok_or_else(|| Reply::error(404, 0, format!("offer {rid} does not exist")))
}

/// Replaces the throughput of an offer.
pub fn replace_offer(catalog: &Catalog, rid: &str, request: &Request) -> Result<Reply, Reply> {
    let body = body::value(&request.body)?;
    let content = &body["content"];
    let content = if content["offerAutopilotSettings"]["maxThroughput"].is_u64() {
        autoscale(content["offerAutopilotSettings"].clone())?
    } else {
        let units = content["offerThroughput"]
            .as_u64()
            .filter(|units| *units >= 400)
            .ok_or_else(|| bad_request("offerThroughput: a number of 400 or more is needed"))?;
        json!({"offerThroughput": units})
    };
    catalog
        .replace_offer(rid, content)
        .map(|offer| offer_reply(&offer).header("x-ms-offer-replace-pending", "false"))
        .ok_or_else(|| Reply::error(404, 0, format!("offer {rid} does not exist")))
}

fn offer_reply(offer: &Offer) -> Reply {
    Reply::json(200, &offer.to_json()).etag(&offer.etag()).charge(1.0)
}
