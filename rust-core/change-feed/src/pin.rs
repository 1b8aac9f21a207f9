// SPDX-License-Identifier: Apache-2.0
//! Asks the service what a feed range's `now` is.

use crate::client::Client;
use crate::failure::{Attempt, Failure};
use crate::now::{self, Now};
use crate::position::Position;
use crate::token::goes_on_behind;

/// Polls `now` for a position's range, in its mode.
pub(crate) async fn poll_now(client: &Client, position: &Position) -> Attempt<Now> {
    let asked = now::question(position);
    let answer = client.fetch(asked.mode, &asked.range, asked.start, None).await?;
    let items = answer.items(asked.mode).map_err(Failure::Unreadable)?;
    let page = answer.page(&items, false).map_err(Failure::Unreadable)?;
    let partitions = client.partitions(false).await?;
    now::judge(position, &page, goes_on_behind(&page.next_token), &partitions)
}
