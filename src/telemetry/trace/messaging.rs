//! Spans of messages: what they are called and what they say, and the span of publishing one.
//!
//! A destination is named as the conventions for RabbitMQ have it: `{exchange}:{routing key}` for
//! whoever publishes, `{exchange}:{routing key}:{queue}` for whoever consumes; the default exchange
//! has no name, and then the routing key, which is a queue's name, stands alone.

mod processing;

use opentelemetry::{
    KeyValue,
    trace::{SpanBuilder, SpanContext, SpanKind},
};
use opentelemetry_semantic_conventions::attribute::{
    CLOUDEVENTS_EVENT_TYPE, MESSAGING_DESTINATION_NAME, MESSAGING_MESSAGE_BODY_SIZE,
    MESSAGING_OPERATION_NAME, MESSAGING_OPERATION_TYPE, MESSAGING_RABBITMQ_DESTINATION_ROUTING_KEY,
    MESSAGING_SYSTEM, SERVER_ADDRESS, SERVER_PORT,
};

pub use self::processing::processing;
pub(crate) use self::processing::{ProcessedBy, Processing};
use super::{Flow, Span, is_on, propagation};
use crate::{
    broker::Endpoint,
    context::TraceContext,
    dead_letter::LAST_ATTEMPT,
    message::Message,
    publisher::{Destination, Publication},
    topology::EVENTS_EXCHANGE,
};

/// Starts the span of publishing a message, if its trace is recorded.
///
/// An event goes out below this span: its headers name it from now on. A message that was handled
/// before, and goes to a wait queue or a dead-letter queue, keeps the headers that it came with, so
/// that each attempt stands beside the one before it, below whoever published the event.
pub(crate) fn publish(broker: &Endpoint, publication: &mut Publication) -> Span {
    if !is_on() {
        return Span::default();
    }
    let message = &publication.message;
    let parent = match &publication.destination {
        Destination::Events => creation(message),
        Destination::Queue(_) => last_attempt(message),
    };
    if !parent.is_sampled() {
        return Span::default();
    }
    let flow = || Some(Flow::of_message(message));
    let span = Span::start(&parent, flow, || {
        let mut attributes = of_message(broker, message);
        attributes.push(KeyValue::new(MESSAGING_OPERATION_TYPE, "send"));
        let destination = match &publication.destination {
            Destination::Events => format!("{EVENTS_EXCHANGE}:{}", message.routing_key),
            Destination::Queue(queue) => queue.clone(),
        };
        described("publish", &destination, SpanKind::Producer, attributes)
    });
    if publication.destination == Destination::Events {
        let named = TraceContext::default().naming(&span.span_context());
        let headers = &mut publication.message.headers;
        for (name, value) in named.headers() {
            headers.insert(name.to_owned(), value.into());
        }
    }
    span
}

/// The span that published a message; not valid if nobody says.
pub(crate) fn creation(message: &Message) -> SpanContext {
    propagation::span_context(message.header("traceparent"), message.header("tracestate"))
}

/// The span of the attempt at a message before this one; not valid if there was none, or it was not
/// recorded.
fn last_attempt(message: &Message) -> SpanContext {
    propagation::span_context(message.header(LAST_ATTEMPT), message.header("tracestate"))
}

/// The span of `operation` on `destination`, with `attributes` and those that follow from these.
fn described(
    operation: &'static str,
    destination: &str,
    kind: SpanKind,
    mut attributes: Vec<KeyValue>,
) -> SpanBuilder {
    attributes.push(KeyValue::new(MESSAGING_OPERATION_NAME, operation));
    attributes.push(KeyValue::new(MESSAGING_DESTINATION_NAME, destination.to_owned()));
    SpanBuilder::from_name(format!("{operation} {destination}"))
        .with_kind(kind)
        .with_attributes(attributes)
}

fn of_broker(broker: &Endpoint) -> Vec<KeyValue> {
    let mut attributes = Vec::with_capacity(16);
    attributes.push(KeyValue::new(MESSAGING_SYSTEM, broker.system));
    if let Some((host, port)) = &broker.server {
        attributes.push(KeyValue::new(SERVER_ADDRESS, host.clone()));
        attributes.push(KeyValue::new(SERVER_PORT, i64::from(*port)));
    }
    attributes
}

fn of_message(broker: &Endpoint, message: &Message) -> Vec<KeyValue> {
    let mut attributes = of_broker(broker);
    let bytes = i64::try_from(message.body.len()).unwrap_or(i64::MAX);
    attributes.push(KeyValue::new(MESSAGING_MESSAGE_BODY_SIZE, bytes));
    if !message.routing_key.is_empty() {
        let key = message.routing_key.clone();
        attributes.push(KeyValue::new(MESSAGING_RABBITMQ_DESTINATION_ROUTING_KEY, key));
    }
    if let Some(type_name) = &message.properties.type_name {
        attributes.push(KeyValue::new(CLOUDEVENTS_EVENT_TYPE, type_name.clone()));
    }
    attributes
}
