// SPDX-License-Identifier: Apache-2.0

//! One page of the change feed in latest-version mode.

use std::fmt::Write;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::container::Container;
use super::document::StoredDocument;
use super::epk::KeyScope;
use super::partition::Partition;
use super::scope::{Scope, admit, bad_request, check_session, gone, stamped};
use super::throughput;
use crate::engine::Request;
use crate::reply::Reply;

/// A response holds no more than this, except for one transaction that is larger by itself.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Items of a page when the client names no number.
const DEFAULT_PAGE_ITEMS: usize = 1000;
/// What the JSON around an item takes at most.
const ENVELOPE_BYTES: usize = 96;

/// Where a read begins.
enum Start {
    /// With the oldest document.
    Beginning,
    /// With the first write after now.
    Now,
    /// With the first write after an LSN.
    After(u64),
    /// With the first write after the end of a second.
    AfterSecond(u64),
}

/// Answers a page: 200 with items, or 304 when there are none.
pub fn read(container: &Container, request: &Request) -> Result<Reply, Reply> {
    let mode = request.header("a-im").unwrap_or_default();
    if mode.eq_ignore_ascii_case("full-fidelity feed") {
        return Err(bad_request(
            "Change Feed 'All Versions and Deletes' mode must be enabled.",
        ));
    }
    if !mode.eq_ignore_ascii_case("incremental feed") {
        return Err(bad_request(format!(
            "a-im: {mode} is no change feed; accepted is Incremental Feed"
        )));
    }
    let start = start(request)?;
    let scope = Scope::of_feed(container, request)?;
    let [partition] = scope.partitions.as_slice() else {
        // The whole container in one read is not a thing of the protocol: the client has to name ranges.
        return Err(gone());
    };
    admit(partition)?;
    let range = match &scope.key {
        Some(KeyScope::Prefix(prefix)) => prefix,
        _ => &scope.range,
    };
    let limit = request
        .header("x-ms-max-item-count")
        .and_then(|count| count.trim().parse::<i64>().ok())
        .filter(|count| *count > 0)
        .map_or(DEFAULT_PAGE_ITEMS, |count| count as usize);
    let enveloped = request
        .headers
        .contains_key("x-ms-cosmos-changefeed-wire-format-version");

    let state = partition.state.read();
    if state.retired() {
        return Err(gone());
    }
    check_session(request, partition, state.lsn())?;
    let point = match &scope.key {
        Some(KeyScope::Point(epk)) => Some(epk),
        _ => None,
    };
    let page = match start {
        Start::Now => Page::default(),
        start => {
            let place = match start {
                Start::After(lsn) => state.place_after(lsn),
                Start::AfterSecond(second) => state.place_at(second + 1),
                Start::Beginning | Start::Now => 0,
            };
            let documents = state
                .feed_from(place, range)
                .filter(|document| point.is_none_or(|point| *point == document.key.epk));
            let documents: &mut dyn Iterator<Item = _> = &mut { documents };
            Page::fill(container, documents, limit, enveloped)
        }
    };
    let lsn = state.lsn();
    drop(state);
    Ok(answer(container, partition, page, lsn))
}

fn answer(container: &Container, partition: &Partition, page: Page, lsn: u64) -> Reply {
    let bytes = page.body.len();
    let charge = throughput::page(bytes);
    partition.budget.lock().charge(charge);
    let reply = if page.items == 0 {
        Reply::new(304).etag(&format!("\"{lsn}\""))
    } else {
        Reply::new(200).etag(&format!("\"{}\"", page.last_lsn)).body(page.body)
    };
    stamped(reply.items(page.items).charge(charge), container, partition, lsn)
}

fn start(request: &Request) -> Result<Start, Reply> {
    match request.header("if-none-match").map(str::trim) {
        Some("*") => Ok(Start::Now),
        Some(etag) => etag
            .trim_matches('"')
            .parse()
            .map(Start::After)
            .map_err(|_| bad_request(format!("if-none-match: {etag} is no ETag of this feed"))),
        None => match request.header("if-modified-since") {
            None => Ok(Start::Beginning),
            Some(date) => httpdate::parse_http_date(date)
                .ok()
                .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
                .map(|time| Start::AfterSecond(time.as_secs()))
                .ok_or_else(|| bad_request(format!("if-modified-since: {date} is no HTTP date"))),
        },
    }
}

/// The items of a response.
#[derive(Default)]
struct Page {
    body: Vec<u8>,
    items: usize,
    last_lsn: u64,
}

impl Page {
    /// Takes whole transactions until the page is full.
    fn fill(
        container: &Container,
        documents: &mut dyn Iterator<Item = &Arc<StoredDocument>>,
        limit: usize,
        enveloped: bool,
    ) -> Self {
        let mut page = Self::default();
        let mut next = documents.next();
        let mut group: Vec<&Arc<StoredDocument>> = Vec::new();
        while let Some(first) = next {
            group.clear();
            group.push(first);
            next = documents.next();
            while let Some(more) = next.filter(|more| more.lsn == first.lsn) {
                group.push(more);
                next = documents.next();
            }
            let size: usize = group.iter().map(|document| document.json.len() + ENVELOPE_BYTES).sum();
            if page.items == 0 {
                // A guess from the first item; a page that turns out larger grows once or twice.
                let expected = size.saturating_mul(limit.min(4096)).min(MAX_PAGE_BYTES) + 256;
                page.body.reserve(expected);
                page.body
                    .extend_from_slice(format!("{{\"_rid\":\"{}\",\"Documents\":[", container.rid).as_bytes());
            } else if page.body.len() + size > MAX_PAGE_BYTES {
                break;
            }
            for document in &group {
                page.push(document, enveloped);
            }
            page.last_lsn = first.lsn;
            if page.items >= limit {
                break;
            }
        }
        if page.items > 0 {
            page.body
                .extend_from_slice(format!("],\"_count\":{}}}", page.items).as_bytes());
        }
        page
    }

    fn push(&mut self, document: &StoredDocument, enveloped: bool) {
        let mut tail = String::with_capacity(ENVELOPE_BYTES);
        if self.items > 0 {
            self.body.push(b',');
        }
        let _ = write!(tail, ",\"_lsn\":{}}}", document.lsn);
        if enveloped {
            self.body.extend_from_slice(b"{\"current\":");
            let _ = write!(
                tail,
                ",\"metadata\":{{\"lsn\":{},\"crts\":{}}}}}",
                document.lsn, document.stamp.seconds
            );
        }
        self.body.extend_from_slice(document.open_json());
        self.body.extend_from_slice(tail.as_bytes());
        self.items += 1;
    }
}
