//! The platform under measurement: a process for each service on RabbitMQ and MongoDB, or one for all on
//! files. It starts with nothing in it and leaves nothing behind once everything has been measured.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use futures::{StreamExt, future::join_all, stream};
use waybill::contract::{Event, user::v1::UserRegistered};
use waybill_testkit::wait::PATIENCE;

use crate::{
    client::Client,
    floors::databases,
    measure::{Watched, peak_mib},
    metrics::Metrics,
    process::Process,
    quota::Quota,
    servers::Servers,
    stack::Stack,
    statistics::{Sample, at_most},
};

/// The services, each a process of its own on RabbitMQ and MongoDB.
pub(crate) const SERVICES: [&str; 3] = ["order", "user", "notification"];

/// The process that runs all of them on files.
pub(crate) const ALL_IN_ONE: &str = "up";

/// Queues of the consumers.
pub(crate) const STATISTICS: &str = waybill_user::ORDER_STATS_QUEUE;
pub(crate) const MAIL: &str = "waybill.notification.mail";
const CONTACTS: &str = "waybill.notification.contacts";

/// Registrations under way at a time.
const REGISTERING: usize = 32;

/// How long a consumer is left alone between two looks at how far it has come; the second, when it is
/// nearly through, is what the end is known by.
const LOOK: Duration = Duration::from_millis(100);
const CLOSE_LOOK: Duration = Duration::from_millis(10);

/// Embedded platforms that have ended, with their files. ext4 looks for the inode of a new file past those that were
/// freed in the last minutes (`recently_deleted` in its source), so that tens of thousands of mails that are
/// deleted make those of the next measurement dearer.
static ENDED: Mutex<Vec<Stack>> = Mutex::new(Vec::new());

/// Deletes the files of platforms that have ended.
pub(crate) fn clear_away() {
    ENDED.lock().expect("no holder of the lock can panic").clear();
}

pub(crate) struct Platform {
    // Dropped before what they stand on.
    processes: Vec<(&'static str, Process)>,
    quotas: Vec<Quota>,
    pub(crate) stack: Stack,
}

impl Platform {
    /// All services, each in as many processes of its own, mailing to the server that forgets.
    pub(crate) async fn split(servers: &Servers, instances: usize) -> Self {
        let mut platform = Self::stopped(servers).await;
        for service in SERVICES {
            for _ in 0..instances {
                platform.start(service);
            }
        }
        platform.ready().await
    }

    /// Nothing yet but what services need.
    pub(crate) async fn stopped(servers: &Servers) -> Self {
        Self::on(Stack::real().await.with("WAYBILL_SMTP", &servers.mail.url))
    }

    /// Nothing yet on these parts.
    pub(crate) fn on(stack: Stack) -> Self {
        Self {
            stack: stack.with("WAYBILL_LOG_FILTER", "warn"),
            processes: Vec::new(),
            quotas: Vec::new(),
        }
    }

    /// All services in one process, on files.
    pub(crate) async fn embedded() -> Self {
        let mut platform = Self::on(Stack::embedded());
        let process = Process::start(&platform.stack, &[ALL_IN_ONE]);
        platform.processes.push((ALL_IN_ONE, process));
        platform.ready().await
    }

    /// Starts one service. It is not ready yet.
    pub(crate) fn start(&mut self, service: &'static str) {
        let process = Process::start(&self.stack, &["serve", service]);
        self.processes.push((service, process));
    }

    /// Waits until all are ready.
    pub(crate) async fn ready(mut self) -> Self {
        let mut ready = Vec::new();
        for (name, process) in self.processes {
            ready.push((name, process.ready().await));
        }
        self.processes = ready;
        self
    }

    /// Gives each process so many percent of one processor from now on.
    pub(crate) fn limited_to(mut self, percent: u32) -> Self {
        let pids = self.processes.iter().map(|(_, process)| process.pid());
        self.quotas = pids.map(|pid| Quota::of(percent, pid)).collect();
        self
    }

    /// Stops all processes, as an orchestrator does.
    pub(crate) async fn stop(&mut self) {
        for (_, process) in self.processes.drain(..) {
            assert!(process.terminate().await.success());
        }
    }

    /// Stops all processes, and forgets what they stored, or leaves that to [`clear_away`].
    pub(crate) async fn end(mut self) {
        self.stop().await;
        if self.stack.virtual_host.is_some() {
            databases::forget(self.stack.database()).await;
        } else {
            let mut ended = ENDED.lock().expect("no holder of the lock can panic");
            ended.push(self.stack);
        }
    }

    /// The process that runs a service: of several instances the first.
    pub(crate) fn process(&self, service: &str) -> &Process {
        self.instances(service).next().expect("the service runs")
    }

    /// The processes that run a service.
    pub(crate) fn instances(&self, service: &str) -> impl Iterator<Item = &Process> {
        let runs = move |name: &str| [service, ALL_IN_ONE].contains(&name);
        let processes = self.processes.iter().filter(move |(name, _)| runs(name));
        processes.map(|(_, process)| process)
    }

    /// Where the instances of a service listen.
    pub(crate) fn urls(&self, service: &str) -> Vec<String> {
        self.instances(service)
            .map(|process| process.grpc.clone())
            .collect()
    }

    /// What an instance tells of itself, for each that runs a service.
    pub(crate) async fn metrics(&self, service: &str) -> Vec<Metrics> {
        join_all(self.instances(service).map(Metrics::of)).await
    }

    /// The processes, by name.
    pub(crate) fn processes(&self) -> impl Iterator<Item = (&'static str, &Process)> {
        self.processes.iter().map(|(name, process)| (*name, process))
    }

    /// The processes, and the servers that they use.
    pub(crate) fn watched(&self, servers: &Servers) -> Watched {
        let servers = servers.watched(&self.stack);
        let servers = match self.stack.virtual_host {
            Some(_) => servers.only(&["broker", "database", "mail server"]),
            None => servers.only(&[]),
        };
        self.processes().fold(servers, |watched, (name, process)| {
            watched.and(name, process.pid())
        })
    }

    /// Adds the most memory that each process ever had, as `peak_mib.NAME`.
    pub(crate) fn tell_peaks(&self, sample: &mut Sample) {
        for (name, process) in self.processes() {
            at_most(sample, format!("peak_mib.{name}"), peak_mib(process.pid()));
        }
    }

    pub(crate) fn client(&self) -> Client {
        let [order, user, notification] = SERVICES.map(|service| self.process(service).channel());
        Client::split(order, user, notification)
    }

    /// Registers that many users, and waits until it is known how to reach them.
    pub(crate) async fn users(&self, count: usize) -> Vec<String> {
        let client = self.client();
        let users = stream::iter(0..count)
            .map(|_| async { client.register().await.user_id })
            .buffer_unordered(REGISTERING)
            .collect()
            .await;
        self.until_handled::<UserRegistered>("notification", CONTACTS, count)
            .await;
        users
    }

    /// Waits until the consumer of a queue has committed the effects of `count` events.
    pub(crate) async fn until_handled<E: Event>(&self, service: &str, queue: &str, count: usize) {
        let (mut most, mut moved) = (0, Instant::now());
        loop {
            let instances = self.metrics(service).await;
            let handled = instances.iter().map(|told| told.handled(queue, E::TYPE)).sum();
            if handled >= count {
                return;
            }
            if handled > most {
                (most, moved) = (handled, Instant::now());
            }
            assert!(
                moved.elapsed() < PATIENCE,
                "{queue} stands at {handled} of {count}"
            );
            let is_close = handled >= count / 10 * 9;
            tokio::time::sleep(if is_close { CLOSE_LOOK } else { LOOK }).await;
        }
    }

    /// Waits until the statistics count that many orders of all these users together.
    pub(crate) async fn until_counted(&self, users: &[String], count: usize) {
        let client = self.client();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let stats = stream::iter(users)
                .map(|user| client.stats(user))
                .buffer_unordered(REGISTERING)
                .collect::<Vec<_>>();
            let counted: i64 = stats.await.iter().map(|stats| stats.orders_placed).sum();
            if usize::try_from(counted) == Ok(count) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{counted} of {count} orders are counted"
            );
        }
    }
}
