// SPDX-License-Identifier: Apache-2.0
//! What a feed range's `now` is: asked once, and pinned by a token that the service made.

use crate::client::{Answer, Client};
use crate::configuration::{Mode, Start};
use crate::cursor::recreated;
use crate::error::{Code, Error};
use crate::failure::{Attempt, Failure};
use crate::position::{Lineage, LineageLsn, Position};
use crate::scan;
use crate::token::{TokenShape, goes_on_behind};

/// The LSN that a bounded read of a range ends at: what its partition has now.
pub(crate) async fn capture_end(client: &Client, position: &Position) -> Attempt<LineageLsn> {
    Ok(poll_now(client, position).await?.end)
}

/// What one poll of `now` tells of a range.
pub(crate) struct Now {
    /// Reads everything after the poll, exactly, in the mode that was asked in.
    pub token: String,
    /// The last LSN that the token does not bring.
    pub end: LineageLsn,
}

/// Polls `now` for a position's range, in its mode. Accepted only with a server continuation for the whole range: otherwise
/// the start would be evaluated again when it is used.
pub(crate) async fn poll_now(client: &Client, position: &Position) -> Attempt<Now> {
    let answer = client.fetch(position.mode, &position.range, Start::Now, None).await?;
    let error = |what: &str| Error {
        retryable: true,
        ..Error::new(
            Code::ServiceError,
            format!("range {}: polling 'now' {what}", position.range),
        )
    };
    let again = |what: &str| Failure::Transient {
        error: error(what),
        throttled: false,
        asked: None,
    };
    let shape = TokenShape::read(&answer.next_token).map_err(Failure::Fatal)?;
    if shape.container_rid != position.identity.rid {
        return Err(Failure::Fatal(recreated(position, &shape.container_rid)));
    }
    if !shape.is_for(&position.range) {
        return Err(Failure::Moved(error("was answered for a part of the range only")));
    }
    let lsn = last_lsn(&answer, position.mode).map_err(again)?;
    let partitions = client.partitions(false).await?;
    let partition = partitions
        .into_iter()
        .find(|p| match &answer.partition_id {
            Some(id) => p.id == *id,
            None => p.range.contains(&position.range),
        })
        .ok_or_else(|| Failure::Moved(error("was answered by a partition that is not listed")))?;
    Ok(Now {
        token: answer.next_token,
        end: LineageLsn {
            lsn,
            lineage: Lineage {
                partition_id: partition.id,
                range: partition.range,
            },
        },
    })
}

/// The last LSN that the answer's token does not bring.
fn last_lsn(answer: &Answer, mode: Mode) -> Result<i64, &'static str> {
    let lsn = match (answer.not_modified, mode) {
        (true, _) => answer.lsn.ok_or("brought no LSN")?,
        (false, Mode::LatestVersion) => return Err("brought documents"),
        // The driver polls `now` in this mode and then behind it. What was written between the two is before the token, and so
        // before `now`; versions do not move, so the last of them is where the token stands.
        (false, Mode::AllVersionsAndDeletes) => scan::items(&answer.body, mode)
            .ok()
            .and_then(|items| items.iter().map(|item| item.lsn).max())
            .flatten()
            .ok_or("brought changes without LSNs")?,
    };
    // The two polls may be answered by two replicas. What lies between a lagging one's LSN and the token is in neither part of
    // a read that takes the present state up to the one and the changes from the other.
    if mode == Mode::AllVersionsAndDeletes && goes_on_behind(&answer.next_token).is_some_and(|token| token > lsn) {
        return Err("was answered by a replica that lags behind its token");
    }
    Ok(lsn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::tests::token;
    use bytes::Bytes;

    fn answer(not_modified: bool, lsn: Option<i64>, body: &'static str, continuation: &str) -> Answer {
        let continuation = serde_json::to_string(continuation).unwrap();
        Answer {
            not_modified,
            body: Bytes::from_static(body.as_bytes()),
            lsn,
            partition_id: None,
            next_token: token(&format!(
                r#"{{"op":"ChangeFeed","rid":"r","root":{{"active_tokens":[
                    {{"min_epk":"","max_epk":"FF","server_continuation":{continuation}}}]}}}}"#
            )),
            request_charge: 0.0,
        }
    }

    const CHANGES: &str = r#"{"Documents":[
        {"current":{"id":"a"},"metadata":{"lsn":6,"operationType":"create"}},
        {"current":{"id":"b"},"metadata":{"lsn":7,"operationType":"create"}}]}"#;

    #[test]
    fn nothing_new_says_where_now_is() {
        for mode in [Mode::LatestVersion, Mode::AllVersionsAndDeletes] {
            assert_eq!(last_lsn(&answer(true, Some(5), "", "\"5\""), mode), Ok(5));
            assert!(last_lsn(&answer(true, None, "", "\"5\""), mode).is_err());
        }
    }

    #[test]
    fn changes_before_the_token_are_before_now() {
        let all = Mode::AllVersionsAndDeletes;
        assert_eq!(last_lsn(&answer(false, Some(9), CHANGES, "\"7\""), all), Ok(7));
        let latest = Mode::LatestVersion;
        assert!(last_lsn(&answer(false, Some(9), CHANGES, "\"7\""), latest).is_err());
    }

    #[test]
    fn a_lagging_replica_pins_no_present_state() {
        let all = Mode::AllVersionsAndDeletes;
        assert!(last_lsn(&answer(true, Some(4), "", "\"5\""), all).is_err());
        assert_eq!(last_lsn(&answer(true, Some(4), "", "opaque"), all), Ok(4));
    }
}
