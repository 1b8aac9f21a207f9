// SPDX-License-Identifier: Apache-2.0

//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::auth::{AccountKey, EMULATOR_KEY};
use crate::regions::FIRST;
use crate::server::SecondRegion;

/// What `--help` prints.
pub const HELP: &str = "\
cosmos-local: a local server that speaks the Azure Cosmos DB for NoSQL wire protocol, all in memory

Usage: cosmos-local [OPTIONS]

  --host ADDRESS            address to listen on [127.0.0.1]
  --port PORT               port, 0 for any that is free [0]
  --tls                     serve https with a certificate made at start
  --key BASE64              account key [the public emulator key]
  --engine native|reference the server's own engine, or the SDK's in-memory emulator [native]
  --second-region NAME[:PORT]
                            a second region of the account, on a port of its own [no second region, any free port]
  --all-versions-and-deletes SECONDS
                            an account with continuous backup: containers retain versions and deletes so long
  --ready-file FILE         write the line of JSON that stdout gets to this file as well
  --log FILE|-              append the log to a file, - is stderr [-]
  --verbose                 log every request
  --exit-with-parent-stdin  exit when the standard input ends
  --help                    print this
  --version                 print the version

When ready it prints one line of JSON on stdout: endpoint, key, admin, pid, with --tls also certificate (PEM).
It ends on SIGTERM, SIGINT or, with --exit-with-parent-stdin, at the end of its standard input.
";

/// Which engine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineChoice {
    /// The server's own.
    Native,
    /// The in-memory emulator of the driver crate.
    Reference,
}

/// Where the log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// The standard error stream.
    Stderr,
    /// The end of a file.
    File(PathBuf),
}

/// A command line, read and checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Arguments {
    /// Address to listen on.
    pub host: IpAddr,
    /// Port to listen on.
    pub port: u16,
    /// Whether to serve https.
    pub tls: bool,
    /// Account key in base64.
    pub key: String,
    /// Which engine answers.
    pub engine: EngineChoice,
    /// A second region of the account.
    pub second_region: Option<SecondRegion>,
    /// For how many seconds containers retain versions and deletes that do not say it themselves.
    pub all_versions: Option<u32>,
    /// Where to repeat the line of stdout.
    pub ready_file: Option<PathBuf>,
    /// Where the log goes.
    pub log: LogTarget,
    /// Whether to log every request.
    pub verbose: bool,
    /// Whether the end of stdin is the end of the server.
    pub exit_with_stdin: bool,
}

/// What the command line asks for.
pub enum Command {
    /// To serve.
    Serve(Box<Arguments>),
    /// To print something and end.
    Print(String),
}

/// Reads a command line without the program's name; the error says what is accepted.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut parsed = Arguments {
        host: IpAddr::from([127, 0, 0, 1]),
        port: 0,
        tls: false,
        key: EMULATOR_KEY.to_owned(),
        engine: EngineChoice::Native,
        second_region: None,
        all_versions: None,
        ready_file: None,
        log: LogTarget::Stderr,
        verbose: false,
        exit_with_stdin: false,
    };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
            _ => (argument, None),
        };
        let mut value = || {
            attached
                .clone()
                .or_else(|| arguments.next())
                .ok_or_else(|| format!("{name}: a value is needed"))
        };
        match name.as_str() {
            "--host" => {
                let host = value()?;
                parsed.host = host.parse().map_err(|_| format!("--host: {host} is no IP address"))?;
            }
            "--port" => {
                let port = value()?;
                parsed.port = port
                    .parse()
                    .map_err(|_| format!("--port: {port} is not between 0 and 65535"))?;
            }
            "--key" => {
                let key = value()?;
                AccountKey::parse(&key).map_err(|message| format!("--key: {message}"))?;
                parsed.key = key;
            }
            "--engine" => {
                parsed.engine = match value()?.as_str() {
                    "native" => EngineChoice::Native,
                    "reference" => EngineChoice::Reference,
                    other => {
                        return Err(format!("--engine: {other} is neither native nor reference"));
                    }
                }
            }
            "--second-region" => parsed.second_region = Some(second_region(&value()?)?),
            "--all-versions-and-deletes" => {
                let seconds = value()?;
                parsed.all_versions = match seconds.parse() {
                    Ok(seconds @ 1..) => Some(seconds),
                    _ => return Err(format!("{name}: {seconds} is no whole number of 1 or more")),
                };
            }
            "--ready-file" => parsed.ready_file = Some(PathBuf::from(value()?)),
            "--log" => {
                parsed.log = match value()?.as_str() {
                    "-" => LogTarget::Stderr,
                    file => LogTarget::File(PathBuf::from(file)),
                }
            }
            "--tls" => parsed.tls = true,
            "--verbose" => parsed.verbose = true,
            "--exit-with-parent-stdin" => parsed.exit_with_stdin = true,
            "--help" | "-h" => return Ok(Command::Print(HELP.to_owned())),
            "--version" => {
                let version = env!("CARGO_PKG_VERSION");
                return Ok(Command::Print(format!("cosmos-local {version}\n")));
            }
            other => return Err(format!("{other}: not an option; see --help")),
        }
    }
    if parsed.engine == EngineChoice::Reference {
        if parsed.all_versions.is_some() {
            return Err("--all-versions-and-deletes: the reference engine keeps latest versions only".to_owned());
        }
        if parsed.second_region.is_some() {
            return Err("--second-region: the reference engine has one region".to_owned());
        }
    }
    Ok(Command::Serve(Box::new(parsed)))
}

fn second_region(text: &str) -> Result<SecondRegion, String> {
    let (name, port) = match text.split_once(':') {
        None => (text, Ok(0)),
        Some((name, port)) => (name, port.parse()),
    };
    match port {
        Ok(port) if !name.is_empty() && name != FIRST => Ok(SecondRegion {
            name: name.to_owned(),
            port,
        }),
        _ => Err(format!(
            "--second-region: {text} is no name other than {FIRST}, with or without a colon and a port"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Result<Arguments, String> {
        match parse(line.split_whitespace().map(str::to_owned))? {
            Command::Serve(arguments) => Ok(*arguments),
            Command::Print(_) => Err("printed".to_owned()),
        }
    }

    #[test]
    fn options_are_read_in_both_forms() {
        let parsed = arguments("--port 8081 --host=::1 --tls --engine reference --log x.log").unwrap();
        assert_eq!(parsed.port, 8081);
        assert!(parsed.host.is_ipv6());
        assert!(parsed.tls);
        assert_eq!(parsed.engine, EngineChoice::Reference);
        assert_eq!(parsed.log, LogTarget::File(PathBuf::from("x.log")));
    }

    #[test]
    fn errors_name_the_option() {
        for (line, option) in [
            ("--port x", "--port"),
            ("--key ???", "--key"),
            ("--engine third", "--engine"),
            ("--port", "--port"),
            ("--all-versions-and-deletes 0", "--all-versions-and-deletes"),
            (
                "--engine reference --all-versions-and-deletes 9",
                "--all-versions-and-deletes",
            ),
            ("--second-region :1", "--second-region"),
            ("--engine reference --second-region west", "--second-region"),
            ("--second-region west:x", "--second-region"),
            ("--nothing", "--nothing"),
        ] {
            let error = arguments(line).map(|_| ()).unwrap_err();
            assert!(error.starts_with(option), "{error}");
        }
    }
}
