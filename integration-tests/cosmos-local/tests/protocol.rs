// SPDX-License-Identifier: Apache-2.0

//! Items, queries, signatures and transports over a real socket.

mod common;

use std::sync::Arc;

use common::{Client, Local, ids};
use cosmos_local::server::Options;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

fn create(client: &Client, document: &Value) -> common::Answer {
    let key = json!([document["pk"]]).to_string();
    client.send(
        "POST",
        "/dbs/db/colls/c/docs",
        &[("x-ms-documentdb-partitionkey", &key)],
        document.to_string().as_bytes(),
    )
}

fn query(client: &Client, text: &str, headers: &[(&str, &str)]) -> common::Answer {
    let mut all = vec![
        ("x-ms-documentdb-isquery", "True"),
        ("content-type", "application/query+json"),
    ];
    all.extend_from_slice(headers);
    let body = json!({"query": text, "parameters": [{"name": "@n", "value": 3}]});
    client.send("POST", "/dbs/db/colls/c/docs", &all, body.to_string().as_bytes())
}

#[test]
fn a_wrong_key_is_refused_everywhere() {
    let local = Local::start();
    let right = local.container(1);
    let address = local.server().endpoint();
    let address = address.trim_start_matches("http://").trim_end_matches('/');
    let wrong = Client::new(address, "d3Jvbmc=");
    for path in ["/", "/dbs/db", "/dbs/db/colls/c/pkranges"] {
        assert_eq!(wrong.send("GET", path, &[], b"").status, 401, "{path}");
        assert_eq!(right.send("GET", path, &[], b"").status, 200, "{path}");
    }
    assert_eq!(right.raw("GET", "/", &[], b"").unwrap().status, 401);
}

#[test]
fn an_item_lives_through_its_operations() {
    let local = Local::start();
    let client = local.container(2);
    let created = create(&client, &json!({"id": "a", "pk": "x", "n": 1}));
    assert_eq!(created.status, 201);
    assert_eq!(created.header("x-ms-item-lsn"), "1");
    let etag = created.header("etag").to_owned();
    assert_eq!(created.json()["_etag"], etag.as_str());
    assert_eq!(create(&client, &json!({"id": "a", "pk": "x"})).status, 409);
    assert_eq!(create(&client, &json!({"id": "a", "pk": "y"})).status, 201);

    let key = ("x-ms-documentdb-partitionkey", "[\"x\"]");
    let path = "/dbs/db/colls/c/docs/a";
    let read = client.send("GET", path, &[key], b"");
    assert_eq!(read.json()["n"], 1);
    assert_eq!(
        client.send("GET", path, &[key, ("if-none-match", &etag)], b"").status,
        304
    );

    let body = json!({"id": "a", "pk": "x", "n": 2}).to_string();
    let stale = client.send("PUT", path, &[key, ("if-match", "\"stale\"")], body.as_bytes());
    assert_eq!(stale.status, 412);
    let replaced = client.send(
        "PUT",
        path,
        &[key, ("if-match", &etag), ("prefer", "return=minimal")],
        body.as_bytes(),
    );
    assert_eq!((replaced.status, replaced.body.len()), (200, 0));
    assert_ne!(replaced.header("etag"), etag);

    let mismatch = client.send(
        "POST",
        "/dbs/db/colls/c/docs",
        &[("x-ms-documentdb-partitionkey", "[\"z\"]")],
        body.as_bytes(),
    );
    assert_eq!((mismatch.status, mismatch.sub_status()), (400, 1001));
    assert_eq!(client.send("DELETE", path, &[key], b"").status, 204);
    let absent = client.send("GET", path, &[key], b"");
    assert_eq!(absent.status, 404);
    assert!(absent.headers.contains_key("x-ms-session-token"));
    let ahead = client.send(
        "GET",
        path,
        &[key, ("x-ms-session-token", "0:0#999#0=999,1:0#999#0=999")],
        b"",
    );
    assert_eq!((ahead.status, ahead.sub_status()), (404, 1002));
}

#[test]
fn system_properties_of_a_client_are_not_kept() {
    let local = Local::start();
    let client = local.container(1);
    let created = create(
        &client,
        &json!({"id": "a", "pk": "x", "_ts": 1, "_etag": "mine", "_lsn": 9}),
    );
    let document = created.json();
    assert_ne!(document["_ts"], 1);
    assert_eq!(document["_etag"], created.header("etag"));
    assert_eq!(document.get("_lsn"), None);
}

#[test]
fn binary_json_goes_in_and_out_when_negotiated() {
    use azure_data_cosmos_driver::binary_json;
    let local = Local::start();
    let client = local.container(1);
    let document = json!({"id": "a", "pk": "x", "n": [1, 2.5, null, true], "t": "\u{e4}\u{1F600}"});
    let headers = [
        ("x-ms-documentdb-partitionkey", "[\"x\"]"),
        ("x-ms-cosmos-supported-serialization-formats", "JsonText,CosmosBinary"),
    ];
    let created = client.send(
        "POST",
        "/dbs/db/colls/c/docs",
        &headers,
        &binary_json::encode(&document),
    );
    assert_eq!(created.status, 201, "{created:?}");
    assert!(binary_json::is_binary(&created.body));
    let answered = binary_json::decode(&created.body).unwrap();
    let text = client.send("GET", "/dbs/db/colls/c/docs/a", &headers[..1], b"").json();
    for name in ["id", "n", "t"] {
        assert_eq!(text[name], document[name], "{name}");
    }
    assert_eq!(answered["t"], document["t"]);
    // The change feed is text in any case.
    assert_eq!(ids(&client.feed("0", None, &headers[1..]).documents()), ["a"]);
}

#[test]
fn queries_filter_count_and_go_on() {
    let local = Local::start();
    let client = local.container(1);
    for number in 0..7 {
        create(&client, &json!({"id": number.to_string(), "pk": "x", "n": number}));
    }
    let range = ("x-ms-documentdb-partitionkeyrangeid", "0");
    let found = query(&client, "SELECT * FROM c WHERE c.n = @n", &[range]);
    assert_eq!(ids(&found.documents()), ["3"]);
    let counted = query(&client, "SELECT VALUE COUNT(1) FROM c", &[range]);
    assert_eq!(counted.documents(), [7]);
    assert_eq!(query(&client, "SELECT nonsense", &[range]).status, 400);
    for text in ["SELECT * FROM c", "SELECT * FROM c WHERE c.n >= 0"] {
        let mut all = Vec::new();
        let mut token = String::new();
        loop {
            let page = query(
                &client,
                text,
                &[range, ("x-ms-max-item-count", "3"), ("x-ms-continuation", &token)],
            );
            all.extend(ids(&page.documents()));
            match page.headers.get("x-ms-continuation") {
                Some(next) => token.clone_from(next),
                None => break,
            }
        }
        assert_eq!(all, ["0", "1", "2", "3", "4", "5", "6"], "{text}");
    }
    let databases = client.send(
        "POST",
        "/dbs",
        &[("x-ms-documentdb-isquery", "True")],
        json!({"query": "SELECT * FROM root r WHERE r.id = @id", "parameters": [{"name": "@id", "value": "db"}]})
            .to_string()
            .as_bytes(),
    );
    assert_eq!(ids(databases.json()["Databases"].as_array().unwrap()), ["db"]);
}

#[test]
fn resources_have_names_and_rids() {
    let local = Local::start();
    let client = local.container(1);
    let document = create(&client, &json!({"id": "a", "pk": "x"})).json();
    let database = client.send("GET", "/dbs/db", &[], b"").json();
    let container = client.send("GET", "/dbs/db/colls/c", &[], b"").json();
    let path = format!(
        "/dbs/{}/colls/{}/docs/{}",
        database["_rid"].as_str().unwrap(),
        container["_rid"].as_str().unwrap(),
        document["_rid"].as_str().unwrap()
    );
    let rid = document["_rid"].as_str().unwrap().to_lowercase();
    let signature = client.signature("GET", "docs", &rid);
    let headers: Vec<(&str, &str)> = signature
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .chain([("x-ms-documentdb-partitionkey", "[\"x\"]")])
        .collect();
    let read = client.raw("GET", &path, &headers, b"").unwrap();
    assert_eq!((read.status, read.json()["id"].as_str()), (200, Some("a")));
}

#[test]
fn a_recreated_container_is_another_one() {
    let local = Local::start();
    let client = local.container(1);
    let old = client.state()["rid"].as_str().unwrap().to_owned();
    assert_eq!(client.send("DELETE", "/dbs/db/colls/c", &[], b"").status, 204);
    assert_eq!(client.feed("0", None, &[]).status, 404);
    let spec = json!({"database": "db", "container": "c"});
    assert_eq!(client.admin("POST", "containers", &spec).status, 200);
    assert_ne!(client.state()["rid"], old.as_str());
    let stale = client.feed("0", None, &[("x-ms-cosmos-intended-collection-rid", &old)]);
    assert_eq!((stale.status, stale.sub_status()), (400, 1024));
}

#[test]
fn hierarchical_keys_are_read_by_prefix() {
    let local = Local::start();
    let client = local.client();
    let spec = json!({"database": "db", "container": "c", "partitionKey": ["/t", "/u"], "partitions": 4});
    assert_eq!(client.admin("POST", "containers", &spec).status, 200);
    for (tenant, user) in [("a", "1"), ("a", "2"), ("b", "1")] {
        let document = json!({"id": format!("{tenant}{user}"), "t": tenant, "u": user});
        let key = json!([tenant, user]).to_string();
        let headers = [("x-ms-documentdb-partitionkey", key.as_str())];
        let created = client.send(
            "POST",
            "/dbs/db/colls/c/docs",
            &headers,
            document.to_string().as_bytes(),
        );
        assert_eq!(created.status, 201, "{created:?}");
    }
    let mut found = ids(&query(
        &client,
        "SELECT * FROM c",
        &[("x-ms-documentdb-partitionkey", "[\"a\"]")],
    )
    .documents());
    found.sort();
    assert_eq!(found, ["a1", "a2"]);
    let partial = client.send(
        "GET",
        "/dbs/db/colls/c/docs/a1",
        &[("x-ms-documentdb-partitionkey", "[\"a\"]")],
        b"",
    );
    assert_eq!((partial.status, partial.sub_status()), (400, 1001));
}

#[test]
fn http2_without_tls_needs_no_upgrade() {
    let local = Local::start();
    let client = local.container(1);
    let address = local
        .server()
        .endpoint()
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    let status = local.block_on(async {
        let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        request(TokioIo::new(stream), &client, &format!("http://{address}/dbs/db")).await
    });
    assert_eq!(status, (200, "db".to_owned()));
}

#[test]
fn a_reset_ends_an_http2_connection_and_the_next_one_works() {
    let local = Local::start();
    let client = local.container(1);
    for number in 0..50 {
        create(&client, &json!({"id": number.to_string(), "pk": "x"}));
    }
    let address = local
        .server()
        .endpoint()
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    let url = format!("http://{address}/dbs/db/colls/c/docs");
    let page = || async {
        let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        let connection = tokio::spawn(connection);
        let mut request = hyper::Request::get(&url)
            .header("a-im", "Incremental Feed")
            .header("x-ms-documentdb-partitionkeyrangeid", "0");
        for (name, value) in client.signature("GET", "docs", "dbs/db/colls/c") {
            request = request.header(name, value);
        }
        let response = sender
            .send_request(request.body(Full::new(Bytes::new())).unwrap())
            .await;
        let body = match response {
            Ok(response) => response.into_body().collect().await.map(|body| body.to_bytes()),
            Err(error) => Err(error),
        };
        (body, connection.await.unwrap())
    };
    for kind in ["reset", "truncate", "refuse"] {
        let rule = json!({"operation": "changefeed", "kind": kind});
        assert_eq!(client.admin("POST", "faults", &rule).status, 200);
        let (body, _) = local.block_on(page());
        assert!(body.is_err(), "{kind}: {body:?}");
        assert_eq!(client.feed("0", None, &[]).documents().len(), 50);
    }
}

#[test]
fn tls_comes_with_a_certificate_to_trust() {
    let local = Local::with(Options {
        tls: true,
        ..Options::local()
    });
    let endpoint = local.server().endpoint();
    let address = endpoint.trim_start_matches("https://").trim_end_matches('/').to_owned();
    let client = Client::new(&address, local.server().key());
    let mut roots = RootCertStore::empty();
    let pem = local.server().certificate().unwrap();
    roots
        .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let status = local.block_on(async {
        let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap();
        request(TokioIo::new(stream), &client, &endpoint).await
    });
    assert_eq!(status, (200, "cosmos-local".to_owned()));
}

/// Sends a GET over HTTP/2 and answers the status and the id in the body.
async fn request<T>(stream: TokioIo<T>, client: &Client, url: &str) -> (u16, String)
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let path = url.splitn(4, '/').nth(3).unwrap();
    let kind = path.split('/').next().unwrap();
    let mut request = hyper::Request::get(url);
    for (name, value) in client.signature("GET", kind, path) {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(Bytes::new())).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let body: Value = serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap();
    connection.abort();
    (status, body["id"].as_str().unwrap().to_owned())
}
