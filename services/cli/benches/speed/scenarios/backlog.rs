//! How fast a consumer works off what came while it was away.

use std::time::Instant;

use futures::{StreamExt, stream};
use waybill::{
    contract::order::v1::OrderCreated,
    publisher::{Destination, Publication},
};

use super::Setting;
use crate::{
    payload::Payload,
    platform::{MAIL, Platform, SERVICES, STATISTICS},
    statistics::{Sample, count},
};

/// Events published at a time, and how many such batches are under way.
const TOGETHER: usize = 256;
const BATCHES: usize = 4;

/// What draining it by statistics and by mails is called, on RabbitMQ and MongoDB and on files.
pub(super) const REAL: [&str; 2] = ["backlog_user", "backlog_notification"];
pub(super) const EMBEDDED: [&str; 2] = ["embedded_backlog_user", "embedded_backlog_notification"];

/// First the statistics, then the mails of the same events, on a platform of which nothing runs yet.
pub(super) async fn measure(
    mut platform: Platform,
    names: [&'static str; 2],
    setting: Setting<'_>,
) -> Vec<(&'static str, Sample)> {
    for service in SERVICES {
        platform.start(service);
    }
    let mut platform = platform.ready().await;
    let users = platform.users(setting.sizes.users).await;
    platform.stop().await;
    publish(&platform, &users, setting.sizes.backlog).await;

    let statistics = drain(&mut platform, setting, "user", STATISTICS).await;
    let mails = drain(&mut platform, setting, "notification", MAIL).await;
    platform.end().await;
    names.into_iter().zip([statistics, mails]).collect()
}

/// Publishes events of these users in turn, as another program would.
async fn publish(platform: &Platform, users: &[String], number: usize) {
    let broker = platform.stack.broker().await;
    let publisher = broker.publisher();
    waybill_testkit::wait::until("the broker takes events", async || broker.check().await.ok()).await;
    let numbers: Vec<_> = (0..number).collect();
    stream::iter(numbers.chunks(TOGETHER))
        .for_each_concurrent(BATCHES, async |batch| {
            let event = |at: &usize| Publication {
                destination: Destination::Events,
                message: Payload::new(&users[at % users.len()]).event,
            };
            let batch = batch.iter().map(event).collect();
            for confirmed in publisher.publish(batch).await {
                confirmed.expect("the broker takes it");
            }
        })
        .await;
}

/// Starts one service alone and measures it from its start until it has handled everything.
async fn drain(platform: &mut Platform, setting: Setting<'_>, service: &'static str, queue: &str) -> Sample {
    let number = setting.sizes.backlog;
    let servers = platform.watched(setting.servers);
    let (began, before) = (Instant::now(), servers.now());
    platform.start(service);
    platform
        .until_handled::<OrderCreated>(service, queue, number)
        .await;
    let took = began.elapsed();

    let mut sample = Sample::from([("throughput".to_owned(), count(number) / took.as_secs_f64())]);
    before.tell(&servers.now(), count(number), &mut sample);
    let cpu_us = crate::measure::cpu_us(platform.process(service).pid());
    sample.insert(format!("cpu_us.{service}"), cpu_us / count(number));
    platform.tell_peaks(&mut sample);
    platform.stop().await;
    sample
}
