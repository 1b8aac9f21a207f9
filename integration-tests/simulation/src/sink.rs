// SPDX-License-Identifier: Apache-2.0
//! What goes into the sink.

use crate::container::ChangeId;
use crate::expiry::Gap;

/// One commit group, or the end of something, on its way into the sink.
#[derive(Debug, Clone)]
pub struct Emitted {
    /// Orders all that is emitted in a run.
    pub time: u64,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    /// Emitted together; `present` while the present state is read.
    Group { changes: Vec<ChangeId>, present: bool },
    /// From here on these may come once more.
    Repeats(Vec<ChangeId>),
    /// The range went on from somewhere else.
    Gap(Gap),
    /// A bounded range ended.
    Finished { range: (u8, u8) },
}
