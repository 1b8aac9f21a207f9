// SPDX-License-Identifier: Apache-2.0

//! The administrative interface under `/_admin/`.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::engine::{AdminError, ContainerSpec, Response};
use crate::faults::Fault;
use crate::operation::segments;
use crate::regions::Failover;
use crate::reply::Reply;
use crate::restart::RestartSpec;
use crate::shell::Shell;

/// What the path of the interface begins with.
pub const PREFIX: &str = "/_admin/";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Latency {
    millis: u64,
}

/// Answers a request to the interface.
pub async fn handle(
    shell: &Shell,
    peer: SocketAddr,
    method: &Method,
    path: &str,
    query: &str,
    body: &Bytes,
) -> Response {
    match respond(shell, peer, method, path, query, body).await {
        Ok(reply) => reply.build(),
        Err(error) => {
            shell
                .log
                .line(format_args!("admin {method} {path} refused: {}", error.message));
            Reply::json(error.status, &json!({"error": error.message})).build()
        }
    }
}

async fn respond(
    shell: &Shell,
    peer: SocketAddr,
    method: &Method,
    path: &str,
    query: &str,
    body: &Bytes,
) -> Result<Reply, AdminError> {
    let path = segments(path);
    let names: Vec<&str> = path.iter().skip(1).map(String::as_str).collect();
    let engine = &shell.engine;
    match (method.as_str(), names.as_slice()) {
        ("GET", ["health"]) => Ok(json_reply(json!({"status": "ok"}))),
        ("POST", ["containers"]) => {
            let spec: ContainerSpec = parse(body)?;
            let created = format!(
                "{}/{} created: {} partitions over {}",
                spec.database,
                spec.container,
                spec.partitions,
                spec.partition_key.join(", ")
            );
            let state = engine.create_container(spec).await?;
            shell.log.line(created);
            Ok(json_reply(state))
        }
        ("GET", ["containers", database, container]) => {
            engine.container_state(database, container).await.map(json_reply)
        }
        ("POST", ["containers", database, container, "settings"]) => {
            let state = engine.configure(database, container, parse(body)?).await?;
            shell.log.line(format_args!(
                "{database}/{container} set: all versions and deletes {}, time to live {}",
                state["allVersionsAndDeletes"], state["defaultTimeToLive"]
            ));
            Ok(json_reply(state))
        }
        ("POST", ["containers", database, container, "split"]) => {
            let split = engine.split(database, container, parse(body)?).await?;
            shell.log.line(format_args!("{database}/{container} split: {split}"));
            Ok(json_reply(split))
        }
        ("POST", ["containers", database, container, "merge"]) => {
            let merge = engine.merge(database, container, parse(body)?).await?;
            shell.log.line(format_args!("{database}/{container} merged: {merge}"));
            Ok(json_reply(merge))
        }
        ("POST", ["containers", database, container, "load"]) => {
            let load = engine.load(database, container, parse(body)?).await?;
            shell.log.line(format_args!("{database}/{container} loaded: {load}"));
            Ok(json_reply(load))
        }
        ("GET", ["containers", database, container, "log"]) => {
            let (from, limit) = window(query)?;
            engine.write_log(database, container, from, limit).await.map(lines)
        }
        ("GET", ["regions"]) => Ok(json_reply(shell.describe_regions())),
        ("POST", ["regions"]) => {
            shell.regions.change(&parse(body)?)?;
            engine.set_lag(shell.regions.lag())?;
            shell.log.line(format_args!("regions: {}", shell.describe_regions()));
            Ok(json_reply(shell.describe_regions()))
        }
        ("POST", ["failover"]) => {
            let Failover { to } = parse(body)?;
            shell.regions.fail_over(&to)?;
            engine.set_lag(shell.regions.lag())?;
            shell.log.line(format_args!("writes moved to {to}"));
            Ok(json_reply(shell.describe_regions()))
        }
        ("POST", ["restart"]) => {
            let spec: RestartSpec = parse(body)?;
            spec.check().map_err(|message| AdminError::new(400, message))?;
            let millis = spec.away_millis;
            shell
                .log
                .line(format_args!("going away for {millis} ms, all connections end"));
            shell.restarts.begin(Duration::from_millis(millis), peer).await;
            // The last answer of the connection, which then ends in good order.
            Ok(json_reply(json!({"awayMillis": millis})).header("connection", "close"))
        }
        ("POST", ["latency"]) => {
            let Latency { millis } = parse(body)?;
            shell.latency_millis.store(millis, Ordering::Relaxed);
            Ok(json_reply(json!({"millis": millis})))
        }
        ("POST", ["faults"]) => {
            let fault: Fault = parse(body)?;
            fault.check().map_err(|message| AdminError::new(400, message))?;
            shell.log.line(format_args!("fault rule: {fault:?}"));
            shell.faults.add(fault);
            Ok(json_reply(json!(shell.faults.list())))
        }
        ("GET", ["faults"]) => Ok(json_reply(json!(shell.faults.list()))),
        ("DELETE", ["faults"]) => {
            shell.faults.clear();
            Ok(Reply::new(204))
        }
        ("GET", ["requests"]) => {
            let (from, limit) = window(query)?;
            Ok(lines(Bytes::from(shell.requests.lines(from, limit))))
        }
        ("DELETE", ["requests"]) => {
            shell.requests.clear();
            Ok(Reply::new(204))
        }
        _ => Err(AdminError::new(
            404,
            format!("{method} /{} is not part of the interface", path.join("/")),
        )),
    }
}

fn json_reply(value: Value) -> Reply {
    Reply::json(200, &value)
}

fn lines(body: Bytes) -> Reply {
    Reply::new(200)
        .header("content-type", "application/x-ndjson")
        .body(body)
}

/// Reads a body; an absent one is an empty object.
fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, AdminError> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| AdminError::new(400, error.to_string()))
}

/// Reads `from` and `limit`; without them everything is meant.
fn window(query: &str) -> Result<(u64, usize), AdminError> {
    let mut window = (1, usize::MAX);
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let number = || {
            value
                .parse::<u64>()
                .map_err(|_| AdminError::new(400, format!("{name}: {value} is no number")))
        };
        match name {
            "from" => window.0 = number()?,
            "limit" => window.1 = usize::try_from(number()?).unwrap_or(usize::MAX),
            _ => return Err(AdminError::new(400, format!("{name}: accepted are from, limit"))),
        }
    }
    Ok(window)
}
