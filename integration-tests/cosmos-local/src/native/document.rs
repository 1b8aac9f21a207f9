// SPDX-License-Identifier: Apache-2.0

//! Documents: what a client sends, and what the server keeps of it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::epk::Epk;
use super::settings::OwnTimeToLive;

/// Properties that only the server sets; a client's own are dropped.
const SYSTEM_PROPERTIES: [&str; 6] = ["_rid", "_self", "_etag", "_attachments", "_ts", "_lsn"];

/// The largest document the service takes, in bytes of its JSON.
pub const MAX_DOCUMENT_BYTES: usize = 2 * 1024 * 1024;

/// A JSON object whose values stay text, in the order the client sent them.
#[derive(Debug)]
pub struct Document<'a> {
    properties: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Document<'a> {
    /// Reads an object; where a name comes twice the last value counts.
    pub fn parse(text: &'a [u8]) -> Result<Self, String> {
        serde_json::from_slice(text).map_err(|error| format!("the document is no JSON object: {error}"))
    }

    /// The value of a property.
    pub fn value(&self, name: &str) -> Option<Value> {
        let (_, raw) = self.properties.iter().find(|(found, _)| found == name)?;
        serde_json::from_str(raw.get()).ok()
    }

    /// The document's id, when it is a string.
    pub fn id(&self) -> Option<String> {
        match self.value("id")? {
            Value::String(id) => Some(id),
            _ => None,
        }
    }

    /// The user's properties as the beginning of a JSON object, without the brace at its end.
    pub fn open_text(&self) -> String {
        let mut text = String::with_capacity(
            self.properties
                .iter()
                .map(|(name, raw)| name.len() + raw.get().len() + 6)
                .sum(),
        );
        for (name, raw) in &self.properties {
            if SYSTEM_PROPERTIES.contains(&name.as_ref()) {
                continue;
            }
            text.push(if text.is_empty() { '{' } else { ',' });
            text.push_str(&Value::from(name.as_ref()).to_string());
            text.push(':');
            text.push_str(raw.get());
        }
        if text.is_empty() {
            text.push('{');
        }
        text
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Document<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Properties;

        impl<'de> Visitor<'de> for Properties {
            type Value = Document<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                #[derive(Deserialize)]
                struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

                let mut properties: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
                let mut places: HashMap<Cow<'de, str>, usize> = HashMap::new();
                while let Some((Name(name), raw)) = map.next_entry()? {
                    match places.get(&name) {
                        Some(place) => properties[*place].1 = raw,
                        None => {
                            places.insert(name.clone(), properties.len());
                            properties.push((name, raw));
                        }
                    }
                }
                Ok(Document { properties })
            }
        }

        deserializer.deserialize_map(Properties)
    }
}

/// A version stamp: the number of the write among all writes of the server, and its second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Number of the write, from 1.
    pub write: u64,
    /// Seconds since 1970.
    pub seconds: u32,
}

impl Stamp {
    /// The ETag of the version, with its quotes.
    pub fn etag(self) -> String {
        format!(
            "\"{:08x}-{:04x}-0700-0000-{:08x}0000\"",
            self.write as u32,
            (self.write >> 32) as u16,
            self.seconds
        )
    }
}

/// What tells a document from all others of its container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentKey {
    /// Where its partition key lies.
    pub epk: Epk,
    /// Its id.
    pub id: Arc<str>,
}

/// One version of a document as it is kept.
#[derive(Debug)]
pub struct StoredDocument {
    /// Its key in the container.
    pub key: DocumentKey,
    /// Its partition key values as a JSON array.
    pub partition_key: Arc<str>,
    /// The number in its RID.
    pub ordinal: u64,
    /// Version and time.
    pub stamp: Stamp,
    /// Log sequence number in its partition.
    pub lsn: u64,
    /// What it says of its own time to live.
    pub time_to_live: Option<OwnTimeToLive>,
    /// The JSON as point reads answer it.
    pub json: Arc<[u8]>,
}

impl StoredDocument {
    /// The JSON without the brace at its end, so that a feed can add its own properties.
    pub fn open_json(&self) -> &[u8] {
        &self.json[..self.json.len() - 1]
    }

    /// The same version under another LSN.
    pub fn renumbered(&self, lsn: u64) -> Self {
        Self {
            key: self.key.clone(),
            partition_key: Arc::clone(&self.partition_key),
            ordinal: self.ordinal,
            stamp: self.stamp,
            lsn,
            time_to_live: self.time_to_live,
            json: Arc::clone(&self.json),
        }
    }
}

/// Puts the system properties behind the user's.
pub fn with_system_properties(open_text: &str, rid: &str, container_link: &str, stamp: Stamp) -> Arc<[u8]> {
    let comma = if open_text == "{" { "" } else { "," };
    let etag = stamp.etag();
    let etag = etag.trim_matches('"');
    let seconds = stamp.seconds;
    let text = format!(
        "{open_text}{comma}\"_rid\":\"{rid}\",\"_self\":\"{container_link}docs/{rid}/\",\
         \"_etag\":\"\\\"{etag}\\\"\",\"_attachments\":\"attachments/\",\"_ts\":{seconds}}}"
    );
    Arc::from(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_text_of_the_client_are_kept() {
        let document = Document::parse(br#"{"z":1.50,"id":"a","_ts":7,"a":{"x":[1, 2]},"z":2}"#).unwrap();
        assert_eq!(document.open_text(), r#"{"z":2,"id":"a","a":{"x":[1, 2]}"#);
        assert_eq!(document.id().as_deref(), Some("a"));
        assert!(Document::parse(b"[1]").is_err());
        assert_eq!(Document::parse(b"{}").unwrap().open_text(), "{");
    }

    #[test]
    fn stored_json_parses_and_carries_the_stamp() {
        let stamp = Stamp {
            write: 3,
            seconds: 1_700_000_000,
        };
        let json = with_system_properties("{\"id\":\"a\"", "rid=", "dbs/d/colls/c/", stamp);
        let value: Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(value["_ts"], 1_700_000_000);
        assert_eq!(value["_etag"], stamp.etag());
        assert_eq!(value["_self"], "dbs/d/colls/c/docs/rid=/");
    }
}
