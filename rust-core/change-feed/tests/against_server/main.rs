// SPDX-License-Identifier: Apache-2.0
//! The core against a Cosmos server over a real socket: the local server, in this process.

mod all_versions;
mod bad_input;
mod harness;
mod history;
mod merge;
mod present_state;
mod reading;
mod regions;
mod release;
mod reshaped;
mod starts;
mod topology;
mod trouble;
