// SPDX-License-Identifier: Apache-2.0
//! Reads a container's change feed from the beginning to its end with the connector's Rust core alone, as the reader in
//! Java would: discovery, one session, page by page. The bench takes from it what the core costs without a JVM.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use change_feed::configuration::Configuration;
use change_feed::session::Session;
use clap::Parser;
use integration_tools::arguments::DrainArguments;
use integration_tools::cpu;
use serde_json::json;

/// Reads a container once from the beginning to its end and prints one line of JSON: documents, pages, bytes, seconds,
/// cpu_seconds.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    drain: DrainArguments,
}

impl Arguments {
    fn configuration(&self) -> Result<Configuration, String> {
        let text = json!({
            "endpoint": self.drain.target.endpoint,
            "key": self.drain.target.key,
            "database": self.drain.target.database,
            "container": self.drain.target.container,
            "mode": "LATEST_VERSION",
            "startFrom": {"kind": "BEGINNING", "epochMillis": 0},
            "stopAt": {"kind": "LATEST"}, "minSplits": 1, "retentionExpired": "FAIL",
            "pageSize": self.drain.page_size,
            "maxBytesInFlight": 64 << 20,
            "idlePollMinMillis": 100,
            "idlePollMaxMillis": 1000,
            "itemsWithoutLsn": "FAIL",
            "startupTimeoutMillis": 60_000,
            "requestTimeoutMillis": 30_000,
            "certificateValidation": "REQUIRED",
            "applicationName": "drain-core",
        });
        Configuration::from_json(text.to_string().as_bytes()).map_err(|error| error.to_string())
    }
}

/// Kinds of pages in the index.
const DOCUMENTS: u32 = 1;
const RANGE_FINISHED: u32 = 2;

fn number(index: &[u8], offset: usize) -> Result<u32, String> {
    let bytes = index.get(offset..offset + 4).ok_or("a page's index is too short")?;
    Ok(u32::from_le_bytes(bytes.try_into().map_err(|_| "four bytes")?))
}

fn round(arguments: &Arguments) -> Result<serde_json::Value, String> {
    let (start, before) = (Instant::now(), cpu::seconds()?);
    let session = Session::open(arguments.configuration()?).map_err(|error| error.to_string())?;
    let splits = session.discover(&[]).map_err(|error| error.to_string())?;
    let mut ranges = splits.len();
    session.add_splits(splits).map_err(|error| error.to_string())?;
    let (mut documents, mut pages, mut bytes) = (0, 0, 0);
    while ranges > 0 {
        let Some(page) = session
            .poll(Duration::from_secs(1))
            .map_err(|error| error.to_string())?
        else {
            continue;
        };
        match number(page.index(), 4)? {
            DOCUMENTS => {
                documents += u64::from(number(page.index(), 16)?);
                bytes += page.body().map_or(0, |body| body.len() as u64);
                pages += 1;
            }
            RANGE_FINISHED => ranges -= 1,
            kind => return Err(format!("a page of kind {kind} from a container that nobody changes")),
        }
    }
    session.close();
    Ok(json!({
        "documents": documents,
        "pages": pages,
        "bytes": bytes,
        "seconds": start.elapsed().as_secs_f64(),
        "cpu_seconds": cpu::seconds()? - before,
    }))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut last = Ok(serde_json::Value::Null);
    for _ in 0..arguments.drain.rounds.max(1) {
        last = round(&arguments);
    }
    match last {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("drain-core: {error}");
            ExitCode::FAILURE
        }
    }
}
