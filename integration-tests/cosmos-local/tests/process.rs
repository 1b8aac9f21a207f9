// SPDX-License-Identifier: Apache-2.0

//! The binary: its command line, the line it prints when ready, and how it ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cosmos-local"));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Ends the process when the test fails before it does.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    fn start(arguments: &[&str]) -> (Self, Value) {
        let mut process = Self(command().args(arguments).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        (process, serde_json::from_str(&line).unwrap())
    }

    fn end(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn it_tells_where_it_is_and_ends_on_a_signal() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ready-{}.json", std::process::id()));
    let (mut process, ready) = Process::start(&["--port", "0", "--ready-file", file.to_str().unwrap()]);
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(written, ready);
    assert_eq!(ready["pid"], process.0.id());
    let endpoint = ready["endpoint"].as_str().unwrap();
    assert!(endpoint.starts_with("http://127.0.0.1:") && endpoint.ends_with('/'));
    assert_eq!(ready["admin"], format!("{endpoint}_admin/"));
    let killed = Command::new("kill").arg(process.0.id().to_string()).status().unwrap();
    assert!(killed.success());
    assert_eq!(process.end().code(), Some(0));
}

#[test]
fn it_ends_with_its_parents_stdin() {
    let (mut process, ready) = Process::start(&["--exit-with-parent-stdin", "--tls"]);
    assert!(ready["endpoint"].as_str().unwrap().starts_with("https://"));
    assert!(ready["certificate"].as_str().unwrap().contains("BEGIN CERTIFICATE"));
    drop(process.0.stdin.take());
    assert_eq!(process.end().code(), Some(0));
}

#[test]
fn help_is_printed_and_mistakes_are_named() {
    let help = command().arg("--help").output().unwrap();
    assert!(help.status.success());
    let text = String::from_utf8(help.stdout).unwrap();
    for option in [
        "--host",
        "--port",
        "--tls",
        "--key",
        "--engine",
        "--ready-file",
        "--log",
        "--verbose",
    ] {
        assert!(text.contains(option), "{option}");
    }
    let wrong = command().args(["--port", "many"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("--port: many"));
}
