// SPDX-License-Identifier: Apache-2.0
//! Drives the shipped decisions of the core, without threads and clocks, against a model of a container and a model of
//! Flink. Whatever may happen to a running job is drawn from a seed; then the sink must show what the feed says.
//!
//! | module | its one reason to change |
//! |---|---|
//! | `container` | what a container is: partitions, feeds, splits, merges |
//! | `service` | what the driver and the service answer |
//! | `discovery` | what a job does first |
//! | `reader` | what a reader does with the core |
//! | `expiry` | what becomes of positions that are older than what the service keeps |
//! | `job` | what Flink does with readers: checkpoints, failures, the sink |
//! | `sink` | what goes into the sink |
//! | `token` | how the model writes tokens |
//! | `settings` | what differs between schedules from the start |
//! | `schedule` | what may happen, and how often |
//! | `check` | what must hold in the end |
//! | `contract` | what is said at the seam to the connector |
//! | `trace` | the account of a schedule |

pub mod check;
pub mod container;
pub mod contract;
pub mod discovery;
pub mod expiry;
pub mod job;
pub mod reader;
pub mod schedule;
pub mod service;
pub mod settings;
pub mod sink;
pub mod token;
pub mod trace;
