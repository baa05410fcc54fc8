//! Makes calls in two ways, as many at a time or as many a second, and measures a part of them.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::{task::JoinSet, time::sleep_until};

use crate::{
    measure::Watched,
    statistics::{Latencies, Sample, count},
};

/// How long calls are made before they count, and while they do.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Times {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// Makes calls over and over, `in_flight` at a time, each of which does `each` things. Processor time is
/// that of the watched for one thing.
pub(crate) async fn closed<C, F>(
    in_flight: usize,
    each: u64,
    times: Times,
    watched: &Watched,
    call: C,
) -> Sample
where
    C: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send,
{
    let call = Arc::new(call);
    let done = Arc::new(AtomicU64::new(0));
    let begins = Instant::now() + times.warm_up;
    let ends = begins + times.measured;
    let callers = (0..in_flight).map(|_| {
        let (call, done) = (Arc::clone(&call), Arc::clone(&done));
        tokio::spawn(async move {
            let mut latencies = Latencies::default();
            loop {
                let started = Instant::now();
                if started >= ends {
                    return latencies;
                }
                call().await;
                done.fetch_add(each, Ordering::Relaxed);
                if started >= begins {
                    latencies.add(started.elapsed());
                }
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    let at = async |moment: Instant| {
        sleep_until(moment.into()).await;
        (Instant::now(), watched.now(), done.load(Ordering::Relaxed))
    };
    let (began, before, done_before) = at(begins).await;
    let (ended, after, done_after) = at(ends).await;

    let operations = operations(done_after - done_before);
    let mut sample = Sample::new();
    sample.insert(
        "throughput".into(),
        operations / ended.duration_since(began).as_secs_f64(),
    );
    before.tell(&after, operations, &mut sample);
    let mut latencies = Latencies::default();
    for caller in join_all(callers).await {
        latencies.append(caller.expect("a caller does not panic"));
    }
    latencies.tell(&mut sample);
    sample
}

/// Makes `rate` calls a second, however long each takes. A call's latency counts from the moment at
/// which it was due, so that one that is slow does not hide how long those behind it wait.
pub(crate) async fn open<C, F>(rate: u32, times: Times, watched: &Watched, call: C) -> Sample
where
    C: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let call = Arc::new(call);
    let begins = Instant::now() + times.warm_up;
    let ends = begins + times.measured;
    let mut due = Instant::now();
    let mut before = None;
    let mut calls = JoinSet::new();
    while due < ends {
        sleep_until(due.into()).await;
        let counts = due >= begins;
        if counts && before.is_none() {
            before = Some(watched.now());
        }
        let call = Arc::clone(&call);
        calls.spawn(async move {
            call().await;
            counts.then(|| due.elapsed())
        });
        due += Duration::from_secs(1) / rate;
    }
    let mut latencies = Latencies::default();
    let mut measured = 0;
    for took in calls.join_all().await.into_iter().flatten() {
        latencies.add(took);
        measured += 1;
    }
    let took = begins.elapsed();

    let mut sample = Sample::new();
    sample.insert("throughput".into(), count(measured) / took.as_secs_f64());
    let before = before.expect("something was measured");
    before.tell(&watched.now(), count(measured), &mut sample);
    latencies.tell(&mut sample);
    sample
}

fn operations(done: u64) -> f64 {
    count(usize::try_from(done).expect("this machine has 64 bits")).max(1.0)
}
