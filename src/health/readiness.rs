//! Looks at what a process depends on, again and again, and tells whoever asks.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::future::join_all;
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};
use tracing::{info, warn};

use super::{Check, Report};
use crate::{
    broker::Broker,
    clock::Clock,
    outbox::{MAX_COUNTED, Outbox},
    platform::Database,
    telemetry::metrics::readiness::Readings,
};

/// How often it looks.
pub const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How long one check may take: what does not answer a ping by then is not there for a call either.
pub const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an event may wait in an outbox. The relay publishes within milliseconds and sweeps every
/// few seconds, so that a minute means that it does not get through.
pub const MAX_OUTBOX_AGE: Duration = Duration::from_mins(1);

/// What one service's readiness depends on, beside the broker.
pub struct Watched {
    /// Its short name.
    pub name: &'static str,
    /// Full names of its gRPC services.
    pub grpc_names: Vec<&'static str>,
    /// Its database.
    pub database: Database,
    /// Its outbox, if it has one.
    pub outbox: Option<Arc<dyn Outbox>>,
}

/// The loop.
pub struct Readiness {
    broker: Arc<dyn Broker>,
    declared: CancellationToken,
    services: Vec<Watched>,
    clock: Arc<dyn Clock>,
    health: HealthReporter,
    report: watch::Sender<Report>,
    readings: Readings,
    /// What gRPC health was told last: telling it again would wake every watcher.
    told: HashMap<&'static str, bool>,
}

impl Readiness {
    /// A loop that has not looked yet. `declared` is cancelled when every queue is there: what is
    /// published before finds no binding.
    pub fn new(
        broker: Arc<dyn Broker>,
        declared: CancellationToken,
        services: Vec<Watched>,
        clock: Arc<dyn Clock>,
        health: HealthReporter,
    ) -> Self {
        Self {
            broker,
            declared,
            services,
            clock,
            health,
            report: watch::Sender::new(Report::unready("starting")),
            readings: Readings::new(),
            told: HashMap::new(),
        }
    }

    /// What was found last, always.
    pub fn report(&self) -> watch::Receiver<Report> {
        self.report.subscribe()
    }

    /// Not ready until it has looked: to be called before the first call can arrive.
    pub async fn start(&mut self) {
        self.tell_all(false).await;
    }

    /// Looks until `stop`, and then tells everybody that this process is ready no more.
    pub async fn run(mut self, stop: CancellationToken) {
        // Mostly the queues are there at once, and then so is readiness.
        let declared = timeout(CHECK_INTERVAL, self.declared.cancelled());
        stop.run_until_cancelled(declared).await;
        while stop.run_until_cancelled(self.look()).await.is_some() {
            stop.run_until_cancelled(tokio::time::sleep(CHECK_INTERVAL)).await;
        }
        self.report.send_replace(Report::unready("stopping"));
        self.tell_all(false).await;
    }

    async fn look(&mut self) {
        let broker = self.broker_check();
        let services = join_all(self.services.iter().map(|service| self.service_checks(service)));
        let (broker, services) = tokio::join!(broker, services);

        let is_ready: Vec<_> = services
            .iter()
            .map(|checks| broker.problem.is_none() && Report::of(checks.clone()).ready)
            .collect();
        let report = Report::of(
            [broker]
                .into_iter()
                .chain(services.into_iter().flatten())
                .collect(),
        );
        for (at, is_ready) in is_ready.into_iter().enumerate() {
            for name in self.services[at].grpc_names.clone() {
                self.tell(name, is_ready).await;
            }
        }
        self.tell("", report.ready).await;
        self.readings.checked(&report.checks);
        log_change(&self.report.borrow(), &report);
        self.report.send_replace(report);
    }

    async fn broker_check(&self) -> Check {
        let answer = timeout(CHECK_TIMEOUT, self.broker.check()).await;
        let undeclared = || (!self.declared.is_cancelled()).then(|| "queues are not declared yet".to_owned());
        check("broker", answered(answer).or_else(undeclared))
    }

    async fn service_checks(&self, service: &Watched) -> Vec<Check> {
        let database = timeout(CHECK_TIMEOUT, service.database.check()).await;
        let database = check(&format!("{}.database", service.name), answered(database));
        // Its outbox lies in the same database: one problem is told once.
        match &service.outbox {
            Some(outbox) if database.problem.is_none() => {
                let problem = self.outbox_problem(service.name, outbox.as_ref()).await;
                vec![database, check(&format!("{}.outbox", service.name), problem)]
            }
            _ => vec![database],
        }
    }

    async fn outbox_problem(&self, service: &'static str, outbox: &dyn Outbox) -> Option<String> {
        let backlog = match timeout(CHECK_TIMEOUT, outbox.backlog()).await {
            Ok(Ok(backlog)) => backlog,
            answer => return answered(answer.map(|read| read.map(drop))),
        };
        let now = self.clock.now();
        let age = backlog
            .oldest
            .and_then(|oldest| now.duration_since(oldest).ok())
            .unwrap_or_default();
        self.readings.waiting(service, backlog.depth, age);
        if age > MAX_OUTBOX_AGE {
            let (age, max) = (age.as_secs(), MAX_OUTBOX_AGE.as_secs());
            return Some(format!(
                "the oldest event has waited for {age} s, more than {max} s"
            ));
        }
        let is_full = backlog.depth >= MAX_COUNTED;
        is_full.then(|| format!("{MAX_COUNTED} or more events wait"))
    }

    async fn tell_all(&mut self, is_ready: bool) {
        let names: Vec<_> = self.services.iter().flat_map(|s| s.grpc_names.clone()).collect();
        for name in names.into_iter().chain([""]) {
            self.tell(name, is_ready).await;
        }
    }

    async fn tell(&mut self, name: &'static str, is_ready: bool) {
        if self.told.insert(name, is_ready) != Some(is_ready) {
            let status = if is_ready {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            };
            self.health.set_service_status(name, status).await;
        }
    }
}

/// What is wrong with something that was asked whether it is there. Its own words go to the log.
fn answered<E: std::fmt::Display>(
    answer: Result<Result<(), E>, tokio::time::error::Elapsed>,
) -> Option<String> {
    match answer {
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            tracing::debug!(%error, "readiness check failed");
            Some("cannot be reached".to_owned())
        }
        Err(_) => Some(format!("did not answer within {} s", CHECK_TIMEOUT.as_secs())),
    }
}

fn check(name: &str, problem: Option<String>) -> Check {
    Check {
        name: name.to_owned(),
        problem,
    }
}

fn log_change(before: &Report, after: &Report) {
    if before == after {
        return;
    }
    if after.ready {
        info!("ready");
    }
    for check in &after.checks {
        if let Some(problem) = &check.problem
            && !before.checks.contains(check)
        {
            warn!(check = check.name, problem, "not ready");
        }
    }
}
