// SPDX-License-Identifier: Apache-2.0
//! The configuration of docs/native-interface.md: read once, checked once, then trusted.

mod options;

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use crate::error::Result;
use crate::token::SavedToken;
use options::{Options, invalid};

/// The longest page that the service makes (4 MB) plus one transactional batch (2 MB) that may not be cut.
pub const LARGEST_PAGE_BYTES: usize = 6 << 20;

/// More ranges than this are a mistake: each is a task and a place in every checkpoint.
const MOST_SPLITS: u64 = 10_000;

/// What the feed is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Each document's latest version; no deletes.
    LatestVersion,
    /// Every version, deletes too, with what was there before; as far back as the account keeps them.
    AllVersionsAndDeletes,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::LatestVersion => "LATEST_VERSION",
            Mode::AllVersionsAndDeletes => "ALL_VERSIONS_AND_DELETES",
        })
    }
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

/// Where a job without state starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartFrom {
    /// Every range in the same way.
    Each(Start),
    /// Every range behind a token that Microsoft's SDK for Rust has given out; together they cover the container.
    Tokens(Vec<SavedToken>),
    /// The present state first, in latest-version mode, then all changes since the moment at which it was asked for.
    PresentStateThenChanges,
}

/// Where a range ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    Never,
    /// At the LSN that the range had when it was discovered.
    Latest,
    /// Behind the second of a point in time, milliseconds since the epoch.
    At(i64),
}

/// What to do when the service no longer has the changes behind a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetentionExpired {
    Fail,
    /// Go on from now: what changed in between is not read.
    StartFromNow,
    /// Read the present state, then the changes since: versions and deletes in between are not read.
    PresentStateThenChanges,
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
    pub mode: Mode,
    pub start: StartFrom,
    pub stop: Stop,
    /// Ranges are cut so that there are at least so many.
    pub min_splits: u32,
    pub retention_expired: RetentionExpired,
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
            .field("mode", &self.mode)
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
        let mode = match options.text("mode")?.as_str() {
            "LATEST_VERSION" => Mode::LatestVersion,
            "ALL_VERSIONS_AND_DELETES" => Mode::AllVersionsAndDeletes,
            found => return Err(invalid("mode", found, "LATEST_VERSION or ALL_VERSIONS_AND_DELETES")),
        };
        let start = start_from(options.group("startFrom")?, mode)?;
        let stop = stop_at(options.group("stopAt")?)?;
        if let (StartFrom::Each(Start::At(start)), Stop::At(stop)) = (&start, stop)
            && stop < *start
        {
            return Err(invalid(
                "stopAt.epochMillis",
                &stop.to_string(),
                &format!("{start} (startFrom.epochMillis) or later"),
            ));
        }
        let retention_expired = match options.text("retentionExpired")?.as_str() {
            "FAIL" => RetentionExpired::Fail,
            fallback if mode == Mode::LatestVersion => {
                return Err(invalid(
                    "retentionExpired",
                    fallback,
                    "FAIL in mode LATEST_VERSION, which has no retention",
                ));
            }
            "START_FROM_NOW" => RetentionExpired::StartFromNow,
            "PRESENT_STATE_THEN_CHANGES" => RetentionExpired::PresentStateThenChanges,
            found => {
                return Err(invalid(
                    "retentionExpired",
                    found,
                    "FAIL, START_FROM_NOW or PRESENT_STATE_THEN_CHANGES",
                ));
            }
        };
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
            mode,
            start,
            stop,
            min_splits: options.number("minSplits", 1..=MOST_SPLITS, "feed ranges")? as u32,
            retention_expired,
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

fn start_from(mut group: Options, mode: Mode) -> Result<StartFrom> {
    let kind = group.text("kind")?;
    let start = match (kind.as_str(), mode) {
        ("NOW", _) => StartFrom::Each(Start::Now),
        ("TOKENS", _) => StartFrom::Tokens(saved_tokens(group.texts("tokens")?, mode)?),
        ("BEGINNING", Mode::LatestVersion) => StartFrom::Each(Start::Beginning),
        ("AT", Mode::LatestVersion) => StartFrom::Each(Start::At(epoch_millis(&mut group)?)),
        ("PRESENT_STATE_THEN_CHANGES", Mode::AllVersionsAndDeletes) => StartFrom::PresentStateThenChanges,
        (_, Mode::LatestVersion) => {
            return Err(invalid(
                "startFrom.kind",
                &kind,
                "BEGINNING, NOW, AT or TOKENS in mode LATEST_VERSION",
            ));
        }
        (_, Mode::AllVersionsAndDeletes) => {
            return Err(invalid(
                "startFrom.kind",
                &kind,
                "NOW, TOKENS or PRESENT_STATE_THEN_CHANGES in mode ALL_VERSIONS_AND_DELETES, which cannot start in the past",
            ));
        }
    };
    group.ignore("epochMillis");
    group.ignore("tokens");
    group.none_left()?;
    Ok(start)
}

fn stop_at(mut group: Options) -> Result<Stop> {
    let stop = match group.text("kind")?.as_str() {
        "NEVER" => Stop::Never,
        "LATEST" => Stop::Latest,
        "AT" => Stop::At(epoch_millis(&mut group)?),
        kind => return Err(invalid("stopAt.kind", kind, "NEVER, LATEST or AT")),
    };
    group.ignore("epochMillis");
    group.none_left()?;
    Ok(stop)
}

fn epoch_millis(group: &mut Options) -> Result<i64> {
    Ok(group.number("epochMillis", 0..=i64::MAX as u64, "ms since the epoch")? as i64)
}

fn saved_tokens(tokens: Vec<String>, mode: Mode) -> Result<Vec<SavedToken>> {
    let accepted = "continuation tokens of Microsoft's SDK for Rust ('c1.…'), at least one";
    if tokens.is_empty() {
        return Err(invalid("startFrom.tokens", "no token", accepted));
    }
    let mut saved = Vec::with_capacity(tokens.len());
    for (number, token) in (1..).zip(&tokens) {
        let token = SavedToken::read(token)
            .map_err(|e| invalid("startFrom.tokens", &format!("token {number}, {}", e.message), accepted))?;
        if token.mode != mode {
            return Err(invalid(
                "startFrom.tokens",
                &format!("token {number} of mode {}", token.mode),
                &format!("tokens of mode {mode}, as option 'changeFeedMode' says"),
            ));
        }
        saved.push(token);
    }
    Ok(saved)
}

/// The SDK sends plain HTTP to loopback only; saying so here is clearer than its refusal later. What is found is told as far
/// as it can hold no secret: a connection string has the key in it.
fn endpoint(text: &str) -> Result<Url> {
    let refuse = |found: &str| {
        let accepted = "https://HOST:PORT/, or http:// with a loopback host";
        Err(invalid("endpoint", found, accepted))
    };
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(e) => return refuse(&format!("a text of {} characters that is no URL: {e}", text.len())),
    };
    let loopback = match url.host() {
        Some(url::Host::Domain(domain)) => domain == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => return refuse(&format!("a URL of scheme {} without a host", url.scheme())),
    };
    let host = url.host_str().unwrap_or_default();
    if !url.username().is_empty() || url.password().is_some() {
        return refuse(&format!("a URL of host {host} with credentials in it"));
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return refuse(&format!("a URL of host {host} with more behind the host and the port"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        scheme => refuse(&format!("{scheme}://{host}")),
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
mod tests;
