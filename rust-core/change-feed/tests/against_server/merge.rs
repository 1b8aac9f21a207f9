// SPDX-License-Identifier: Apache-2.0
//! What Microsoft's `cosmos_partition_merge` asserts of their SDK, with the server's administrative interface in place
//! of the cloud's management interface, for both models of a merge.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use azure_data_cosmos::clients::ContainerClient;
use azure_data_cosmos::feed::{ContinuationToken, FeedScope};
use azure_data_cosmos::models::{ContainerProperties, ThroughputProperties};
use azure_data_cosmos::options::{
    ChangeFeedStartFrom, CreateContainerOptions, MaxItemCountHint, QueryOptions, ReadFeedRangesOptions,
};
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;

use crate::harness::{CONTAINER, DATABASE, TestServer};

const KEYS: usize = 40;
const ITEMS_OF_A_KEY: usize = 4;
const PAGE: NonZeroU32 = NonZeroU32::new(11).unwrap();
/// Empty pages in a row after which the feed is taken to have no more.
const EMPTY_PAGES: usize = 5;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Item {
    id: String,
    pk: String,
}

async fn create(container: &ContainerClient, pk: &str, id: &str) {
    let item = Item {
        id: id.to_owned(),
        pk: pk.to_owned(),
    };
    container.create_item(pk.to_owned(), id, item, None).await.unwrap();
}

async fn ranges(container: &ContainerClient) -> usize {
    let options = ReadFeedRangesOptions::default().with_force_refresh(true);
    container.read_feed_ranges(Some(options)).await.unwrap().len()
}

fn pages(token: Option<ContinuationToken>) -> QueryOptions {
    let options = QueryOptions::default().with_max_item_count(MaxItemCountHint::Limit(PAGE));
    match token {
        Some(token) => options.with_continuation_token(token),
        None => options,
    }
}

/// Ids of the first page of a query over everything, and where it goes on.
async fn first_page(container: &ContainerClient) -> (Vec<String>, ContinuationToken) {
    let query = container.query_items::<Item>("SELECT * FROM c", FeedScope::full_container(), Some(pages(None)));
    let mut pages = query.await.unwrap().into_pages();
    let page = pages.next().await.unwrap().unwrap();
    let token = pages.to_continuation_token().unwrap();
    let ids = page.into_items().into_iter().map(|item| item.id).collect();
    (ids, ContinuationToken::from_string(token.as_str().to_owned()))
}

async fn rest(container: &ContainerClient, token: ContinuationToken) -> Vec<String> {
    let query = container.query_items::<Item>("SELECT * FROM c", FeedScope::full_container(), Some(pages(Some(token))));
    let pages = query.await.unwrap().into_pages();
    let pages: Vec<_> = pages.try_collect().await.unwrap();
    let items = pages.into_iter().flat_map(|page| page.into_items());
    items.map(|item| item.id).collect()
}

/// Ids of what the change feed has from a time on.
async fn changes_since(container: &ContainerClient, time: OffsetDateTime) -> BTreeSet<String> {
    let start = ChangeFeedStartFrom::PointInTime(time);
    let feed = container.query_change_feed::<Item>(FeedScope::full_container(), start, None);
    let mut feed = feed.await.unwrap();
    let mut ids = BTreeSet::new();
    let mut empty = 0;
    while empty < EMPTY_PAGES {
        let items = feed.next().await.unwrap().unwrap().into_items();
        empty = if items.is_empty() { empty + 1 } else { 0 };
        ids.extend(items.iter().map(|item| item.current().unwrap().id.clone()));
    }
    ids
}

fn survives_a_merge(renumber_lsns: bool) {
    let server = TestServer::start();
    let client = server.client();
    let container = server.block_on(async {
        client.create_database(DATABASE, None).await.unwrap();
        let database = client.database_client(DATABASE.to_owned());
        let options = CreateContainerOptions::default().with_throughput(ThroughputProperties::manual(13_000));
        let properties = ContainerProperties::new(CONTAINER, "/pk".into());
        database.create_container(properties, Some(options)).await.unwrap();
        database.container_client(CONTAINER.to_owned(), None).await.unwrap()
    });
    let (expected, before, first, token) = server.block_on(async {
        let mut expected = BTreeSet::new();
        for key in 0..KEYS {
            for item in 0..ITEMS_OF_A_KEY {
                let id = format!("{key}-{item}");
                create(&container, &format!("pk-{key}"), &id).await;
                expected.insert(id);
            }
        }
        let before = ranges(&container).await;
        assert!(before > 1, "13,000 request units a second need more than one partition");
        let (first, token) = first_page(&container).await;
        let replaced = container.begin_replace_throughput(ThroughputProperties::manual(4000), None);
        let mut replaced = replaced.await.unwrap();
        while let Some(status) = replaced.try_next().await.unwrap() {
            assert!(status.status().is_success());
        }
        (expected, before, first, token)
    });
    // The feed starts behind a whole second: nothing of before is to be written in the one it starts behind.
    let written = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let point_in_time = OffsetDateTime::from_unix_timestamp(written as i64).unwrap();
    let state = server.admin("GET", &format!("containers/{DATABASE}/{CONTAINER}"), json!(null));
    let partitions = state["partitions"].as_array().unwrap();
    let parents: Vec<String> = partitions
        .iter()
        .map(|partition| partition["id"].as_str().unwrap().to_owned())
        .collect();
    server.merge(&parents, renumber_lsns);
    // The merge takes minutes in the cloud.
    while SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() == written {
        std::thread::sleep(Duration::from_millis(20));
    }

    server.block_on(async {
        assert!(ranges(&container).await < before);
        let mut found = first;
        found.extend(rest(&container, token).await);
        assert_eq!(found.len(), expected.len(), "the query repeated or lost items");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);

        create(&container, "post-merge", "probe").await;
        let probe = container.read_item("post-merge", "probe", None).await.unwrap();
        assert_eq!(probe.into_model::<Item>().unwrap().id, "probe");
        create(&container, "post-merge", "change").await;
        let changes = changes_since(&container, point_in_time).await;
        assert_eq!(changes, ["change", "probe"].map(str::to_owned).into());
    });
}

#[test]
fn routing_query_and_point_in_time_feed_survive_a_merge() {
    survives_a_merge(false);
}

#[test]
fn routing_query_and_point_in_time_feed_survive_a_merge_that_renumbers() {
    survives_a_merge(true);
}
