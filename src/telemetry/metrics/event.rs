//! One instrument for each type of event, and one for what is none that we know.

use opentelemetry::KeyValue;

use super::OTHER;
use crate::{contract::EVENTS, message::Message};

/// Attribute that holds the full protobuf name of an event's type.
const EVENT_TYPE: &str = "waybill.event.type";

/// Which type of event a message carries, as far as metrics tell types apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventType(usize);

impl EventType {
    /// The type of this name.
    pub(crate) fn of(type_name: &str) -> Self {
        let known = EVENTS.iter().position(|event| event.type_name == type_name);
        Self(known.unwrap_or(EVENTS.len()))
    }

    /// That of a message.
    pub(crate) fn of_message(message: &Message) -> Self {
        Self::of(message.properties.type_name.as_deref().unwrap_or_default())
    }

    fn all() -> impl Iterator<Item = Self> {
        (0..=EVENTS.len()).map(Self)
    }

    /// The attribute that tells it.
    pub(crate) fn attribute(self) -> KeyValue {
        KeyValue::new(
            EVENT_TYPE,
            EVENTS.get(self.0).map_or(OTHER, |event| event.type_name),
        )
    }
}

/// A value for each type of event.
#[derive(Debug)]
pub(crate) struct ByEvent<T>(Vec<T>);

impl<T> ByEvent<T> {
    /// What `bind` makes of each type's attribute.
    pub(crate) fn new(bind: impl Fn(KeyValue) -> T) -> Self {
        Self(EventType::all().map(EventType::attribute).map(bind).collect())
    }

    /// That of one type.
    pub(crate) fn of(&self, event_type: EventType) -> &T {
        &self.0[event_type.0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_type_counts_as_other() {
        let names = ByEvent::new(|attribute| attribute.value.to_string());
        let of_type = |name: Option<&str>| {
            let mut message = Message::default();
            message.properties.type_name = name.map(str::to_owned);
            names.of(EventType::of_message(&message)).clone()
        };
        for event in EVENTS {
            assert_eq!(of_type(Some(event.type_name)), event.type_name);
        }
        assert_eq!(of_type(Some("a.Stranger")), OTHER);
        assert_eq!(of_type(None), OTHER);
    }
}
