// SPDX-License-Identifier: Apache-2.0
//! The writer's own log of what was answered, for accounts that have none.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Mutex;

use integration_tools::change_log::{Entry, Operation};

/// Writes of one customer are noted in the order of their answers, as one task makes them one after the other.
pub struct Journal {
    file: Mutex<(BufWriter<File>, u64)>,
}

impl Journal {
    pub fn create(path: &Path) -> Result<Self, String> {
        let file = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self {
            file: Mutex::new((BufWriter::new(file), 0)),
        })
    }

    /// Notes the documents of one answered write, a transaction's with one number; the ETag is absent when the answer is.
    pub fn note(
        &self,
        customer: &str,
        op: Operation,
        documents: impl Iterator<Item = (String, Option<String>)>,
    ) -> Result<(), String> {
        let mut file = self.file.lock().map_err(|_| "the journal failed before".to_owned())?;
        let (writer, seq) = &mut *file;
        *seq += 1;
        for (id, etag) in documents {
            let entry = Entry {
                seq: *seq,
                partition: None,
                lsn: None,
                id,
                pk: customer.into(),
                etag,
                op,
                ts: None,
            };
            serde_json::to_writer(&mut *writer, &entry).map_err(|error| format!("journal: {error}"))?;
            writer.write_all(b"\n").map_err(|error| format!("journal: {error}"))?;
        }
        Ok(())
    }

    pub fn finish(&self) -> Result<(), String> {
        let mut file = self.file.lock().map_err(|_| "the journal failed before".to_owned())?;
        file.0.flush().map_err(|error| format!("journal: {error}"))
    }
}
