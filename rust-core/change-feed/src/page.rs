// SPDX-License-Identifier: Apache-2.0
//! What Java gets of one answer of the service: an index of fixed layout beside the bytes as they came from the socket.
//! The layout is in docs/native-interface.md.

use bytes::Bytes;

use crate::budget::InFlight;
use crate::error::{Code, Error, Result};
use crate::framing::{SplitSnapshot, encode_splits};
use crate::reading::Delivered;
use crate::scan::Item;

const LAYOUT_VERSION: u32 = 2;
const HEADER: usize = 72;
const ROW: usize = 64;
/// Flag of a row: a delete because the time to live was over.
const TIME_TO_LIVE_EXPIRED: u8 = 1;
const ABSENT: i64 = i64::MIN;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Kind {
    Documents = 1,
    RangeFinished = 2,
    RangeSplit = 3,
    RangeReleased = 4,
}

/// A page, or an event of a split. Holds its bytes in flight until dropped.
#[derive(Debug)]
pub struct Page {
    id: u64,
    index: Vec<u8>,
    body: Option<Bytes>,
    delivered: Option<Delivered>,
    /// The position after the page, encoded.
    end: Vec<u8>,
    _in_flight: Option<InFlight>,
}

/// What [`Page::documents`] is made of.
pub(crate) struct Documents<'a> {
    pub id: u64,
    pub delivered: Delivered,
    pub items: &'a [Item],
    pub body: Bytes,
    /// The answer's `lsn` header.
    pub lsn: Option<i64>,
    pub request_charge: f64,
    pub in_flight: InFlight,
}

impl Page {
    /// The accepted part of a page; without groups it only moves the position.
    pub(crate) fn documents(parts: Documents<'_>) -> Self {
        let Documents {
            id,
            delivered,
            items,
            body,
            lsn,
            request_charge,
            in_flight,
        } = parts;
        let accepted = &delivered.accepted;
        let end = accepted.end.encode();
        let mut index = Index::new(Kind::Documents, id, accepted.documents(), accepted.groups.len().max(1));
        index.lsn(lsn);
        index.request_charge(request_charge);
        index.bytes_in_flight(in_flight.bytes() as u64);
        for (number, group) in accepted.groups.iter().enumerate() {
            for item in &items[group.clone()] {
                index.row(item, number as u32);
            }
        }
        index.split_id(&delivered.fetched_by.split_id());
        index.end_position(&end);
        Self {
            id,
            index: index.bytes,
            body: Some(body),
            delivered: Some(delivered),
            end,
            _in_flight: Some(in_flight),
        }
    }

    /// A bounded range has ended.
    pub(crate) fn range_finished(split_id: &str) -> Self {
        let mut index = Index::new(Kind::RangeFinished, 0, 0, 0);
        index.split_id(split_id);
        Self::event(index)
    }

    /// The range was split; `children` go on.
    pub(crate) fn range_split(split_id: &str, children: &[SplitSnapshot]) -> Self {
        let mut index = Index::new(Kind::RangeSplit, 0, 0, 0);
        index.split_id(split_id);
        index.children(&encode_splits(children));
        Self::event(index)
    }

    /// The range is read no more because that was asked for.
    pub(crate) fn range_released(split_id: &str) -> Self {
        let mut index = Index::new(Kind::RangeReleased, 0, 0, 0);
        index.split_id(split_id);
        Self::event(index)
    }

    fn event(index: Index) -> Self {
        Self {
            id: 0,
            index: index.bytes,
            body: None,
            delivered: None,
            end: Vec::new(),
            _in_flight: None,
        }
    }

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
    ///
    /// # Errors
    /// `INTERNAL` when the page has no such group.
    pub fn position_after(&self, group: usize) -> Result<Vec<u8>> {
        let Some(Delivered { fetched_by, accepted }) = &self.delivered else {
            return Err(Error::new(Code::Internal, "an event has no commit groups"));
        };
        if group + 1 == accepted.marks.len() {
            return Ok(self.end.clone());
        }
        match accepted.position_after(fetched_by, group) {
            Some(position) => Ok(position.encode()),
            None => Err(Error::new(
                Code::Internal,
                format!(
                    "page {} has {} commit groups, asked for group {group}",
                    self.id,
                    accepted.marks.len()
                ),
            )),
        }
    }
}

struct Index {
    bytes: Vec<u8>,
}

impl Index {
    fn new(kind: Kind, id: u64, documents: usize, groups: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER + documents * ROW + 512);
        bytes.extend_from_slice(&LAYOUT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&(kind as u32).to_le_bytes());
        bytes.extend_from_slice(&id.to_le_bytes());
        bytes.extend_from_slice(&(documents as u32).to_le_bytes());
        bytes.extend_from_slice(&(groups as u32).to_le_bytes());
        bytes.resize(HEADER, 0);
        let mut index = Self { bytes };
        index.lsn(None);
        index
    }

    fn row(&mut self, item: &Item, group: u32) {
        let start = self.bytes.len();
        let mut put = |bytes: &[u8]| self.bytes.extend_from_slice(bytes);
        put(&item.document.offset.to_le_bytes());
        put(&item.document.len.to_le_bytes());
        put(&item.lsn.unwrap_or(ABSENT).to_le_bytes());
        put(&item.timestamp_millis.unwrap_or(ABSENT).to_le_bytes());
        put(&item.etag.offset.to_le_bytes());
        put(&item.etag.len.to_le_bytes());
        put(&item.previous.offset.to_le_bytes());
        put(&item.previous.len.to_le_bytes());
        let flags = if item.time_to_live_expired {
            TIME_TO_LIVE_EXPIRED
        } else {
            0
        };
        put(&[item.operation as u8, flags, 0, 0]);
        put(&group.to_le_bytes());
        put(&item.id.offset.to_le_bytes());
        put(&item.id.len.to_le_bytes());
        put(&item.partition_key.offset.to_le_bytes());
        put(&item.partition_key.len.to_le_bytes());
        debug_assert_eq!(self.bytes.len() - start, ROW);
    }

    fn split_id(&mut self, id: &str) {
        self.tail(24, id.as_bytes());
    }

    fn end_position(&mut self, position: &[u8]) {
        self.tail(32, position);
    }

    fn children(&mut self, framed: &[u8]) {
        self.tail(40, framed);
    }

    /// Appends bytes and writes their offset and length at `field` of the header.
    fn tail(&mut self, field: usize, bytes: &[u8]) {
        let offset = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        self.bytes[field..field + 4].copy_from_slice(&offset.to_le_bytes());
        self.bytes[field + 4..field + 8].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
    }

    fn request_charge(&mut self, units: f64) {
        self.bytes[48..56].copy_from_slice(&units.to_le_bytes());
    }

    fn lsn(&mut self, lsn: Option<i64>) {
        self.bytes[64..72].copy_from_slice(&lsn.unwrap_or(ABSENT).to_le_bytes());
    }

    fn bytes_in_flight(&mut self, bytes: u64) {
        self.bytes[56..64].copy_from_slice(&bytes.to_le_bytes());
    }
}
