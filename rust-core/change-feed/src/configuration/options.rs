// SPDX-License-Identifier: Apache-2.0
//! Reads a JSON object option by option: what is missing, of another kind or not known is refused by its name.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::error::{Code, Error, Result};

/// The options that have not been read yet. Values are told in errors, except the key's.
pub(super) struct Options {
    prefix: String,
    left: Map<String, Value>,
}

impl Options {
    pub(super) fn read(json: &[u8]) -> Result<Self> {
        // serde's message may quote what it found, the key: only the place is told.
        let left = serde_json::from_slice(json).map_err(|e| {
            Error::new(
                Code::ConfigurationInvalid,
                format!("the configuration is not a JSON object, column {}", e.column()),
            )
        })?;
        Ok(Self {
            prefix: String::new(),
            left,
        })
    }

    fn take(&mut self, option: &str) -> Result<Value> {
        self.left
            .remove(option)
            .ok_or_else(|| invalid(&self.named(option), "nothing", "a value"))
    }

    fn named(&self, option: &str) -> String {
        format!("{}{option}", self.prefix)
    }

    pub(super) fn group(&mut self, option: &str) -> Result<Options> {
        match self.take(option)? {
            Value::Object(left) => Ok(Options {
                prefix: format!("{option}."),
                left,
            }),
            other => Err(invalid(&self.named(option), kind_of(&other), "a JSON object")),
        }
    }

    pub(super) fn text(&mut self, option: &str) -> Result<String> {
        match self.take(option)? {
            Value::String(text) => Ok(text),
            other => Err(invalid(&self.named(option), kind_of(&other), "a text")),
        }
    }

    pub(super) fn texts(&mut self, option: &str) -> Result<Vec<String>> {
        let Value::Array(values) = self.take(option)? else {
            return Err(invalid(&self.named(option), "something else", "a list of texts"));
        };
        values
            .into_iter()
            .map(|value| match value {
                Value::String(text) => Ok(text),
                other => Err(invalid(&self.named(option), kind_of(&other), "a list of texts")),
            })
            .collect()
    }

    pub(super) fn number(&mut self, option: &str, accepted: RangeInclusive<u64>, unit: &str) -> Result<u64> {
        let found = self.take(option)?;
        found.as_u64().filter(|n| accepted.contains(n)).ok_or_else(|| {
            let shown = if found.is_number() {
                found.to_string()
            } else {
                kind_of(&found).to_owned()
            };
            let bounds = if *accepted.end() >= i64::MAX as u64 {
                format!("{} or more", accepted.start())
            } else {
                format!("{} to {}", accepted.start(), accepted.end())
            };
            invalid(&self.named(option), &shown, &format!("{bounds} {unit}"))
        })
    }

    pub(super) fn millis(&mut self, option: &str, longest: u64) -> Result<Duration> {
        self.number(option, 1..=longest, "ms").map(Duration::from_millis)
    }

    /// For what is sent always and used with some values of another option.
    pub(super) fn ignore(&mut self, option: &str) {
        self.left.remove(option);
    }

    pub(super) fn none_left(&self) -> Result<()> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(option) => Err(invalid(
                &self.named(option),
                "an option that there is not",
                "no such option",
            )),
        }
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

pub(super) fn invalid(option: &str, found: &str, accepted: &str) -> Error {
    Error::new(
        Code::ConfigurationInvalid,
        format!("option '{option}': found '{found}', accepted: {accepted}"),
    )
}
