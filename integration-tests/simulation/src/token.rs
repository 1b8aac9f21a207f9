// SPDX-License-Identifier: Apache-2.0
//! Continuation tokens as the model of the driver writes them.

use change_feed::configuration::{Mode, Start};

/// One part of a token: `[low, high)` and where to go on.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub low: u8,
    pub high: u8,
    pub at: At,
}

#[derive(Debug, Clone, Copy)]
pub enum At {
    Start(Start),
    /// Behind an LSN of a partition.
    Behind(usize, i64),
}

/// The token of a mode for parts.
pub fn write_token(mode: Mode, parts: &[Part]) -> String {
    let mut token = match mode {
        Mode::LatestVersion => "latest".to_owned(),
        Mode::AllVersionsAndDeletes => "all".to_owned(),
    };
    for part in parts {
        let at = match part.at {
            At::Behind(partition, lsn) => format!(" {}-{}:{partition}:{lsn}", part.low, part.high),
            At::Start(Start::Beginning) => format!(" {}-{}:beginning:0", part.low, part.high),
            At::Start(Start::Now) => format!(" {}-{}:now:0", part.low, part.high),
            At::Start(Start::At(millis)) => format!(" {}-{}:at:{millis}", part.low, part.high),
        };
        token.push_str(&at);
    }
    token
}

/// The parts of a token of a mode; nothing where it is none.
pub fn read_token(mode: Mode, token: &str) -> Option<Vec<Part>> {
    let mut words = token.split(' ');
    let of = match words.next()? {
        "latest" => Mode::LatestVersion,
        "all" => Mode::AllVersionsAndDeletes,
        _ => return None,
    };
    if of != mode {
        return None;
    }
    words
        .map(|word| {
            let mut fields = word.split(':');
            let (low, high) = fields.next()?.split_once('-')?;
            let at = match (fields.next()?, fields.next()?.parse().ok()?) {
                ("beginning", _) => At::Start(Start::Beginning),
                ("now", _) => At::Start(Start::Now),
                ("at", millis) => At::Start(Start::At(millis)),
                (partition, lsn) => At::Behind(partition.parse().ok()?, lsn),
            };
            Some(Part {
                low: low.parse().ok()?,
                high: high.parse().ok()?,
                at,
            })
        })
        .collect()
}
