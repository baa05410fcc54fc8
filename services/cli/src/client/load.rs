//! `waybill load`: puts a measured load on a running platform.
//!
//! *Closed loop* (`--concurrency`): so many calls are always under way, each counted from when it was
//! made. That measures throughput; latency only of a platform that is never asked for more than it
//! takes. *Open loop* (`--rate`): calls are due on a schedule that no answer holds up, and each counts from
//! when it was due. A platform that stands still for a second is then charged for every call of that
//! second, not for one (no *coordinated omission*).

mod calls;
mod limits;
mod mix;
mod outcome;
mod pace;
mod population;
mod progress;
mod report;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use clap::Args;
use tokio::signal;

use self::{
    calls::{Calls, Recent},
    limits::{
        concurrency, connections, duration, hot_users, in_flight, items, prefill, rate, requests, users,
        warm_up,
    },
    mix::{Kind, Mix},
    pace::{Pace, Schedule, Shared},
    population::{HotUsers, Population},
    progress::Progress,
    report::Report,
};
use super::{connection::Connection, output::Output};

/// Orders of each user that are placed before anything is measured, where a mix needs some.
const PREFILL_PER_USER: u32 = 10;

/// Most of these, unless `--prefill` says otherwise: enough for lists and reads to differ.
const MAX_DEFAULT_PREFILL: u32 = 10_000;

/// What load, on what, for how long.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// gRPC address of the user service, where that is another process [default: that of --server].
    #[arg(long, value_name = "URL")]
    user_server: Option<String>,
    /// Calls a second, on a schedule that no answer holds up. Latency counts from when a call was due.
    #[arg(long, conflicts_with = "concurrency", value_parser = rate())]
    rate: Option<u32>,
    /// Calls under way at a time, each made when one before it has ended [default: 32].
    #[arg(long, value_parser = concurrency())]
    concurrency: Option<u32>,
    /// Calls under way at most with --rate; those that are due then wait, and that counts.
    #[arg(long, default_value_t = 1000, value_parser = in_flight())]
    max_in_flight: u32,
    /// How long is measured.
    #[arg(long, default_value = "30s", value_parser = duration)]
    duration: Duration,
    /// How long calls are made before that.
    #[arg(long, default_value = "2s", value_parser = warm_up)]
    warm_up: Duration,
    /// Ends after so many calls that were measured, if that is before the time is over.
    #[arg(long, value_parser = requests())]
    requests: Option<u64>,
    /// Shares of the kinds of calls: place, get, list, cancel. What is not named has none.
    #[arg(long, default_value = "place=100")]
    mix: Mix,
    /// Users who place orders; they are registered first.
    #[arg(long, default_value_t = 1000, value_parser = users())]
    users: u32,
    /// Share of the users who place a share of the orders, both in percent: 1:50 has one in a hundred
    /// users place half of them.
    #[arg(long, value_name = "USERS:ORDERS", value_parser = hot_users)]
    hot_users: Option<HotUsers>,
    /// Makes users up instead of registering them: nobody gets mail, so the notification service will
    /// try each order's again and again.
    #[arg(long)]
    no_register: bool,
    /// Items in an order.
    #[arg(long, default_value_t = 2, value_parser = items())]
    items: u32,
    /// Orders that are placed before anything is measured [default: 10 a user, at most 10000, if the
    /// mix gets, lists or cancels some].
    #[arg(long, value_parser = prefill())]
    prefill: Option<u32>,
    /// HTTP/2 connections to the server.
    #[arg(long, default_value_t = 1, value_parser = connections())]
    connections: u32,
}

impl Load {
    fn pace(&self) -> Pace {
        match self.rate {
            Some(rate) => Pace::Open {
                rate,
                workers: self.max_in_flight,
            },
            None => Pace::Closed {
                workers: self.concurrency.unwrap_or(32),
            },
        }
    }

    fn prefill(&self) -> u32 {
        let needs_orders = [Kind::Get, Kind::List, Kind::Cancel]
            .into_iter()
            .any(|kind| self.mix.has(kind));
        self.prefill.unwrap_or(if needs_orders {
            self.users
                .saturating_mul(PREFILL_PER_USER)
                .min(MAX_DEFAULT_PREFILL)
        } else {
            0
        })
    }
}

/// Runs the load, and prints what came of it.
pub(super) async fn run(load: Load, server: &str, output: &Output) -> Result<()> {
    let progress = Arc::new(Progress::new(output.is_json()));
    let channels = (0..load.connections)
        .map(|_| Ok(Connection::new(server)?.channel()))
        .collect::<Result<Vec<_>>>()?;
    let users = if load.no_register {
        Population::made_up(load.users)
    } else {
        let user_server = load.user_server.as_deref().unwrap_or(server);
        Population::register(load.users, &Connection::new(user_server)?, &progress).await?
    };
    let recent = Arc::new(Recent::default());
    let calls = |worker: usize| {
        let channel = channels[worker % channels.len()].clone();
        let users = users.clone().with_hot(load.hot_users);
        Calls::new(channel, users, load.items, Arc::clone(&recent))
    };
    calls(0).prefill(load.prefill(), &progress).await?;

    let started = Instant::now();
    let schedule = Arc::new(Schedule::new(&load, started));
    let shared = Shared {
        mix: load.mix,
        schedule: Arc::clone(&schedule),
        progress: Arc::clone(&progress),
        tallies: Arc::default(),
    };
    let workers = (0..load.pace().workers()).map(|worker| {
        let worker = usize::try_from(worker).unwrap_or_default();
        tokio::spawn(pace::work(worker, calls(worker), shared.clone()))
    });
    let workers: Vec<_> = workers.collect();
    let measuring = schedule.measuring_from();
    let cpu_before = tokio::spawn(async move {
        tokio::time::sleep_until(measuring.into()).await;
        report::cpu_us()
    });
    let stopper = Arc::clone(&schedule);
    let interrupted = tokio::spawn(async move {
        if signal::ctrl_c().await.is_ok() {
            stopper.stop();
        }
    });
    let watching = tokio::spawn(Arc::clone(&progress).show());
    for worker in workers {
        worker.await?;
    }
    let tally = shared.tallies.sum();
    let elapsed = measuring.elapsed();
    interrupted.abort();
    watching.abort();
    progress.finish();
    let cpu_before = if cpu_before.is_finished() {
        cpu_before.await?
    } else {
        None
    };
    let report = Report::new(
        &load,
        server,
        &tally,
        elapsed,
        cpu_before,
        progress.most_in_flight(),
    );
    report.print(output)?;
    if tally.failed() > 0 && tally.succeeded() == 0 {
        bail!("every call failed");
    }
    Ok(())
}
