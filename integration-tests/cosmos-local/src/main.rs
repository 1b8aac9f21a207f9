// SPDX-License-Identifier: Apache-2.0

//! The binary `cosmos-local`.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use cosmos_local::cli::{self, Arguments, Command, EngineChoice, LogTarget};
use cosmos_local::engine::Engine;
use cosmos_local::log::Log;
use cosmos_local::native::NativeEngine;
use cosmos_local::reference::ReferenceEngine;
use cosmos_local::server::{Options, Server};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let arguments = match cli::parse(std::env::args().skip(1)) {
        Ok(Command::Serve(arguments)) => *arguments,
        Ok(Command::Print(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("cosmos-local: {message}");
            return ExitCode::from(2);
        }
    };
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .and_then(|runtime| {
            let result = runtime.block_on(run(arguments));
            // Reading stdin blocks a thread until there is something; nobody waits for it.
            runtime.shutdown_background();
            result
        });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cosmos-local: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let engine = |endpoint: &str| -> Result<Arc<dyn Engine>, String> {
        Ok(match arguments.engine {
            EngineChoice::Native => Arc::new(match arguments.all_versions {
                Some(seconds) => NativeEngine::with_all_versions(Duration::from_secs(u64::from(seconds))),
                None => NativeEngine::default(),
            }),
            EngineChoice::Reference => Arc::new(ReferenceEngine::new(endpoint)?),
        })
    };
    let options = Options {
        host: arguments.host,
        port: arguments.port,
        tls: arguments.tls,
        key: arguments.key,
        second_region: arguments.second_region,
        log: match &arguments.log {
            LogTarget::Stderr => Log::to_stderr(arguments.verbose),
            LogTarget::File(file) => Log::to_file(file, arguments.verbose)?,
        },
    };
    let server = Server::start_with(options, engine).await?;
    let mut ready = json!({
        "endpoint": server.endpoint(),
        "key": server.key(),
        "admin": server.admin(),
        "pid": std::process::id(),
        "regions": server.regions(),
    });
    if let Some(certificate) = server.certificate() {
        ready["certificate"] = json!(certificate);
    }
    let ready = format!("{ready}\n");
    if let Some(file) = &arguments.ready_file {
        write_at_once(file, &ready)?;
    }
    io::stdout().write_all(ready.as_bytes())?;
    io::stdout().flush()?;
    server.log().line(format_args!("listening on {}", server.endpoint()));

    let reason = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        () = end_of_stdin(), if arguments.exit_with_stdin => "the end of stdin",
    };
    server.log().line(format_args!("ending on {reason}"));
    server.stop().await;
    Ok(())
}

/// Writes a file under another name and renames it, so that a reader sees all of it or none.
fn write_at_once(file: &Path, text: &str) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let temporary = file.with_file_name(name);
    std::fs::write(&temporary, text)?;
    std::fs::rename(&temporary, file)
}

async fn end_of_stdin() {
    let mut stdin = tokio::io::stdin();
    let mut buffer = [0; 256];
    while matches!(stdin.read(&mut buffer).await, Ok(read) if read > 0) {}
}
