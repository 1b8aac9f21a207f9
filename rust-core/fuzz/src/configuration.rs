// SPDX-License-Identifier: Apache-2.0
//! The configuration that Java hands over.

use change_feed::Configuration;
use serde_json::Value;

/// Shorter keys may be part of a message by chance.
const TELLING: usize = 16;

/// Neither a refusal nor what is printed of an accepted configuration holds the account key.
pub fn check(input: &[u8]) -> bool {
    let read = Configuration::from_json(input);
    let told = match &read {
        Ok(configuration) => format!("{configuration:?}"),
        Err(error) => error.to_string(),
    };
    if let Some(key) = key(input) {
        assert!(!told.contains(&key), "the key is told: {told}");
    }
    read.is_ok()
}

/// The key, unless the same text stands elsewhere in the configuration as well.
fn key(input: &[u8]) -> Option<String> {
    let mut configuration: Value = serde_json::from_slice(input).ok()?;
    let key = configuration.as_object_mut()?.remove("key")?;
    let key = key.as_str().filter(|key| key.len() >= TELLING)?;
    (!mentions(&configuration, key)).then(|| key.to_owned())
}

fn mentions(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found.contains(text),
        Value::Array(values) => values.iter().any(|value| mentions(value, text)),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.contains(text) || mentions(value, text)),
        other => other.to_string().contains(text),
    }
}
