// SPDX-License-Identifier: Apache-2.0
//! The core as Java sees it; the contract is docs/native-interface.md.
//!
//! Three rules hold everywhere here. Rust threads never attach to the JVM: Java calls in, and a call that blocks is freed by
//! another. No static holds a reference to a class of the connector: it would keep the class loader of every job. Nothing is
//! printed: what is to be said goes into an exception or into the session's log queue.
//!
//! | module | its one reason to change |
//! |---|---|
//! | [`register`] | what happens when a class loader's stub binds its natives |
//! | [`natives`] | a native |
//! | [`sessions`] | what a handle stands for |
//! | [`handles`] | when a handle is valid, and how a close meets calls in flight |
//! | [`errors`] | how a failure becomes an exception |
//! | [`faults`] | how tests make a native panic |

pub mod errors;
pub mod faults;
pub mod handles;
pub mod natives;
pub mod register;
pub mod sessions;
