// SPDX-License-Identifier: Apache-2.0
//! One schedule: whatever a container and Flink may do to a running job, drawn from a seed.

use change_feed::configuration::{Mode, RetentionExpired, StartFrom, Stop};
use change_feed::error::Error;
use fastrand::Rng;

use crate::check::{Excuses, Owed};
use crate::container::{Container, DOCUMENTS, KEYS};
use crate::discovery::{discover, save_tokens};
use crate::job::{Job, manner};
use crate::reader::World;
use crate::service::{LAG_SECONDS, Service, Weather};
use crate::settings::Settings;
use crate::trace::Trace;

/// When the container's clock starts, seconds.
const BEGIN: i64 = 100;

/// What a schedule came to.
#[derive(Debug)]
pub struct Outcome {
    /// Changes that a merge made come again.
    pub repeated: usize,
    pub changes: usize,
}

/// Runs the schedule of a seed.
///
/// # Errors
/// What was wrong, for people; the trace has what led there.
pub fn run(seed: u64, trace: &mut Trace) -> Result<Outcome, String> {
    let mut rng = Rng::with_seed(seed);
    let rng = &mut rng;
    let settings = Settings::draw(rng, BEGIN);
    trace.say(|| format!("{settings:?}"));
    let container = Container::new(settings.partitions, settings.lists_all_ancestors);
    let mut service = Service::new(container, settings.weather);
    prehistory(&mut service, &settings, rng, trace);
    let saved = match settings.start {
        StartFrom::Tokens(_) => {
            let saved = save_tokens(&mut service, settings.mode, rng).map_err(|error| error.to_string())?;
            prehistory(&mut service, &settings, rng, trace);
            saved
        }
        _ => Vec::new(),
    };
    let positions = discover(&mut service, &settings, &saved, rng, |service, rng| {
        if rng.u8(0..4) == 0 {
            write(service, rng, trace);
        }
        if rng.u8(0..20) == 0 {
            split(service, rng, trace);
        }
    })
    .map_err(|error| error.to_string())?;
    let owed = Owed::by(&settings, &positions, &service);
    trace.say(|| format!("{owed:?}"));
    let mut excuses = Excuses::default();
    let mut time = 0;
    let mut world = World {
        service: &mut service,
        rng,
        manner: &manner(),
        trace,
        time: &mut time,
        excuses: &mut excuses,
        retention_expired: settings.retention_expired,
    };
    let splits = positions
        .iter()
        .map(change_feed::position::Position::snapshot)
        .collect();
    let job = play(&settings, splits, &mut world).map_err(|error| error.to_string())?;
    let mut job = job;
    let repeated = owed.check(&world.service.container, &job.committed, world.excuses)?;
    if settings.stop == Stop::Never {
        a_quiet_night(&mut job, &settings, &mut world).map_err(|error| error.to_string())?;
        owed.check(&world.service.container, &job.committed, world.excuses)?;
    }
    Ok(Outcome {
        repeated,
        changes: world.service.container.changes.len(),
    })
}

/// What was written before the job.
fn prehistory(service: &mut Service, settings: &Settings, rng: &mut Rng, trace: &mut Trace) {
    for _ in 0..rng.usize(0..30) {
        match rng.u8(0..20) {
            0 => split(service, rng, trace),
            1 => merge(service, settings, rng, trace),
            2..=5 => service.container.now += 1,
            _ => write(service, rng, trace),
        }
    }
    finish_splits(service, rng, trace);
    service.container.now = service.container.now.max(BEGIN + 10);
    service.publish();
}

fn play(
    settings: &Settings,
    splits: Vec<change_feed::framing::SplitSnapshot>,
    world: &mut World<'_>,
) -> Result<Job, Error> {
    let mut job = Job::new(settings.readers, splits, world)?;
    for _ in 0..settings.steps {
        let readers = job.readers.len();
        let reader = world.rng.usize(0..readers);
        match world.rng.u8(0..100) {
            0..=35 => {
                for _ in 0..world.rng.usize(1..5) {
                    let tasks = job.readers[reader].tasks();
                    if tasks > 0 {
                        let task = world.rng.usize(0..tasks);
                        job.readers[reader].advance(task, world)?;
                    }
                }
            }
            36..=53 => {
                for _ in 0..world.rng.usize(1..4) {
                    job.emit(reader, world)?;
                }
            }
            54..=66 => write(world.service, world.rng, world.trace),
            67..=69 => job.begin_checkpoint(world),
            70..=75 => job.snapshot(reader, world),
            76..=79 => job.complete_checkpoint(world)?,
            80 => job.abort_checkpoint(world),
            // All at once, as it is when nothing is slow; often in the middle of a page.
            81..=84 => job.checkpoint(world)?,
            85..=88 => {
                let readers = world.rng.usize(1..5);
                job.fail(readers, world)?;
            }
            89 => {
                let splits = job.readers[reader].splits();
                if let Some(split) = world.rng.choice(&splits) {
                    let paused = world.rng.bool();
                    job.readers[reader].set_paused(split, paused);
                }
            }
            90..=91 => {
                let splits = job.readers[reader].splits();
                if let Some(split) = world.rng.choice(&splits) {
                    // Sometimes of a split that another reader has, which may come here or not.
                    let any = world.rng.u8(0..4) == 0;
                    let asked = if any { world.rng.usize(0..readers) } else { 0 };
                    job.readers[(reader + asked) % readers].release(split, world.trace);
                }
            }
            92..=93 => job.unpark(world)?,
            94 => split(world.service, world.rng, world.trace),
            95..=97 if settings.merges.is_some() => merge(world.service, settings, world.rng, world.trace),
            98..=99 if settings.retention_expired != RetentionExpired::Fail && world.rng.bool() => {
                expire(world.service, world.rng, world.trace);
            }
            95..=97 => split(world.service, world.rng, world.trace),
            98 => finish_splits(world.service, world.rng, world.trace),
            _ => world.service.container.now += world.rng.i64(1..4),
        }
    }
    calm(settings, world);
    job.abort_checkpoint(world);
    job.drain(world)?;
    job.checkpoint(world)?;
    Ok(job)
}

/// From here on nothing stands in the way of the readers.
fn calm(settings: &Settings, world: &mut World<'_>) {
    finish_splits(world.service, world.rng, world.trace);
    world.service.weather = Weather::FINE;
    world.service.publish();
    if let Stop::At(millis) = settings.stop {
        let container = &mut world.service.container;
        container.now = container.now.max(millis / 1000 + LAG_SECONDS + 2);
    }
    world.trace.say(|| "all is calm".to_owned());
}

/// Nothing was written for longer than the account keeps versions, then the job fails and goes on. It can, because every
/// range has been told where it stands.
fn a_quiet_night(job: &mut Job, settings: &Settings, world: &mut World<'_>) -> Result<(), Error> {
    if settings.mode == Mode::AllVersionsAndDeletes {
        for partition in &mut world.service.container.partitions {
            partition.expired = partition.lsn;
        }
    }
    world.retention_expired = RetentionExpired::Fail;
    world.service.container.now += 1000;
    let readers = world.rng.usize(1..5);
    job.fail(readers, world)?;
    for _ in 0..world.rng.usize(1..6) {
        write(world.service, world.rng, world.trace);
    }
    if world.rng.u8(0..3) == 0 {
        split(world.service, world.rng, world.trace);
        finish_splits(world.service, world.rng, world.trace);
    }
    job.drain(world)?;
    job.checkpoint(world)
}

fn write(service: &mut Service, rng: &mut Rng, trace: &mut Trace) {
    let container = &mut service.container;
    let key = if rng.bool() {
        rng.u8(0..KEYS)
    } else {
        rng.u8(0..4) * 4 + 1
    };
    let mut documents: Vec<u8> = (0..DOCUMENTS).collect();
    rng.shuffle(&mut documents);
    documents.truncate(if rng.u8(0..3) == 0 { rng.usize(1..=3) } else { 1 });
    let batch: Vec<(u8, bool)> = documents
        .into_iter()
        .map(|document| {
            let exists = container
                .changes
                .iter()
                .rev()
                .find(|change| change.key == key && change.document == document)
                .is_some_and(|change| !change.delete);
            (document, exists && rng.u8(0..6) == 0)
        })
        .collect();
    let first = container.changes.len();
    if container.write(key, &batch) {
        trace.say(|| {
            let place = container.at(key);
            format!(
                "changes {first}..{} of key {key} at LSN {} of partition {place}: {batch:?}",
                container.changes.len(),
                container.partitions[place].lsn
            )
        });
    }
}

/// A partition forgets older changes, perhaps all.
fn expire(service: &mut Service, rng: &mut Rng, trace: &mut Trace) {
    let container = &mut service.container;
    let live = container.live();
    let place = live[rng.usize(..live.len())];
    let partition = &mut container.partitions[place];
    partition.expired = rng.i64(partition.expired..=partition.lsn);
    trace.say(|| format!("partition {place} keeps nothing up to LSN {}", partition.expired));
}

/// Begins a split, which ends at once or locks the partition for a while.
fn split(service: &mut Service, rng: &mut Rng, trace: &mut Trace) {
    let container = &mut service.container;
    let wide: Vec<usize> = container
        .live()
        .into_iter()
        .filter(|&place| container.partitions[place].high - container.partitions[place].low > 1)
        .collect();
    if let Some(&place) = rng.choice(&wide) {
        if rng.bool() {
            trace.say(|| format!("partition {place} is locked"));
            container.partitions[place].locked = true;
            container.version += 1;
        } else {
            split_now(container, place, rng, trace);
        }
    }
}

fn split_now(container: &mut Container, place: usize, rng: &mut Rng, trace: &mut Trace) {
    let partition = &container.partitions[place];
    let middle = rng.u8(partition.low + 1..partition.high);
    container.split(place, middle, [rng.i64(0..3), rng.i64(0..3)]);
    trace.say(|| {
        let low = container.partitions.len() - 2;
        format!("partition {place} is split at {middle} into {low} and {}", low + 1)
    });
}

fn finish_splits(service: &mut Service, rng: &mut Rng, trace: &mut Trace) {
    let container = &mut service.container;
    for place in container.live() {
        if container.partitions[place].locked {
            split_now(container, place, rng, trace);
        }
    }
}

fn merge(service: &mut Service, settings: &Settings, rng: &mut Rng, trace: &mut Trace) {
    let container = &mut service.container;
    let live = container.live();
    let Some(model) = settings.merges.filter(|_| live.len() > 1) else {
        return;
    };
    let left = rng.usize(0..live.len() - 1);
    let (left, right) = (live[left], live[left + 1]);
    if container.partitions[left].locked || container.partitions[right].locked {
        return;
    }
    container.merge(left, right, model);
    trace.say(|| {
        format!(
            "partitions {left} and {right} are merged into {}: {model:?}",
            container.partitions.len() - 1
        )
    });
}
