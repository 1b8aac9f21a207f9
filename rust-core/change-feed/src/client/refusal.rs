// SPDX-License-Identifier: Apache-2.0
//! The driver's errors in our words, sorted by what to do about them.

use std::time::Duration;

use azure_data_cosmos::{CosmosError, CosmosStatus};

use crate::configuration::Mode;
use crate::error::{Code, Error};
use crate::failure::Failure;
use crate::range::EpkRange;

fn sub_status(status: CosmosStatus) -> u32 {
    status.sub_status().map_or(0, |sub| u32::from(sub.value()))
}

pub(super) fn describe(error: &CosmosError, code: Code) -> Error {
    let status = error.status();
    let response = error.response();
    Error {
        code,
        message: error.to_string(),
        http_status: u16::from(status.status_code()),
        sub_status: sub_status(status),
        activity_id: response
            .and_then(|r| r.headers().activity_id.as_ref())
            .map(ToString::to_string),
        retryable: false,
    }
}

/// Sub-statuses of the driver's own making, `error/status_codes.rs`. Those that come as 500 are broken tokens, bodies and
/// expectations, which no retry mends, though the service's own passing failures are 500, too.
const OF_THE_DRIVER: std::ops::RangeInclusive<u32> = 20000..=20999;
/// The exceptions: a partition split that takes long, and lists of partitions that do not fit together yet.
const PASSING: [u32; 3] = [20206, 20302, 20307];

/// An answer whose body does not read, which may have been cut on its way.
const BODY_DOES_NOT_READ: u32 = 20020;

/// Sub-statuses of the driver's own making for requests that got no answer: connection, I/O, DNS, body, HTTP/2, time.
const UNANSWERED: std::ops::RangeInclusive<u32> = 20003..=20015;

/// Sub-status of a 400: the name stands for another container now, `COLLECTION_RID_MISMATCH`.
const CONTAINER_RID_MISMATCH: u32 = 1024;
/// Sub-status of a 410: what a name stands for has changed, `NAME_CACHE_STALE`.
const NAME_CACHE_STALE: u32 = 1000;
/// Sub-status of a 404: the replica lags behind the session, `READ_SESSION_NOT_AVAILABLE`. Of a 410 it says something else.
const READ_SESSION_NOT_AVAILABLE: u32 = 1002;
/// The driver's 503 when no region has come as far as the session, `CLIENT_READ_SESSION_NOT_AVAILABLE`.
const NO_REGION_HAS_COME_SO_FAR: u32 = 20310;
/// Sub-status of 403: the account is failing over, `DATABASE_ACCOUNT_NOT_FOUND`; and of one that became read-only.
const FAILING_OVER: [u32; 2] = [1008, 3];

/// Sorts a failure by what to do about it.
pub(super) fn sort(error: CosmosError) -> Failure {
    let status = error.status();
    let sub = sub_status(status);
    let transient = |throttled: bool| Failure::Transient {
        error: Error {
            retryable: true,
            ..describe(
                &error,
                if UNANSWERED.contains(&sub) {
                    Code::EndpointUnreachable
                } else {
                    Code::ServiceError
                },
            )
        },
        throttled,
        asked: error
            .response()
            .and_then(|r| r.headers().retry_after_ms)
            .map(Duration::from_millis),
    };
    match u16::from(status.status_code()) {
        429 => transient(true),
        400 if sub == CONTAINER_RID_MISMATCH => Failure::Missing(describe(&error, Code::ContainerNotFound)),
        410 if sub == NAME_CACHE_STALE => Failure::Missing(describe(&error, Code::ContainerNotFound)),
        408 | 410 | 449 | 502 | 503 | 504 => transient(false),
        500 if !OF_THE_DRIVER.contains(&sub) || PASSING.contains(&sub) => transient(false),
        500 if sub == BODY_DOES_NOT_READ => Failure::Unreadable(describe(&error, Code::ServiceError)),
        404 if sub == READ_SESSION_NOT_AVAILABLE => transient(false),
        404 => Failure::Missing(describe(&error, Code::ContainerNotFound)),
        403 if FAILING_OVER.contains(&sub) => transient(false),
        401 | 403 => Failure::Fatal(Error {
            message: format!("option 'key': the account refuses it: {error}"),
            ..describe(&error, Code::AuthenticationFailed)
        }),
        _ => Failure::Fatal(describe(&error, Code::ServiceError)),
    }
}

/// Whether no replica has come as far as the request's session token says.
pub(super) fn is_behind_session(error: &Error) -> bool {
    matches!(
        (error.http_status, error.sub_status),
        (404, READ_SESSION_NOT_AVAILABLE) | (503, NO_REGION_HAS_COME_SO_FAR)
    )
}

/// Whether the service itself, not the driver, called the request a bad one.
pub(super) fn is_refusal(error: &Error) -> bool {
    error.code == Code::ServiceError
        && error.http_status == 400
        && !OF_THE_DRIVER.contains(&error.sub_status)
        && error.activity_id.is_some()
}

/// What the service says, with a 500, when it is asked for all versions of a container whose partitions were merged at some
/// time; Azure/azure-cosmos-dotnet-v3 issue 5707. It says so for ever.
const MERGED_ONCE: &str = "more than two children";

/// Whether the service cannot read all versions of the container, and never will.
pub(super) fn is_merged_once(error: &Error) -> bool {
    error.http_status == 500 && error.message.contains(MERGED_ONCE)
}

/// The all-versions mode does not work where partitions were merged, as `failure` shows.
pub(super) fn mode_unavailable_after_merge(failure: Error) -> Failure {
    Failure::Fatal(Error {
        code: Code::ModeUnavailable,
        message: format!(
            "option 'changeFeedMode': the service cannot read {} of an account whose partitions were merged at some time; use \
             {}, or move the data to another account; the service says: {}",
            Mode::AllVersionsAndDeletes,
            Mode::LatestVersion,
            failure.message
        ),
        retryable: false,
        ..failure
    })
}

/// The account or container does not offer the all-versions mode, as `refusal` shows.
pub(super) fn mode_unavailable(refusal: Error) -> Failure {
    Failure::Fatal(Error {
        code: Code::ModeUnavailable,
        message: format!(
            "option 'changeFeedMode': the container does not offer {}; the account needs continuous backup and the mode \
             switched on; the service says: {}",
            Mode::AllVersionsAndDeletes,
            refusal.message
        ),
        ..refusal
    })
}

/// The service refuses a token, though it reads the range from now on.
pub(super) fn retention_expired(range: &EpkRange, refusal: Error) -> Failure {
    Failure::Expired(Error {
        code: Code::RetentionExpired,
        message: format!(
            "range {range}: the service refuses the position, and reads the range from now on: it no longer keeps the changes \
             since that position (the retention of the account's continuous backup); start the job without this state, or set \
             option 'retentionExpired' to START_FROM_NOW or PRESENT_STATE_THEN_CHANGES to go on without them; the service \
             says: {}",
            refusal.message
        ),
        ..refusal
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_was_merged_once_is_told_from_a_failure_that_passes() {
        let error = |http_status, message: &str| Error {
            http_status,
            retryable: true,
            ..Error::new(Code::ServiceError, message)
        };
        // As in the issue.
        let says = "500: Specified argument was out of the range of valid values. (Parameter 'Partition has more than two \
                    children which is not supported')";
        assert!(is_merged_once(&error(500, says)));
        assert!(!is_merged_once(&error(500, "500: An unknown error occurred")));
        assert!(!is_merged_once(&error(400, says)));
        let Failure::Fatal(error) = mode_unavailable_after_merge(error(500, says)) else {
            panic!("no retry mends it")
        };
        assert_eq!((error.code, error.retryable), (Code::ModeUnavailable, false));
        assert!(
            error.message.contains("were merged") && error.message.contains(says),
            "{error}"
        );
    }
}
