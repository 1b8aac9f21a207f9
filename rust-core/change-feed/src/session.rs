// SPDX-License-Identifier: Apache-2.0
//! What Java can ask of the core: one session per enumerator or reader.

use std::sync::Arc;
use std::time::Duration;

use crate::configuration::Configuration;
use crate::error::Result;
use crate::framing::SplitSnapshot;
use crate::logs::Level;
use crate::page::Page;

/// One open connection to a container's change feed. All methods may be called from any thread; after [`Session::close`]
/// all but `close`, `wake_up` and `drain_logs` fail with `SESSION_CLOSED`.
pub struct Session {}

impl Session {
    /// Checks the configuration and takes a place on the process's runtime. Sends no request.
    pub fn open(_configuration: Configuration) -> Result<Self> {
        unimplemented!("in progress")
    }

    /// See `discover` in docs/native-interface.md. Blocks; `close` frees it.
    pub fn discover(&self, _known: &[SplitSnapshot]) -> Result<Vec<SplitSnapshot>> {
        unimplemented!("in progress")
    }

    /// Checks every snapshot, then starts a poller for each; on an error none is started.
    pub fn add_splits(&self, _splits: Vec<SplitSnapshot>) -> Result<()> {
        unimplemented!("in progress")
    }

    /// Pauses and resumes ranges by split id; unknown ids are remembered until they are added.
    pub fn set_paused(&self, _pause: &[String], _resume: &[String]) -> Result<()> {
        unimplemented!("in progress")
    }

    /// The next page or event; `None` when woken or timed out. Blocks.
    pub fn poll(&self, _timeout: Duration) -> Result<Option<Arc<Page>>> {
        unimplemented!("in progress")
    }

    /// Frees the present or the next [`Session::poll`].
    pub fn wake_up(&self) {
        unimplemented!("in progress")
    }

    /// Counters in the order of [`crate::metrics::Metrics::snapshot`].
    pub fn metrics(&self) -> Result<[i64; 12]> {
        unimplemented!("in progress")
    }

    /// Log lines since the last call.
    pub fn drain_logs(&self) -> Vec<(Level, String)> {
        unimplemented!("in progress")
    }

    /// Ends all reading within a bound; frees blocked calls. Idempotent.
    pub fn close(&self) {
        unimplemented!("in progress")
    }
}
