// SPDX-License-Identifier: Apache-2.0
//! What happened in a schedule, in words; kept only where somebody will read it.

use std::fmt;

use change_feed::failure::Attempt;
use change_feed::framing::SplitSnapshot;
use change_feed::position::Position;
use change_feed::reading::{Note, Outcome};

use crate::container::ChangeId;
use crate::contract::Seam;
use crate::reader::Fetched;
use crate::service::Answer;

/// The account of one schedule.
#[derive(Debug, Default)]
pub struct Trace {
    lines: Option<Vec<String>>,
    seam: Option<Seam>,
}

impl Trace {
    pub fn kept() -> Self {
        Self {
            lines: Some(Vec::new()),
            seam: None,
        }
    }

    /// Keeps what is said at the seam.
    pub fn at_the_seam() -> Self {
        Self {
            lines: None,
            seam: Some(Seam::default()),
        }
    }

    /// What was said at the seam, nothing unless it was kept.
    pub fn seam(self) -> Seam {
        self.seam.unwrap_or_default()
    }

    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }

    /// Says what happens; the words are made only when they are kept.
    pub fn say(&mut self, words: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(words());
        }
    }

    pub fn restart(&mut self, readers: usize) {
        if let Some(seam) = &mut self.seam {
            seam.restart(readers);
        }
        self.say(|| format!("{readers} readers start"));
    }

    pub fn add(&mut self, reader: usize, split: &SplitSnapshot) {
        if let Some(seam) = &mut self.seam {
            seam.add(reader, split);
        }
        self.say(|| {
            let position = Position::decode(&split.split_id, &split.position).expect("made by the core");
            format!("reader {reader} adds {} at {}", split.split_id, At(&position))
        });
    }

    pub fn release(&mut self, reader: usize, split: &str) {
        if let Some(seam) = &mut self.seam {
            seam.release(reader, split);
        }
        self.say(|| format!("reader {reader} is asked to release {split}"));
    }

    pub fn end_taken(&mut self, split: &str) {
        self.say(|| format!("  {split}: the end is taken again"));
    }

    pub fn note(&mut self, split: &str, note: &Note) {
        self.say(|| format!("  {split}: {note:?}"));
    }

    pub fn answer(&mut self, split: &str, position: &Position, answer: &Attempt<Answer>) {
        self.say(|| match answer {
            Ok(answer) => format!(
                "  {split} at {} is answered by partition {}: {} LSN {:?}, items {:?} = changes {:?}, next {}",
                At(position),
                answer.partition,
                if answer.page.not_modified { "304" } else { "200" },
                answer.page.lsn.unwrap_or_default(),
                answer.page.lsns.iter().flatten().collect::<Vec<_>>(),
                answer.changes,
                answer.page.next_token,
            ),
            Err(failure) => format!("  {split} at {} fails: {}", At(position), failure.clone().into_error()),
        });
    }

    pub fn emit(&mut self, reader: usize, split: &str, changes: &[ChangeId], page: &Fetched, group: usize) {
        self.say(|| {
            format!(
                "reader {reader} emits {changes:?} of {split}: group {} of {}",
                group + 1,
                page.delivered.accepted.marks.len()
            )
        });
    }

    /// A page is taken from the session; `lsns` are its items'.
    pub fn polled(&mut self, reader: usize, split: &str, page: &Fetched) {
        if let Some(seam) = &mut self.seam {
            let accepted = &page.delivered.accepted;
            let lsns: Vec<Vec<i64>> = match accepted.groups.as_slice() {
                [] => vec![Vec::new()],
                groups => groups.iter().map(|group| page.lsns[group.clone()].to_vec()).collect(),
            };
            seam.page(reader, split, &page.delivered, &lsns);
        }
    }

    pub fn end(&mut self, reader: usize, split: &str, outcome: &Outcome) {
        if let Some(seam) = &mut self.seam {
            seam.end(reader, split, outcome);
        }
        self.say(|| match outcome {
            Outcome::Split(children) => format!(
                "reader {reader}: {split} was split into {}",
                children
                    .iter()
                    .map(Position::split_id)
                    .collect::<Vec<_>>()
                    .join(" and ")
            ),
            outcome => format!("reader {reader}: {split} ended: {outcome:?}"),
        });
    }
}

/// A position in short.
pub struct At<'a>(pub &'a Position);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = self.0;
        match &position.token {
            Some(token) => write!(f, "({token}")?,
            None => write!(f, "({:?}", position.start)?,
        }
        if let Some(mark) = &position.mark {
            write!(f, ", mark {} of {}", mark.lsn, mark.lineage.partition_id)?;
        }
        if let Some(end) = &position.end {
            match end {
                change_feed::position::End::Lsn(end) => {
                    write!(f, ", end {} of {}", end.lsn, end.lineage.partition_id)?;
                }
                change_feed::position::End::Time(millis) => write!(f, ", end at {millis} ms")?,
            }
        }
        if let Some(then) = &position.then {
            write!(f, ", then {}", then.token)?;
        }
        f.write_str(")")
    }
}
