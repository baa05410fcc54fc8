//! Whose step it is: what every span and log line of a business transaction has in common.

use std::sync::{Arc, Mutex, MutexGuard};

use opentelemetry::{Context, KeyValue};
use opentelemetry_semantic_conventions::attribute::{
    MESSAGING_MESSAGE_CONVERSATION_ID, MESSAGING_MESSAGE_ID,
};

use crate::{contract::EVENTS, envelope, message::Message};

/// Correlation, message and aggregate of a step, and of every step below it.
#[derive(Debug, Clone)]
pub struct Flow {
    correlation_id: Arc<str>,
    /// Known from the beginning of an event; in a call, from when its handler finds out.
    found: Arc<Mutex<Found>>,
}

#[derive(Debug, Default)]
struct Found {
    message_id: Option<Arc<str>>,
    /// The message that is about to be written. Whether it will be is not known yet.
    written: Option<Arc<str>>,
    aggregate: Option<KeyValue>,
}

impl Flow {
    /// That of a call.
    pub(crate) fn of_call(correlation_id: &str) -> Self {
        Self {
            correlation_id: correlation_id.into(),
            found: Arc::default(),
        }
    }

    /// That of a message, whose aggregate is known if it is an event.
    pub(crate) fn of_message(message: &Message) -> Self {
        let properties = &message.properties;
        Self {
            correlation_id: properties.correlation_id.as_deref().unwrap_or_default().into(),
            found: Arc::new(Mutex::new(Found {
                message_id: properties.message_id.as_deref().map(Into::into),
                written: None,
                aggregate: aggregate(message),
            })),
        }
    }

    /// The correlation id; empty for a message that has none.
    pub(crate) fn correlation_id(&self) -> &str {
        &self.correlation_id
    }

    /// The id of the message; empty for a call, and for a message that has none.
    pub(crate) fn message_id(&self) -> Arc<str> {
        self.found().message_id.clone().unwrap_or_default()
    }

    /// The id of the aggregate, if `attribute` is what it is called.
    pub(crate) fn id_of(&self, attribute: &str) -> Option<String> {
        let found = self.found();
        let aggregate = found.aggregate.as_ref().filter(|a| a.key.as_str() == attribute)?;
        Some(aggregate.value.to_string())
    }

    /// What has been found out by the end of a call.
    pub(super) fn attributes(&self) -> Vec<KeyValue> {
        let found = self.found();
        let message_id = found.message_id.clone();
        let message_id = message_id.map(|id| KeyValue::new(MESSAGING_MESSAGE_ID, id));
        message_id.into_iter().chain(found.aggregate.clone()).collect()
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().expect("no holder of the lock can panic")
    }

    pub(super) fn add_to(&self, attributes: &mut Vec<KeyValue>) {
        if !self.correlation_id.is_empty() {
            let correlation_id = Arc::clone(&self.correlation_id);
            attributes.push(KeyValue::new(MESSAGING_MESSAGE_CONVERSATION_ID, correlation_id));
        }
        let found = self.found();
        let message_id = found.message_id.as_ref().or(found.written.as_ref()).cloned();
        attributes.extend(message_id.map(|id| KeyValue::new(MESSAGING_MESSAGE_ID, id)));
        attributes.extend(found.aggregate.clone());
    }
}

/// The id of what an event is about, under the name of its attribute.
fn aggregate(message: &Message) -> Option<KeyValue> {
    let type_name = message.properties.type_name.as_deref()?;
    let event = EVENTS.iter().find(|event| event.type_name == type_name)?;
    let id = message.header(envelope::SUBJECT)?;
    Some(KeyValue::new(event.aggregate, Arc::<str>::from(id)))
}

/// The call under way is about the aggregate `id`, which contracts name in the field `field`, for
/// instance `order_id`: from now on its log lines (`order_id`) and its spans (`order.id`) say so.
pub fn about(field: &str, id: &str) {
    tracing::Span::current().record(field, id);
    in_call(|found| {
        let attribute = field.replacen('_', ".", 1);
        found.aggregate = Some(KeyValue::new(attribute, Arc::<str>::from(id)));
    });
}

/// The call under way is about to write `event`. The write's span names message and aggregate; the call
/// itself does when that is done, for a repeated request writes nothing.
pub fn writing(event: &Message) {
    in_call(|found| {
        found.written = event.properties.message_id.as_deref().map(Into::into);
        if found.aggregate.is_none() {
            found.aggregate = aggregate(event);
        }
    });
}

/// The call under way has stored `event`: its log lines and its span name the message from now on.
pub(crate) fn stored(event: &Message) {
    let Some(id) = &event.properties.message_id else {
        return;
    };
    tracing::Span::current().record("message_id", id);
    in_call(|found| found.message_id = Some(id.as_str().into()));
}

fn in_call(change: impl FnOnce(&mut Found)) {
    Context::map_current(|context| {
        if let Some(flow) = context.get::<Flow>() {
            change(&mut flow.found());
        }
    });
}
