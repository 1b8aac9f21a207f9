// SPDX-License-Identifier: Apache-2.0
//! Lists of splits between Java and Rust.

use change_feed::framing::{decode_splits, encode_splits};

/// What is read is written again byte for byte.
pub fn check(input: &[u8]) -> bool {
    let Ok(splits) = decode_splits(input) else {
        return false;
    };
    assert_eq!(encode_splits(&splits), input, "the splits written again");
    true
}
