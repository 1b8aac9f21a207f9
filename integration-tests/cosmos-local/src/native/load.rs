// SPDX-License-Identifier: Apache-2.0

//! Making up documents inside the server, much faster than a client could send them.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::container::{Container, Version};
use super::document::{Document, DocumentKey};
use super::key::{KeyValues, path_names};
use super::partition::Partition;
use super::scope::key_point;
use super::write_log::WriteKind;
use crate::engine::{AdminError, AdminResult, LoadSpec};

/// What the system properties of a document take, about.
const SYSTEM_BYTES: usize = 207;
/// Filling text; a document takes as much of it as it needs.
const FILLING: &str = "lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor \
incididunt ut labore et dolore magna aliqua. ";
/// The most documents, keys and bytes that one call may ask for.
const MAX_DOCUMENTS: u64 = 100_000_000;
const MAX_BYTES: usize = 2_000_000;

/// One partition key with what all its documents share.
struct Prepared {
    key: DocumentKey,
    json: Arc<str>,
    properties: String,
    partition: Arc<Partition>,
}

/// Creates the documents and answers how many, how fast.
pub fn run(container: &Container, spec: &LoadSpec) -> AdminResult {
    check(spec)?;
    let start = Instant::now();
    let keys = spec.partition_keys.min(spec.documents.max(1));
    let mut prepared = (0..keys)
        .map(|number| prepare(container, number))
        .collect::<Result<Vec<_>, _>>()?;
    let mut bytes = 0;
    let filling = FILLING.repeat(spec.document_bytes / FILLING.len() + 1);
    let mut text = String::with_capacity(spec.document_bytes + 64);
    for number in 0..spec.documents {
        let prepared = &mut prepared[(number % keys) as usize];
        let ordinal = container.next_ordinal();
        let id = format!("{}-{ordinal:010}", spec.id_prefix);
        text.clear();
        text.push_str("{\"id\":");
        text.push_str(&Value::from(id.as_str()).to_string());
        text.push_str(&prepared.properties);
        text.push_str(&format!(",\"seq\":{ordinal},\"payload\":\""));
        let rest = spec.document_bytes.saturating_sub(text.len() + SYSTEM_BYTES);
        text.push_str(&filling[..rest]);
        text.push('"');
        let key = DocumentKey {
            epk: prepared.key.epk.clone(),
            id: Arc::from(id),
        };
        bytes += create(container, prepared, key, &text);
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(json!({
        "documents": spec.documents,
        "bytes": bytes,
        "seconds": seconds,
        "documentsPerSecond": (spec.documents as f64 / seconds.max(1e-9)) as u64,
    }))
}

fn create(container: &Container, prepared: &mut Prepared, key: DocumentKey, text: &str) -> usize {
    loop {
        let mut state = prepared.partition.state.write();
        if state.retired() {
            drop(state);
            prepared.partition = container.partition_of(&key.epk);
            continue;
        }
        let lsn = state.next_lsn();
        let version = Version {
            key,
            partition_key: Arc::clone(&prepared.json),
            open_text: text,
            time_to_live: None,
        };
        return container
            .write(prepared.partition.id, &mut state, lsn, WriteKind::Create, version)
            .json
            .len();
    }
}

fn check(spec: &LoadSpec) -> Result<(), AdminError> {
    let refuse = |message: String| Err(AdminError::new(400, message));
    if spec.documents > MAX_DOCUMENTS {
        return refuse(format!("documents: {} is more than {MAX_DOCUMENTS}", spec.documents));
    }
    if spec.document_bytes > MAX_BYTES {
        return refuse(format!(
            "documentBytes: {} is more than {MAX_BYTES}",
            spec.document_bytes
        ));
    }
    if spec.partition_keys == 0 {
        return refuse("partitionKeys: at least 1 is needed".to_owned());
    }
    if spec.id_prefix.contains(['/', '\\', '?', '#']) || spec.id_prefix.len() > 200 {
        return refuse("idPrefix: up to 200 bytes without / \\ ? # are accepted".to_owned());
    }
    Ok(())
}

fn prepare(container: &Container, number: u64) -> Result<Prepared, AdminError> {
    let failed = |message: String| AdminError::new(500, message);
    let mut object = Map::new();
    for path in container.partition_key.paths() {
        let names = path_names(path).map_err(failed)?;
        insert(&mut object, &names, json!(format!("pk-{number}")));
    }
    let text = Value::Object(object).to_string();
    let document = Document::parse(text.as_bytes()).map_err(failed)?;
    let values = KeyValues::from_document(&document, &container.partition_key).map_err(failed)?;
    let epk = key_point(container, &values).map_err(|_| failed("the made-up partition key does not fit".to_owned()))?;
    let inner = text.trim_start_matches('{').strip_suffix('}').unwrap_or("");
    Ok(Prepared {
        partition: container.partition_of(&epk),
        key: DocumentKey { epk, id: Arc::from("") },
        json: Arc::from(values.json),
        properties: format!(",{inner}"),
    })
}

fn insert(object: &mut Map<String, Value>, names: &[String], value: Value) {
    match names {
        [] => {}
        [name] => {
            object.insert(name.clone(), value);
        }
        [name, rest @ ..] => {
            let inner = object.entry(name.clone()).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}
