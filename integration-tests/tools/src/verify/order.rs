// SPDX-License-Identifier: Apache-2.0
//! Changes of a partition key keep the order of the log.

use std::collections::HashMap;

use super::truth::Truth;
use super::{Emission, Emissions, Samples};

/// Where the changes of one partition key in one file stand in the log.
struct Segment {
    key: usize,
    file: usize,
    first_at: i64,
    first_place: u64,
    last_place: u64,
}

/// Changes that come after a later one, in a file or in the file that goes on; repeats are left out.
pub fn disorder(truth: &Truth, emissions: &Emissions<'_>, samples: &mut Samples) -> u64 {
    let mut disorder = 0;
    let mut segments: Vec<Segment> = Vec::new();
    let mut open: HashMap<(usize, usize), usize> = HashMap::new();
    let mut firsts: Vec<&Emission<'_>> = emissions.firsts().collect();
    // Whatever the clock did, a file is in the order in which it was written.
    firsts.sort_by_key(|emission| (emission.file, emission.line));
    for emission in firsts {
        let version = &truth.versions[emission.version];
        let place = version.place;
        match open.get(&(emission.file, version.key)) {
            None => {
                open.insert((emission.file, version.key), segments.len());
                segments.push(Segment {
                    key: version.key,
                    file: emission.file,
                    first_at: emission.change.at,
                    first_place: place,
                    last_place: place,
                });
            }
            Some(&index) => {
                let segment = &mut segments[index];
                if place < segment.last_place {
                    disorder += 1;
                    samples.add("out of order", emission.change);
                }
                segment.first_place = segment.first_place.min(place);
                segment.last_place = segment.last_place.max(place);
            }
        }
    }
    disorder + between_files(&mut segments, samples)
}

/// A partition key's changes go on in another file when the sink rolls or the range moves to another subtask. The later
/// file, by the time of its first line, must not hold anything that the log has before the earlier file's last change.
fn between_files(segments: &mut [Segment], samples: &mut Samples) -> u64 {
    segments.sort_by_key(|segment| (segment.key, segment.first_at, segment.first_place));
    let mut disorder = 0;
    let mut latest: Option<(usize, u64)> = None;
    for segment in segments.iter() {
        match latest {
            Some((key, last_place)) if key == segment.key => {
                if segment.first_place < last_place {
                    disorder += 1;
                    samples.add_text("out of order", || {
                        format!(
                            "file {} goes back to log entry {} after {last_place} in another file",
                            segment.file, segment.first_place
                        )
                    });
                }
                latest = Some((key, last_place.max(segment.last_place)));
            }
            _ => latest = Some((segment.key, segment.last_place)),
        }
    }
    disorder
}
