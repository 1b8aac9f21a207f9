// SPDX-License-Identifier: Apache-2.0

//! Sockets and HTTP: takes requests off the wire, hands them to the engine and puts the answers back.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::header::{CONTENT_LENGTH, HOST, HeaderValue};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

use crate::admin;
use crate::auth::AccountKey;
use crate::connection::{AnswerBody, Cutter, Socket};
use crate::engine::{Engine, Request, Response};
use crate::faults::{Fault, FaultKind, Faults};
use crate::log::Log;
use crate::operation::{Operation, segments};
use crate::regions::{self, Admission, Regions};
use crate::reply::Reply;
use crate::request_log::{Entry, RequestLog};
use crate::tls;

/// The largest request taken; the protocol's own limits are far below.
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;
/// HTTP/2 windows and frames large enough that a page of 4 MB flows without stalls.
const HTTP2_WINDOW: u32 = 8 * 1024 * 1024;
/// Largest HTTP/2 frame.
const HTTP2_FRAME: u32 = 1024 * 1024;

/// Most bytes of headers: session tokens of a container grow with its partitions.
const HTTP2_HEADERS: u32 = 256 * 1024;

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

/// What all connections share.
pub struct Shell {
    /// What answers the requests.
    pub engine: Arc<dyn Engine>,
    /// Misbehaviour on demand.
    pub faults: Faults,
    /// The last requests.
    pub requests: RequestLog,
    /// How much later every answer of the protocol comes.
    pub latency_millis: AtomicU64,
    /// The regions of the account.
    pub regions: Regions,
    /// Log for people.
    pub log: Log,
    key: AccountKey,
    scheme: &'static str,
    address: SocketAddr,
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
            .map(|(region, listener)| tokio::spawn(accept(listener, region, acceptor.clone(), Arc::clone(&shell))))
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

/// Where a connection came in.
#[derive(Debug, Clone, Copy)]
struct Entrance {
    region: usize,
    peer: SocketAddr,
}

async fn accept(listener: TcpListener, region: usize, tls: Option<TlsAcceptor>, shell: Arc<Shell>) {
    // Connections belong to this task, so that they end with it.
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    shell.log.line(format_args!("accept failed: {error}"));
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
        };
        let shell = Arc::clone(&shell);
        let tls = tls.clone();
        connections.spawn(async move {
            let cutter = Cutter::default();
            let entrance = Entrance { region, peer };
            if let Err(error) = connection(stream, entrance, tls, &shell, &cutter).await
                && shell.log.verbose()
            {
                shell.log.line(format_args!("connection of {peer} ended: {error}"));
            }
        });
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

async fn serve(
    shell: &Shell,
    entrance: Entrance,
    cutter: &Cutter,
    request: hyper::Request<Incoming>,
) -> http::Response<AnswerBody> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MAX_REQUEST_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => {
            let reply = Reply::error(413, 0, format!("the request could not be read: {error}"));
            return whole(reply.build());
        }
    };
    let path = parts.uri.path();
    if path.starts_with(admin::PREFIX) {
        if !entrance.peer.ip().is_loopback() {
            return whole(Reply::error(403, 0, "only from this machine").build());
        }
        let query = parts.uri.query().unwrap_or_default();
        return whole(admin::handle(shell, &parts.method, path, query, &body).await);
    }
    let authority = parts
        .uri
        .authority()
        .map(|authority| authority.as_str())
        .or_else(|| parts.headers.get(HOST).and_then(|host| host.to_str().ok()))
        .map_or_else(|| shell.address.to_string(), str::to_owned);
    let request = Request {
        path: path.to_owned(),
        method: parts.method,
        headers: parts.headers,
        body,
        replica: false,
        locations: Vec::new(),
    };
    shell.answer(request, entrance.region, &authority, cutter).await
}

impl Shell {
    /// The regions as the administrative interface shows them.
    pub fn describe_regions(&self) -> Value {
        self.regions.describe(self.scheme)
    }

    async fn answer(
        &self,
        mut request: Request,
        region: usize,
        authority: &str,
        cutter: &Cutter,
    ) -> http::Response<AnswerBody> {
        let start = Instant::now();
        let operation = Operation::of(&request, &segments(&request.path));
        let fault = self.faults.take(operation.kind());
        let latency = Duration::from_millis(self.latency_millis.load(Ordering::Relaxed));
        let delay = latency + fault.as_ref().map_or(Duration::ZERO, Fault::delay);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let kind = fault.as_ref().map(|fault| fault.kind);
        let response = match &fault {
            Some(fault) if fault.kind == FaultKind::Status => Some(fault.answer()),
            Some(fault) if fault.kind == FaultKind::Refuse => None,
            _ => match self.regions.admit(region, operation) {
                Admission::Silence => None,
                _ if !self.key.signed(&request) => Some(unauthorized()),
                Admission::Refuse(reply) => Some(reply.build()),
                Admission::Serve { replica } => {
                    request.replica = replica;
                    if operation == Operation::ReadAccount {
                        request.locations = self.regions.locations(self.scheme, authority);
                    }
                    Some(self.engine.handle(&request).await)
                }
            },
        };
        let time = start.elapsed();
        let response = response.map(|response| finished(response, &request, time));
        let name = self.regions.name(region);
        let entry = Entry::new(
            &request,
            operation,
            response.as_ref(),
            kind.map(FaultKind::name),
            name,
            time,
        );
        if self.log.verbose() || kind.is_some() {
            self.log.line(entry.line());
        }
        self.requests.push(entry);
        let Some(response) = response else {
            cutter.cut(false);
            // The connection is about to end; there is nobody to answer to.
            return std::future::pending().await;
        };
        let body = |body| match kind {
            Some(FaultKind::Reset) => AnswerBody::broken(body, cutter.clone(), true),
            Some(FaultKind::Truncate) => AnswerBody::broken(body, cutter.clone(), false),
            Some(FaultKind::Long) => AnswerBody::long(body),
            Some(FaultKind::Short) => AnswerBody::Whole(Some(body.slice(..body.len() / 2))),
            Some(FaultKind::Status | FaultKind::Delay | FaultKind::Refuse) | None => AnswerBody::Whole(Some(body)),
        };
        let response = response.map(body);
        match kind {
            Some(FaultKind::Reset | FaultKind::Truncate | FaultKind::Long) => announced(response),
            _ => response,
        }
    }
}

fn unauthorized() -> Response {
    Reply::error(
        401,
        0,
        "The input authorization token can't serve the request. The wrong key is being used or the expected \
         payload is not built as per the protocol.",
    )
    .build()
}

/// Adds what every answer of the service has.
fn finished(mut response: Response, request: &Request, time: Duration) -> Response {
    let headers = response.headers_mut();
    let activity = request
        .header("x-ms-activity-id")
        .and_then(|id| HeaderValue::from_str(id).ok())
        .or_else(|| HeaderValue::from_str(&Uuid::new_v4().to_string()).ok());
    if let Some(activity) = activity {
        headers.entry("x-ms-activity-id").or_insert(activity);
    }
    if let Ok(time) = HeaderValue::from_str(&format!("{:.2}", time.as_secs_f64() * 1e3)) {
        headers.entry("x-ms-request-duration-ms").or_insert(time);
    }
    let fixed = [
        ("x-ms-request-charge", "1.00"),
        ("x-ms-version", "2020-07-15"),
        ("x-ms-gatewayversion", "version=cosmos-local"),
        ("x-ms-serviceversion", "version=cosmos-local"),
        ("x-ms-number-of-read-regions", "0"),
        ("x-ms-schemaversion", "1.18"),
        ("x-ms-session-token", "0:0#0#0=0"),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert_with(|| HeaderValue::from_static(value));
    }
    response
}

fn whole(response: Response) -> http::Response<AnswerBody> {
    response.map(|body| AnswerBody::Whole(Some(body)))
}

/// Says how long the body is, which is not how long it will be.
fn announced(mut response: http::Response<AnswerBody>) -> http::Response<AnswerBody> {
    if response.status() == http::StatusCode::NOT_MODIFIED {
        // A 304 has no body to break.
        *response.status_mut() = http::StatusCode::OK;
    }
    let length = HeaderValue::from(response.body().announced());
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}
