// SPDX-License-Identifier: Apache-2.0
//! What a feed range's `now` is: asked once, by one poll that the service answers with "nothing new".

use crate::client::Client;
use crate::configuration::Start;
use crate::cursor::recreated;
use crate::error::{Code, Error};
use crate::failure::Failure;
use crate::position::{Lineage, LineageLsn, Position};
use crate::token::TokenShape;

/// The LSN that a bounded read of a range ends at: what its partition has now.
pub(crate) async fn capture_end(client: &Client, position: &Position) -> std::result::Result<LineageLsn, Failure> {
    Ok(poll_now(client, position).await?.end)
}

/// What one poll of `now` tells of a range.
pub(crate) struct Now {
    /// Reads everything after the poll, exactly.
    pub token: String,
    pub end: LineageLsn,
}

/// Polls `now` for a range. Accepted only as a 304 with a server continuation for the whole range: otherwise the start
/// would be evaluated again when it is used.
pub(crate) async fn poll_now(client: &Client, position: &Position) -> std::result::Result<Now, Failure> {
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
    if !answer.not_modified {
        return Err(again("brought documents"));
    }
    if shape.container_rid != position.identity.rid {
        return Err(Failure::Fatal(recreated(position, &shape.container_rid)));
    }
    if !shape.is_for(&position.range) {
        return Err(Failure::Moved(error("was answered for a part of the range only")));
    }
    let Some(lsn) = answer.lsn else {
        return Err(again("brought no LSN"));
    };
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
