// SPDX-License-Identifier: Apache-2.0
//! What must hold for any bytes that come from outside: one module for each parser.
//!
//! A check panics when the parser breaks a promise, and returns whether the parser took the input. The fuzzers in
//! `fuzz_targets` call the checks with what libFuzzer thinks of, `tests/corpus.rs` calls them with the seeds.

pub mod configuration;
pub mod framing;
pub mod page;
pub mod position;
pub mod token;

/// A check: the input, and whether the parser took it.
pub type Check = fn(&[u8]) -> bool;

/// All checks by the names of their fuzzers and corpora.
pub const CHECKS: [(&str, Check); 5] = [
    ("configuration", configuration::check),
    ("framing", framing::check),
    ("page", page::check),
    ("position", position::check),
    ("token", token::check),
];
