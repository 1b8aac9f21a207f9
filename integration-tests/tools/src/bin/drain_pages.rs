// SPDX-License-Identifier: Apache-2.0
//! Reads a container's change feed from the beginning to its end with a plain HTTP/2 client: no SDK, no decoding. What
//! this costs is the wire; the bench holds it against what the connector costs for the same pages.

use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use clap::Parser;
use integration_tools::arguments::DrainArguments;
use integration_tools::cpu;
use integration_tools::signature::authorization;
use reqwest::header::{ETAG, HeaderMap};
use reqwest::{Client, StatusCode};
use serde::Deserialize;

/// Drains a container's change feed, one task per physical partition, and prints one line of JSON: documents, pages, bytes,
/// seconds, cpu_seconds. Plain http is spoken as HTTP/2 with prior knowledge.
#[derive(Clone, Parser)]
struct Arguments {
    #[command(flatten)]
    drain: DrainArguments,
}

#[derive(Default)]
struct Sums {
    documents: u64,
    pages: u64,
    bytes: u64,
}

#[derive(Deserialize)]
struct Ranges {
    #[serde(rename = "PartitionKeyRanges")]
    ranges: Vec<Range>,
}

#[derive(Deserialize)]
struct Range {
    id: String,
}

struct Drain {
    client: Client,
    arguments: Arguments,
    link: String,
}

impl Drain {
    fn request(&self, resource: &str) -> Result<reqwest::RequestBuilder, String> {
        let date = httpdate::fmt_http_date(SystemTime::now());
        let signed = authorization(&self.arguments.drain.target.key, "GET", resource, &self.link, &date)?;
        let address = format!(
            "{}/{}/{resource}",
            self.arguments.drain.target.endpoint.trim_end_matches('/'),
            self.link
        );
        Ok(self
            .client
            .get(address)
            .header("authorization", signed)
            .header("x-ms-date", date)
            .header("x-ms-version", "2020-07-15"))
    }

    async fn ranges(&self) -> Result<Vec<String>, String> {
        let answer = self
            .request("pkranges")?
            .send()
            .await
            .map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| error.to_string())?;
        if !status.is_success() {
            return Err(format!("pkranges: {status}: {}", String::from_utf8_lossy(&body)));
        }
        let ranges: Ranges = serde_json::from_slice(&body).map_err(|error| format!("pkranges: {error}"))?;
        Ok(ranges.ranges.into_iter().map(|range| range.id).collect())
    }

    async fn range(&self, range: &str) -> Result<Sums, String> {
        let mut sums = Sums::default();
        let mut position: Option<String> = None;
        loop {
            let mut request = self
                .request("docs")?
                .header("a-im", "Incremental Feed")
                // As the SDK does: items in envelopes.
                .header("x-ms-cosmos-changefeed-wire-format-version", "2021-09-15")
                .header("x-ms-documentdb-partitionkeyrangeid", range)
                .header("x-ms-max-item-count", self.arguments.drain.page_size);
            if let Some(position) = &position {
                request = request.header("if-none-match", position);
            }
            let mut answer = request.send().await.map_err(|error| error.to_string())?;
            match answer.status() {
                StatusCode::OK => {}
                StatusCode::NOT_MODIFIED => return Ok(sums),
                status => {
                    return Err(format!(
                        "range {range}: {status}: {}",
                        answer.text().await.unwrap_or_default()
                    ));
                }
            }
            position = Some(text(answer.headers(), ETAG.as_str())?);
            sums.documents += text(answer.headers(), "x-ms-item-count")?
                .parse::<u64>()
                .map_err(|e| e.to_string())?;
            sums.pages += 1;
            while let Some(part) = answer.chunk().await.map_err(|error| error.to_string())? {
                sums.bytes += part.len() as u64;
            }
        }
    }
}

fn text(headers: &HeaderMap, name: &str) -> Result<String, String> {
    let value = headers.get(name).ok_or_else(|| format!("an answer without {name}"))?;
    Ok(value.to_str().map_err(|error| format!("{name}: {error}"))?.to_owned())
}

async fn run(arguments: Arguments) -> Result<String, String> {
    let link = format!(
        "dbs/{}/colls/{}",
        arguments.drain.target.database, arguments.drain.target.container
    );
    let client = Client::builder()
        .http2_prior_knowledge()
        .http2_initial_stream_window_size(8 << 20)
        .http2_initial_connection_window_size(32 << 20)
        .build()
        .map_err(|error| error.to_string())?;
    let rounds = arguments.drain.rounds.max(1);
    let drain = std::sync::Arc::new(Drain {
        client,
        arguments,
        link,
    });
    let mut line = String::new();
    for _ in 0..rounds {
        let (start, cpu) = (Instant::now(), cpu::seconds()?);
        let mut tasks = Vec::new();
        for range in drain.ranges().await? {
            let drain = drain.clone();
            tasks.push(tokio::spawn(async move { drain.range(&range).await }));
        }
        let mut sums = Sums::default();
        for task in tasks {
            let part = task.await.map_err(|error| error.to_string())??;
            sums.documents += part.documents;
            sums.pages += part.pages;
            sums.bytes += part.bytes;
        }
        line = serde_json::json!({
            "documents": sums.documents,
            "pages": sums.pages,
            "bytes": sums.bytes,
            "seconds": start.elapsed().as_secs_f64(),
            "cpu_seconds": cpu::seconds()? - cpu,
        })
        .to_string();
    }
    Ok(line)
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("drain-pages: {error}");
            ExitCode::FAILURE
        }
    }
}
