// SPDX-License-Identifier: Apache-2.0
//! How far a replica must have come to answer for a range: the session token of the range's last answer goes with its
//! next request, so that a range is not read from a replica that is behind the one before.
//!
//! The driver's own bookkeeping (1.0.0, through the gateway) sends the tokens of all partitions that it has heard of with
//! every request: for 10,000 partitions a header of 200 KB, made anew each time. A request here concerns one range.

use std::collections::HashMap;

use azure_data_cosmos_driver::models::SessionToken;
use parking_lot::Mutex;

use crate::range::EpkRange;

/// The last session token of each range.
#[derive(Debug, Default)]
pub struct Replicas {
    tokens: Mutex<HashMap<EpkRange, SessionToken>>,
}

impl Replicas {
    /// The token to send; none before the first answer.
    pub fn token(&self, range: &EpkRange) -> Option<SessionToken> {
        self.tokens.lock().get(range).cloned()
    }

    /// Keeps the token of an answer.
    pub fn answered(&self, range: &EpkRange, token: Option<&SessionToken>) {
        if let Some(token) = token {
            self.tokens.lock().insert(range.clone(), token.clone());
        }
    }
}
