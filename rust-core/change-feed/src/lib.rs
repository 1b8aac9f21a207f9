// SPDX-License-Identifier: Apache-2.0
//! Reads the change feed of an Azure Cosmos DB container: discovery of feed ranges, one poller per split on a shared
//! runtime, positions that survive failures. Knows no JNI and no Flink.
//!
//! | module | its one reason to change |
//! |---|---|
//! | [`configuration`] | an option |
//! | [`error`] | a code that Java or a user sees |
//! | [`framing`] | the layout of splits between Java and Rust |
//! | [`logs`] | how log lines leave the core |
//! | [`metrics`] | a counter |
//! | [`page`] | the layout of a page between Java and Rust |
//! | [`session`] | what Java can ask for |

pub mod configuration;
pub mod error;
pub mod framing;
pub mod logs;
pub mod metrics;
pub mod page;
pub mod session;

pub use configuration::Configuration;
pub use error::{Code, Error, Result};
pub use page::Page;
pub use session::Session;
