//! The spans of handling messages: one a message, and one of the batch when that holds several.
//!
//! What a handler does for one message stands below that message's span; what it does for all of
//! them at once, as a commit, below the batch's. The batch's links every message, and each of those
//! links the batch. A batch of one needs no span: its message's is the batch's.

use std::{collections::HashMap, sync::Arc, time::SystemTime};

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanBuilder, SpanContext, SpanKind, TraceFlags},
};
use opentelemetry_semantic_conventions::attribute::{
    MESSAGING_BATCH_MESSAGE_COUNT, MESSAGING_OPERATION_TYPE,
};
use uuid::Uuid;

use super::{creation, described, last_attempt, of_broker, of_message};
use crate::{
    broker::Endpoint,
    config::ConsumerTrace,
    dead_letter,
    message::Message,
    telemetry::trace::{Flow, Span, is_on},
    topology::EVENTS_EXCHANGE,
};

/// Number of the attempt, 1 for the first.
const ATTEMPT: &str = "waybill.attempt";

/// What becomes of a message that could not be handled.
const OUTCOME: &str = "waybill.outcome";

/// By whom messages are processed.
#[derive(Debug)]
pub(crate) struct ProcessedBy {
    pub(crate) broker: Endpoint,
    pub(crate) queue: String,
    pub(crate) trace: ConsumerTrace,
}

/// The messages of one batch while they are handled.
#[derive(Debug)]
pub(crate) struct Processing {
    started: SystemTime,
    /// What all of them came from, as far as they have it in common.
    destination: String,
    batch: Span,
    /// One a message; none at all when nothing records.
    messages: Vec<Span>,
}

/// Where one message comes from.
struct Origin {
    /// Who published it.
    creation: SpanContext,
    /// The attempt before this one.
    last_attempt: SpanContext,
}

/// The messages that a batch's handler has in hand, for what it does for one of them.
#[derive(Debug)]
struct UnderWay(HashMap<Uuid, Context>);

/// The context of handling the event `id`, within a handler that has it in hand: what is done for it
/// alone is a step of its trace.
pub fn processing(id: Uuid) -> Context {
    let current = Context::current();
    let own = current
        .get::<Arc<UnderWay>>()
        .and_then(|under_way| under_way.0.get(&id));
    own.cloned().unwrap_or(current)
}

impl ProcessedBy {
    /// Begins to handle `messages`, at `started`.
    pub(crate) fn start(&self, messages: &[Message], started: SystemTime) -> Processing {
        if !is_on() {
            return Processing {
                started,
                destination: String::new(),
                batch: Span::default(),
                messages: Vec::new(),
            };
        }
        let origins: Vec<_> = messages.iter().map(Origin::of).collect();
        let destination = self.destination(messages);
        let batch = self.start_batch(&destination, &origins);
        let batch_link = Some(batch.span_context()).filter(SpanContext::is_valid);
        let start = |(message, origin): (&Message, Origin)| {
            let (parent, mut links) = origin.parent_and_links(self.trace);
            links.extend(batch_link.clone().map(|batch| Link::new(batch, Vec::new(), 0)));
            let flow = || Some(Flow::of_message(message));
            Span::start(&parent, flow, || self.describe(message).with_links(links))
        };
        let messages = messages.iter().zip(origins).map(start).collect();
        Processing {
            started,
            destination,
            batch,
            messages,
        }
    }

    /// Exchange, routing key if all have the same, and queue.
    fn destination(&self, messages: &[Message]) -> String {
        let mut keys = messages.iter().map(|message| message.routing_key.as_str());
        match keys.next() {
            Some(key) if !key.is_empty() && keys.all(|other| other == key) => {
                format!("{EVENTS_EXCHANGE}:{key}:{}", self.queue)
            }
            _ => format!("{EVENTS_EXCHANGE}:{}", self.queue),
        }
    }

    fn start_batch(&self, destination: &str, origins: &[Origin]) -> Span {
        if origins.len() < 2 || !origins.iter().any(Origin::is_sampled) {
            return Span::default();
        }
        Span::start(
            &SpanContext::NONE,
            || None,
            || {
                let count = i64::try_from(origins.len()).unwrap_or(i64::MAX);
                let mut attributes = of_broker(&self.broker);
                attributes.push(KeyValue::new(MESSAGING_OPERATION_TYPE, "process"));
                attributes.push(KeyValue::new(MESSAGING_BATCH_MESSAGE_COUNT, count));
                let creations = origins.iter().map(|origin| origin.creation.clone());
                let links = creations
                    .filter(SpanContext::is_valid)
                    .map(|creation| Link::new(creation, Vec::new(), 0));
                described("process", destination, SpanKind::Consumer, attributes).with_links(links.collect())
            },
        )
    }

    fn describe(&self, message: &Message) -> SpanBuilder {
        let destination = self.destination(std::slice::from_ref(message));
        let mut attributes = of_message(&self.broker, message);
        attributes.push(KeyValue::new(MESSAGING_OPERATION_TYPE, "process"));
        attributes.push(KeyValue::new(ATTEMPT, i64::from(dead_letter::attempt(message))));
        described("process", &destination, SpanKind::Consumer, attributes)
    }

    /// Tells that handling `message`, number `index` of the batch, failed: it `will_retry`, or is a
    /// dead letter. Answers the span that tells it, which is made now if there was none.
    pub(crate) fn failed(
        &self,
        processing: &mut Processing,
        index: usize,
        message: &Message,
        error_type: &'static str,
        will_retry: bool,
    ) -> SpanContext {
        if !is_on() {
            return SpanContext::NONE;
        }
        let span = &mut processing.messages[index];
        if span.is_recording() {
            span.fail(error_type);
        } else {
            let (parent, links) = Origin::of(message).parent_and_links(self.trace);
            *span = Span::of_failure(&parent, Flow::of_message(message), error_type, || {
                self.describe(message)
                    .with_links(links)
                    .with_start_time(processing.started)
            });
        }
        let outcome = if will_retry { "retry" } else { "dead_letter" };
        span.set(KeyValue::new(OUTCOME, outcome));
        span.span_context()
    }
}

impl Origin {
    fn of(message: &Message) -> Self {
        Self {
            creation: creation(message),
            last_attempt: last_attempt(message),
        }
    }

    /// A failed attempt was recorded, so what follows from it is too.
    fn is_sampled(&self) -> bool {
        self.creation.is_sampled() || self.last_attempt.is_sampled()
    }

    fn parent_and_links(self, trace: ConsumerTrace) -> (SpanContext, Vec<Link>) {
        let is_sampled = self.is_sampled();
        let mut links = Vec::with_capacity(2);
        if self.last_attempt.is_valid() {
            links.push(Link::new(self.last_attempt, Vec::new(), 0));
        }
        match trace {
            ConsumerTrace::Continue if is_sampled => (sampled(&self.creation), links),
            ConsumerTrace::Continue => (self.creation, links),
            ConsumerTrace::Link => {
                if self.creation.is_valid() {
                    links.push(Link::new(self.creation, Vec::new(), 0));
                }
                (SpanContext::NONE, links)
            }
        }
    }
}

fn sampled(span: &SpanContext) -> SpanContext {
    let (flags, state) = (
        span.trace_flags() | TraceFlags::SAMPLED,
        span.trace_state().clone(),
    );
    SpanContext::new(span.trace_id(), span.span_id(), flags, span.is_remote(), state)
}

impl Processing {
    /// When it began.
    pub(crate) fn started(&self) -> SystemTime {
        self.started
    }

    /// The span of message number `index`; not valid when nothing records it.
    pub(crate) fn span_context(&self, index: usize) -> SpanContext {
        self.messages
            .get(index)
            .map_or(SpanContext::NONE, Span::span_context)
    }

    /// The context of handling message number `index` alone.
    pub(crate) fn of_one(&self, index: usize) -> Context {
        self.messages.get(index).map_or_else(Context::new, Span::context)
    }

    /// The context of handling all messages at once, each with its id if it is an event.
    pub(crate) fn of_all(&self, ids: impl Iterator<Item = Option<Uuid>>) -> Context {
        match self.messages.as_slice() {
            [] => Context::new(),
            [_] => self.of_one(0),
            _ if !self.batch.is_recording() => Context::new(),
            messages => {
                let contexts = ids
                    .zip(messages)
                    .filter_map(|(id, span)| Some((id?, span.context())));
                self.batch
                    .context()
                    .with_value(Arc::new(UnderWay(contexts.collect())))
            }
        }
    }

    /// All have been handled. What is left is to settle them, which [`Settling`] tells.
    pub(crate) fn end(self) -> Settling {
        let context = match self.messages.as_slice() {
            [_] => self.of_one(0),
            _ => self.batch.context(),
        };
        Settling {
            context,
            destination: self.destination,
        }
    }
}

/// Messages that have been handled, and whose acknowledgement is due.
#[derive(Debug)]
pub(crate) struct Settling {
    context: Context,
    destination: String,
}

impl Settling {
    /// Starts the span of acknowledging them together.
    pub(crate) fn ack(&self, by: &ProcessedBy) -> Span {
        Span::below(&self.context, || {
            let mut attributes = of_broker(&by.broker);
            attributes.push(KeyValue::new(MESSAGING_OPERATION_TYPE, "settle"));
            described("ack", &self.destination, SpanKind::Client, attributes)
        })
    }
}
