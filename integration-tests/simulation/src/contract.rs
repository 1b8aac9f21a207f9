// SPDX-License-Identifier: Apache-2.0
//! What is said at the seam between the core and the connector, as lines of JSON: recorded here, promised to the connector's
//! simulation, which accepts what is recorded and no more. `contract/README.md` has the rules; [`check`] keeps them.

use std::collections::{HashMap, HashSet};

use change_feed::framing::SplitSnapshot;
use change_feed::position::Position;
use change_feed::reading::{Delivered, Outcome};
use serde_json::{Value, json};

use crate::schedule::run;
use crate::trace::Trace;

/// The schedules that are recorded: a name, a seed, what it is about.
pub const RECORDED: &[(&str, u64, &str)] = &[
    (
        "latest-version",
        32,
        "latest version from the beginning, with splits, failures and releases",
    ),
    ("all-versions", 40, "all versions from now"),
    ("present-state", 49, "the present state, then all versions"),
    ("bounded", 45, "latest version up to what there was at the start"),
    ("until-a-time", 43, "latest version up to a time"),
    ("merges", 21, "latest version while partitions are merged"),
];

/// Records calls and answers at the seam.
#[derive(Debug, Default)]
pub struct Seam {
    lines: Vec<Value>,
    /// Position bytes by the order in which they were first seen: what they say is the core's own business.
    positions: HashMap<Vec<u8>, usize>,
}

impl Seam {
    fn position(&mut self, bytes: Vec<u8>) -> usize {
        let next = self.positions.len();
        *self.positions.entry(bytes).or_insert(next)
    }

    fn split(&mut self, split: &SplitSnapshot) -> Value {
        let position = self.position(split.position.clone());
        json!({"split": split.split_id, "range": split.feed_range, "position": position})
    }

    pub fn restart(&mut self, readers: usize) {
        self.lines.push(json!({"restart": readers}));
    }

    pub fn add(&mut self, reader: usize, split: &SplitSnapshot) {
        let split = self.split(split);
        self.lines
            .push(json!({"reader": reader, "call": "addSplits", "splits": [split]}));
    }

    pub fn release(&mut self, reader: usize, split: &str) {
        self.lines
            .push(json!({"reader": reader, "call": "releaseSplits", "splits": [split]}));
    }

    pub fn page(&mut self, reader: usize, split: &str, page: &Delivered, lsns: &[Vec<i64>]) {
        let accepted = &page.accepted;
        let positions: Vec<usize> = (0..accepted.marks.len())
            .map(|group| {
                let position = accepted.position_after(&page.fetched_by, group);
                self.position(position.expect("the page has the group").encode())
            })
            .collect();
        let line =
            json!({"reader": reader, "page": "documents", "split": split, "groups": lsns, "positions": positions});
        self.lines.push(line);
    }

    pub fn end(&mut self, reader: usize, split: &str, outcome: &Outcome) {
        let page = match outcome {
            Outcome::Finished => "rangeFinished",
            Outcome::Split(_) => "rangeSplit",
            Outcome::Released => "rangeReleased",
            Outcome::Failed(_) => return,
        };
        let mut line = json!({"reader": reader, "page": page, "split": split});
        if let Outcome::Split(children) = outcome {
            let children: Vec<Value> = children
                .iter()
                .map(Position::snapshot)
                .map(|child| self.split(&child))
                .collect();
            line["children"] = Value::Array(children);
        }
        self.lines.push(line);
    }
}

/// The account of a schedule at the seam, one line of JSON each.
///
/// # Errors
/// When the schedule fails.
pub fn record(seed: u64) -> Result<Vec<String>, String> {
    let mut trace = Trace::at_the_seam();
    run(seed, &mut trace)?;
    Ok(trace.seam().lines.iter().map(Value::to_string).collect())
}

/// A split as far as the rules go.
#[derive(Debug)]
struct Reading {
    range: String,
    release_asked: bool,
}

/// Checks an account against the rules.
///
/// # Errors
/// The line and the rule that it breaks.
pub fn check(lines: &[String]) -> Result<(), String> {
    let mut reading: HashMap<(u64, String), Reading> = HashMap::new();
    let mut asked: HashSet<(u64, String)> = HashSet::new();
    for (number, line) in lines.iter().enumerate() {
        let broken = |rule: &str| Err(format!("line {}: {rule}: {line}", number + 1));
        let said: Value = serde_json::from_str(line).map_err(|e| format!("line {}: {e}", number + 1))?;
        if said.get("restart").is_some() {
            reading.clear();
            asked.clear();
            continue;
        }
        let reader = said["reader"].as_u64().ok_or("a line without a reader")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let id = (reader, text(&said["split"]));
        match said.get("call").or(said.get("page")).and_then(Value::as_str) {
            Some("addSplits") => {
                for split in said["splits"].as_array().into_iter().flatten() {
                    let id = (reader, text(&split["split"]));
                    let new = Reading {
                        range: text(&split["range"]),
                        release_asked: asked.remove(&id),
                    };
                    if reading.insert(id, new).is_some() {
                        return broken("a split is added once");
                    }
                }
            }
            Some("releaseSplits") => {
                for split in said["splits"].as_array().into_iter().flatten() {
                    let id = (reader, text(split));
                    match reading.get_mut(&id) {
                        Some(reading) => reading.release_asked = true,
                        None => {
                            asked.insert(id);
                        }
                    }
                }
            }
            Some("documents") => {
                if !reading.contains_key(&id) {
                    return broken("pages are of splits that are read");
                }
                let groups = said["groups"].as_array().cloned().unwrap_or_default();
                if groups.is_empty() || groups.len() != said["positions"].as_array().map_or(0, Vec::len) {
                    return broken("a page has a group at least and a position for each");
                }
                let lsns: Vec<Vec<i64>> = groups
                    .iter()
                    .map(|group| {
                        group
                            .as_array()
                            .into_iter()
                            .flatten()
                            .filter_map(Value::as_i64)
                            .collect()
                    })
                    .collect();
                let only_moves = lsns == [Vec::<i64>::new()];
                let whole = lsns
                    .iter()
                    .all(|group| group.windows(2).all(|pair| pair[0] == pair[1]) && !group.is_empty());
                let rising = lsns.windows(2).all(|pair| pair[0].first() < pair[1].first());
                if !(only_moves || whole && rising) {
                    return broken("a group is of one LSN, and LSNs rise from group to group");
                }
            }
            Some("rangeFinished") => {
                if reading.remove(&id).is_none() {
                    return broken("a split that is read ends once");
                }
            }
            Some("rangeReleased") => {
                if !reading.remove(&id).is_some_and(|reading| reading.release_asked) {
                    return broken("a split is released once, and only if that was asked for");
                }
            }
            Some("rangeSplit") => {
                let Some(parent) = reading.remove(&id) else {
                    return broken("a split that is read ends once");
                };
                let ranges: Vec<String> = said["children"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|child| text(&child["range"]))
                    .collect();
                if ranges.len() < 2 || !covers(&parent.range, &ranges) {
                    return broken("the children are two or more and cover the parent's range in order");
                }
            }
            _ => return broken("neither a call nor a page"),
        }
    }
    Ok(())
}

/// Whether `[a,b)`, `[b,c)` … make up `[a,z)`.
fn covers(whole: &str, parts: &[String]) -> bool {
    let bounds = |range: &str| {
        let (low, high) = range.trim_start_matches('[').trim_end_matches(')').split_once(',')?;
        Some((low.to_owned(), high.to_owned()))
    };
    let Some((low, high)) = bounds(whole) else { return false };
    let mut reached = low;
    for part in parts {
        match bounds(part) {
            Some((low, high)) if low == reached => reached = high,
            _ => return false,
        }
    }
    reached == high
}
