// SPDX-License-Identifier: Apache-2.0

//! The regions of the account: where each is reached, which one takes writes, and what has become of the other.

use std::net::SocketAddr;
use std::time::Duration;

use http::uri::Authority;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::engine::{AdminError, Location};
use crate::operation::Operation;
use crate::reply::Reply;

/// The region of an account that was told no other; SDKs' tests expect a name of a real one.
pub const FIRST: &str = "East US 2";

/// Sub-status of a write in a region that takes none.
const WRITE_FORBIDDEN: u32 = 3;
/// Sub-status of a region that does not know the account.
const ACCOUNT_NOT_FOUND: u32 = 1008;

/// What a region answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RegionState {
    /// Everything that it should.
    Online,
    /// 403/1008: it does not belong to the account any more.
    Removed,
    /// Nothing: connections end without an answer.
    Down,
}

/// A region.
#[derive(Debug, Clone)]
struct Region {
    name: String,
    address: SocketAddr,
    state: RegionState,
    lag: Duration,
}

/// What the administrative interface changes of a region; what is absent stays.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegionChange {
    region: String,
    state: Option<RegionState>,
    lag_millis: Option<u64>,
}

/// A write region to move to.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Failover {
    /// Name of the region.
    pub to: String,
}

/// What a request in a region gets.
#[derive(Debug)]
pub enum Admission {
    /// Its answer, from the writes or from what has come of them by then.
    Serve {
        /// Whether the region may lag behind the writes.
        replica: bool,
    },
    /// A refusal.
    Refuse(Box<Reply>),
    /// No answer at all.
    Silence,
}

#[derive(Debug)]
struct Account {
    regions: Vec<Region>,
    /// The region that takes writes.
    writes: usize,
}

/// The regions of the account, one or two.
#[derive(Debug)]
pub struct Regions {
    names: Vec<String>,
    account: RwLock<Account>,
}

impl Regions {
    /// Regions by name and address; the first takes the writes.
    pub fn new(regions: Vec<(String, SocketAddr)>) -> Self {
        let names = regions.iter().map(|(name, _)| name.clone()).collect();
        let regions = regions
            .into_iter()
            .map(|(name, address)| Region {
                name,
                address,
                state: RegionState::Online,
                lag: Duration::ZERO,
            })
            .collect();
        Self {
            names,
            account: RwLock::new(Account { regions, writes: 0 }),
        }
    }

    /// The name of a region.
    pub fn name(&self, region: usize) -> &str {
        &self.names[region]
    }

    /// Whether a region answers an operation, and how.
    pub fn admit(&self, region: usize, operation: Operation) -> Admission {
        let account = self.account.read();
        let found = &account.regions[region];
        match found.state {
            RegionState::Down => Admission::Silence,
            RegionState::Removed => Admission::Refuse(Box::new(Reply::error(
                403,
                ACCOUNT_NOT_FOUND,
                format!("The database account does not exist in {}.", found.name),
            ))),
            RegionState::Online if region == account.writes => Admission::Serve { replica: false },
            RegionState::Online if operation.writes() => Admission::Refuse(Box::new(Reply::error(
                403,
                WRITE_FORBIDDEN,
                format!(
                    "The requested operation cannot be performed in {}, which takes no writes.",
                    found.name
                ),
            ))),
            RegionState::Online => Admission::Serve { replica: true },
        }
    }

    /// Where clients reach the regions that belong to the account, the one that takes writes first.
    ///
    /// They are given the host that the client itself has used.
    pub fn locations(&self, scheme: &str, authority: &str) -> Vec<Location> {
        let account = self.account.read();
        let alone = account.regions.len() == 1;
        let order =
            std::iter::once(account.writes).chain((0..account.regions.len()).filter(|at| *at != account.writes));
        order
            .map(|at| &account.regions[at])
            .filter(|region| region.state != RegionState::Removed)
            .map(|region| {
                let host = authority.parse::<Authority>().ok();
                let endpoint = match host {
                    Some(host) if !alone => format!("{scheme}://{}:{}/", host.host(), region.address.port()),
                    Some(_) => format!("{scheme}://{authority}/"),
                    None => format!("{scheme}://{}/", region.address),
                };
                Location {
                    name: region.name.clone(),
                    endpoint,
                }
            })
            .collect()
    }

    /// Moves the writes to a region.
    pub fn fail_over(&self, to: &str) -> Result<(), AdminError> {
        let mut account = self.account.write();
        let at = account.find(to)?;
        if account.regions[at].state != RegionState::Online {
            return Err(AdminError::new(409, format!("{to} is not online")));
        }
        account.writes = at;
        Ok(())
    }

    /// Changes a region.
    pub fn change(&self, change: &RegionChange) -> Result<(), AdminError> {
        let mut account = self.account.write();
        let at = account.find(&change.region)?;
        if change.state == Some(RegionState::Removed) && at == account.writes {
            return Err(AdminError::new(
                409,
                format!(
                    "{} takes the writes; fail over to the other region first",
                    change.region
                ),
            ));
        }
        let region = &mut account.regions[at];
        region.state = change.state.unwrap_or(region.state);
        region.lag = change.lag_millis.map_or(region.lag, Duration::from_millis);
        Ok(())
    }

    /// How far the region that takes no writes lags behind.
    pub fn lag(&self) -> Duration {
        let account = self.account.read();
        let replica = account.regions.iter().enumerate().find(|(at, _)| *at != account.writes);
        replica.map_or(Duration::ZERO, |(_, region)| region.lag)
    }

    /// The regions as the administrative interface shows them.
    pub fn describe(&self, scheme: &str) -> Value {
        let account = self.account.read();
        let regions: Vec<Value> = account
            .regions
            .iter()
            .enumerate()
            .map(|(at, region)| {
                json!({
                    "name": region.name,
                    "endpoint": format!("{scheme}://{}/", region.address),
                    "writes": at == account.writes,
                    "state": region.state,
                    "lagMillis": region.lag.as_millis() as u64,
                })
            })
            .collect();
        Value::Array(regions)
    }
}

impl Account {
    fn find(&self, name: &str) -> Result<usize, AdminError> {
        let found = self.regions.iter().position(|region| region.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.regions.iter().map(|region| region.name.as_str()).collect();
            AdminError::new(
                404,
                format!("{name} is no region of the account; there are {}", names.join(", ")),
            )
        })
    }
}
