// SPDX-License-Identifier: Apache-2.0

//! What a request asks for, told from its method, path and headers.

use http::Method;
use percent_encoding::percent_decode_str;

use crate::engine::Request;

/// The operations of the protocol that the server tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `GET /`
    ReadAccount,
    /// `POST /dbs`
    CreateDatabase,
    /// `GET /dbs`
    ListDatabases,
    /// `POST /dbs` with a query
    QueryDatabases,
    /// `GET /dbs/{db}`
    ReadDatabase,
    /// `DELETE /dbs/{db}`
    DeleteDatabase,
    /// `POST /dbs/{db}/colls`
    CreateContainer,
    /// `GET /dbs/{db}/colls`
    ListContainers,
    /// `POST /dbs/{db}/colls` with a query
    QueryContainers,
    /// `GET /dbs/{db}/colls/{coll}`
    ReadContainer,
    /// `PUT /dbs/{db}/colls/{coll}`
    ReplaceContainer,
    /// `DELETE /dbs/{db}/colls/{coll}`
    DeleteContainer,
    /// `GET /dbs/{db}/colls/{coll}/pkranges`
    ReadPartitionKeyRanges,
    /// `GET /dbs/{db}/colls/{coll}/docs` with `A-IM`
    ChangeFeed,
    /// `GET /dbs/{db}/colls/{coll}/docs`
    ListItems,
    /// `POST /dbs/{db}/colls/{coll}/docs` with a query
    QueryItems,
    /// `POST /dbs/{db}/colls/{coll}/docs` asking for a query plan
    QueryPlan,
    /// `POST /dbs/{db}/colls/{coll}/docs` with a batch
    Batch,
    /// `POST /dbs/{db}/colls/{coll}/docs`
    CreateItem,
    /// the same with `x-ms-documentdb-is-upsert`
    UpsertItem,
    /// `GET /dbs/{db}/colls/{coll}/docs/{id}`
    ReadItem,
    /// `PUT /dbs/{db}/colls/{coll}/docs/{id}`
    ReplaceItem,
    /// `DELETE /dbs/{db}/colls/{coll}/docs/{id}`
    DeleteItem,
    /// `GET /offers`
    ListOffers,
    /// `POST /offers` with a query
    QueryOffers,
    /// `GET /offers/{rid}`
    ReadOffer,
    /// `PUT /offers/{rid}`
    ReplaceOffer,
    /// Anything else.
    Unsupported,
}

impl Operation {
    /// Tells the operation of a request whose path has these segments.
    pub fn of(request: &Request, segments: &[String]) -> Self {
        let query = request.flag("x-ms-documentdb-isquery")
            || request.flag("x-ms-documentdb-query")
            || request
                .header("content-type")
                .is_some_and(|value| value.starts_with("application/query+json"));
        let names: Vec<&str> = segments.iter().map(String::as_str).collect();
        let method = &request.method;
        match names.as_slice() {
            [] if method == Method::GET => Self::ReadAccount,
            ["dbs"] if method == Method::GET => Self::ListDatabases,
            ["dbs"] if method == Method::POST && query => Self::QueryDatabases,
            ["dbs"] if method == Method::POST => Self::CreateDatabase,
            ["dbs", _] if method == Method::GET => Self::ReadDatabase,
            ["dbs", _] if method == Method::DELETE => Self::DeleteDatabase,
            ["dbs", _, "colls"] if method == Method::GET => Self::ListContainers,
            ["dbs", _, "colls"] if method == Method::POST && query => Self::QueryContainers,
            ["dbs", _, "colls"] if method == Method::POST => Self::CreateContainer,
            ["dbs", _, "colls", _] if method == Method::GET => Self::ReadContainer,
            ["dbs", _, "colls", _] if method == Method::PUT => Self::ReplaceContainer,
            ["dbs", _, "colls", _] if method == Method::DELETE => Self::DeleteContainer,
            ["dbs", _, "colls", _, "pkranges"] if method == Method::GET => Self::ReadPartitionKeyRanges,
            ["dbs", _, "colls", _, "docs"] if method == Method::GET => {
                if request.headers.contains_key("a-im") {
                    Self::ChangeFeed
                } else {
                    Self::ListItems
                }
            }
            ["dbs", _, "colls", _, "docs"] if method == Method::POST => {
                if request.flag("x-ms-cosmos-is-query-plan-request") {
                    Self::QueryPlan
                } else if request.flag("x-ms-cosmos-is-batch-request") {
                    Self::Batch
                } else if query {
                    Self::QueryItems
                } else if request.flag("x-ms-documentdb-is-upsert") {
                    Self::UpsertItem
                } else {
                    Self::CreateItem
                }
            }
            ["dbs", _, "colls", _, "docs", _] if method == Method::GET => Self::ReadItem,
            ["dbs", _, "colls", _, "docs", _] if method == Method::PUT => Self::ReplaceItem,
            ["dbs", _, "colls", _, "docs", _] if method == Method::DELETE => Self::DeleteItem,
            ["offers"] if method == Method::GET => Self::ListOffers,
            ["offers"] if method == Method::POST => Self::QueryOffers,
            ["offers", _] if method == Method::GET => Self::ReadOffer,
            ["offers", _] if method == Method::PUT => Self::ReplaceOffer,
            _ => Self::Unsupported,
        }
    }

    /// Whether it changes anything.
    pub fn writes(self) -> bool {
        match self {
            Self::CreateDatabase
            | Self::DeleteDatabase
            | Self::CreateContainer
            | Self::ReplaceContainer
            | Self::DeleteContainer
            | Self::Batch
            | Self::CreateItem
            | Self::UpsertItem
            | Self::ReplaceItem
            | Self::DeleteItem
            | Self::ReplaceOffer => true,
            Self::ReadAccount
            | Self::ListDatabases
            | Self::QueryDatabases
            | Self::ReadDatabase
            | Self::ListContainers
            | Self::QueryContainers
            | Self::ReadContainer
            | Self::ReadPartitionKeyRanges
            | Self::ChangeFeed
            | Self::ListItems
            | Self::QueryItems
            | Self::QueryPlan
            | Self::ReadItem
            | Self::ListOffers
            | Self::QueryOffers
            | Self::ReadOffer
            | Self::Unsupported => false,
        }
    }

    /// The name of the operation's kind in the request log and in fault rules.
    pub fn kind(self) -> &'static str {
        match self {
            Self::ReadAccount => "account",
            Self::CreateDatabase
            | Self::ListDatabases
            | Self::QueryDatabases
            | Self::ReadDatabase
            | Self::DeleteDatabase => "database",
            Self::CreateContainer
            | Self::ListContainers
            | Self::QueryContainers
            | Self::ReadContainer
            | Self::ReplaceContainer
            | Self::DeleteContainer => "container",
            Self::ReadPartitionKeyRanges => "pkranges",
            Self::ChangeFeed => "changefeed",
            Self::ListItems | Self::QueryItems | Self::QueryPlan => "query",
            Self::ReadItem => "read",
            Self::Batch | Self::CreateItem | Self::UpsertItem | Self::ReplaceItem | Self::DeleteItem => "write",
            Self::ListOffers | Self::QueryOffers | Self::ReadOffer | Self::ReplaceOffer => "offer",
            Self::Unsupported => "unsupported",
        }
    }
}

/// The decoded segments of a path; empty ones (a slash at the end) are tolerated.
pub fn segments(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect()
}
