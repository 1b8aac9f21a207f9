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

/// After so many refusals in a row a token is not sent any more: what was lost in a failover, no replica will ever have come
/// to. A cursor takes no answer of a replica that is behind it, with or without a token.
const REFUSALS: u32 = 10;

#[derive(Debug)]
struct Session {
    token: SessionToken,
    /// How many times in a row no replica had come so far.
    refused: u32,
}

/// The last session token of each range.
#[derive(Debug, Default)]
pub struct Replicas {
    sessions: Mutex<HashMap<EpkRange, Session>>,
}

impl Replicas {
    /// The token to send; none before the first answer.
    pub fn token(&self, range: &EpkRange) -> Option<SessionToken> {
        self.sessions.lock().get(range).map(|session| session.token.clone())
    }

    /// Keeps the token of an answer.
    pub fn answered(&self, range: &EpkRange, token: Option<&SessionToken>) {
        if let Some(token) = token {
            let token = token.clone();
            self.sessions
                .lock()
                .insert(range.clone(), Session { token, refused: 0 });
        }
    }

    /// Counts that no replica had come as far as the token says.
    pub fn refused(&self, range: &EpkRange) {
        let mut sessions = self.sessions.lock();
        if let Some(session) = sessions.get_mut(range) {
            session.refused += 1;
            if session.refused >= REFUSALS {
                sessions.remove(range);
            }
        }
    }

    /// Forgets a range that is read no more.
    pub fn left(&self, range: &EpkRange) {
        self.sessions.lock().remove(range);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_refused_again_and_again_is_not_sent_any_more() {
        let replicas = Replicas::default();
        let range = EpkRange::new("", "FF").unwrap();
        let refused = |times| (0..times).for_each(|_| replicas.refused(&range));
        refused(1);
        replicas.answered(&range, Some(&SessionToken::new("0:1#5")));
        refused(REFUSALS - 1);
        assert!(replicas.token(&range).is_some());
        replicas.answered(&range, Some(&SessionToken::new("0:1#6")));
        refused(REFUSALS - 1);
        assert!(replicas.token(&range).is_some(), "an answer in between");
        refused(1);
        assert!(replicas.token(&range).is_none());
        replicas.answered(&range, Some(&SessionToken::new("0:1#7")));
        replicas.left(&range);
        assert!(replicas.token(&range).is_none());
    }
}
