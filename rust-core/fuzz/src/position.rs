// SPDX-License-Identifier: Apache-2.0
//! A position in Flink's state.

use change_feed::position::Position;

/// The bytes around a position's body, which a fuzzer would hardly guess.
const HEAD: &[u8] = b"CDBP\x01";

/// The input is a split's id, a line break and a position's body; head, length and checksum are added. What is read is
/// written again byte for byte, and no byte more or less is read.
pub fn check(input: &[u8]) -> bool {
    let (id, body) = match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => (String::from_utf8_lossy(&input[..end]), &input[end + 1..]),
        None => ("".into(), input),
    };
    // Without the frame, too: this must be refused or be a position.
    let _ = Position::decode(&id, body);
    let framed = frame(body);
    let Ok(position) = Position::decode(&id, &framed) else {
        return false;
    };
    assert_eq!(position.split_id(), id, "the split's id");
    assert_eq!(position.encode(), framed, "the position written again");
    true
}

/// Makes whole bytes of a body.
pub fn frame(body: &[u8]) -> Vec<u8> {
    let mut bytes = [HEAD, &(body.len() as u32).to_le_bytes(), body].concat();
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The input for [`check`] that stands for a position.
pub fn seed(position: &Position) -> Vec<u8> {
    let bytes = position.encode();
    let body = &bytes[HEAD.len() + 4..bytes.len() - 4];
    assert_eq!(frame(body), bytes, "the frame that this module knows is the core's");
    [position.split_id().as_bytes(), b"\n", body].concat()
}
