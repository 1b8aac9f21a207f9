// SPDX-License-Identifier: Apache-2.0

//! Resource ids: base64 of the ids of a resource and of all it lies in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The bit that tells a container's number from a user's.
const CONTAINER_BIT: u32 = 0x8000_0000;

/// RID of a database.
pub fn database(database: u32) -> String {
    encode(&database.to_be_bytes())
}

/// RID of a container.
pub fn container(database: u32, container: u32) -> String {
    encode(&container_bytes(database, container))
}

/// RID of a document.
pub fn document(database: u32, container: u32, ordinal: u64) -> String {
    inside(database, container, ordinal)
}

/// RID of a partition key range, whose kind is told by the top four bits.
pub fn partition(database: u32, container: u32, partition: u32) -> String {
    inside(database, container, u64::from(partition) | 0x5 << 60)
}

/// RID of an offer.
pub fn offer(number: u32) -> String {
    let mut bytes = [0u8; 3];
    bytes.copy_from_slice(&number.to_be_bytes()[1..]);
    encode(&bytes)
}

fn container_bytes(database: u32, container: u32) -> [u8; 8] {
    let mut bytes = [0u8; 8];
    bytes[..4].copy_from_slice(&database.to_be_bytes());
    bytes[4..].copy_from_slice(&(container | CONTAINER_BIT).to_be_bytes());
    bytes
}

fn inside(database: u32, container: u32, number: u64) -> String {
    let mut bytes = [0u8; 16];
    bytes[..8].copy_from_slice(&container_bytes(database, container));
    bytes[8..].copy_from_slice(&number.to_le_bytes());
    encode(&bytes)
}

/// Base64 whose slash is a dash, because RIDs stand in paths.
fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes).replace('/', "-")
}
