//! Failures as they come out of dead-letter queues.

use std::time::SystemTime;

use uuid::Uuid;
use waybill::{
    clock::{IdGenerator, UuidV7Generator, from_unix_millis},
    context::{Context, TraceContext},
    contract::order::v1::OrderCreated,
    dead_letter::{FailedBy, LAST_ATTEMPT, STAGING_ID, record_failure},
    envelope::Envelope,
    failure::Failure,
    message::Message,
};
use waybill_operations::{
    adapters::events::failed,
    domain::{dead_letter::Failed, filter::Filter},
};

/// When the first failure happened, in milliseconds since the Unix epoch.
pub(crate) const START_MS: i64 = 1_700_000_000_000;

/// The trace of every message here.
pub(crate) const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";

/// A new id.
pub(crate) fn id() -> Uuid {
    thread_local!(static IDS: UuidV7Generator = UuidV7Generator::default());
    IDS.with(IdGenerator::next_id)
}

/// A consumer that no other check uses.
pub(crate) fn consumer() -> String {
    format!("waybill.test.{}", id().simple())
}

/// The time `after_ms` after [`START_MS`].
pub(crate) fn at(after_ms: i64) -> SystemTime {
    from_unix_millis(START_MS + after_ms)
}

/// An event of an order, on its way.
pub(crate) fn event(order_id: &str) -> Message {
    let context = Context {
        correlation_id: "c-1".into(),
        causation_id: None,
        trace: TraceContext {
            traceparent: Some(format!("00-{TRACE_ID}-b7ad6b7169203331-01")),
            ..TraceContext::default()
        },
    };
    let event = OrderCreated {
        order_id: order_id.to_owned(),
        version: 1,
        ..OrderCreated::default()
    };
    Envelope::new(id(), at(0), "waybill.test", &context, &event).into_message()
}

/// The message after `consumer` could not handle it, `after_ms` after the beginning.
pub(crate) fn given_up(mut message: Message, consumer: &str, reason: &'static str, after_ms: i64) -> Message {
    let by = FailedBy {
        consumer,
        instance: "instance-1",
    };
    record_failure(
        &mut message,
        &Failure::permanent(reason, "it broke"),
        &by,
        at(after_ms),
    );
    let last = format!("00-{TRACE_ID}-00f067aa0ba902b7-01");
    message.headers.insert(LAST_ATTEMPT.into(), last.into());
    message
}

/// A new failure of `consumer`.
pub(crate) fn new(consumer: &str, reason: &'static str, after_ms: i64) -> Failed {
    failed(
        consumer,
        given_up(event("o-1"), consumer, reason, after_ms),
        at(after_ms),
    )
}

/// The same message, failing again after an attempt to send it back.
pub(crate) fn again(before: &Failed, reason: &'static str, after_ms: i64, staging: Option<Uuid>) -> Failed {
    let mut message = before.message.clone();
    waybill::dead_letter::forget_failures(&mut message);
    if let Some(staging) = staging {
        message
            .headers
            .insert(STAGING_ID.into(), staging.to_string().into());
    }
    let consumer = &before.dead_letter.consumer;
    failed(
        consumer,
        given_up(message, consumer, reason, after_ms),
        at(after_ms),
    )
}

/// All of a consumer's.
pub(crate) fn of(consumer: &str) -> Filter {
    Filter {
        consumer: Some(consumer.to_owned()),
        ..Filter::default()
    }
}
