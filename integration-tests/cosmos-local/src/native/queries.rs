// SPDX-License-Identifier: Apache-2.0

//! Feeds and queries over items, and queries over databases, containers and offers.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::body;
use super::container::Container;
use super::control::feed;
use super::document::{DocumentKey, StoredDocument};
use super::epk::{Epk, KeyScope};
use super::scope::{Scope, admit, bad_request, check_session, gone, session_token, stamped};
use super::throughput;
use crate::engine::Request;
use crate::reply::Reply;
use crate::sql::{self, SortPlace, Statement};

/// A response holds no more than this, except for a single larger item.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Items of a page when the client names no number.
const DEFAULT_PAGE_ITEMS: usize = 1000;

struct Query {
    text: String,
    parameters: Vec<(String, Value)>,
}

impl Query {
    fn read(request: &Request) -> Result<Self, Reply> {
        let body = body::value(&request.body)?;
        let text = match &body {
            Value::String(text) => text.clone(),
            body => body["query"]
                .as_str()
                .ok_or_else(|| bad_request("query: the body must have the text of a query"))?
                .to_owned(),
        };
        let parameters = body["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|parameter| Some((parameter["name"].as_str()?.to_owned(), parameter["value"].clone())))
            .collect();
        Ok(Self { text, parameters })
    }

    fn parse(&self) -> Result<Statement, Reply> {
        Statement::parse(&self.text, &self.parameters).map_err(|error| bad_request(error.to_string()))
    }
}

/// Answers a query over few resources: all of them are in one page.
pub fn resources(request: &Request, name: &str, rid: &str, all: Vec<Value>) -> Result<Reply, Reply> {
    let found = Query::read(request)?
        .parse()?
        .run(all)
        .map_err(|error| bad_request(error.to_string()))?;
    Ok(feed(name, rid, found))
}

/// Answers a request for a query plan.
pub fn plan(request: &Request) -> Result<Reply, Reply> {
    let query = Query::read(request)?;
    let supported = request
        .header("x-ms-cosmos-supported-query-features")
        .unwrap_or_default();
    match sql::plan(&query.text, &query.parameters, supported) {
        Ok(plan) => Ok(Reply::json(200, &plan).charge(1.0)),
        Err(sql::PlanError::Invalid(error)) => Err(bad_request(error.to_string())),
        Err(sql::PlanError::NotServable(message)) => Err(Reply::error(400, 1004, message)),
    }
}

/// Answers a query over items.
pub fn items(container: &Container, request: &Request) -> Result<Reply, Reply> {
    let statement = Query::read(request)?.parse()?;
    if statement.is_plain_scan() {
        return scan(container, request);
    }
    if statement.streams() {
        return stream(container, request, Some(&statement));
    }
    if statement.sorts() {
        return sorted(container, request, &statement);
    }
    let scope = Scope::of_feed(container, request)?;
    let (documents, bytes) = documents_of(container, request, &scope)?;
    let values = documents.into_iter().map(|(_, value)| value);
    let found = statement.run(values).map_err(|error| bad_request(error.to_string()))?;

    let offset = match continuation(request) {
        None => 0,
        Some(token) => token
            .strip_prefix("offset:")
            .and_then(|offset| offset.parse().ok())
            .ok_or_else(|| bad_request("x-ms-continuation: not a token of this query"))?,
    };
    let total = found.len();
    let page: Vec<Value> = found.into_iter().skip(offset).take(page_items(request)).collect();
    let end = offset + page.len();
    let more = (end < total).then(|| format!("offset:{end}"));
    Ok(answer_page(container, request, &scope, &page, more, bytes))
}

/// Answers a query that filters, sorts and projects; its continuation is good for the children of a partition.
fn sorted(container: &Container, request: &Request, statement: &Statement) -> Result<Reply, Reply> {
    let scope = Scope::of_feed(container, request)?;
    let after: Option<SortPlace> = continuation(request)
        .map(|token| {
            let text = token
                .strip_prefix("after:")
                .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
            text.and_then(|text| serde_json::from_slice(&text).ok())
                .ok_or_else(|| bad_request("x-ms-continuation: not a token of this query"))
        })
        .transpose()?;
    let (documents, bytes) = documents_of(container, request, &scope)?;
    let (page, last) = statement.sorted_page(documents, after.as_ref(), page_items(request));
    let more = last.map(|place| format!("after:{}", URL_SAFE_NO_PAD.encode(json!(place).to_string())));
    Ok(answer_page(container, request, &scope, &page, more, bytes))
}

fn answer_page(
    container: &Container,
    request: &Request,
    scope: &Scope,
    page: &[Value],
    more: Option<String>,
    bytes: usize,
) -> Reply {
    let count = page.len();
    let text = json!({"_rid": container.rid, "Documents": page, "_count": count}).to_string();
    answer(container, request, scope, text.into_bytes(), count, more, bytes)
}

/// All documents of a scope with their numbers, the oldest first, and their bytes.
fn documents_of(container: &Container, request: &Request, scope: &Scope) -> Result<(Vec<(u64, Value)>, usize), Reply> {
    let mut documents = Vec::new();
    let mut bytes = 0;
    collect(container, request, scope, None, |document| {
        bytes += document.json.len();
        documents.push(Arc::clone(document));
        true
    })?;
    // Of items that sort alike the older comes first; clients rely on it when they resume a sorted query.
    documents.sort_unstable_by_key(|document| document.ordinal);
    let values = documents
        .iter()
        .filter_map(|document| Some((document.ordinal, serde_json::from_slice(&document.json).ok()?)))
        .collect();
    Ok((values, bytes))
}

fn continuation(request: &Request) -> Option<&str> {
    request.header("x-ms-continuation").filter(|token| !token.is_empty())
}

/// Answers all items in the order of their keys.
pub fn scan(container: &Container, request: &Request) -> Result<Reply, Reply> {
    stream(container, request, None)
}

/// Answers a query whose results come document by document, or without one the documents as they are kept.
fn stream(container: &Container, request: &Request, statement: Option<&Statement>) -> Result<Reply, Reply> {
    let scope = Scope::of_feed(container, request)?;
    let from = continuation(request)
        .map(|token| Place::read(token).ok_or_else(|| bad_request("x-ms-continuation: not a token of this feed")))
        .transpose()?;
    let (skip, wanted) = statement.map_or((0, usize::MAX), Statement::window);
    let end = skip.saturating_add(wanted);
    let mut seen = from.as_ref().map_or(0, |place| place.results);
    let limit = page_items(request);
    let mut text = format!("{{\"_rid\":\"{}\",\"Documents\":[", container.rid).into_bytes();
    let (mut count, mut bytes, mut last, mut more) = (0, 0, None, false);
    collect(container, request, &scope, from.map(|place| place.key), |document| {
        if seen == end {
            return false;
        }
        bytes += document.json.len();
        let result = match statement {
            None => Cow::Borrowed(document.json.as_ref()),
            Some(statement) => {
                let value = serde_json::from_slice(&document.json).ok();
                match value.and_then(|value| statement.result(&value)) {
                    Some(value) => Cow::Owned(value.to_string().into_bytes()),
                    None => return true,
                }
            }
        };
        if seen < skip {
            seen += 1;
            return true;
        }
        if count == limit || (count > 0 && text.len() + result.len() > MAX_PAGE_BYTES) {
            more = true;
            return false;
        }
        if count > 0 {
            text.push(b',');
        }
        text.extend_from_slice(&result);
        count += 1;
        seen += 1;
        last = Some(document.key.clone());
        true
    })?;
    text.extend_from_slice(format!("],\"_count\":{count}}}").as_bytes());
    let place = last.filter(|_| more).map(|key| Place { key, results: seen });
    let token = place.map(|place| place.write());
    Ok(answer(container, request, &scope, text, count, token, bytes))
}

fn page_items(request: &Request) -> usize {
    request
        .header("x-ms-max-item-count")
        .and_then(|count| count.trim().parse::<i64>().ok())
        .filter(|count| *count > 0)
        .map_or(DEFAULT_PAGE_ITEMS, |count| count as usize)
}

/// Hands the documents of a scope to `take`, by key, until it says no.
fn collect(
    container: &Container,
    request: &Request,
    scope: &Scope,
    from: Option<DocumentKey>,
    mut take: impl FnMut(&Arc<StoredDocument>) -> bool,
) -> Result<(), Reply> {
    let first = match &scope.key {
        Some(KeyScope::Point(epk)) => epk,
        Some(KeyScope::Prefix(range)) => &range.min,
        None => &scope.range.min,
    };
    let past = |epk: &Epk| match &scope.key {
        Some(KeyScope::Point(point)) => epk > point,
        Some(KeyScope::Prefix(range)) => *epk >= range.max,
        None => *epk >= scope.range.max,
    };
    for partition in &scope.partitions {
        admit(partition)?;
        let state = container.view(partition, request);
        if state.retired() {
            return Err(gone());
        }
        check_session(request, partition, state.lsn())
            .map_err(|reply| stamped(reply, container, partition, state.lsn()))?;
        let documents: Box<dyn Iterator<Item = &Arc<StoredDocument>>> = match &from {
            Some(key) => Box::new(state.after(Some(key))),
            None => Box::new(state.at_epk(first)),
        };
        for document in documents.take_while(|document| !past(&document.key.epk)) {
            if scope.contains(&document.key.epk) && !take(document) {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn answer(
    container: &Container,
    request: &Request,
    scope: &Scope,
    text: Vec<u8>,
    count: usize,
    continuation: Option<String>,
    bytes_read: usize,
) -> Reply {
    let charge = throughput::page(bytes_read);
    let mut reply = Reply::new(200).charge(charge).items(count);
    match scope.partitions.as_slice() {
        [partition] => {
            partition.budget.lock().charge(charge);
            let lsn = container.view(partition, request).lsn();
            reply = stamped(reply, container, partition, lsn);
        }
        partitions => {
            let mut tokens = Vec::with_capacity(partitions.len());
            for partition in partitions {
                partition.budget.lock().charge(charge / partitions.len() as f64);
                tokens.push(session_token(partition, container.view(partition, request).lsn()));
            }
            reply = reply.header("x-ms-session-token", tokens.join(","));
        }
    }
    if let Some(token) = continuation {
        reply = reply.header("x-ms-continuation", token);
    }
    reply.body(body::negotiated(request, &text))
}

/// How far a streamed query has come; it holds for the children of a split as well.
struct Place {
    /// The last document of the page.
    key: DocumentKey,
    /// Results so far, skipped ones included: a window goes on counting.
    results: usize,
}

impl Place {
    fn write(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}:{}:{}", self.key.epk.to_hex(), self.results, self.key.id))
    }

    fn read(token: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let mut parts = text.splitn(3, ':');
        let epk = Epk::from_hex(parts.next()?)?;
        let results = parts.next()?.parse().ok()?;
        let id = Arc::from(parts.next()?);
        Some(Self {
            key: DocumentKey { epk, id },
            results,
        })
    }
}
