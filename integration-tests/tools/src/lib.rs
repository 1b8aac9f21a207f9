// SPDX-License-Identifier: Apache-2.0
//! What the programs that drive the integration tests have in common.

pub mod arguments;
pub mod change_log;
pub mod committed;
pub mod cpu;
pub mod orders;
pub mod signature;
pub mod verify;
