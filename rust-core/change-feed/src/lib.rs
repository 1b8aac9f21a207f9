// SPDX-License-Identifier: Apache-2.0
//! Reads the change feed of an Azure Cosmos DB container: discovery of feed ranges, one poller per split on a shared
//! runtime, positions that survive failures. Knows no JNI and no Flink.
//!
//! | module | its one reason to change |
//! |---|---|
//! | `configuration` | an option |
//! | `session` | what Java can ask for |
//! | `discovery` | how feed ranges are found, pinned and checked |
//! | `shared` | what a session and its ranges share |
//! | `now` | how `now` and `latest` are resolved |
//! | `beginning` | what a range without a usable position goes on from |
//! | `roster` | which feed ranges a session reads, pauses, releases; pure |
//! | `poller` | how a feed range is read: the I/O and the waiting |
//! | `reading` | how a feed range is read: what comes next; pure |
//! | `cursor` | what an answer means: groups, marks, ends, splits; pure |
//! | `position` | the bytes in Flink's state |
//! | `range` | key ranges: order, coverage, cutting; pure |
//! | `scan` | how documents are found in a page |
//! | `token` | what is read of the driver's continuation token |
//! | `client` | the SDK and its errors |
//! | `failure` | what a failed request asks for; pure |
//! | `backoff` | how long to wait; pure |
//! | `trouble` | how passing failures are told |
//! | `budget` | the bound on bytes in flight |
//! | `page`, `framing` | the layouts between Java and Rust |
//! | `panics` | what is told of a panic |
//! | `error`, `logs`, `metrics` | what leaves the core beside pages |
//! | `runtime` | the process's tokio runtime |

pub mod backoff;
mod beginning;
mod budget;
mod client;
pub mod configuration;
pub mod cursor;
mod discovery;
pub mod error;
pub mod failure;
pub mod framing;
pub mod logs;
pub mod metrics;
mod now;
pub mod page;
pub mod panics;
mod poller;
pub mod position;
pub mod range;
pub mod reading;
pub mod roster;
mod runtime;
pub mod scan;
pub mod session;
mod shared;
pub mod token;
mod trouble;

pub use configuration::Configuration;
pub use error::{Code, Error, Result};
pub use page::Page;
pub use session::Session;
