// SPDX-License-Identifier: Apache-2.0

//! A local server that speaks the wire protocol of Azure Cosmos DB for NoSQL, for tests and for trying out.
//!
//! [`server::Server`] starts one inside a process; the binary `cosmos-local` is a thin command line around it.

mod admin;
pub mod auth;
pub mod cli;
mod connection;
pub mod engine;
pub mod faults;
mod listening;
pub mod log;
pub mod native;
pub mod operation;
pub mod reference;
pub mod regions;
mod reply;
pub mod request_log;
mod restart;
pub mod server;
mod shell;
pub mod sql;
mod tls;
