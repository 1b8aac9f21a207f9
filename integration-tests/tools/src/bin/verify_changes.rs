// SPDX-License-Identifier: Apache-2.0
//! Compares the committed files of the example job with what was written.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Parser, ValueEnum};
use integration_tools::{change_log, committed, verify};

/// Compares the committed files of an example job with the log of what was written, and prints one line of JSON:
/// written, emitted, distinct, repeated_after_merge and more, and lost, duplicated, torn, not_in_log, out_of_order,
/// mistold. Ends with status 1 if one of the latter is not 0.
#[derive(Parser)]
#[command(group(ArgGroup::new("truth").required(true).args(["admin", "journal"])))]
struct Arguments {
    /// Folder of the file sink.
    #[arg(long)]
    output: PathBuf,
    /// Admin address of the local server, such as http://127.0.0.1:8081/_admin/.
    #[arg(long, requires = "container")]
    admin: Option<url::Url>,
    /// Database, with --admin.
    #[arg(long, default_value = "shop")]
    database: String,
    /// Container, with --admin.
    #[arg(long)]
    container: Option<String>,
    /// Journal of orders-writer, where the account is not the local server.
    #[arg(long)]
    journal: Option<PathBuf>,
    /// What the job read.
    #[arg(long, value_enum, default_value = "latest-version")]
    mode: Mode,
    /// File with a line of JSON for each merge of partitions: ancestors, min, max, began_ms, last_seq.
    #[arg(long)]
    merges: Option<PathBuf>,
    /// Most documents of a page of the job.
    #[arg(long, default_value_t = 1_000)]
    page_size: usize,
    /// Also prints how fast the first N changes were emitted.
    #[arg(long, value_name = "N")]
    backlog: Option<usize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    LatestVersion,
    AllVersionsAndDeletes,
    PresentStateThenChanges,
}

impl From<Mode> for verify::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::LatestVersion => Self::LatestVersion,
            Mode::AllVersionsAndDeletes => Self::AllVersionsAndDeletes,
            Mode::PresentStateThenChanges => Self::PresentStateThenChanges,
        }
    }
}

fn merges(file: &Path) -> Result<Vec<verify::Merge>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    text.lines()
        .map(|line| serde_json::from_str(line).map_err(|error| format!("{}: {error}: {line}", file.display())))
        .collect()
}

/// Entries asked for at once.
const LOG_PAGE: usize = 200_000;

async fn server_log(admin: &url::Url, database: &str, container: &str) -> Result<Vec<change_log::Entry>, String> {
    let client = reqwest::Client::new();
    let mut entries: Vec<change_log::Entry> = Vec::new();
    loop {
        let from = entries.last().map_or(1, |entry| entry.seq + 1);
        let address = admin
            .join(&format!(
                "containers/{database}/{container}/log?from={from}&limit={LOG_PAGE}"
            ))
            .map_err(|error| format!("{admin}: {error}"))?;
        let answer = client
            .get(address.clone())
            .send()
            .await
            .map_err(|error| format!("{address}: {error}"))?;
        if !answer.status().is_success() {
            return Err(format!("{address}: {}", answer.status()));
        }
        let body = answer.bytes().await.map_err(|error| format!("{address}: {error}"))?;
        let page = change_log::read(body.as_ref())?;
        if page.is_empty() {
            return Ok(entries);
        }
        if page.first().is_some_and(|entry| entry.seq < from) {
            return Err(format!("{address}: the log goes back to entry {}", page[0].seq));
        }
        entries.extend(page);
    }
}

/// Documents per second from the first to the `count`th change by the clock of the job.
fn backlog_rate(files: &[Vec<committed::Change>], count: usize) -> Option<f64> {
    let mut times: Vec<i64> = files.iter().flatten().map(|change| change.at).collect();
    times.sort_unstable();
    let last = times.get(count.checked_sub(1)?)?;
    let millis = (last - times[0]).max(1);
    Some(count as f64 * 1000.0 / millis as f64)
}

async fn run(arguments: Arguments) -> Result<bool, String> {
    // The files first: what they hold must be in a log that is read later.
    let files = committed::files(&arguments.output)?
        .iter()
        .map(|file| committed::read(file))
        .collect::<Result<Vec<_>, _>>()?;
    let log = match (&arguments.admin, &arguments.journal) {
        (Some(admin), _) => {
            server_log(
                admin,
                &arguments.database,
                arguments.container.as_deref().unwrap_or_default(),
            )
            .await?
        }
        (None, Some(journal)) => {
            let opened = File::open(journal).map_err(|error| format!("{}: {error}", journal.display()))?;
            change_log::read(BufReader::new(opened))?
        }
        (None, None) => return Err("neither --admin nor --journal".to_owned()),
    };
    let settings = verify::Settings {
        mode: arguments.mode.into(),
        merges: arguments.merges.as_deref().map(merges).transpose()?.unwrap_or_default(),
        page_size: arguments.page_size,
    };
    let report = verify::compare(&log, &files, &settings);
    for sample in &report.samples {
        eprintln!("{sample}");
    }
    let mut json = serde_json::to_value(&report).map_err(|error| error.to_string())?;
    if let Some(rate) = arguments.backlog.and_then(|count| backlog_rate(&files, count)) {
        json["backlog_docs_per_s"] = rate.round().into();
    }
    println!("{json}");
    Ok(report.is_clean())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("verify-changes: {error}");
            ExitCode::from(2)
        }
    }
}
