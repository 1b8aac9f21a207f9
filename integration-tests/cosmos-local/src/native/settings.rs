// SPDX-License-Identifier: Apache-2.0

//! What a container retains and for how long, from the administrative interface or from the container's own body.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::engine::{AdminError, AllVersionsSpec};

/// The longest retention, ten years.
const MAX_RETENTION: Duration = Duration::from_secs(10 * 366 * 24 * 3600);
/// The largest time to live, in seconds.
const MAX_TIME_TO_LIVE: i64 = i32::MAX as i64;

/// The mode with all versions and deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllVersions {
    /// How long a change stays readable.
    pub retention: Duration,
    /// Whether replaces and deletes carry the version before.
    pub previous_images: bool,
}

impl AllVersions {
    /// Checks what the administrative interface was told.
    pub fn of_spec(spec: &AllVersionsSpec) -> Result<Self, AdminError> {
        let seconds = spec.retention_seconds;
        Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|retention| !retention.is_zero() && *retention <= MAX_RETENTION)
            .map(|retention| Self {
                retention,
                previous_images: spec.previous_images,
            })
            .ok_or_else(|| {
                AdminError::new(
                    400,
                    format!("allVersionsAndDeletes.retentionSeconds: {seconds} is not above 0 and below ten years"),
                )
            })
    }

    /// What the body of a container asks for, in minutes; `default` is the account's.
    ///
    /// As in Microsoft's emulator this alone brings no previous images.
    pub fn of_body(body: &Map<String, Value>, default: Option<Self>) -> Option<Self> {
        let minutes = body
            .get("changeFeedPolicy")
            .and_then(|policy| policy["retentionDuration"].as_u64())
            .filter(|minutes| *minutes > 0);
        match minutes {
            Some(minutes) => Some(Self {
                retention: Duration::from_secs(minutes.saturating_mul(60)).min(MAX_RETENTION),
                previous_images: false,
            }),
            None => default,
        }
    }
}

/// Time to live of a container's documents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TimeToLive {
    /// Documents live for ever, whatever they say themselves.
    #[default]
    Off,
    /// Documents live as long as they say themselves.
    OwnOnly,
    /// Documents that say nothing live for so many seconds.
    Default(u32),
}

impl TimeToLive {
    /// From seconds as the service has them: none, -1 or a positive number.
    pub fn of_seconds(seconds: Option<i64>) -> Result<Self, String> {
        match seconds {
            None => Ok(Self::Off),
            Some(-1) => Ok(Self::OwnOnly),
            Some(seconds @ 1..=MAX_TIME_TO_LIVE) => Ok(Self::Default(seconds as u32)),
            Some(other) => Err(format!("{other} is neither -1 nor between 1 and {MAX_TIME_TO_LIVE}")),
        }
    }

    /// From the body of a container.
    pub fn of_body(body: &Map<String, Value>) -> Result<Self, String> {
        match body.get("defaultTtl") {
            None | Some(Value::Null) => Ok(Self::Off),
            Some(value) => value
                .as_i64()
                .ok_or_else(|| format!("{value} is no whole number"))
                .and_then(|seconds| Self::of_seconds(Some(seconds))),
        }
    }

    /// The same as seconds.
    pub fn to_seconds(self) -> Option<i64> {
        match self {
            Self::Off => None,
            Self::OwnOnly => Some(-1),
            Self::Default(seconds) => Some(i64::from(seconds)),
        }
    }

    /// For how many seconds a document lives that says so itself, or says nothing.
    pub fn of_document(self, own: Option<OwnTimeToLive>) -> Option<u32> {
        match (self, own) {
            (Self::Off, _) | (_, Some(OwnTimeToLive::Never)) | (Self::OwnOnly, None) => None,
            (_, Some(OwnTimeToLive::Seconds(seconds))) => Some(seconds),
            (Self::Default(seconds), None) => Some(seconds),
        }
    }
}

/// What a document says of its own time to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnTimeToLive {
    /// It does not expire.
    Never,
    /// Seconds after its last write.
    Seconds(u32),
}

impl OwnTimeToLive {
    /// From the property `ttl`; what is no number there is a property like any other.
    pub fn of_property(value: Option<&Value>) -> Result<Option<Self>, String> {
        let Some(Value::Number(number)) = value else {
            return Ok(None);
        };
        match number.as_i64() {
            Some(-1) => Ok(Some(Self::Never)),
            Some(seconds @ 1..=MAX_TIME_TO_LIVE) => Ok(Some(Self::Seconds(seconds as u32))),
            _ => Err(format!(
                "ttl: {number} is neither -1 nor a whole number between 1 and {MAX_TIME_TO_LIVE}"
            )),
        }
    }
}

/// All that can be set.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// The mode with all versions and deletes, when it is on.
    pub all_versions: Option<AllVersions>,
    /// Time to live.
    pub time_to_live: TimeToLive,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn the_body_of_a_container_sets_minutes_and_seconds() {
        let on = body(json!({"changeFeedPolicy": {"retentionDuration": 5}, "defaultTtl": 7}));
        let all_versions = AllVersions::of_body(&on, None).unwrap();
        assert_eq!(all_versions.retention, Duration::from_secs(300));
        assert!(!all_versions.previous_images);
        assert_eq!(TimeToLive::of_body(&on), Ok(TimeToLive::Default(7)));
        let off = body(json!({"changeFeedPolicy": {"retentionDuration": 0}}));
        assert_eq!(AllVersions::of_body(&off, None), None);
        assert_eq!(AllVersions::of_body(&off, Some(all_versions)), Some(all_versions));
        assert_eq!(TimeToLive::of_body(&off), Ok(TimeToLive::Off));
        assert!(TimeToLive::of_body(&body(json!({"defaultTtl": 0}))).is_err());
    }

    #[test]
    fn a_document_may_live_longer_shorter_or_for_ever() {
        let own = |value: Value| OwnTimeToLive::of_property(Some(&value));
        let default = TimeToLive::Default(10);
        assert_eq!(default.of_document(None), Some(10));
        assert_eq!(default.of_document(own(json!(99)).unwrap()), Some(99));
        assert_eq!(default.of_document(own(json!(-1)).unwrap()), None);
        assert_eq!(TimeToLive::OwnOnly.of_document(None), None);
        assert_eq!(TimeToLive::OwnOnly.of_document(own(json!(3)).unwrap()), Some(3));
        assert_eq!(TimeToLive::Off.of_document(own(json!(3)).unwrap()), None);
        assert_eq!(own(json!("soon")), Ok(None));
        assert!(own(json!(0)).is_err());
        assert!(own(json!(1.5)).is_err());
    }
}
