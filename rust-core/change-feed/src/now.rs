// SPDX-License-Identifier: Apache-2.0
//! What a feed range's `now` is: asked once, and pinned by a token that the service made. Pure.

use crate::configuration::{Mode, Start};
use crate::cursor::recreated;
use crate::error::{Code, Error};
use crate::failure::{Attempt, Failure};
use crate::position::{LineageLsn, Position};
use crate::range::PhysicalRange;
use crate::reading::Page;

/// What one poll of `now` tells of a range.
#[derive(Debug, Clone)]
pub struct Now {
    /// Reads everything after the poll, exactly, in the mode that was asked in.
    pub token: String,
    /// The last LSN that the token does not bring.
    pub end: LineageLsn,
}

/// The position that is fetched to ask a range what `now` is.
pub fn question(position: &Position) -> Position {
    Position {
        start: Start::Now,
        token: None,
        ..position.clone()
    }
}

/// Judges the answer to [`question`]. Accepted only with a server continuation for the whole range: otherwise the start would
/// be evaluated again when it is used.
///
/// `behind` is the LSN that the answer's token goes on behind, where it tells; `partitions` are listed after the answer came.
pub fn judge(position: &Position, page: &Page, behind: Option<i64>, partitions: &[PhysicalRange]) -> Attempt<Now> {
    let error = |what: &str| Error {
        retryable: true,
        ..Error::new(
            Code::ServiceError,
            format!("range {}: polling 'now' {what}", position.range),
        )
    };
    if page.shape.container_rid != position.identity.rid {
        return Err(Failure::Fatal(recreated(position, &page.shape.container_rid)));
    }
    if !page.shape.is_for(&position.range) {
        return Err(Failure::Moved(error("was answered for a part of the range only")));
    }
    let lsn = last_lsn(page, position.mode, behind).map_err(|what| Failure::Transient {
        error: error(what),
        throttled: false,
        asked: None,
    })?;
    let partition = partitions
        .iter()
        .find(|p| match &page.partition_id {
            Some(id) => p.id == *id,
            None => p.range.contains(&position.range),
        })
        .ok_or_else(|| Failure::Moved(error("was answered by a partition that is not listed")))?;
    Ok(Now {
        token: page.next_token.clone(),
        end: LineageLsn::on(partition, lsn),
    })
}

/// The last LSN that the answer's token does not bring.
fn last_lsn(page: &Page, mode: Mode, behind: Option<i64>) -> Result<i64, &'static str> {
    let lsn = match (page.not_modified, mode) {
        (true, _) => page.lsn.ok_or("brought no LSN")?,
        (false, Mode::LatestVersion) => return Err("brought documents"),
        // The driver polls `now` in this mode and then behind it. What was written between the two is before the token, and so
        // before `now`; versions do not move, so the last of them is where the token stands.
        (false, Mode::AllVersionsAndDeletes) => {
            let last = page.lsns.iter().max().copied().flatten();
            last.ok_or("brought changes without LSNs")?
        }
    };
    // The two polls may be answered by two replicas. What lies between a lagging one's LSN and the token is in neither part of
    // a read that takes the present state up to the one and the changes from the other.
    if mode == Mode::AllVersionsAndDeletes && behind.is_some_and(|token| token > lsn) {
        return Err("was answered by a replica that lags behind its token");
    }
    Ok(lsn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::TokenShape;

    fn page(lsn: Option<i64>, lsns: &[i64]) -> Page {
        Page {
            not_modified: lsns.is_empty(),
            lsn,
            partition_id: None,
            next_token: "t".to_owned(),
            shape: TokenShape {
                container_rid: "rid".to_owned(),
                ranges: vec![],
            },
            lsns: lsns.iter().copied().map(Some).collect(),
            timestamps: vec![None; lsns.len()],
            past_end_time: false,
        }
    }

    #[test]
    fn nothing_new_says_where_now_is() {
        for mode in [Mode::LatestVersion, Mode::AllVersionsAndDeletes] {
            assert_eq!(last_lsn(&page(Some(5), &[]), mode, Some(5)), Ok(5));
            assert!(last_lsn(&page(None, &[]), mode, Some(5)).is_err());
        }
    }

    #[test]
    fn changes_before_the_token_are_before_now() {
        let all = Mode::AllVersionsAndDeletes;
        assert_eq!(last_lsn(&page(Some(9), &[6, 7]), all, Some(7)), Ok(7));
        assert!(last_lsn(&page(Some(9), &[6, 7]), Mode::LatestVersion, Some(7)).is_err());
    }

    #[test]
    fn a_lagging_replica_pins_no_present_state() {
        let all = Mode::AllVersionsAndDeletes;
        assert!(last_lsn(&page(Some(4), &[]), all, Some(5)).is_err());
        assert_eq!(last_lsn(&page(Some(4), &[]), all, None), Ok(4));
    }
}
