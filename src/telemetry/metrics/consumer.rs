//! What becomes of the events that a consumer takes.

use std::time::{Duration, SystemTime};

use opentelemetry::{
    KeyValue,
    metrics::{BoundCounter, Counter},
    trace::SpanContext,
};

use super::{
    counter,
    event::{ByEvent, EventType},
    exemplars::{BoundTracedHistogram, TracedHistogram},
    meter, traced_duration,
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
    processed: TracedHistogram,
    processed_well: ByEvent<BoundTracedHistogram>,
    process: Vec<KeyValue>,
    lag: ByEvent<BoundTracedHistogram>,
    retried: Counter<u64>,
    dead_lettered: Counter<u64>,
    resubscribed: BoundCounter<u64>,
}

impl Consuming {
    /// Those of the consumer of this queue at a broker of this `messaging.system`.
    pub(crate) fn by(system: &'static str, queue: &str) -> Self {
        let consumer = KeyValue::new("waybill.consumer", queue.to_owned());
        let processed = traced_duration(
            "messaging.process.duration",
            "Duration of handling a message, with those received together with it and waiting for what they need.",
        );
        let process = vec![
            KeyValue::new("messaging.system", system),
            KeyValue::new("messaging.operation.name", "process"),
            KeyValue::new("messaging.destination.name", queue.to_owned()),
        ];
        let lag = TracedHistogram::new(
            &meter(),
            "waybill.consumer.lag",
            "s",
            "Time from an event to its effect.",
            LAG_BOUNDS_S,
        );
        let resubscribed = counter(
            "waybill.consumer.resubscriptions",
            "{subscription}",
            "Subscriptions that were lost, or could not be made, and tried again.",
        );
        Self {
            processed_well: ByEvent::new(|of_type| {
                processed.bind(&[process.as_slice(), &[of_type]].concat())
            }),
            processed,
            process,
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

    /// A message was handled, well or with a `failure`, as `span` tells.
    pub(crate) fn processed(
        &self,
        message: &Message,
        failure: Option<&Failure>,
        took: Duration,
        span: &SpanContext,
    ) {
        let event_type = EventType::of_message(message);
        match failure {
            None => self
                .processed_well
                .of(event_type)
                .record(took.as_secs_f64(), span),
            Some(failure) => {
                let mut attributes = self.process.clone();
                attributes.push(event_type.attribute());
                attributes.push(KeyValue::new("error.type", failure.reason));
                self.processed
                    .record_with_attributes(took.as_secs_f64(), &attributes, span);
            }
        }
    }

    /// An event took effect `now`, as `span` tells.
    pub(crate) fn took_effect(&self, event: &Envelope, now: SystemTime, span: &SpanContext) {
        // Clocks of two machines differ: what seems to come from the future has just happened.
        let lag = now.duration_since(event.time).unwrap_or_default();
        self.lag
            .of(EventType::of(&event.type_name))
            .record(lag.as_secs_f64(), span);
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
