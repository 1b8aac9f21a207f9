// SPDX-License-Identifier: Apache-2.0

//! Takes connections off the wire, and lets all of them go when the server restarts.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{self, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::connection::{Cutter, Socket};
use crate::restart::{Restart, come_back};
use crate::shell::{Entrance, Shell, serve};

/// HTTP/2 windows and frames large enough that a page of 4 MB flows without stalls.
const HTTP2_WINDOW: u32 = 8 * 1024 * 1024;
/// Largest HTTP/2 frame.
const HTTP2_FRAME: u32 = 1024 * 1024;

/// Most bytes of headers: session tokens of a container grow with its partitions.
const HTTP2_HEADERS: u32 = 256 * 1024;

/// How long whoever asked for a restart may take to read the answer.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// Serves a region; connections belong to this future, so that they end with it.
pub async fn listen(mut listener: TcpListener, region: usize, tls: Option<TlsAcceptor>, shell: Arc<Shell>) {
    let mut restarts = shell.restarts.subscribe();
    let address = listener.local_addr();
    loop {
        let mut connections = Connections::default();
        let restart = accept(&listener, region, tls.as_ref(), &shell, &mut connections, &mut restarts).await;
        drop(listener);
        connections.reset_all_but(restart.asker);
        restart.gone().await;
        connections.end(restart.asker).await;
        listener = match &address {
            Ok(address) => come_back(*address, restart.away, &shell.log).await,
            Err(error) => {
                shell
                    .log
                    .line(format_args!("the address is not known, so it stays away: {error}"));
                return;
            }
        };
    }
}

/// The connections of a listener.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    open: HashMap<task::Id, (SocketAddr, Cutter)>,
}

impl Connections {
    fn begin(&mut self, stream: TcpStream, entrance: Entrance, tls: Option<TlsAcceptor>, shell: &Arc<Shell>) {
        let shell = Arc::clone(shell);
        let cutter = Cutter::default();
        let open = (entrance.peer, cutter.clone());
        let task = self.tasks.spawn(async move {
            if let Err(error) = connection(stream, entrance, tls, &shell, &cutter).await
                && shell.log.verbose()
            {
                let peer = entrance.peer;
                shell.log.line(format_args!("connection of {peer} ended: {error}"));
            }
        });
        self.open.insert(task.id(), open);
    }

    /// Waits until one has ended; none when there is none.
    async fn ended(&mut self) -> Option<()> {
        let id = match self.tasks.join_next_with_id().await? {
            Ok((id, ())) => id,
            Err(error) => error.id(),
        };
        self.open.remove(&id);
        Some(())
    }

    fn reset_all_but(&self, asker: SocketAddr) {
        for (peer, cutter) in self.open.values() {
            if *peer != asker {
                cutter.cut(true);
            }
        }
    }

    /// Ends all of them; who asked for it gets the answer first.
    async fn end(mut self, asker: SocketAddr) {
        let answered =
            async { while self.open.values().any(|(peer, _)| *peer == asker) && self.ended().await.is_some() {} };
        // Whoever does not read the answer goes without.
        let _ = timeout(ANSWER_TIME, answered).await;
        self.tasks.shutdown().await;
    }
}

/// Takes connections until the server is to restart.
async fn accept(
    listener: &TcpListener,
    region: usize,
    tls: Option<&TlsAcceptor>,
    shell: &Arc<Shell>,
    connections: &mut Connections,
    restarts: &mut watch::Receiver<Option<Restart>>,
) -> Restart {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => connections.begin(stream, Entrance { region, peer }, tls.cloned(), shell),
                Err(error) => {
                    shell.log.line(format_args!("accept failed: {error}"));
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(()) = connections.ended() => {}
            Ok(()) = restarts.changed() => {
                if let Some(restart) = restarts.borrow_and_update().clone() {
                    return restart;
                }
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    entrance: Entrance,
    tls: Option<TlsAcceptor>,
    shell: &Arc<Shell>,
    cutter: &Cutter,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let socket = Socket::new(stream, cutter.clone());
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http2()
        .initial_stream_window_size(HTTP2_WINDOW)
        .initial_connection_window_size(HTTP2_WINDOW)
        .max_frame_size(HTTP2_FRAME)
        .max_concurrent_streams(1000)
        .max_header_list_size(HTTP2_HEADERS)
        .max_send_buf_size(HTTP2_WINDOW as usize);
    let service = service_fn(|request| {
        let shell = Arc::clone(shell);
        let cutter = cutter.clone();
        async move { Ok::<_, Infallible>(serve(&shell, entrance, &cutter, request).await) }
    });
    match tls {
        None => tokio::select! {
            ended = builder.serve_connection(TokioIo::new(socket), service) => ended,
            () = cutter.wait() => Ok(()),
        },
        Some(tls) => {
            let stream = tls.accept(socket).await?;
            tokio::select! {
                ended = builder.serve_connection(TokioIo::new(stream), service) => ended,
                () = cutter.wait() => Ok(()),
            }
        }
    }
}
