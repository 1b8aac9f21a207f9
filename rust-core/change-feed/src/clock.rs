// SPDX-License-Identifier: Apache-2.0
//! What this machine's clock says, which may differ from the service's.

use time::OffsetDateTime;

/// Milliseconds since the epoch.
pub fn now_millis() -> i64 {
    let millis = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
    i64::try_from(millis).expect("the calendar ends before")
}
