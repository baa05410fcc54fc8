//! Whose step it is: what every span and log line of a business transaction has in common.

use std::sync::{Arc, OnceLock};

use opentelemetry::{Context, KeyValue};
use opentelemetry_semantic_conventions::attribute::{
    MESSAGING_MESSAGE_CONVERSATION_ID, MESSAGING_MESSAGE_ID,
};

use crate::{contract::EVENTS, envelope, message::Message};

/// Correlation, message and aggregate of a step, and of every step below it.
#[derive(Debug, Clone)]
pub struct Flow {
    correlation_id: Arc<str>,
    message_id: Option<Arc<str>>,
    /// Known from the beginning of an event; in a call, from when its handler finds out.
    aggregate: Arc<OnceLock<KeyValue>>,
}

impl Flow {
    /// That of a call.
    pub(crate) fn of_call(correlation_id: &str) -> Self {
        Self {
            correlation_id: correlation_id.into(),
            message_id: None,
            aggregate: Arc::default(),
        }
    }

    /// That of a message, whose aggregate is known if it is an event.
    pub(crate) fn of_message(message: &Message) -> Self {
        let properties = &message.properties;
        Self {
            correlation_id: properties.correlation_id.as_deref().unwrap_or_default().into(),
            message_id: properties.message_id.as_deref().map(Into::into),
            aggregate: Arc::new(aggregate(message).map(OnceLock::from).unwrap_or_default()),
        }
    }

    /// The correlation id; empty for a message that has none.
    pub(crate) fn correlation_id(&self) -> &str {
        &self.correlation_id
    }

    /// The id of the message; empty for a call, and for a message that has none.
    pub(crate) fn message_id(&self) -> &str {
        self.message_id.as_deref().unwrap_or_default()
    }

    /// The aggregate, once it is known.
    pub(crate) fn aggregate(&self) -> Option<&KeyValue> {
        self.aggregate.get()
    }

    /// The id of the aggregate, if `attribute` is what it is called.
    pub(crate) fn id_of(&self, attribute: &str) -> Option<String> {
        let aggregate = self.aggregate().filter(|a| a.key.as_str() == attribute)?;
        Some(aggregate.value.to_string())
    }

    pub(super) fn add_to(&self, attributes: &mut Vec<KeyValue>) {
        if !self.correlation_id.is_empty() {
            let correlation_id = Arc::clone(&self.correlation_id);
            attributes.push(KeyValue::new(MESSAGING_MESSAGE_CONVERSATION_ID, correlation_id));
        }
        let message_id = self.message_id.as_ref();
        attributes.extend(message_id.map(|id| KeyValue::new(MESSAGING_MESSAGE_ID, Arc::clone(id))));
        attributes.extend(self.aggregate().cloned());
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
    Context::map_current(|context| {
        if let Some(flow) = context.get::<Flow>() {
            // A call is about one aggregate: the first that was named.
            let attribute = || KeyValue::new(field.replacen('_', ".", 1), Arc::<str>::from(id));
            flow.aggregate.get_or_init(attribute);
        }
    });
}
