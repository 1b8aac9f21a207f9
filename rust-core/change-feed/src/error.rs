// SPDX-License-Identifier: Apache-2.0
//! The one error type of the core. Its code is stable and crosses to Java; see docs/native-interface.md.

use std::fmt;

/// What went wrong, in words that do not change between versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    ConfigurationInvalid,
    EndpointUnreachable,
    AuthenticationFailed,
    DatabaseNotFound,
    ContainerNotFound,
    ContainerRecreated,
    PositionCorrupt,
    PositionTooNew,
    PositionMismatch,
    RangeCoverage,
    ModeUnavailable,
    RetentionExpired,
    LsnMissing,
    PageMalformed,
    SessionClosed,
    LibraryMismatch,
    Panic,
    ServiceError,
    Internal,
}

impl Code {
    /// The name that Java and the documentation use.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::ConfigurationInvalid => "CONFIGURATION_INVALID",
            Code::EndpointUnreachable => "ENDPOINT_UNREACHABLE",
            Code::AuthenticationFailed => "AUTHENTICATION_FAILED",
            Code::DatabaseNotFound => "DATABASE_NOT_FOUND",
            Code::ContainerNotFound => "CONTAINER_NOT_FOUND",
            Code::ContainerRecreated => "CONTAINER_RECREATED",
            Code::PositionCorrupt => "POSITION_CORRUPT",
            Code::PositionTooNew => "POSITION_TOO_NEW",
            Code::PositionMismatch => "POSITION_MISMATCH",
            Code::RangeCoverage => "RANGE_COVERAGE",
            Code::ModeUnavailable => "MODE_UNAVAILABLE",
            Code::RetentionExpired => "RETENTION_EXPIRED",
            Code::LsnMissing => "LSN_MISSING",
            Code::PageMalformed => "PAGE_MALFORMED",
            Code::SessionClosed => "SESSION_CLOSED",
            Code::LibraryMismatch => "LIBRARY_MISMATCH",
            Code::Panic => "PANIC",
            Code::ServiceError => "SERVICE_ERROR",
            Code::Internal => "INTERNAL",
        }
    }
}

/// A failure with the service's own account of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub code: Code,
    pub message: String,
    /// HTTP status of the service's answer, 0 when there was none.
    pub http_status: u16,
    /// Cosmos sub-status, 0 when there was none.
    pub sub_status: u32,
    pub activity_id: Option<String>,
    /// Whether the same call may succeed later without any change.
    pub retryable: bool,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error that the service had no part in and that retrying does not mend.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            http_status: 0,
            sub_status: 0,
            activity_id: None,
            retryable: false,
        }
    }

    /// The error of every call after `close`.
    pub fn closed() -> Self {
        Self::new(Code::SessionClosed, "the change feed session is closed")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)?;
        if self.http_status != 0 {
            write!(f, " (status {}/{}", self.http_status, self.sub_status)?;
            if let Some(id) = &self.activity_id {
                write!(f, ", activity id {id}")?;
            }
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
