// SPDX-License-Identifier: Apache-2.0
//! A failed request, sorted by what to do about it. Pure.

use std::time::Duration;

use crate::error::Error;

/// What a failed request asks for.
#[derive(Debug, Clone)]
pub enum Failure {
    /// Ask again later; not before `asked` has passed.
    Transient {
        error: Error,
        throttled: bool,
        asked: Option<Duration>,
    },
    /// The container is not there (any more), or not under this RID.
    Missing(Error),
    /// The range is no longer in one partition, or the list of partitions is of another moment: list them again.
    Moved(Error),
    /// The service no longer has the changes behind the token.
    Expired(Error),
    /// The answer does not read: cut on its way, or in words that are not known here. Ask again a few times.
    Unreadable(Error),
    /// Asking again does not help.
    Fatal(Error),
}

impl Failure {
    /// The error, whatever is to be done about it.
    pub fn into_error(self) -> Error {
        match self {
            Failure::Transient { error, .. }
            | Failure::Missing(error)
            | Failure::Moved(error)
            | Failure::Expired(error)
            | Failure::Unreadable(error)
            | Failure::Fatal(error) => error,
        }
    }
}

/// What a request brought.
pub type Attempt<T> = std::result::Result<T, Failure>;
