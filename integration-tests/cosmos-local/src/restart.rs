// SPDX-License-Identifier: Apache-2.0

//! The server goes away for a while and comes back under the same address.
//!
//! What a durable service keeps is kept: the engine with all it holds, the account's regions and key. What a client
//! notices is what it would notice of a process that ends and is started again: connections are reset, requests under
//! way get no answer, and for a while connecting is refused.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::log::Log;

/// The longest absence that is taken, so that a slip of the pen does not end the server for good.
const LONGEST_MILLIS: u64 = 600_000;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
/// How long to wait when somebody else has taken the address in the moment between.
const RETRY: Duration = Duration::from_millis(50);

/// What the administrative interface is asked for.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestartSpec {
    /// How long connecting is refused.
    #[serde(default = "one_second")]
    pub away_millis: u64,
}

fn one_second() -> u64 {
    1000
}

impl RestartSpec {
    /// Refuses an absence that is too long.
    pub fn check(&self) -> Result<(), String> {
        if self.away_millis > LONGEST_MILLIS {
            return Err(format!("awayMillis: {} is above {LONGEST_MILLIS}", self.away_millis));
        }
        Ok(())
    }
}

/// A restart that is to happen now.
#[derive(Debug, Clone)]
pub struct Restart {
    /// How long the server stays away.
    pub away: Duration,
    /// Whose connection ends in good order, with an answer.
    pub asker: SocketAddr,
    gone: mpsc::Sender<()>,
}

impl Restart {
    /// Says that a listener is closed.
    pub async fn gone(&self) {
        // Nobody waits for it any more when the asker has hung up.
        let _ = self.gone.send(()).await;
    }
}

/// Tells all listeners of the server to restart.
#[derive(Debug, Default)]
pub struct Restarts(watch::Sender<Option<Restart>>);

impl Restarts {
    /// For a listener.
    pub fn subscribe(&self) -> watch::Receiver<Option<Restart>> {
        self.0.subscribe()
    }

    /// Begins a restart and returns once no listener takes connections any more.
    pub async fn begin(&self, away: Duration, asker: SocketAddr) {
        let (gone, mut listeners) = mpsc::channel(1);
        self.0.send_replace(Some(Restart { away, asker, gone }));
        for _ in 0..self.0.receiver_count() {
            listeners.recv().await;
        }
    }
}

/// Listens again on an address after a time.
pub async fn come_back(address: SocketAddr, away: Duration, log: &Log) -> TcpListener {
    let back = Instant::now() + away;
    loop {
        match held(address, back).await {
            Ok(listener) => {
                log.line(format_args!("back on {address}"));
                return listener;
            }
            Err(error) => {
                log.line(format_args!("{address} cannot be had again yet: {error}"));
                sleep(RETRY).await;
            }
        }
    }
}

/// Binds the address at once, so that nobody else gets it, and listens later: until then connecting is refused.
async fn held(address: SocketAddr, back: Instant) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections from before linger on the address.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    sleep_until(back).await;
    socket.listen(BACKLOG)
}
