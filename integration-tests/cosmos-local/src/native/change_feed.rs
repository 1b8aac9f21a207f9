// SPDX-License-Identifier: Apache-2.0

//! One page of the change feed, in both of its modes.

use std::time::UNIX_EPOCH;

use super::container::Container;
use super::epk::{Epk, EpkRange, KeyScope};
use super::lineage::{Behind, Place, Position};
use super::page::{Latest, Page, Version};
use super::partition::{Partition, PartitionState};
use super::scope::{Scope, admit, bad_request, check_session, gone, stamped};
use super::throughput;
use crate::engine::Request;
use crate::reply::Reply;

/// Items of a page when the client names no number.
const DEFAULT_PAGE_ITEMS: usize = 1000;

/// Which changes the feed has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The latest version of each document.
    Latest,
    /// Every version and delete that is still retained.
    AllVersions,
}

impl Mode {
    fn of(request: &Request) -> Result<Self, Reply> {
        let mode = request.header("a-im").unwrap_or_default();
        if mode.eq_ignore_ascii_case("incremental feed") {
            Ok(Self::Latest)
        } else if mode.eq_ignore_ascii_case("full-fidelity feed") {
            Ok(Self::AllVersions)
        } else {
            Err(bad_request(format!(
                "a-im: {mode} is no change feed; accepted are Incremental Feed, Full-Fidelity Feed"
            )))
        }
    }
}

/// Where a read begins.
enum Start {
    /// With the oldest document.
    Beginning,
    /// With the first write after now.
    Now,
    /// With the first write after a position.
    After(Position),
    /// With the first write after the end of a second.
    AfterSecond(u64),
}

impl Start {
    fn of(request: &Request) -> Result<Self, Reply> {
        match request.header("if-none-match").map(str::trim) {
            Some("*") => Ok(Self::Now),
            Some(etag) => Position::of_etag(etag)
                .map(Self::After)
                .ok_or_else(|| bad_request(format!("if-none-match: {etag} is no ETag of this feed"))),
            None => match request.header("if-modified-since") {
                None => Ok(Self::Beginning),
                Some(date) => httpdate::parse_http_date(date)
                    .ok()
                    .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
                    .map(|time| Self::AfterSecond(time.as_secs()))
                    .ok_or_else(|| bad_request(format!("if-modified-since: {date} is no HTTP date"))),
            },
        }
    }
}

/// What of a partition a read is about, and how much of it at once.
struct Want<'a> {
    scope: &'a Scope,
    limit: usize,
    enveloped: bool,
}

impl Want<'_> {
    fn range(&self) -> &EpkRange {
        match &self.scope.key {
            Some(KeyScope::Prefix(prefix)) => prefix,
            _ => &self.scope.range,
        }
    }

    /// Whether the read is about a point of its range.
    fn contains(&self, point: &Epk) -> bool {
        self.scope.key.as_ref().is_none_or(|key| key.contains(point))
    }

    /// Whether a part of the partition matters to the read.
    fn touches(&self, part: &EpkRange) -> bool {
        match &self.scope.key {
            Some(KeyScope::Point(point)) => part.contains(point),
            _ => part.overlaps(self.range()),
        }
    }
}

/// Answers a page: 200 with items, or 304 when there are none.
pub fn read(container: &Container, request: &Request) -> Result<Reply, Reply> {
    let mode = Mode::of(request)?;
    let start = Start::of(request)?;
    let scope = Scope::of_feed(container, request)?;
    let [partition] = scope.partitions.as_slice() else {
        // The whole container in one read is not a thing of the protocol: the client has to name ranges.
        return Err(gone());
    };
    admit(partition)?;
    let want = Want {
        scope: &scope,
        limit: request
            .header("x-ms-max-item-count")
            .and_then(|count| count.trim().parse::<i64>().ok())
            .filter(|count| *count > 0)
            .map_or(DEFAULT_PAGE_ITEMS, |count| count as usize),
        enveloped: request
            .headers
            .contains_key("x-ms-cosmos-changefeed-wire-format-version"),
    };

    let state = container.view(partition, request);
    if state.retired() {
        return Err(gone());
    }
    check_session(request, partition, state.lsn())?;
    let (page, behind) = match mode {
        Mode::Latest => latest(container, &state, start, &want),
        Mode::AllVersions => all_versions(container, &state, start, &want)?,
    };
    let end = state.lsn();
    let position = match behind {
        Some(behind) if page.items > 0 => behind.after(page.last_lsn),
        _ => Position::at(Place {
            generation: state.lineage().generation(),
            lsn: if page.items > 0 { page.last_lsn } else { end },
        }),
    };
    drop(state);
    Ok(answer(container, partition, page, position, end))
}

/// A page, and what it is the beginning of, where that lies behind a position.
type Found<'a> = (Page, Option<Behind<'a>>);

fn latest<'a>(container: &Container, state: &'a PartitionState, start: Start, want: &Want<'_>) -> Found<'a> {
    let feed = state.latest();
    let (place, behind) = match start {
        Start::Now => return (Page::default(), None),
        Start::Beginning => (0, None),
        Start::After(position) => {
            let behind = go_on(state, position, want);
            (feed.place_after(behind.lowest()), Some(behind))
        }
        Start::AfterSecond(second) => (feed.place_at(second + 1), None),
    };
    let still_to_come = |lsn, point: &Epk| behind.as_ref().is_none_or(|behind| behind.has(lsn, point));
    let entries = feed
        .go_on_from(place, want.range())
        .filter(|document| want.contains(&document.key.epk))
        .filter(|document| still_to_come(document.lsn, &document.key.epk))
        .map(|document| Latest {
            document,
            enveloped: want.enveloped,
        });
    let page = Page::fill(&container.rid, entries, want.limit);
    (page, behind)
}

fn all_versions<'a>(
    container: &Container,
    state: &'a PartitionState,
    start: Start,
    want: &Want<'_>,
) -> Result<Found<'a>, Reply> {
    let Some(history) = state.history() else {
        return Err(bad_request(
            "Change Feed 'All Versions and Deletes' mode must be enabled. Refer to \
             https://aka.ms/ChangeFeed-AllVersionsAndDeletes.",
        ));
    };
    let position = match start {
        Start::Now => return Ok((Page::default(), None)),
        Start::After(position) => position,
        Start::Beginning => {
            return Err(bad_request(
                "Start from beginning is not supported with 'All Versions and Deletes' mode.",
            ));
        }
        Start::AfterSecond(_) => {
            return Err(bad_request(
                "Start from a point in time is not supported with 'All Versions and Deletes' mode.",
            ));
        }
    };
    let behind = go_on(state, position, want);
    if behind.is_expired(history.floor(|part| want.touches(part))) {
        return Err(bad_request(
            "The continuation is outside of the retention of the 'All Versions and Deletes' mode: changes after it are \
             not retained any more.",
        ));
    }
    let entries = history
        .after(behind.lowest(), want.range())
        .filter(|change| want.contains(change.epk()) && behind.has(change.lsn, change.epk()))
        .map(|change| Version {
            change,
            previous_images: history.previous_images(),
            definition: &container.partition_key,
        });
    let page = Page::fill(&container.rid, entries, want.limit);
    Ok((page, Some(behind)))
}

fn go_on<'a>(state: &'a PartitionState, position: Position, want: &Want<'_>) -> Behind<'a> {
    state.lineage().behind(position, |part| want.touches(part))
}

fn answer(container: &Container, partition: &Partition, page: Page, position: Position, lsn: u64) -> Reply {
    let charge = throughput::page(page.body.len());
    partition.budget.lock().charge(charge);
    let status = if page.items == 0 { 304 } else { 200 };
    let mut reply = Reply::new(status).etag(&position.to_etag());
    if page.items > 0 {
        reply = reply.body(page.body);
    }
    stamped(reply.items(page.items).charge(charge), container, partition, lsn)
}
