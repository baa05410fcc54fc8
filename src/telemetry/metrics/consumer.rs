//! What becomes of the events that a consumer takes.

use std::time::{Duration, SystemTime};

use opentelemetry::{
    KeyValue,
    metrics::{BoundCounter, BoundHistogram, Counter},
};

use super::{
    counter, duration,
    event::{ByEvent, EventType},
    meter,
};
use crate::{envelope::Envelope, failure::Failure, message::Message};

/// Bounds of the time from an event to its effect, in seconds: from the milliseconds of a healthy
/// platform to the hours of an outage.
const LAG_BOUNDS_S: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0,
];

/// The instruments of one consumer.
pub(crate) struct Consuming {
    consumer: KeyValue,
    processed: BoundHistogram<f64>,
    lag: ByEvent<BoundHistogram<f64>>,
    retried: Counter<u64>,
    dead_lettered: Counter<u64>,
    resubscribed: BoundCounter<u64>,
}

impl Consuming {
    /// Those of the consumer of this queue.
    pub(crate) fn by(queue: &str) -> Self {
        let consumer = KeyValue::new("waybill.consumer", queue.to_owned());
        let processed = duration(
            "messaging.process.duration",
            "Duration of handling a batch of messages, waiting for what it needs included.",
        );
        let lag = meter()
            .f64_histogram("waybill.consumer.lag")
            .with_unit("s")
            .with_description("Time from an event to its effect.")
            .with_boundaries(LAG_BOUNDS_S.to_vec())
            .build();
        let resubscribed = counter(
            "waybill.consumer.resubscriptions",
            "{subscription}",
            "Subscriptions that were lost, or could not be made, and tried again.",
        );
        Self {
            processed: processed.bind(&[
                KeyValue::new("messaging.operation.name", "process"),
                KeyValue::new("messaging.destination.name", queue.to_owned()),
            ]),
            lag: ByEvent::new(|of_type| lag.bind(&[consumer.clone(), of_type])),
            retried: counter(
                "waybill.consumer.retried",
                "{message}",
                "Messages whose handling failed and will be tried again, by cause.",
            ),
            dead_lettered: counter(
                "waybill.consumer.dead_lettered",
                "{message}",
                "Messages that were given up, by cause.",
            ),
            resubscribed: resubscribed.bind(std::slice::from_ref(&consumer)),
            consumer,
        }
    }

    /// A batch was handled, whatever came of it.
    pub(crate) fn processed(&self, took: Duration) {
        self.processed.record(took.as_secs_f64());
    }

    /// An event took effect `now`.
    pub(crate) fn took_effect(&self, event: &Envelope, now: SystemTime) {
        // Clocks of two machines differ: what seems to come from the future has just happened.
        let lag = now.duration_since(event.time).unwrap_or_default();
        self.lag
            .of(EventType::of(&event.type_name))
            .record(lag.as_secs_f64());
    }

    /// Handling a message failed; it `will_retry` or is a dead letter.
    pub(crate) fn failed(&self, message: &Message, failure: &Failure, will_retry: bool) {
        let counter = if will_retry {
            &self.retried
        } else {
            &self.dead_lettered
        };
        let attributes = [
            self.consumer.clone(),
            EventType::of_message(message).attribute(),
            KeyValue::new("error.type", failure.reason),
        ];
        counter.add(1, &attributes);
    }

    /// The subscription was lost, or could not be made.
    pub(crate) fn resubscribes(&self) {
        self.resubscribed.add(1);
    }
}
