// SPDX-License-Identifier: Apache-2.0

//! Misbehaviour on demand: the next requests of a kind fail in a chosen way.

use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::engine::Response;
use crate::reply::Reply;

/// How a request misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FaultKind {
    /// Answer a status in place of the true answer.
    Status,
    /// Reset the connection in the middle of the answer's body.
    Reset,
    /// Close the connection before the announced end of the body.
    Truncate,
    /// Send the whole body, but announce more than there is.
    Long,
    /// Announce and send the first half of the body as if it were all.
    Short,
    /// Answer late.
    Delay,
    /// Close the connection without an answer.
    Refuse,
}

impl FaultKind {
    /// Its name in rules and in the request log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Reset => "reset",
            Self::Truncate => "truncate",
            Self::Long => "long",
            Self::Short => "short",
            Self::Delay => "delay",
            Self::Refuse => "refuse",
        }
    }
}

/// A rule: which requests misbehave, how, and how many of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Kind of the operation as the request log names it, or `any`.
    #[serde(default = "any")]
    pub operation: String,
    /// How many requests are left to misbehave.
    #[serde(default = "one")]
    pub count: u64,
    /// How they misbehave.
    pub kind: FaultKind,
    /// Status to answer.
    #[serde(default = "unavailable")]
    pub status: u16,
    /// Sub-status to answer.
    #[serde(default)]
    pub sub_status: u32,
    /// `x-ms-retry-after-ms` to answer, unless it is 0.
    #[serde(default)]
    pub retry_after_millis: u64,
    /// How much later to answer.
    #[serde(default)]
    pub delay_millis: u64,
    /// How many requests pass before the first that misbehaves.
    #[serde(default)]
    pub skip: u64,
}

fn any() -> String {
    "any".to_owned()
}

fn one() -> u64 {
    1
}

fn unavailable() -> u16 {
    503
}

/// What to name in a rule.
const OPERATIONS: [&str; 10] = [
    "any",
    "account",
    "database",
    "container",
    "pkranges",
    "changefeed",
    "query",
    "read",
    "write",
    "offer",
];

impl Fault {
    /// Refuses a rule that could never take effect.
    pub fn check(&self) -> Result<(), String> {
        if !OPERATIONS.contains(&self.operation.as_str()) {
            return Err(format!(
                "operation: {} is none of {}",
                self.operation,
                OPERATIONS.join(", ")
            ));
        }
        if !(200..=599).contains(&self.status) {
            return Err(format!("status: {} is not between 200 and 599", self.status));
        }
        Ok(())
    }

    /// How much later the request is to be answered.
    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_millis)
    }

    /// The answer of a rule with a status.
    pub fn answer(&self) -> Response {
        let reply = Reply::error(self.status, self.sub_status, "injected by a fault rule");
        if self.retry_after_millis == 0 {
            reply.build()
        } else {
            reply.header("x-ms-retry-after-ms", self.retry_after_millis).build()
        }
    }
}

/// The rules in force; the first that matches applies.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    /// Adds a rule behind the others.
    pub fn add(&self, fault: Fault) {
        self.0.lock().push(fault);
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.0.lock().clear();
    }

    /// The rules with what is left of them.
    pub fn list(&self) -> Vec<Fault> {
        self.0.lock().clone()
    }

    /// The rule for a request of a kind, which then has one request less to go.
    pub fn take(&self, operation: &str) -> Option<Fault> {
        let mut rules = self.0.lock();
        for rule in rules.iter_mut() {
            if rule.count == 0 || (rule.operation != "any" && rule.operation != operation) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.count -= 1;
            return Some(rule.clone());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Fault {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_rule_skips_counts_and_ends() {
        let faults = Faults::default();
        faults.add(rule(r#"{"operation":"changefeed","kind":"status","skip":1,"count":2}"#));
        assert!(faults.take("read").is_none());
        assert!(faults.take("changefeed").is_none());
        assert_eq!(faults.take("changefeed").unwrap().status, 503);
        assert!(faults.take("changefeed").is_some());
        assert!(faults.take("changefeed").is_none());
        assert_eq!(faults.list()[0].count, 0);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(rule(r#"{"operation":"nothing","kind":"reset"}"#).check().is_err());
        assert!(rule(r#"{"kind":"status","status":7}"#).check().is_err());
        assert!(rule(r#"{"kind":"refuse"}"#).check().is_ok());
        assert!(serde_json::from_str::<Fault>(r#"{"kind":"status","sub":1}"#).is_err());
    }
}
