//! Writes `impl Event` for every message that carries the `(waybill.event.v1.event)` option.
//!
//! Nothing about an event is said twice: type name, routing key and aggregate id all come from the
//! descriptor. An option that does not hold together fails the build here.

use std::{collections::BTreeMap, fmt::Write};

use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor, Value};

/// What is wrong with an event's option.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// The option has no routing key.
    NoRoutingKey { message: String },
    /// The routing key has characters that a key may not have.
    BadRoutingKey { message: String, key: String },
    /// Two events share a routing key.
    DuplicateRoutingKey {
        message: String,
        key: String,
        other: String,
    },
    /// The aggregate id names no field of the message that is a string and always there.
    NoSuchAggregateId { message: String, field: String },
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoRoutingKey { message } => {
                write!(f, "event {message}: option event has no routing_key")
            }
            Self::BadRoutingKey { message, key } => write!(
                f,
                "event {message}: routing_key {key:?} must be lower-case words of a-z, 0-9 and _ joined by dots"
            ),
            Self::DuplicateRoutingKey { message, key, other } => write!(
                f,
                "event {message}: routing_key {key:?} is already that of {other}"
            ),
            Self::NoSuchAggregateId { message, field } => write!(
                f,
                "event {message}: aggregate_id {field:?} names no field of it that is one string, neither optional nor in a oneof"
            ),
        }
    }
}

impl std::error::Error for Error {}

struct Event {
    message: MessageDescriptor,
    routing_key: String,
    aggregate_id: String,
}

/// The Rust source of all `impl Event`s and of the list of events, for the messages in `pool`.
pub(crate) fn generate(pool: &DescriptorPool) -> Result<String, Error> {
    let events = events(pool)?;
    let mut out = String::new();
    for event in &events {
        let name = event.message.full_name();
        write!(
            out,
            "impl Event for {path} {{\n    \
                 const TYPE: &'static str = {name:?};\n    \
                 const ROUTING_KEY: &'static str = {key:?};\n    \
                 fn aggregate_id(&self) -> &str {{\n        &self.{field}\n    }}\n}}\n\n",
            path = rust_path(name),
            key = event.routing_key,
            field = event.aggregate_id,
        )
        .expect("a String takes every write");
    }
    out.push_str("/// Every event of the contracts, by type name.\npub const EVENTS: &[EventInfo] = &[\n");
    for event in &events {
        writeln!(
            out,
            "    EventInfo {{ type_name: {:?}, routing_key: {:?}, aggregate: {:?} }},",
            event.message.full_name(),
            event.routing_key,
            event.aggregate_id.replace('_', "."),
        )
        .expect("a String takes every write");
    }
    out.push_str("];\n");
    Ok(out)
}

fn events(pool: &DescriptorPool) -> Result<Vec<Event>, Error> {
    let Some(extension) = pool.get_extension_by_name("waybill.event.v1.event") else {
        return Ok(Vec::new());
    };
    let mut by_key = BTreeMap::new();
    let mut events = Vec::new();
    for message in pool.all_messages() {
        let options = message.options();
        if !options.has_extension(&extension) {
            continue;
        }
        let option = options.get_extension(&extension).into_owned();
        let event = checked(message, option.as_message().expect("the option is a message"))?;
        let name = event.message.full_name().to_owned();
        if let Some(other) = by_key.insert(event.routing_key.clone(), name.clone()) {
            return Err(Error::DuplicateRoutingKey {
                message: name,
                key: event.routing_key,
                other,
            });
        }
        events.push(event);
    }
    events.sort_by(|a, b| a.message.full_name().cmp(b.message.full_name()));
    Ok(events)
}

fn checked(message: MessageDescriptor, option: &DynamicMessage) -> Result<Event, Error> {
    let name = message.full_name().to_owned();
    let routing_key = text(option, "routing_key");
    if routing_key.is_empty() {
        return Err(Error::NoRoutingKey { message: name });
    }
    if !is_routing_key(&routing_key) {
        return Err(Error::BadRoutingKey {
            message: name,
            key: routing_key,
        });
    }
    let aggregate_id = text(option, "aggregate_id");
    let is_string = message
        .get_field_by_name(&aggregate_id)
        .is_some_and(|f| f.kind() == Kind::String && !f.is_list() && !f.supports_presence());
    if !is_string {
        return Err(Error::NoSuchAggregateId {
            message: name,
            field: aggregate_id,
        });
    }
    Ok(Event {
        message,
        routing_key,
        aggregate_id,
    })
}

fn text(option: &DynamicMessage, field: &str) -> String {
    match option.get_field_by_name(field).as_deref() {
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    }
}

fn is_routing_key(key: &str) -> bool {
    key.split('.').all(|word| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    })
}

/// `waybill.order.v1.OrderCreated` as the path that prost gives it.
fn rust_path(full_name: &str) -> String {
    full_name.replace('.', "::")
}
