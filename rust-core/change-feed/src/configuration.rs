// SPDX-License-Identifier: Apache-2.0
//! The configuration of docs/native-interface.md: read once, checked once, then trusted.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use url::Url;

use crate::error::{Code, Error, Result};

/// The longest page that the service makes (4 MB) plus one transactional batch (2 MB) that may not be cut.
pub const LARGEST_PAGE_BYTES: usize = 6 << 20;

/// Where a range without a position starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// All changes that the container still has.
    Beginning,
    /// Changes from the moment of discovery on; resolved to a token there.
    Now,
    /// Changes from a point in time on, milliseconds since the epoch; the service rounds to seconds.
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
    pub accept_invalid_certificates: bool,
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    endpoint: String,
    key: String,
    database: String,
    container: String,
    mode: String,
    start_from: WireStart,
    stop_at: WireStop,
    page_size: u32,
    max_bytes_in_flight: u64,
    idle_poll_min_millis: u64,
    idle_poll_max_millis: u64,
    items_without_lsn: String,
    startup_timeout_millis: u64,
    request_timeout_millis: u64,
    certificate_validation: String,
    application_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireStart {
    kind: String,
    epoch_millis: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireStop {
    kind: String,
}

impl Configuration {
    /// Reads and checks the JSON.
    ///
    /// # Errors
    /// `CONFIGURATION_INVALID`, naming the option, what was found and what is accepted, never the key.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        // serde's message may quote a value, and the value may be the key: only its place is told.
        let wire: Wire = serde_json::from_slice(json).map_err(|e| match e.classify() {
            serde_json::error::Category::Data => Error::new(
                Code::ConfigurationInvalid,
                format!(
                    "the configuration has a missing, unknown or mistyped option at column {}",
                    e.column()
                ),
            ),
            _ => Error::new(
                Code::ConfigurationInvalid,
                format!("the configuration is not JSON, column {}", e.column()),
            ),
        })?;
        if wire.mode != "LATEST_VERSION" {
            return Err(invalid("mode", &wire.mode, "LATEST_VERSION"));
        }
        let start = match (wire.start_from.kind.as_str(), wire.start_from.epoch_millis) {
            ("BEGINNING", _) => Start::Beginning,
            ("NOW", _) => Start::Now,
            ("AT", Some(millis)) if millis >= 0 => Start::At(millis),
            ("AT", found) => {
                return Err(invalid(
                    "startFrom.epochMillis",
                    &format!("{found:?}"),
                    "milliseconds since the epoch, not negative",
                ));
            }
            (kind, _) => return Err(invalid("startFrom.kind", kind, "BEGINNING, NOW or AT")),
        };
        let stop = match wire.stop_at.kind.as_str() {
            "NEVER" => Stop::Never,
            "LATEST" => Stop::Latest,
            kind => return Err(invalid("stopAt.kind", kind, "NEVER or LATEST")),
        };
        let items_without_lsn = match wire.items_without_lsn.as_str() {
            "FAIL" => ItemsWithoutLsn::Fail,
            "PAGE" => ItemsWithoutLsn::Page,
            found => return Err(invalid("itemsWithoutLsn", found, "FAIL or PAGE")),
        };
        let accept_invalid_certificates = match wire.certificate_validation.as_str() {
            "REQUIRED" => false,
            "DISABLED" => true,
            found => return Err(invalid("certificateValidation", found, "REQUIRED or DISABLED")),
        };
        let max_bytes_in_flight = usize::try_from(wire.max_bytes_in_flight).unwrap_or(usize::MAX);
        if max_bytes_in_flight < LARGEST_PAGE_BYTES {
            return Err(invalid(
                "maxBytesInFlight",
                &wire.max_bytes_in_flight.to_string(),
                &format!("at least one largest page, {LARGEST_PAGE_BYTES} bytes"),
            ));
        }
        if wire.idle_poll_min_millis == 0 || wire.idle_poll_min_millis > wire.idle_poll_max_millis {
            return Err(invalid(
                "idlePollMinMillis",
                &wire.idle_poll_min_millis.to_string(),
                &format!("1 to idlePollMaxMillis ({})", wire.idle_poll_max_millis),
            ));
        }
        Ok(Self {
            endpoint: endpoint(&wire.endpoint)?,
            key: key(wire.key)?,
            database: name("database", wire.database)?,
            container: name("container", wire.container)?,
            start,
            stop,
            page_size: NonZeroU32::new(wire.page_size)
                .filter(|n| n.get() <= 100_000)
                .ok_or_else(|| invalid("pageSize", &wire.page_size.to_string(), "1 to 100000 documents"))?,
            max_bytes_in_flight,
            idle_poll_min: Duration::from_millis(wire.idle_poll_min_millis),
            idle_poll_max: Duration::from_millis(wire.idle_poll_max_millis),
            items_without_lsn,
            startup_timeout: positive("startupTimeoutMillis", wire.startup_timeout_millis)?,
            request_timeout: positive("requestTimeoutMillis", wire.request_timeout_millis)?,
            accept_invalid_certificates,
            application_name: wire.application_name,
        })
    }
}

fn invalid(option: &str, found: &str, accepted: &str) -> Error {
    Error::new(
        Code::ConfigurationInvalid,
        format!("option '{option}': found '{found}', accepted: {accepted}"),
    )
}

fn positive(option: &str, millis: u64) -> Result<Duration> {
    if millis == 0 {
        return Err(invalid(option, "0", "at least 1 ms"));
    }
    Ok(Duration::from_millis(millis))
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
    use serde_json::{Value, json};

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
            assert!(error.message.contains(&format!("'{option}'")), "{error}");
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

    #[test]
    fn an_unknown_option_is_refused() {
        let mut configuration = valid();
        configuration["pageSise"] = json!(1);
        assert!(read(&configuration).is_err());
    }
}
