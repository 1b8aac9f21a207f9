// SPDX-License-Identifier: Apache-2.0
//! The configuration of docs/native-interface.md: read once, checked once, then trusted.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use url::Url;

use crate::error::{Code, Error, Result};

/// The longest page that the service makes (4 MB) plus one transactional batch (2 MB) that may not be cut.
pub const LARGEST_PAGE_BYTES: usize = 6 << 20;

/// What the feed is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Each document's latest version; no deletes.
    LatestVersion,
    /// Every version, deletes too, with what was there before; as far back as the account keeps them.
    AllVersionsAndDeletes,
}

/// Where a range without a position starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// All changes that the container still has.
    Beginning,
    /// Changes from the moment of discovery on; resolved to a token there.
    Now,
    /// Changes of the second of a point in time and later, milliseconds since the epoch. The service is exact to some seconds.
    At(i64),
}

/// Where a range ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    Never,
    /// At the LSN that the range had when it was discovered.
    Latest,
}

/// What to do with items that carry no LSN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemsWithoutLsn {
    /// Fail: without LSNs commit groups are unknown.
    Fail,
    /// Take the whole page as one commit group.
    Page,
}

/// What a session is opened with. `Debug` shows no key.
#[derive(Clone)]
pub struct Configuration {
    pub endpoint: Url,
    pub key: String,
    pub database: String,
    pub container: String,
    pub start: Start,
    pub stop: Stop,
    pub page_size: NonZeroU32,
    pub max_bytes_in_flight: usize,
    pub idle_poll_min: Duration,
    pub idle_poll_max: Duration,
    pub items_without_lsn: ItemsWithoutLsn,
    pub startup_timeout: Duration,
    pub request_timeout: Duration,
    pub trust_emulator_certificates: bool,
    pub application_name: String,
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configuration")
            .field("endpoint", &self.endpoint.as_str())
            .field("key", &"<redacted>")
            .field("database", &self.database)
            .field("container", &self.container)
            .field("start", &self.start)
            .field("stop", &self.stop)
            .field("page_size", &self.page_size)
            .field("max_bytes_in_flight", &self.max_bytes_in_flight)
            .finish_non_exhaustive()
    }
}

impl Configuration {
    /// Reads and checks the JSON.
    ///
    /// # Errors
    /// `CONFIGURATION_INVALID`, naming the option, what was found and what is accepted, never the key.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let mut options = Options::read(json)?;
        let mut start = options.group("startFrom")?;
        let start_from = match start.text("kind")?.as_str() {
            "BEGINNING" => Start::Beginning,
            "NOW" => Start::Now,
            "AT" => Start::At(start.number("epochMillis", 0..=i64::MAX as u64, "ms since the epoch")? as i64),
            kind => return Err(invalid("startFrom.kind", kind, "BEGINNING, NOW or AT")),
        };
        // Sent for every start, used by one.
        start.ignore("epochMillis");
        start.none_left()?;
        let mut stop = options.group("stopAt")?;
        let stop_at = match stop.text("kind")?.as_str() {
            "NEVER" => Stop::Never,
            "LATEST" => Stop::Latest,
            kind => return Err(invalid("stopAt.kind", kind, "NEVER or LATEST")),
        };
        stop.none_left()?;
        let mode = options.text("mode")?;
        if mode != "LATEST_VERSION" {
            return Err(invalid("mode", &mode, "LATEST_VERSION"));
        }
        let items_without_lsn = match options.text("itemsWithoutLsn")?.as_str() {
            "FAIL" => ItemsWithoutLsn::Fail,
            "PAGE" => ItemsWithoutLsn::Page,
            found => return Err(invalid("itemsWithoutLsn", found, "FAIL or PAGE")),
        };
        let trust_emulator_certificates = match options.text("certificateValidation")?.as_str() {
            "REQUIRED" => false,
            "REQUIRED_UNLESS_EMULATOR" => true,
            found => {
                return Err(invalid(
                    "certificateValidation",
                    found,
                    "REQUIRED or REQUIRED_UNLESS_EMULATOR",
                ));
            }
        };
        let idle_poll_max = options.millis("idlePollMaxMillis", u64::MAX)?;
        let read = Self {
            endpoint: endpoint(&options.text("endpoint")?)?,
            key: key(options.text("key")?)?,
            database: name("database", options.text("database")?)?,
            container: name("container", options.text("container")?)?,
            start: start_from,
            stop: stop_at,
            page_size: NonZeroU32::new(options.number("pageSize", 1..=100_000, "documents")? as u32)
                .expect("at least 1"),
            max_bytes_in_flight: usize::try_from(options.number(
                "maxBytesInFlight",
                LARGEST_PAGE_BYTES as u64..=u64::MAX,
                "bytes, at least one largest page",
            )?)
            .unwrap_or(usize::MAX),
            idle_poll_min: options.millis("idlePollMinMillis", idle_poll_max.as_millis() as u64)?,
            idle_poll_max,
            items_without_lsn,
            startup_timeout: options.millis("startupTimeoutMillis", u64::MAX)?,
            request_timeout: options.millis("requestTimeoutMillis", u64::MAX)?,
            trust_emulator_certificates,
            application_name: options.text("applicationName")?,
        };
        options.none_left()?;
        Ok(read)
    }
}

/// The options that have not been read yet. Values are told in errors, except the key's.
struct Options {
    prefix: String,
    left: Map<String, Value>,
}

impl Options {
    fn read(json: &[u8]) -> Result<Self> {
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

    fn group(&mut self, option: &str) -> Result<Options> {
        match self.take(option)? {
            Value::Object(left) => Ok(Options {
                prefix: format!("{option}."),
                left,
            }),
            other => Err(invalid(&self.named(option), kind_of(&other), "a JSON object")),
        }
    }

    fn text(&mut self, option: &str) -> Result<String> {
        match self.take(option)? {
            Value::String(text) => Ok(text),
            other => Err(invalid(&self.named(option), kind_of(&other), "a text")),
        }
    }

    fn number(&mut self, option: &str, accepted: RangeInclusive<u64>, unit: &str) -> Result<u64> {
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

    fn millis(&mut self, option: &str, longest: u64) -> Result<Duration> {
        self.number(option, 1..=longest, "ms").map(Duration::from_millis)
    }

    fn ignore(&mut self, option: &str) {
        self.left.remove(option);
    }

    fn none_left(&self) -> Result<()> {
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

fn invalid(option: &str, found: &str, accepted: &str) -> Error {
    Error::new(
        Code::ConfigurationInvalid,
        format!("option '{option}': found '{found}', accepted: {accepted}"),
    )
}

/// The SDK sends plain HTTP to loopback only; saying so here is clearer than its refusal later.
fn endpoint(text: &str) -> Result<Url> {
    let accepted = "https://HOST:PORT/, or http:// with a loopback host";
    let url = Url::parse(text).map_err(|e| invalid("endpoint", &format!("{text} ({e})"), accepted))?;
    let loopback = match url.host() {
        Some(url::Host::Domain(domain)) => domain == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => return Err(invalid("endpoint", text, accepted)),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("endpoint", "a URL with credentials in it", accepted));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        _ => Err(invalid("endpoint", text, accepted)),
    }
}

fn key(key: String) -> Result<String> {
    match STANDARD.decode(&key) {
        Ok(bytes) if !bytes.is_empty() => Ok(key),
        _ => Err(invalid(
            "key",
            &format!("a text of {} characters that is not base64", key.len()),
            "an account key as the portal shows it (base64)",
        )),
    }
}

fn name(option: &str, value: String) -> Result<String> {
    if value.is_empty() || value.contains(['/', '\\', '?', '#']) || value.len() > 255 {
        return Err(invalid(
            option,
            &value,
            "a name of 1 to 255 characters without / \\ ? #",
        ));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn valid() -> Value {
        json!({
            "endpoint": "http://127.0.0.1:8081/", "key": "c2VjcmV0a2V5", "database": "db", "container": "c",
            "mode": "LATEST_VERSION", "startFrom": {"kind": "AT", "epochMillis": 5}, "stopAt": {"kind": "NEVER"},
            "pageSize": 1000, "maxBytesInFlight": 67108864, "idlePollMinMillis": 100, "idlePollMaxMillis": 1000,
            "itemsWithoutLsn": "FAIL", "startupTimeoutMillis": 1, "requestTimeoutMillis": 1,
            "certificateValidation": "REQUIRED", "applicationName": ""
        })
    }

    fn read(value: &Value) -> Result<Configuration> {
        Configuration::from_json(value.to_string().as_bytes())
    }

    #[test]
    fn a_valid_configuration_is_read() {
        let configuration = read(&valid()).unwrap();
        assert_eq!(configuration.start, Start::At(5));
        assert_eq!(configuration.stop, Stop::Never);
    }

    #[test]
    fn every_bad_value_is_refused_by_its_name() {
        for (option, value) in [
            ("endpoint", json!("ftp://x")),
            ("endpoint", json!("http://example.com/")),
            ("key", json!("not base64!")),
            ("database", json!("")),
            ("container", json!("a/b")),
            ("mode", json!("ALL")),
            ("pageSize", json!(0)),
            ("pageSize", json!(-1)),
            ("pageSize", json!("many")),
            ("startFrom", json!({"kind": "AT"})),
            ("startFrom", json!({"kind": "LATER"})),
            ("stopAt", json!({"kind": "NEVER", "extra": 1})),
            ("pageSise", json!(1)),
            ("maxBytesInFlight", json!(5)),
            ("idlePollMinMillis", json!(2000)),
            ("itemsWithoutLsn", json!("SKIP")),
            ("startupTimeoutMillis", json!(0)),
            ("certificateValidation", json!("MAYBE")),
        ] {
            let mut configuration = valid();
            configuration[option] = value;
            let error = read(&configuration).unwrap_err();
            assert_eq!(error.code, Code::ConfigurationInvalid);
            assert!(error.message.contains(&format!("'{option}")), "{error}");
        }
    }

    #[test]
    fn the_key_is_in_no_message_and_no_debug() {
        let secret = "c2VjcmV0a2V5";
        assert!(!format!("{:?}", read(&valid()).unwrap()).contains(secret));
        for broken in [json!({"key": secret}), json!({"key": [secret]}), json!(secret)] {
            assert!(!read(&broken).unwrap_err().to_string().contains(secret));
        }
        let mut bad = valid();
        bad["key"] = json!(format!("{secret}!"));
        assert!(!read(&bad).unwrap_err().to_string().contains(secret));
    }
}
