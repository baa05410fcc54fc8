//! `waybill order trace`: an order's events, and what became of each.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use anyhow::Result;
use prost_types::Timestamp;
use tonic::transport::Channel;
use waybill::contract::{
    EVENTS, Event,
    operations::v1::{Attempt, AttemptState, ListAttemptsRequest, event_service_client::EventServiceClient},
    order::v1::{GetOrderRequest, Order, OrderCancelled, OrderCreated, OrderState},
};

use crate::{
    client::{
        connection::call,
        order::OrderServiceClient,
        output::{self, Output, time_to_millis},
    },
    serve::Role,
};

/// Tells the story of an order: of each event, which consumers tried to handle it, and which have not yet.
pub(crate) async fn run(
    orders: &mut OrderServiceClient<Channel>,
    events: &mut EventServiceClient<Channel>,
    order_id: String,
    output: &Output,
) -> Result<()> {
    let request = GetOrderRequest {
        order_id: order_id.clone(),
    };
    let answer = call(request, async |request| orders.get_order(request).await).await?;
    let order = answer.order.unwrap_or_default();
    let request = ListAttemptsRequest { subject: order_id };
    let attempts = call(request, async |request| events.list_attempts(request).await).await?;
    let attempts = attempts.attempts;
    if output.is_json() {
        return attempts
            .iter()
            .try_for_each(|attempt| output.print(attempt, |_| Ok(())));
    }
    let mut out = Vec::new();
    write(&order, &attempts, &mut out)?;
    output::write(&out)
}

/// One event of an order.
struct Told<'a> {
    time: Option<Timestamp>,
    type_name: &'a str,
    /// Empty while no consumer has tried to handle it.
    event_id: &'a str,
    attempts: Vec<&'a Attempt>,
}

/// The events that consumers have tried, and those that the order itself tells of and nobody has tried.
fn events<'a>(order: &Order, attempts: &'a [Attempt]) -> Vec<Told<'a>> {
    let mut by_event: BTreeMap<&str, Told<'a>> = BTreeMap::new();
    for attempt in attempts {
        let told = by_event.entry(&attempt.event_id).or_insert_with(|| Told {
            time: attempt.event_time,
            type_name: &attempt.r#type,
            event_id: &attempt.event_id,
            attempts: Vec::new(),
        });
        told.attempts.push(attempt);
    }
    let mut events: Vec<_> = by_event.into_values().collect();
    let is_cancelled = order.state() == OrderState::Cancelled;
    let certain = [
        (OrderCreated::TYPE, order.create_time, true),
        (OrderCancelled::TYPE, order.update_time, is_cancelled),
    ];
    for (type_name, time, has_happened) in certain {
        if has_happened && events.iter().all(|told| told.type_name != type_name) {
            events.push(Told {
                time,
                type_name,
                event_id: "",
                attempts: Vec::new(),
            });
        }
    }
    events.sort_by_key(|told| told.time.map(|time| (time.seconds, time.nanos)));
    events
}

fn write(order: &Order, attempts: &[Attempt], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "order {}", order.order_id)?;
    for told in events(order, attempts) {
        let name = told.type_name.rsplit('.').next().unwrap_or_default();
        writeln!(
            out,
            "{} {name} {}",
            time_to_millis(told.time.as_ref()),
            told.event_id
        )?;
        let mut traces: Vec<_> = told
            .attempts
            .iter()
            .map(|attempt| attempt.trace_id.as_str())
            .collect();
        traces.sort_unstable();
        traces.dedup();
        for trace in traces.iter().filter(|trace| !trace.is_empty()) {
            writeln!(out, "  trace {trace}")?;
        }
        for attempt in &told.attempts {
            write_attempt(attempt, out)?;
        }
        for queue in waiting(&told) {
            writeln!(out, "  {queue:<26} has not handled it yet")?;
        }
    }
    Ok(())
}

fn write_attempt(attempt: &Attempt, out: &mut dyn Write) -> io::Result<()> {
    let ended = match attempt.state() {
        AttemptState::Handled => "handled".to_owned(),
        AttemptState::Retried => format!("failed ({}), to be tried again", attempt.reason),
        AttemptState::GivenUp => format!("failed ({}), a dead letter", attempt.reason),
        AttemptState::Unspecified => "ended".to_owned(),
    };
    writeln!(
        out,
        "  {:<26} attempt {} {ended} at {}, waited {} ms, took {} ms, in {}",
        attempt.consumer,
        attempt.number,
        time_to_millis(attempt.end_time.as_ref()),
        millis_between(attempt.event_time.as_ref(), attempt.start_time.as_ref()),
        millis_between(attempt.start_time.as_ref(), attempt.end_time.as_ref()),
        attempt.instance,
    )
}

/// Queues that receive such an event and have neither handled it nor given it up.
fn waiting(told: &Told<'_>) -> Vec<String> {
    let event = EVENTS.iter().find(|event| event.type_name == told.type_name);
    let is_done = |queue: &String| {
        let ends = [AttemptState::Handled, AttemptState::GivenUp];
        let mut of_queue = told.attempts.iter().filter(|attempt| attempt.consumer == *queue);
        of_queue.any(|attempt| ends.contains(&attempt.state()))
    };
    Role::ALL
        .iter()
        .flat_map(|role| role.subscriptions())
        .filter(|subscription| event.is_some_and(|e| subscription.routing_keys.contains(&e.routing_key)))
        .map(|subscription| subscription.queue)
        .filter(|queue| !is_done(queue))
        .collect()
}

/// From `start` to `end`; 0 when clocks of two machines disagree so far that it would be less.
fn millis_between(start: Option<&Timestamp>, end: Option<&Timestamp>) -> i64 {
    let millis = |time: &Timestamp| time.seconds * 1000 + i64::from(time.nanos) / 1_000_000;
    let between = start.zip(end).map(|(start, end)| millis(end) - millis(start));
    between.unwrap_or(0).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i32) -> Timestamp {
        Timestamp {
            seconds: 1_795_521_600,
            nanos: millis * 1_000_000,
        }
    }

    fn attempt(number: i32, state: AttemptState, reason: &str) -> Attempt {
        Attempt {
            event_id: "e-1".into(),
            r#type: OrderCreated::TYPE.into(),
            event_time: Some(at(100)),
            consumer: "waybill.notification.mail".into(),
            instance: "up-1".into(),
            number,
            start_time: Some(at(100 * number + 12)),
            end_time: Some(at(100 * number + 15)),
            state: state.into(),
            reason: reason.into(),
            trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
            ..Attempt::default()
        }
    }

    #[test]
    fn each_event_stands_with_every_attempt_and_with_those_who_have_not_handled_it() {
        let order = Order {
            order_id: "o-1".into(),
            state: OrderState::Cancelled.into(),
            create_time: Some(at(100)),
            update_time: Some(at(900)),
            ..Order::default()
        };
        let attempts = [
            attempt(1, AttemptState::Retried, "CONTACT_UNKNOWN"),
            attempt(2, AttemptState::GivenUp, "CONTACT_UNKNOWN"),
        ];
        let mut out = Vec::new();
        write(&order, &attempts, &mut out).unwrap();
        let expected = "\
order o-1
2026-11-24T12:00:00.100Z OrderCreated e-1
  trace 0af7651916cd43dd8448eb211c80319c
  waybill.notification.mail  attempt 1 failed (CONTACT_UNKNOWN), to be tried again at 2026-11-24T12:00:00.115Z, waited 12 ms, took 3 ms, in up-1
  waybill.notification.mail  attempt 2 failed (CONTACT_UNKNOWN), a dead letter at 2026-11-24T12:00:00.215Z, waited 112 ms, took 3 ms, in up-1
  waybill.user.order-stats   has not handled it yet
2026-11-24T12:00:00.900Z OrderCancelled \n  waybill.user.order-stats   has not handled it yet
  waybill.notification.mail  has not handled it yet
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
