// SPDX-License-Identifier: Apache-2.0
//! The committed files of the example job's file sink.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// What a line says was done.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum ChangeOperation {
    /// Written; latest-version mode does not tell more.
    #[default]
    Unknown,
    Create,
    Replace,
    Delete,
}

impl ChangeOperation {
    /// Whether the line is of the feed of all versions and deletes.
    pub fn is_known(self) -> bool {
        self != Self::Unknown
    }
}

impl fmt::Display for ChangeOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Delete => "delete",
        })
    }
}

/// One line: one change that the job emitted and its sink committed.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Change {
    pub id: String,
    pub pk: Value,
    /// Absent for a delete.
    #[serde(default)]
    pub etag: Option<String>,
    #[serde(default)]
    pub op: ChangeOperation,
    /// The version before this one, where there was one and the feed says so.
    #[serde(default)]
    pub previous_etag: Option<String>,
    /// -1 when the change came without one.
    #[serde(default)]
    pub lsn: i64,
    /// The split that brought it.
    #[serde(default)]
    pub split: String,
    /// When the job wrote the line, milliseconds since the epoch.
    #[serde(default)]
    pub at: i64,
}

/// The committed files below a folder, sorted by path. What is hidden or in progress is not committed.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let listing = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for item in listing {
            let item = item.map_err(|error| format!("{}: {error}", folder.display()))?;
            let name = item.file_name().to_string_lossy().into_owned();
            if name.starts_with(['.', '_']) || name.contains(".inprogress") {
                continue;
            }
            let kind = item
                .file_type()
                .map_err(|error| format!("{}: {error}", item.path().display()))?;
            if kind.is_dir() {
                folders.push(item.path());
            } else {
                found.push(item.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The changes of one file, in its order.
pub fn read(file: &Path) -> Result<Vec<Change>, String> {
    let opened = File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut changes = Vec::new();
    for (index, line) in BufReader::new(opened).lines().enumerate() {
        let place = || format!("{}, line {}", file.display(), index + 1);
        let line = line.map_err(|error| format!("{}: {error}", place()))?;
        changes.push(serde_json::from_str(&line).map_err(|error| format!("{}: {error}: {line}", place()))?);
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_committed_files_only_and_in_every_bucket() {
        let folder = std::env::temp_dir().join(format!("committed-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("bucket")).expect("a folder");
        for name in [
            "part-1-0",
            "bucket/part-0-0",
            ".part-2-0.inprogress.1",
            "part-3-0.inprogress.7",
            "_SUCCESS",
        ] {
            std::fs::write(
                folder.join(name),
                "{\"id\":\"a\",\"pk\":\"x\",\"etag\":\"1\",\"at\":5}\n",
            )
            .expect("a file");
        }
        let found = files(&folder).expect("readable");
        let changes = read(&found[0]).expect("lines");
        std::fs::remove_dir_all(&folder).expect("gone");
        assert_eq!(found, [folder.join("bucket/part-0-0"), folder.join("part-1-0")]);
        assert_eq!((changes.len(), changes[0].at), (1, 5));
    }
}
