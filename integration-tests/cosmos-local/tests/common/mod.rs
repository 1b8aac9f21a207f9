// SPDX-License-Identifier: Apache-2.0

//! A server in the test's own process and a client over a real socket that hides nothing.

// Each test target uses its own part of this module.
#![allow(dead_code)]

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cosmos_local::auth::EMULATOR_KEY;
use cosmos_local::native::NativeEngine;
use cosmos_local::reference::ReferenceEngine;
use cosmos_local::server::{Options, Server};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::runtime::Runtime;

/// How long an answer may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server.
pub struct Local {
    server: Server,
    // Dropped after the server, whose tasks run on it.
    runtime: Runtime,
}

impl Local {
    /// Starts a server on any free port.
    pub fn start() -> Self {
        Self::with(Options::local())
    }

    /// Starts a server with options of one's own.
    pub fn with(options: Options) -> Self {
        Self::with_engine(options, |_| Ok(Arc::new(NativeEngine::default())))
    }

    /// Starts a server with the reference engine.
    pub fn reference() -> Self {
        Self::with_engine(Options::local(), |endpoint| {
            Ok(Arc::new(ReferenceEngine::new(endpoint)?))
        })
    }

    fn with_engine(
        options: Options,
        engine: impl FnOnce(&str) -> Result<Arc<dyn cosmos_local::engine::Engine>, String>,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let server = runtime.block_on(Server::start_with(options, engine)).unwrap();
        Self { server, runtime }
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Runs a future on the server's runtime.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// A client with the right key.
    pub fn client(&self) -> Client {
        let address = self.server.endpoint();
        let address = address.split("//").nth(1).unwrap().trim_end_matches('/');
        Client::new(address, EMULATOR_KEY)
    }

    /// Creates container `c` in database `db` over `/pk` and answers its client.
    pub fn container(&self, partitions: u32) -> Client {
        let client = self.client();
        let spec = json!({"database": "db", "container": "c", "partitions": partitions});
        assert_eq!(client.admin("POST", "containers", &spec).status, 200);
        client
    }
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: HashMap<String, String>,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header that must be there.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("{name} is missing in {self:?}"))
    }

    /// The sub-status, 0 when there is none.
    pub fn sub_status(&self) -> u32 {
        self.headers
            .get("x-ms-substatus")
            .map_or(0, |value| value.parse().unwrap())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The lines of a body of JSON lines.
    pub fn lines(&self) -> Vec<Value> {
        String::from_utf8(self.body.clone())
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The items of a feed.
    pub fn documents(&self) -> Vec<Value> {
        match &self.json()["Documents"] {
            Value::Array(documents) => documents.clone(),
            other => panic!("no documents: {other}"),
        }
    }
}

/// A client that signs, and opens a connection for each request.
#[derive(Debug, Clone)]
pub struct Client {
    address: String,
    key: Vec<u8>,
}

impl Client {
    /// A client of an address with a key in base64.
    pub fn new(address: &str, key: &str) -> Self {
        Self {
            address: address.to_owned(),
            key: STANDARD.decode(key).unwrap(),
        }
    }

    /// `authorization` and `x-ms-date` for a request.
    pub fn signature(&self, method: &str, kind: &str, link: &str) -> [(String, String); 2] {
        let date = httpdate::fmt_http_date(SystemTime::now());
        let text = format!("{}\n{kind}\n{link}\n{}\n\n", method.to_lowercase(), date.to_lowercase());
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).unwrap();
        mac.update(text.as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        let signature = format!("type=master&ver=1.0&sig={signature}")
            .replace('&', "%26")
            .replace('=', "%3D")
            .replace('+', "%2B")
            .replace('/', "%2F");
        [("authorization".to_owned(), signature), ("x-ms-date".to_owned(), date)]
    }

    /// Sends a signed request of the protocol.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_send(method, path, headers, body).unwrap()
    }

    /// The same, for requests that are to fail on the wire.
    pub fn try_send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
        let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (kind, link) = match segments.as_slice() {
            [] => ("", String::new()),
            [rest @ .., kind] if segments.len() % 2 == 1 => (*kind, rest.join("/")),
            all => (all[all.len() - 2], all.join("/")),
        };
        let signature = self.signature(method, kind, &link);
        let mut all: Vec<(&str, &str)> = signature
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        all.extend_from_slice(headers);
        self.raw(method, path, &all, body)
    }

    /// Sends a request as it is.
    pub fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n",
            self.address
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        parse(&answer)
    }

    /// Calls the administrative interface.
    pub fn admin(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.raw(method, &format!("/_admin/{path}"), &[], body.as_bytes())
            .unwrap()
    }

    /// Upserts a document of container `c`.
    pub fn upsert(&self, document: &Value) -> Answer {
        let key = json!([document["pk"]]).to_string();
        self.send(
            "POST",
            "/dbs/db/colls/c/docs",
            &[
                ("x-ms-documentdb-is-upsert", "True"),
                ("x-ms-documentdb-partitionkey", &key),
            ],
            document.to_string().as_bytes(),
        )
    }

    /// Reads a page of the change feed of container `c`.
    pub fn feed(&self, range: &str, etag: Option<&str>, headers: &[(&str, &str)]) -> Answer {
        let mut all = vec![
            ("a-im", "Incremental Feed"),
            ("x-ms-documentdb-partitionkeyrangeid", range),
        ];
        if let Some(etag) = etag {
            all.push(("if-none-match", etag));
        }
        all.extend_from_slice(headers);
        self.send("GET", "/dbs/db/colls/c/docs", &all, b"")
    }

    /// Reads the change feed up to a 304 and answers its items and the last ETag.
    pub fn drain(&self, range: &str, etag: Option<&str>, headers: &[(&str, &str)]) -> (Vec<Value>, String) {
        let mut items = Vec::new();
        let mut etag = etag.map(str::to_owned);
        loop {
            let page = self.feed(range, etag.as_deref(), headers);
            etag = Some(page.header("etag").to_owned());
            match page.status {
                200 => items.extend(page.documents()),
                304 => return (items, etag.unwrap()),
                status => panic!("{status}: {page:?}"),
            }
        }
    }

    /// State of container `c`.
    pub fn state(&self) -> Value {
        self.admin("GET", "containers/db/c", &Value::Null).json()
    }

    /// Ids of the partitions of container `c`.
    pub fn partitions(&self) -> Vec<String> {
        let state = self.state();
        let partitions = state["partitions"].as_array().unwrap();
        partitions
            .iter()
            .map(|partition| partition["id"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn parse(answer: &[u8]) -> io::Result<Answer> {
    let early = || io::Error::new(io::ErrorKind::UnexpectedEof, "the answer ends too early");
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or_else(early)?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.parse().ok())
        .ok_or_else(early)?;
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let body = answer[end + 4..].to_vec();
    if let Some(length) = headers.get("content-length")
        && status != 304
        && length.parse() != Ok(body.len())
    {
        return Err(early());
    }
    Ok(Answer { status, headers, body })
}

/// The ids of items, in order.
pub fn ids(items: &[Value]) -> Vec<String> {
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}
