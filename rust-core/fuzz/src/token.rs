// SPDX-License-Identifier: Apache-2.0
//! A continuation token of the driver.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use change_feed::token::{SavedToken, TokenShape};

/// The input is the token's JSON, to spare the fuzzer the base64, or the whole token where it starts like one.
pub fn check(input: &[u8]) -> bool {
    let whole = input.starts_with(b"c1.");
    let token = if whole {
        String::from_utf8_lossy(input).into_owned()
    } else {
        format!("c1.{}", URL_SAFE_NO_PAD.encode(input))
    };
    let saved = SavedToken::read(&token);
    let Ok(shape) = TokenShape::read(&token) else {
        assert!(saved.is_err(), "a token to start from is a token");
        return false;
    };
    for range in saved.iter().flat_map(|saved| &saved.ranges) {
        let alone = TokenShape::read(&range.token).expect("a part of a token is a token");
        assert!(alone.is_for(&range.range), "{} is not {}", range.token, range.range);
        assert_eq!(alone.container_rid, shape.container_rid, "the container of a part");
    }
    for range in &shape.ranges {
        let alone = shape.ranges.len() == 1;
        assert_eq!(
            shape.is_for(range),
            alone,
            "{range} in a token of {} ranges",
            shape.ranges.len()
        );
    }
    true
}
