// SPDX-License-Identifier: Apache-2.0
//! The configuration that Java hands over.

use change_feed::Configuration;
use serde_json::Value;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Neither a refusal nor what is printed of an accepted configuration depends on the account key, so none can tell it.
///
/// Looking for the key in the message would find it where it is told by nobody: a fuzzer makes a key of the words that
/// the message has anyway.
pub fn check(input: &[u8]) -> bool {
    if let Some((one, other)) = with_two_keys(input) {
        assert_eq!(told(&one), told(&other), "the key is told");
    }
    Configuration::from_json(input).is_ok()
}

fn told(input: &[u8]) -> String {
    match Configuration::from_json(input) {
        Ok(configuration) => format!("{configuration:?}"),
        Err(error) => format!("{error} {error:?}"),
    }
}

/// The same configuration with its key and with another that is as long and as good.
fn with_two_keys(input: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut configuration: Value = serde_json::from_slice(input).ok()?;
    let written = |configuration: &Value| configuration.to_string().into_bytes();
    let one = written(&configuration);
    let key = configuration.as_object_mut()?.get_mut("key")?;
    *key = Value::String(another(key.as_str()?));
    Some((one, written(&configuration)))
}

/// Changes the highest bit of each digit: the low bits of the last one decide whether the whole is base64.
fn another(key: &str) -> String {
    key.chars()
        .map(
            |digit| match BASE64.iter().position(|other| digit == char::from(*other)) {
                Some(value) => char::from(BASE64[value ^ 32]),
                None => digit,
            },
        )
        .collect()
}
