//! One mode, once: a platform of one process per service, and orders.

use std::{fmt, fs};

use futures::{StreamExt, stream};

use crate::{
    client::{Client, order_for},
    process::Process,
    receiver::Receiver,
    stack::Stack,
};

/// Users, so that neither one document nor one queue's order is the bound.
const USERS: u32 = 100;

/// Orders a user places before anything is counted, and while it is: long enough that ticks of 10 ms
/// are under a hundredth of what is measured.
const WARM_UP: u32 = 10;
const MEASURED: u32 = 100;

/// Placements under way at a time.
const IN_FLIGHT: usize = 32;

/// Ticks in a second of what Linux tells of processor time (`USER_HZ`).
const TICK_US: f64 = 10_000.0;

/// How much is traced.
pub(crate) struct Mode {
    pub(crate) name: &'static str,
    /// The share of traces that are kept; `None` is off.
    pub(crate) ratio: Option<&'static str>,
}

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    /// Processor time per order of the order, user and notification service, in microseconds.
    pub(crate) cpu_us: [f64; 3],
    /// Spans received per order.
    pub(crate) spans: f64,
    /// Spans dropped, of all orders.
    pub(crate) dropped: u64,
}

impl Round {
    pub(crate) async fn run(mode: &Mode, receiver: &Receiver, smtp: &str) -> Self {
        let mut stack = Stack::real().await.with("WAYBILL_LOG_FILTER", "warn");
        stack.set("WAYBILL_SMTP", smtp);
        if let Some(ratio) = mode.ratio {
            stack.set("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.url);
            stack.set("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
            stack.set("OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
            stack.set("OTEL_TRACES_SAMPLER_ARG", ratio);
            stack.set("OTEL_BSP_MAX_QUEUE_SIZE", "65536");
        }
        let start = |role| Process::start(&stack, &["serve", role]).ready();
        let processes = [
            start("order").await,
            start("user").await,
            start("notification").await,
        ];
        let [order, user, notification] = &processes;
        let client = Client::split(order.channel(), user.channel(), notification.channel());
        let users: Vec<_> = stream::iter(0..USERS)
            .then(async |_| client.register().await.user_id)
            .collect()
            .await;

        place(&client, &users, 0, WARM_UP).await;
        let before = processes.each_ref().map(cpu_us);
        receiver.take();
        place(&client, &users, WARM_UP, MEASURED).await;
        let orders = f64::from(USERS * MEASURED);
        let after = processes.each_ref().map(cpu_us);
        let dropped = processes.iter().map(dropped).sum();
        // The last spans leave when their processes end.
        for process in processes {
            assert!(process.terminate().await.success());
        }
        Self {
            cpu_us: std::array::from_fn(|at| (after[at] - before[at]) / orders),
            spans: f64::from(receiver.take()) / orders,
            dropped,
        }
    }
}

/// Has each user place `orders` more, and waits until all of it has been dealt with.
async fn place(client: &Client, users: &[String], before: u32, orders: u32) {
    let requests = (0..orders).flat_map(|seed| users.iter().map(move |user| order_for(user, seed)));
    stream::iter(requests)
        .for_each_concurrent(IN_FLIGHT, async |request| drop(client.place(request).await))
        .await;
    for user in users {
        client.stats_of(user, i64::from(before + orders), 0).await;
        let about =
            waybill::contract::notification::v1::list_notifications_request::Filter::UserId(user.clone());
        client.notifications_of(about, (before + orders) as usize).await;
    }
}

/// Processor time of a process so far, in microseconds.
fn cpu_us(process: &Process) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.pid())).expect("it runs, on Linux");
    let (_, after_name) = stat.rsplit_once(')').expect("the name is in brackets");
    let ticks = after_name.split_whitespace().skip(11).take(2);
    let ticks = ticks.map(|ticks| ticks.parse::<f64>().expect("a number"));
    ticks.sum::<f64>() * TICK_US
}

/// Spans that a process dropped because nobody took them in time.
fn dropped(process: &Process) -> u64 {
    let mut response = ureq::get(format!("{}/metrics", process.http))
        .call()
        .expect("it is served");
    let text = response.body_mut().read_to_string().expect("it is text");
    let is_dropped = |line: &&str| {
        line.starts_with("otel_sdk_processor_span_processed_total") && line.contains("queue_full")
    };
    let counts = text.lines().filter(is_dropped);
    counts
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [order, user, notification] = self.cpu_us;
        write!(
            f,
            "order {order:.0}, user {user:.0}, notification {notification:.0} us an order; {:.2} spans an order, {} dropped",
            self.spans, self.dropped
        )
    }
}
