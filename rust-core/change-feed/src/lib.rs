// SPDX-License-Identifier: Apache-2.0
//! Reads the change feed of an Azure Cosmos DB container: discovery of feed ranges, one poller per split on a shared
//! runtime, positions that survive failures. Knows no JNI and no Flink.
//!
//! Everything that decides is pure. Without the feature `service` that is all there is: what a simulation drives.
//!
//! | module | its one reason to change |
//! |---|---|
//! | `configuration` | an option |
//! | `session` | what Java can ask for |
//! | `discovery` | how feed ranges are found, pinned and checked |
//! | `shared` | what a session and its ranges share |
//! | `now` | how `now` and `latest` are resolved; pure |
//! | `pin` | how `now` is asked |
//! | `beginning` | what a range without a usable position goes on from; pure |
//! | `roster` | which feed ranges a session reads, pauses, releases; pure |
//! | `poller` | how a feed range is read: the I/O and the waiting |
//! | `reading` | how a feed range is read: what comes next; pure |
//! | `cursor` | what an answer means: groups, marks, ends, splits; pure |
//! | `position` | the bytes in Flink's state |
//! | `range` | key ranges: order, coverage, cutting; pure |
//! | `scan` | how documents are found in a page |
//! | `token` | what is read of the driver's continuation token |
//! | `client` | the SDK and its errors |
//! | `clock` | what time it is |
//! | `replicas` | how far the replica that answers must have come |
//! | `failure` | what a failed request asks for; pure |
//! | `backoff` | how long to wait; pure |
//! | `trouble` | how passing failures are told |
//! | `budget` | the bound on bytes in flight |
//! | `page`, `framing` | the layouts between Java and Rust |
//! | `panics` | what is told of a panic |
//! | `error`, `logs`, `metrics` | what leaves the core beside pages |
//! | `runtime` | the process's tokio runtime |

// Without the service nothing calls what only the service needs.
#![cfg_attr(not(feature = "service"), allow(dead_code))]

pub mod backoff;
pub mod beginning;
#[cfg(feature = "service")]
mod budget;
#[cfg(feature = "service")]
mod client;
#[cfg(feature = "service")]
mod clock;
pub mod configuration;
pub mod cursor;
#[cfg(feature = "service")]
mod discovery;
pub mod error;
pub mod failure;
pub mod framing;
#[cfg(feature = "service")]
pub mod logs;
#[cfg(feature = "service")]
pub mod metrics;
pub mod now;
#[cfg(feature = "service")]
pub mod page;
#[cfg(feature = "service")]
pub mod panics;
#[cfg(feature = "service")]
mod pin;
#[cfg(feature = "service")]
mod poller;
pub mod position;
pub mod range;
pub mod reading;
#[cfg(feature = "service")]
mod replicas;
pub mod roster;
#[cfg(feature = "service")]
mod runtime;
#[cfg(feature = "service")]
pub mod scan;
#[cfg(feature = "service")]
pub mod session;
#[cfg(feature = "service")]
mod shared;
pub mod token;
#[cfg(feature = "service")]
mod trouble;

pub use configuration::Configuration;
pub use error::{Code, Error, Result};
#[cfg(feature = "service")]
pub use page::Page;
#[cfg(feature = "service")]
pub use session::Session;
