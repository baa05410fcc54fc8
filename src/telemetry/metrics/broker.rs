//! What goes to the broker, what comes from it, and how long the broker takes.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use opentelemetry::{
    KeyValue,
    metrics::{BoundCounter, BoundHistogram, BoundUpDownCounter, Counter, Histogram},
};

use super::{
    counter, duration,
    event::{ByEvent, EventType},
    meter,
};
use crate::{
    message::Message,
    publisher::{Destination, Error, Publication},
    topology::{EVENTS_EXCHANGE, Subscription},
};

/// What the conventions call RabbitMQ's default exchange, which has no name.
const DEFAULT_EXCHANGE: &str = "amq.default";

/// Bounds of batch sizes, in messages: powers of two up to what a prefetch may be.
const SIZE_BOUNDS: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0,
];

fn operation_duration() -> Histogram<f64> {
    duration(
        "messaging.client.operation.duration",
        "Duration of an operation at the broker: publishing a batch until it is confirmed, acknowledging one.",
    )
}

fn attributes(system: &'static str, operation: &'static str, destination: String) -> Vec<KeyValue> {
    vec![
        KeyValue::new("messaging.system", system),
        KeyValue::new("messaging.operation.name", operation),
        KeyValue::new("messaging.destination.name", destination),
    ]
}

/// What is published.
pub(crate) struct Publishing {
    events: Sent,
    queues: Sent,
    confirmed: BoundHistogram<f64>,
    unconfirmed: BoundHistogram<f64>,
}

impl Publishing {
    /// To a broker of this `messaging.system`.
    pub(crate) fn to(system: &'static str) -> Self {
        let durations = operation_duration();
        let mut attributes = attributes(system, "publish", EVENTS_EXCHANGE.to_owned());
        attributes.pop();
        attributes.push(KeyValue::new("messaging.operation.type", "send"));
        let confirmed = durations.bind(&attributes);
        attributes.push(KeyValue::new(
            "error.type",
            Error::Unavailable(String::new()).kind(),
        ));
        Self {
            events: Sent::to(system, EVENTS_EXCHANGE),
            queues: Sent::to(system, DEFAULT_EXCHANGE),
            confirmed,
            unconfirmed: durations.bind(&attributes),
        }
    }

    /// A batch has been published, or not.
    pub(crate) fn published(&self, batch: &[Sending], results: &[Result<(), Error>], took: Duration) {
        let answered = !results.iter().any(|r| matches!(r, Err(Error::Unavailable(_))));
        let durations = if answered {
            &self.confirmed
        } else {
            &self.unconfirmed
        };
        durations.record(took.as_secs_f64());
        for (sending, result) in batch.iter().zip(results) {
            let exchange = if sending.is_event {
                &self.events
            } else {
                &self.queues
            };
            exchange.count(sending.event_type, result);
        }
    }
}

/// What is counted of a message that is about to be published.
pub(crate) struct Sending {
    is_event: bool,
    event_type: EventType,
}

impl From<&Publication> for Sending {
    fn from(publication: &Publication) -> Self {
        Self {
            is_event: publication.destination == Destination::Events,
            event_type: EventType::of_message(&publication.message),
        }
    }
}

/// Messages sent to one exchange.
struct Sent {
    confirmed: ByEvent<BoundCounter<u64>>,
    counter: Counter<u64>,
    attributes: Vec<KeyValue>,
}

impl Sent {
    fn to(system: &'static str, exchange: &str) -> Self {
        let counter = counter(
            "messaging.client.sent.messages",
            "{message}",
            "Messages sent to the broker, by whether it took them; unroutable ones were returned.",
        );
        let attributes = attributes(system, "publish", exchange.to_owned());
        let confirmed = ByEvent::new(|of_type| counter.bind(&[attributes.as_slice(), &[of_type]].concat()));
        Self {
            confirmed,
            counter,
            attributes,
        }
    }

    fn count(&self, event_type: EventType, result: &Result<(), Error>) {
        match result {
            Ok(()) => self.confirmed.of(event_type).add(1),
            Err(error) => {
                let mut attributes = self.attributes.clone();
                attributes.push(event_type.attribute());
                attributes.push(KeyValue::new("error.type", error.kind()));
                self.counter.add(1, &attributes);
            }
        }
    }
}

/// What one subscriber receives.
#[derive(Clone, Debug)]
pub(crate) struct Receiving(Arc<Received>);

#[derive(Debug)]
struct Received {
    consumed: ByEvent<BoundCounter<u64>>,
    batch_size: BoundHistogram<u64>,
    in_flight: BoundUpDownCounter<i64>,
    acknowledged: BoundHistogram<f64>,
    unacknowledged: OnceLock<BoundHistogram<f64>>,
    ack: Vec<KeyValue>,
}

impl Receiving {
    /// From a broker of this `messaging.system`.
    pub(crate) fn from(system: &'static str, subscription: &Subscription) -> Self {
        let queue = &subscription.queue;
        let consumer = [KeyValue::new("waybill.consumer", queue.clone())];
        let prefetch = meter()
            .u64_gauge("waybill.consumer.prefetch")
            .with_unit("{message}")
            .with_description("Most messages that a consumer has at a time.")
            .build();
        prefetch.record(subscription.prefetch.into(), &consumer);
        let counter = counter(
            "messaging.client.consumed.messages",
            "{message}",
            "Messages delivered to consumers.",
        );
        let delivered = attributes(system, "consume", queue.clone());
        let mut ack = attributes(system, "ack", queue.clone());
        ack.push(KeyValue::new("messaging.operation.type", "settle"));
        let batch_size = meter()
            .u64_histogram("waybill.consumer.batch.size")
            .with_unit("{message}")
            .with_description("Messages that a consumer received together.")
            .with_boundaries(SIZE_BOUNDS.to_vec())
            .build();
        let in_flight = meter()
            .i64_up_down_counter("waybill.consumer.in_flight")
            .with_unit("{message}")
            .with_description("Messages that consumers have received and not settled.")
            .build();
        Self(Arc::new(Received {
            consumed: ByEvent::new(|of_type| counter.bind(&[delivered.as_slice(), &[of_type]].concat())),
            batch_size: batch_size.bind(&consumer),
            in_flight: in_flight.bind(&consumer),
            acknowledged: operation_duration().bind(&ack),
            unacknowledged: OnceLock::new(),
            ack,
        }))
    }

    /// A batch has arrived. It is in flight until what this answers is dropped.
    pub(crate) fn received(&self, messages: &[Message]) -> InFlight {
        for message in messages {
            self.0.consumed.of(EventType::of_message(message)).add(1);
        }
        self.0.batch_size.record(messages.len() as u64);
        let count = i64::try_from(messages.len()).unwrap_or(i64::MAX);
        self.0.in_flight.add(count);
        InFlight {
            of: self.clone(),
            count,
        }
    }
}

/// Messages that are not settled yet.
pub(crate) struct InFlight {
    of: Receiving,
    count: i64,
}

impl InFlight {
    /// They were acknowledged, or that failed.
    pub(crate) fn acknowledged(&self, is_ok: bool, took: Duration) {
        let received = &self.of.0;
        let durations = if is_ok {
            &received.acknowledged
        } else {
            received.unacknowledged.get_or_init(|| {
                let failed = KeyValue::new("error.type", "unavailable");
                operation_duration().bind(&[received.ack.as_slice(), &[failed]].concat())
            })
        };
        durations.record(took.as_secs_f64());
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.of.0.in_flight.add(-self.count);
    }
}

/// Connections to a broker that came back after they were lost.
pub(crate) fn reconnects(connection: &str) -> BoundCounter<u64> {
    let counter = counter(
        "waybill.broker.reconnects",
        "{connection}",
        "Connections to the broker that were made again after they were lost.",
    );
    counter.bind(&[KeyValue::new("waybill.connection", connection.to_owned())])
}
