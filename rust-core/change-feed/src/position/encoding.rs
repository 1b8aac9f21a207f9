// SPDX-License-Identifier: Apache-2.0
//! The bytes of a position in Flink's state, version 1, little-endian; byte by byte in docs/state-format.md.
//!
//! ```text
//! "CDBP"  u8 version=1  u32 length of the body  body  u32 CRC-32 (IEEE) of everything before
//! body:   text endpoint  text database  text container  text container RID
//!         u8 mode (0 latest version, 1 all versions and deletes)
//!         text range min  text range max  u32 generation
//!         u8 start (0 beginning, 1 now, 2 at)  i64 start, ms since the epoch
//!         u8 0|1 [text continuation token]
//!         u8 (0 none, 1 mark, 2 reached)  [i64 LSN, lineage]
//!         end
//!         u8 0|1 [then: text token, end]
//! end:     u8 (0 none, 1 LSN, 2 time)  [1: i64 LSN, lineage]  [2: i64 ms since the epoch]
//! lineage: text partition-key-range id  text range min  text range max
//! text:    u32 length, UTF-8
//! ```

use super::{ContainerIdentity, End, Lineage, LineageLsn, Position, Then};
use crate::configuration::{Mode, Start};
use crate::error::{Code, Error, Result};
use crate::range::EpkRange;

const MAGIC: &[u8; 4] = b"CDBP";
const VERSION: u8 = 1;

impl Position {
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Body(Vec::with_capacity(256 + self.token.as_ref().map_or(0, String::len)));
        body.text(&self.identity.endpoint);
        body.text(&self.identity.database);
        body.text(&self.identity.container);
        body.text(&self.identity.rid);
        body.u8(match self.mode {
            Mode::LatestVersion => 0,
            Mode::AllVersionsAndDeletes => 1,
        });
        body.range(&self.range);
        body.u32(self.generation);
        let (kind, millis) = match self.start {
            Start::Beginning => (0, 0),
            Start::Now => (1, 0),
            Start::At(millis) => (2, millis),
        };
        body.u8(kind);
        body.i64(millis);
        body.optional(self.token.as_ref(), |body, token| body.text(token));
        let (kind, lsn) = match (&self.mark, &self.reached) {
            (Some(mark), _) => (1, Some(mark)),
            (None, Some(reached)) => (2, Some(reached)),
            (None, None) => (0, None),
        };
        body.u8(kind);
        if let Some(lsn) = lsn {
            body.lineage_lsn(lsn);
        }
        body.end(self.end.as_ref());
        body.optional(self.then.as_ref(), |body, then| {
            body.text(&then.token);
            body.end(then.end.as_ref());
        });
        let body = body.0;
        let mut out = Vec::with_capacity(body.len() + 13);
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        out.extend_from_slice(&(body.len() as u32).to_le_bytes());
        out.extend_from_slice(&body);
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// # Errors
    /// `POSITION_TOO_NEW` for a version that this library does not know, `POSITION_CORRUPT` for anything else that
    /// [`Position::encode`] does not write. The message names `split_id`.
    pub fn decode(split_id: &str, bytes: &[u8]) -> Result<Position> {
        let corrupt = |what: &str| {
            Error::new(
                Code::PositionCorrupt,
                format!("the position of split '{split_id}' is damaged: {what}"),
            )
        };
        let (head, _) = bytes
            .split_first_chunk::<5>()
            .ok_or_else(|| corrupt("it is too short"))?;
        if &head[..4] != MAGIC {
            return Err(corrupt("it does not start like a position"));
        }
        if head[4] != VERSION {
            return Err(Error::new(
                Code::PositionTooNew,
                format!(
                    "the position of split '{split_id}' has format version {}, this library reads version {VERSION}: \
                     use the connector version that wrote the state, or a newer one",
                    head[4]
                ),
            ));
        }
        let (content, crc) = bytes
            .split_last_chunk::<4>()
            .ok_or_else(|| corrupt("it is too short"))?;
        if crc32fast::hash(content) != u32::from_le_bytes(*crc) {
            return Err(corrupt("its checksum does not match"));
        }
        let position = content
            .get(5..)
            .and_then(|rest| Fields { rest }.position())
            .ok_or_else(|| corrupt("a field does not read"))?;
        if position.split_id() != split_id {
            return Err(corrupt(&format!("it is of split '{}'", position.split_id())));
        }
        Ok(position)
    }
}

struct Body(Vec<u8>);

impl Body {
    fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn i64(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.u32(text.len() as u32);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn optional<T>(&mut self, value: Option<&T>, put: impl FnOnce(&mut Self, &T)) {
        self.u8(value.is_some().into());
        if let Some(value) = value {
            put(self, value);
        }
    }

    fn range(&mut self, range: &EpkRange) {
        self.text(range.min());
        self.text(range.max());
    }

    fn lineage_lsn(&mut self, lsn: &LineageLsn) {
        self.i64(lsn.lsn);
        self.text(&lsn.lineage.partition_id);
        self.range(&lsn.lineage.range);
    }

    fn end(&mut self, end: Option<&End>) {
        match end {
            None => self.u8(0),
            Some(End::Lsn(lsn)) => {
                self.u8(1);
                self.lineage_lsn(lsn);
            }
            Some(End::Time(millis)) => {
                self.u8(2);
                self.i64(*millis);
            }
        }
    }
}

struct Fields<'a> {
    rest: &'a [u8],
}

impl Fields<'_> {
    /// `None` for what [`Position::encode`] does not write.
    fn position(mut self) -> Option<Position> {
        let length = self.u32()? as usize;
        if length != self.rest.len() {
            return None;
        }
        let identity = ContainerIdentity {
            endpoint: self.text()?,
            database: self.text()?,
            container: self.text()?,
            rid: self.text()?,
        };
        let mode = match self.u8()? {
            0 => Mode::LatestVersion,
            1 => Mode::AllVersionsAndDeletes,
            _ => return None,
        };
        let range = self.range()?;
        let generation = self.u32()?;
        let start = match (self.u8()?, self.i64()?) {
            (0, 0) => Start::Beginning,
            (1, 0) => Start::Now,
            (2, millis) => Start::At(millis),
            _ => return None,
        };
        let token = if self.flag()? { Some(self.text()?) } else { None };
        let (mark, reached) = match self.u8()? {
            0 => (None, None),
            1 => (Some(self.lineage_lsn()?), None),
            2 => (None, Some(self.lineage_lsn()?)),
            _ => return None,
        };
        let end = self.end()?;
        let then = if self.flag()? {
            let token = self.text()?;
            let end = self.end()?;
            Some(Then { token, end })
        } else {
            None
        };
        // The present state is read in latest-version mode and up to an LSN.
        if then.is_some() && (mode, matches!(end, Some(End::Lsn(_)))) != (Mode::LatestVersion, true) {
            return None;
        }
        self.rest.is_empty().then_some(Position {
            identity,
            mode,
            range,
            generation,
            start,
            token,
            mark,
            reached,
            end,
            then,
        })
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|b| b[0])
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn text(&mut self) -> Option<String> {
        let len = self.u32()? as usize;
        let (text, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    fn range(&mut self) -> Option<EpkRange> {
        let min = self.text()?;
        let max = self.text()?;
        // Only as it is written: a bound in lower case means the same and is not.
        EpkRange::new(&min, &max)
            .ok()
            .filter(|range| range.min() == min && range.max() == max)
    }

    fn lineage_lsn(&mut self) -> Option<LineageLsn> {
        Some(LineageLsn {
            lsn: self.i64()?,
            lineage: Lineage {
                partition_id: self.text()?,
                range: self.range()?,
            },
        })
    }

    fn end(&mut self) -> Option<Option<End>> {
        Some(match self.u8()? {
            0 => None,
            1 => Some(End::Lsn(self.lineage_lsn()?)),
            2 => Some(End::Time(self.i64()?)),
            _ => return None,
        })
    }
}
