// SPDX-License-Identifier: Apache-2.0

//! A log for people, with a time in front of each line.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use parking_lot::Mutex;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// Time of a line, in UTC.
const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3]Z");

/// Where log lines go.
pub struct Log {
    writer: Option<Mutex<Box<dyn Write + Send>>>,
    verbose: bool,
}

impl fmt::Debug for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Log").field("verbose", &self.verbose).finish()
    }
}

impl Log {
    /// A log to the standard error stream.
    pub fn to_stderr(verbose: bool) -> Self {
        Self {
            writer: Some(Mutex::new(Box::new(io::stderr()))),
            verbose,
        }
    }

    /// A log to the end of a file.
    pub fn to_file(path: &Path, verbose: bool) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self {
            writer: Some(Mutex::new(Box::new(file))),
            verbose,
        })
    }

    /// No log at all.
    pub fn silent() -> Self {
        Self {
            writer: None,
            verbose: false,
        }
    }

    /// Whether single requests are logged.
    pub fn verbose(&self) -> bool {
        self.verbose
    }

    /// Writes a line.
    pub fn line(&self, message: impl fmt::Display) {
        let Some(writer) = &self.writer else {
            return;
        };
        let time = OffsetDateTime::now_utc().format(TIME).unwrap_or_default();
        // A log that cannot be written must not stop the server.
        let _ = writeln!(writer.lock(), "{time} {message}");
    }
}
