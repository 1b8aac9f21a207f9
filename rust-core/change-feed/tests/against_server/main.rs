// SPDX-License-Identifier: Apache-2.0
//! The core against a Cosmos server over a real socket: the local server, in this process.

mod bad_input;
mod harness;
mod reading;
mod release;
mod topology;
mod trouble;
