// SPDX-License-Identifier: Apache-2.0
//! A position in a feed range, and its bytes in Flink's state.
//!
//! A position is *(token that fetched the page, mark)*: read from the token, drop what lies at or below the mark. Never
//! a count: an item that is updated meanwhile leaves its place, and a re-read page is shorter.
//!
//! Bytes, version 1, little-endian:
//!
//! ```text
//! "CDBP"  u8 version=1  u32 length of the body  body  u32 CRC-32 (IEEE) of everything before
//! body:   text endpoint  text database  text container  text container RID  u8 mode (0 latest version)
//!         text range min  text range max  u32 generation
//!         u8 start (0 beginning, 1 now, 2 at)  i64 start, ms since the epoch
//!         u8 0|1 [text continuation token]
//!         u8 0|1 [mark: i64 LSN, lineage]
//!         u8 0|1 [end:  i64 LSN, lineage]
//! lineage: text partition-key-range id  text range min  text range max
//! text:   u32 length, UTF-8
//! ```

use crate::configuration::Start;
use crate::error::{Code, Error, Result};
use crate::framing::SplitSnapshot;
use crate::range::{EpkRange, PhysicalRange};

const MAGIC: &[u8; 4] = b"CDBP";
const VERSION: u8 = 1;
const MODE_LATEST_VERSION: u8 = 0;

/// Which container a position belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerIdentity {
    /// Told in messages only: an account may be reached under another name.
    pub endpoint: String,
    pub database: String,
    pub container: String,
    /// The service's own id; a container recreated under the same name has another.
    pub rid: String,
}

/// The physical partition that an LSN was seen on. LSNs compare within it and its descendants by splits only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    pub partition_id: String,
    pub range: EpkRange,
}

impl Lineage {
    /// Whether LSNs of `partition` go on from this lineage's: it is the partition itself, or splits alone lead to it.
    ///
    /// A split leaves two halves, so each step of the way down must have another side, listed itself or by what became of it.
    /// A merged partition names its parts among its parents too, but they have no other side. In doubt the answer is no:
    /// then a page is read again whole, while a wrong yes would drop changes.
    pub fn leads_to(&self, partition: &PhysicalRange, topology: &[PhysicalRange]) -> bool {
        if self.partition_id == partition.id {
            return true;
        }
        let Some(from) = partition.parents.iter().position(|id| *id == self.partition_id) else {
            return false;
        };
        let narrower = self.range.contains(&partition.range) && !self.range.is_same(&partition.range);
        let step = |range: &PhysicalRange, at: usize| range.parents.get(at).unwrap_or(&range.id).clone();
        narrower
            && (from + 1..=partition.parents.len()).all(|at| {
                topology.iter().any(|other| {
                    other.parents.starts_with(&partition.parents[..at]) && step(other, at) != step(partition, at)
                })
            })
    }
}

/// An LSN and where it means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineageLsn {
    pub lsn: i64,
    pub lineage: Lineage,
}

/// Everything that is needed to go on reading one feed range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub identity: ContainerIdentity,
    pub range: EpkRange,
    /// 0 at discovery, one more than the parent's after a split.
    pub generation: u32,
    /// Used while there is no token.
    pub start: Start,
    /// The driver's continuation token that fetches the next page, or fetched the present one.
    pub token: Option<String>,
    /// The highest LSN emitted from the page that the token fetches.
    pub mark: Option<LineageLsn>,
    /// Bounded reading: the last LSN to emit.
    pub end: Option<LineageLsn>,
}

impl Position {
    /// The split's id: its range and generation, which make it unique for ever.
    pub fn split_id(&self) -> String {
        format!("{}-{}@{}", self.range.min(), self.range.max(), self.generation)
    }

    /// What a child goes on from: the parent's token, read with the child's range, and the parent's mark and end.
    pub fn child(&self, range: EpkRange) -> Position {
        Position {
            range,
            generation: self.generation + 1,
            ..self.clone()
        }
    }

    /// How Java sees it.
    pub fn snapshot(&self) -> SplitSnapshot {
        SplitSnapshot {
            split_id: self.split_id(),
            feed_range: self.range.to_string(),
            position: self.encode(),
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(256 + self.token.as_ref().map_or(0, String::len));
        put_text(&mut body, &self.identity.endpoint);
        put_text(&mut body, &self.identity.database);
        put_text(&mut body, &self.identity.container);
        put_text(&mut body, &self.identity.rid);
        body.push(MODE_LATEST_VERSION);
        put_text(&mut body, self.range.min());
        put_text(&mut body, self.range.max());
        body.extend_from_slice(&self.generation.to_le_bytes());
        let (kind, millis) = match self.start {
            Start::Beginning => (0, 0),
            Start::Now => (1, 0),
            Start::At(millis) => (2, millis),
        };
        body.push(kind);
        body.extend_from_slice(&millis.to_le_bytes());
        match &self.token {
            None => body.push(0),
            Some(token) => {
                body.push(1);
                put_text(&mut body, token);
            }
        }
        for lsn in [&self.mark, &self.end] {
            match lsn {
                None => body.push(0),
                Some(LineageLsn { lsn, lineage }) => {
                    body.push(1);
                    body.extend_from_slice(&lsn.to_le_bytes());
                    put_text(&mut body, &lineage.partition_id);
                    put_text(&mut body, lineage.range.min());
                    put_text(&mut body, lineage.range.max());
                }
            }
        }
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
        let mut fields = Fields { rest: &content[5..] };
        let position = (|| {
            let length = fields.u32()? as usize;
            if length != fields.rest.len() {
                return None;
            }
            let identity = ContainerIdentity {
                endpoint: fields.text()?,
                database: fields.text()?,
                container: fields.text()?,
                rid: fields.text()?,
            };
            if fields.u8()? != MODE_LATEST_VERSION {
                return None;
            }
            let range = fields.range()?;
            let generation = fields.u32()?;
            let start = match (fields.u8()?, fields.i64()?) {
                (0, 0) => Start::Beginning,
                (1, 0) => Start::Now,
                (2, millis) => Start::At(millis),
                _ => return None,
            };
            let token = if fields.flag()? { Some(fields.text()?) } else { None };
            let mark = fields.lineage_lsn()?;
            let end = fields.lineage_lsn()?;
            fields.rest.is_empty().then_some(Position {
                identity,
                range,
                generation,
                start,
                token,
                mark,
                end,
            })
        })();
        let position = position.ok_or_else(|| corrupt("a field does not read"))?;
        if position.split_id() != split_id {
            return Err(corrupt(&format!("it is of split '{}'", position.split_id())));
        }
        Ok(position)
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

struct Fields<'a> {
    rest: &'a [u8],
}

impl Fields<'_> {
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
        if len > self.rest.len() {
            return None;
        }
        let (text, rest) = self.rest.split_at(len);
        self.rest = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    fn range(&mut self) -> Option<EpkRange> {
        let min = self.text()?;
        let max = self.text()?;
        EpkRange::new(&min, &max).ok()
    }

    fn lineage_lsn(&mut self) -> Option<Option<LineageLsn>> {
        if !self.flag()? {
            return Some(None);
        }
        Some(Some(LineageLsn {
            lsn: self.i64()?,
            lineage: Lineage {
                partition_id: self.text()?,
                range: self.range()?,
            },
        }))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn lineage(id: &str, min: &str, max: &str) -> Lineage {
        Lineage {
            partition_id: id.to_owned(),
            range: EpkRange::new(min, max).unwrap(),
        }
    }

    pub(crate) fn position() -> Position {
        Position {
            identity: ContainerIdentity {
                endpoint: "https://a/".to_owned(),
                database: "db".to_owned(),
                container: "c".to_owned(),
                rid: "rid".to_owned(),
            },
            range: EpkRange::new("", "7F").unwrap(),
            generation: 0,
            start: Start::Beginning,
            token: None,
            mark: None,
            end: None,
        }
    }

    fn any_lsn() -> impl Strategy<Value = Option<LineageLsn>> {
        proptest::option::of((any::<i64>(), "[a-z0-9]{1,4}").prop_map(|(lsn, id)| LineageLsn {
            lsn,
            lineage: lineage(&id, "", "FF"),
        }))
    }

    fn any_position() -> impl Strategy<Value = Position> {
        let start = prop_oneof![
            Just(Start::Beginning),
            Just(Start::Now),
            any::<i64>().prop_map(Start::At)
        ];
        (
            any::<u32>(),
            start,
            proptest::option::of(".*"),
            any_lsn(),
            any_lsn(),
            ".*",
        )
            .prop_map(|(generation, start, token, mark, end, name)| {
                let mut position = position();
                position.identity.container = name;
                Position {
                    generation,
                    start,
                    token,
                    mark,
                    end,
                    ..position
                }
            })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(position in any_position()) {
            prop_assert_eq!(Position::decode(&position.split_id(), &position.encode()).unwrap(), position);
        }

        #[test]
        fn a_flipped_bit_a_cut_and_a_tail_are_refused(position in any_position(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let good = position.encode();
            let id = position.split_id();
            let mut flipped = good.clone();
            flipped[at.index(good.len())] ^= 1 << bit;
            prop_assert!(Position::decode(&id, &flipped).is_err());
            prop_assert!(Position::decode(&id, &good[..at.index(good.len())]).is_err());
            let mut tailed = good.clone();
            tailed.push(0);
            prop_assert!(Position::decode(&id, &tailed).is_err());
        }
    }

    #[test]
    fn a_newer_version_is_named() {
        let mut bytes = position().encode();
        bytes[4] = 9;
        let error = Position::decode("-7F@0", &bytes).unwrap_err();
        assert_eq!(error.code, Code::PositionTooNew);
        assert!(
            error.message.contains('9') && error.message.contains("-7F@0"),
            "{error}"
        );
    }

    #[test]
    fn a_position_of_another_split_is_refused() {
        assert!(Position::decode("-7F@1", &position().encode()).is_err());
    }

    fn partition(id: &str, min: &str, max: &str, parents: &[&str]) -> PhysicalRange {
        PhysicalRange {
            id: id.to_owned(),
            range: EpkRange::new(min, max).unwrap(),
            parents: parents.iter().map(|p| (*p).to_owned()).collect(),
        }
    }

    fn leads(topology: &[PhysicalRange], id: &str) -> bool {
        let found = topology.iter().find(|p| p.id == id).unwrap();
        lineage("1", "10", "40").leads_to(found, topology)
    }

    #[test]
    fn lsns_go_on_through_splits() {
        assert!(leads(&[partition("1", "10", "40", &["0"])], "1"));
        let nested = [
            partition("3", "20", "40", &["0", "1"]),
            partition("4", "10", "18", &["0", "1", "2"]),
            partition("6", "18", "1C", &["0", "1", "2", "5"]),
            partition("7", "1C", "20", &["0", "1", "2", "5"]),
            partition("8", "", "10", &["0"]),
        ];
        for id in ["3", "4", "6", "7"] {
            assert!(leads(&nested, id), "{id}");
        }
        assert!(!leads(&nested, "8"), "no descendant");
    }

    #[test]
    fn lsns_do_not_go_on_through_merges() {
        let with_neighbour = [partition("5", "10", "80", &["1", "4"]), partition("6", "", "10", &[])];
        assert!(!leads(&with_neighbour, "5"));
        let own_children = [
            partition("6", "10", "40", &["1", "2", "3"]),
            partition("9", "", "10", &[]),
        ];
        assert!(!leads(&own_children, "6"));
        // 1 into 2 and 3, 2 into 4 and 5, these merged into 6; then 6 split into 7 and 8.
        let half = partition("3", "20", "40", &["1"]);
        let grandchildren = [partition("6", "10", "20", &["1", "2", "4", "5"]), half.clone()];
        assert!(!leads(&grandchildren, "6"), "narrower, and a merge all the same");
        assert!(leads(&grandchildren, "3"));
        let split_again = [
            partition("7", "10", "18", &["1", "2", "4", "5", "6"]),
            partition("8", "18", "20", &["1", "2", "4", "5", "6"]),
            half,
        ];
        assert!(!leads(&split_again, "7"));
    }
}
