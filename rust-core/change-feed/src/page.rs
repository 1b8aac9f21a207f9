// SPDX-License-Identifier: Apache-2.0
//! What Java gets of one answer of the service: an index of fixed layout beside the bytes as they came from the socket.

use bytes::Bytes;

use crate::error::Result;

/// A page, or an event of a split. Holds its bytes in flight until dropped.
#[derive(Debug)]
pub struct Page {
    id: u64,
    index: Vec<u8>,
    body: Option<Bytes>,
}

impl Page {
    /// 0 for events, which hold nothing to give back.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The index, laid out as docs/native-interface.md says.
    pub fn index(&self) -> &[u8] {
        &self.index
    }

    /// The answer's bytes; the offsets of the index point into them. `None` for events.
    pub fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    /// Position bytes for "groups `0..=group` have been emitted".
    pub fn position_after(&self, _group: usize) -> Result<Vec<u8>> {
        unimplemented!("in progress")
    }
}
