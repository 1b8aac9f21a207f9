// SPDX-License-Identifier: Apache-2.0
//! Writes orders to a container and goes on inserting and updating them, with the SDK's public interface.

mod counters;
mod journal;
mod target;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use integration_tools::arguments::ContainerArguments;
use integration_tools::orders::{Catalogue, Shard, Step};
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::counters::Counters;
use crate::journal::Journal;
use crate::target::Target;

/// Writes orders and then, with --rate, goes on inserting and updating them, in part in transactional batches and again
/// and again at the same few orders, until it is told to end. Prints a line of JSON when the first orders are written
/// and one with all counts at the end.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    target: ContainerArguments,
    /// Creates database and container if they are absent, with partition key /customer.
    #[arg(long)]
    create: bool,
    /// Throughput of a container that --create makes, in RU/s; one physical partition per 10,000.
    #[arg(long, requires = "create")]
    throughput: Option<u64>,
    /// Orders to write first, as fast as the account takes them.
    #[arg(long, default_value_t = 100_000)]
    orders: u64,
    /// Different partition keys.
    #[arg(long, default_value_t = 1_000)]
    customers: u64,
    /// Characters that each document is filled up with.
    #[arg(long, default_value_t = 200)]
    note_length: usize,
    /// Start of each id and partition key.
    #[arg(long, default_value = "order")]
    prefix: String,
    /// Writes at the same time.
    #[arg(long, default_value_t = 64)]
    concurrency: u64,
    /// Requests per second after the first orders; 0 ends there.
    #[arg(long, default_value_t = 0)]
    rate: u64,
    /// Also deletes orders as it goes on, alone and in transactions, and writes some of them anew.
    #[arg(long)]
    deletes: bool,
    /// Lets one new order in sixteen expire after so many seconds, where the container does that.
    #[arg(long)]
    seconds_to_live: Option<u32>,
    /// Ends after so many seconds of going on.
    #[arg(long)]
    seconds: Option<u64>,
    /// Ends when standard input is closed; SIGTERM and SIGINT end it in any case.
    #[arg(long)]
    until_stdin_closes: bool,
    /// Writes each answered write as a line of JSON, for verify-changes.
    #[arg(long)]
    journal: Option<PathBuf>,
    /// Start of the random numbers that choose what is updated.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Orders of a customer that are written first in one transaction, for one customer in ten.
const BATCH: u64 = 10;

struct Plan {
    catalogue: Catalogue,
    orders: u64,
    tasks: u64,
    next_order: AtomicU64,
}

impl Plan {
    /// Writes the first orders of one task's customers, order by order around its customers.
    async fn write_first(
        &self,
        shard: &mut Shard,
        target: &Target,
        stop: &watch::Receiver<bool>,
    ) -> Result<(), String> {
        let customers = shard.customers().to_vec();
        let rounds = self.orders.div_ceil(self.catalogue.customers);
        for round in 0..rounds {
            for (index, &customer) in customers.iter().enumerate() {
                if *stop.borrow() {
                    return Ok(());
                }
                let order = |round: u64| round * self.catalogue.customers + customer;
                if customer % 10 == 0 {
                    if round % BATCH == 0 {
                        let orders: Vec<u64> = (round..(round + BATCH).min(rounds))
                            .map(order)
                            .filter(|order| *order < self.orders)
                            .collect();
                        if orders.is_empty() {
                            continue;
                        }
                        target.write_new_batch(&self.catalogue, customer, &orders).await?;
                        orders.into_iter().for_each(|order| shard.wrote(index, order));
                    }
                } else if order(round) < self.orders {
                    target
                        .write(
                            &self.catalogue,
                            Step::Insert {
                                customer,
                                order: order(round),
                            },
                        )
                        .await?;
                    shard.wrote(index, order(round));
                }
            }
        }
        Ok(())
    }

    /// Goes on at this task's share of the rate until told to end.
    async fn go_on(
        &self,
        shard: &mut Shard,
        target: &Target,
        seed: u64,
        rate: u64,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), String> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut ticks = tokio::time::interval(Duration::from_secs_f64(self.tasks as f64 / rate as f64));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                _ = ticks.tick() => {}
            }
            let step = shard.next(&mut random, || self.next_order.fetch_add(1, Ordering::Relaxed));
            match step {
                Some(step) => target.write(&self.catalogue, step).await?,
                None => return Ok(()),
            }
        }
    }
}

/// Becomes true when the program is to end; the sender is for ends that the caller finds by itself.
fn until_told(stdin: bool) -> Result<(Arc<watch::Sender<bool>>, watch::Receiver<bool>), String> {
    let (sender, stop) = watch::channel(false);
    let sender = Arc::new(sender);
    let mut terminated = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let told = sender.clone();
    tokio::spawn(async move {
        let closed = async {
            if !stdin {
                return std::future::pending().await;
            }
            let mut input = tokio::io::stdin();
            let mut bytes = [0; 256];
            while matches!(input.read(&mut bytes).await, Ok(count) if count > 0) {}
        };
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
            () = closed => {}
        }
        told.send_replace(true);
    });
    Ok((sender, stop))
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let counters = Arc::new(Counters::default());
    let journal = arguments.journal.as_deref().map(Journal::create).transpose()?;
    let target = Arc::new(
        Target::connect(
            &arguments.target.endpoint,
            &arguments.target.key,
            &arguments.target.database,
            &arguments.target.container,
            arguments.create.then_some(arguments.throughput),
            counters.clone(),
            journal,
        )
        .await?,
    );
    let plan = Arc::new(Plan {
        catalogue: Catalogue {
            prefix: arguments.prefix.clone(),
            customers: arguments.customers.max(1),
            note_length: arguments.note_length,
            seconds_to_live: arguments.seconds_to_live,
        },
        orders: arguments.orders,
        tasks: arguments.concurrency.clamp(1, arguments.customers.max(1)),
        next_order: AtomicU64::new(arguments.orders),
    });
    let (told, stop) = until_told(arguments.until_stdin_closes)?;
    let start = Instant::now();
    let progress = tokio::spawn(counters.clone().report(arguments.orders));

    let deletes = arguments.deletes;
    let mut first = Vec::new();
    for task in 0..plan.tasks {
        let (plan, target, stop) = (plan.clone(), target.clone(), stop.clone());
        first.push(tokio::spawn(async move {
            let mut shard = Shard::new(plan.catalogue.customers, task, plan.tasks, deletes);
            plan.write_first(&mut shard, &target, &stop).await.map(|()| shard)
        }));
    }
    let mut shards = Vec::new();
    for task in first {
        shards.push(task.await.map_err(|error| error.to_string())??);
    }
    println!("{}", counters.json("backlog", start.elapsed()));

    if arguments.rate > 0 {
        let mut going_on = Vec::new();
        for (task, mut shard) in shards.into_iter().enumerate() {
            let (plan, target, mut stop) = (plan.clone(), target.clone(), stop.clone());
            let (seed, rate) = (arguments.seed.wrapping_add(task as u64), arguments.rate);
            going_on.push(tokio::spawn(async move {
                plan.go_on(&mut shard, &target, seed, rate, &mut stop).await
            }));
        }
        if let Some(seconds) = arguments.seconds {
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                told.send_replace(true);
            });
        }
        for task in going_on {
            task.await.map_err(|error| error.to_string())??;
        }
    }
    progress.abort();
    target.finish()?;
    println!("{}", counters.json("end", start.elapsed()));
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("orders-writer: {error}");
            ExitCode::FAILURE
        }
    }
}
