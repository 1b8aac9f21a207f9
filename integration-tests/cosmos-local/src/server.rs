// SPDX-License-Identifier: Apache-2.0

//! The server: binds an address for each region, and ends what it began.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::admin;
use crate::auth::AccountKey;
use crate::engine::Engine;
use crate::faults::Faults;
use crate::listening::listen;
use crate::log::Log;
use crate::regions::{self, Regions};
use crate::request_log::RequestLog;
use crate::restart::Restarts;
use crate::shell::Shell;
use crate::tls;

/// How to start a server. It holds the key, so it is not for printing.
pub struct Options {
    /// Address to listen on.
    pub host: IpAddr,
    /// Port, 0 for any that is free.
    pub port: u16,
    /// Whether to serve with TLS and a certificate made at start.
    pub tls: bool,
    /// The account key in base64.
    pub key: String,
    /// A second region, on an address of its own.
    pub second_region: Option<SecondRegion>,
    /// Where log lines go.
    pub log: Log,
}

/// A second region of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondRegion {
    /// Its name.
    pub name: String,
    /// Its port, 0 for any that is free.
    pub port: u16,
}

impl Options {
    /// Any free port of the loopback address, the emulator's key, no TLS, one region and no log.
    pub fn local() -> Self {
        Self {
            host: IpAddr::from([127, 0, 0, 1]),
            port: 0,
            tls: false,
            key: crate::auth::EMULATOR_KEY.to_owned(),
            second_region: None,
            log: Log::silent(),
        }
    }
}

/// A running server; it stops when dropped.
pub struct Server {
    address: SocketAddr,
    key: String,
    certificate: Option<String>,
    shell: Arc<Shell>,
    accepting: Vec<JoinHandle<()>>,
}

impl Server {
    /// Binds the address and begins to serve; must be called on a tokio runtime.
    pub async fn start(options: Options, engine: Arc<dyn Engine>) -> io::Result<Self> {
        Self::start_with(options, |_| Ok(engine)).await
    }

    /// The same with an engine that is made once the endpoint is known.
    pub async fn start_with(
        options: Options,
        engine: impl FnOnce(&str) -> Result<Arc<dyn Engine>, String>,
    ) -> io::Result<Self> {
        let key =
            AccountKey::parse(&options.key).map_err(|message| io::Error::new(io::ErrorKind::InvalidInput, message))?;
        let tls = options.tls.then(|| tls::generate(options.host)).transpose()?;
        let listener = TcpListener::bind((options.host, options.port)).await?;
        let address = reachable(&listener)?;
        let mut regions = vec![(regions::FIRST.to_owned(), address)];
        let mut listeners = vec![listener];
        if let Some(second) = options.second_region {
            let listener = TcpListener::bind((options.host, second.port)).await?;
            regions.push((second.name, reachable(&listener)?));
            listeners.push(listener);
        }
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shell = Arc::new(Shell {
            engine: engine(&format!("{scheme}://{address}/")).map_err(io::Error::other)?,
            faults: Faults::default(),
            requests: RequestLog::default(),
            latency_millis: AtomicU64::new(0),
            regions: Regions::new(regions),
            restarts: Restarts::default(),
            log: options.log,
            key,
            scheme,
            address,
        });
        let certificate = tls.as_ref().map(|tls| tls.certificate.clone());
        let acceptor = tls.map(|tls| tls.acceptor);
        let accepting = listeners
            .into_iter()
            .enumerate()
            .map(|(region, listener)| tokio::spawn(listen(listener, region, acceptor.clone(), Arc::clone(&shell))))
            .collect();
        Ok(Self {
            address,
            key: options.key,
            certificate,
            shell,
            accepting,
        })
    }

    /// The regions with their names and addresses.
    pub fn regions(&self) -> Value {
        self.shell.describe_regions()
    }

    /// Address of the Cosmos endpoint, with a slash at its end.
    pub fn endpoint(&self) -> String {
        format!("{}://{}/", self.shell.scheme, self.address)
    }

    /// Address of the administrative interface, with a slash at its end.
    pub fn admin(&self) -> String {
        format!("{}://{}{}", self.shell.scheme, self.address, admin::PREFIX)
    }

    /// The account key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The certificate in PEM, when the server speaks TLS.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// The log for people.
    pub fn log(&self) -> &Log {
        &self.shell.log
    }

    /// Closes the listener and all connections.
    pub async fn stop(mut self) {
        for accepting in &mut self.accepting {
            accepting.abort();
            // Waits until the socket is closed, so that the port is free for the next.
            let _ = accepting.await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for accepting in &self.accepting {
            accepting.abort();
        }
    }
}

/// Where clients reach a listener.
fn reachable(listener: &TcpListener) -> io::Result<SocketAddr> {
    let mut address = listener.local_addr()?;
    if address.ip().is_unspecified() {
        // "All addresses" is nothing that a client could connect to.
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(address)
}
