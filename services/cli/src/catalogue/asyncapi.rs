//! The catalogue as an AsyncAPI 3.0 document.
//!
//! A routing key of the exchange is a channel to which services send; a consumer's queue is a channel
//! from which its service receives. Bodies are protobuf; their schema is given as that of protobuf's
//! JSON mapping, which is how examples are written, and names the protobuf type that is on the wire.

use serde_yaml_ng::{Mapping, Value};
use waybill::{
    envelope::{CONTENT_TYPE, HEADERS},
    topology::EVENTS_EXCHANGE,
};

use super::{Catalogue, Entry, json_schema};
use crate::serve::Role;

/// Version of AsyncAPI's AMQP binding.
const BINDING_VERSION: &str = "0.3.0";

/// The document.
pub(crate) fn document(catalogue: &Catalogue) -> Value {
    let events = &catalogue.events;
    let keys = events.iter().map(|event| (event.routing_key, exchange(event)));
    let queues = queues(events);
    let queues = queues.iter().map(|queue| (queue.name.as_str(), queue.channel()));
    object([
        ("asyncapi", "3.0.0".into()),
        ("info", info()),
        ("defaultContentType", CONTENT_TYPE.into()),
        ("servers", object([("rabbitmq", server())])),
        ("channels", object(keys.chain(queues))),
        ("operations", operations(events)),
        (
            "components",
            object([
                (
                    "messages",
                    object(events.iter().map(|event| (event.type_name, message(event)))),
                ),
                ("schemas", schemas(catalogue)),
            ]),
        ),
    ])
}

fn info() -> Value {
    let license = object([
        ("name", "Apache-2.0".into()),
        ("url", "https://www.apache.org/licenses/LICENSE-2.0".into()),
    ]);
    object([
        ("title", "Waybill events".into()),
        ("version", env!("CARGO_PKG_VERSION").into()),
        (
            "description",
            "What happens to orders and users, as the platform's services tell it to each other. \
             Generated from the contracts and the services' code: run scripts/catalogue."
                .into(),
        ),
        ("license", license),
    ])
}

fn server() -> Value {
    object([
        ("host", "localhost:5672".into()),
        ("protocol", "amqp".into()),
        ("protocolVersion", "0.9.1".into()),
        ("description", "RabbitMQ, as `docker compose up` runs it.".into()),
    ])
}

/// The channel of a routing key.
fn exchange(event: &Entry) -> Value {
    let exchange = object([
        ("name", EVENTS_EXCHANGE.into()),
        ("type", "topic".into()),
        ("durable", true.into()),
        ("autoDelete", false.into()),
    ]);
    object([
        ("address", event.routing_key.into()),
        ("description", event.meaning.as_str().into()),
        ("messages", messages([event])),
        (
            "bindings",
            amqp([("is", "routingKey".into()), ("exchange", exchange)]),
        ),
    ])
}

/// A consumer's queue, and the events that it receives.
struct Queue<'a> {
    name: String,
    service: &'static str,
    events: Vec<&'a Entry>,
}

fn queues(events: &[Entry]) -> Vec<Queue<'_>> {
    let of_role = |role: &Role| {
        let service = role.name();
        role.subscriptions().into_iter().map(move |subscription| Queue {
            events: events
                .iter()
                .filter(|event| subscription.routing_keys.contains(&event.routing_key))
                .collect(),
            name: subscription.queue,
            service,
        })
    };
    Role::ALL.iter().flat_map(of_role).collect()
}

impl Queue<'_> {
    fn channel(&self) -> Value {
        let keys: Vec<_> = self.events.iter().map(|event| event.routing_key).collect();
        let queue = object([
            ("name", self.name.as_str().into()),
            ("durable", true.into()),
            ("exclusive", false.into()),
            ("autoDelete", false.into()),
        ]);
        let bound = format!("Bound to {EVENTS_EXCHANGE} by {}.", keys.join(", "));
        object([
            ("address", self.name.as_str().into()),
            ("description", bound.into()),
            ("messages", messages(self.events.iter().copied())),
            ("bindings", amqp([("is", "queue".into()), ("queue", queue)])),
        ])
    }
}

fn operations(events: &[Entry]) -> Value {
    let mut operations = Mapping::new();
    for event in events {
        for service in &event.publishers {
            let name = format!("{service}.sends.{}", event.routing_key);
            let summary = format!("The {service} service says: {}", event.meaning);
            let how = [
                ("deliveryMode", 2.into()),
                ("mandatory", true.into()),
                ("timestamp", true.into()),
            ];
            let operation = operation("send", event.routing_key, &[event], service, &summary, how);
            operations.insert(name.into(), operation);
        }
    }
    for queue in queues(events) {
        let Queue {
            name,
            service,
            events,
        } = queue;
        let summary = format!("The {service} service handles what comes to {name}.");
        let operation = operation(
            "receive",
            &name,
            &events,
            service,
            &summary,
            [("ack", true.into())],
        );
        operations.insert(format!("{service}.receives.{name}").into(), operation);
    }
    Value::Mapping(operations)
}

fn operation<const N: usize>(
    action: &str,
    channel: &str,
    events: &[&Entry],
    service: &str,
    summary: &str,
    how: [(&'static str, Value); N],
) -> Value {
    let messages = events
        .iter()
        .map(|event| reference(&["channels", channel, "messages", event.type_name]));
    object([
        ("action", action.into()),
        ("channel", reference(&["channels", channel])),
        ("summary", summary.into()),
        ("tags", [object([("name", service.into())])].into_iter().collect()),
        ("messages", messages.collect()),
        ("bindings", amqp(how)),
    ])
}

fn message(event: &Entry) -> Value {
    let example = object([(
        "payload",
        serde_yaml_ng::from_str(event.example_text).expect("JSON is YAML"),
    )]);
    object([
        ("name", event.type_name.into()),
        ("title", format!("{} {}", event.name(), event.version).into()),
        ("summary", event.meaning.as_str().into()),
        (
            "description",
            format!(
                "On the wire: the protobuf message {} of proto/{}.",
                event.type_name, event.file
            )
            .into(),
        ),
        ("contentType", CONTENT_TYPE.into()),
        ("headers", reference(&["components", "schemas", "Headers"])),
        ("payload", reference(&["components", "schemas", event.type_name])),
        ("bindings", amqp([("messageType", event.type_name.into())])),
        ("examples", [example].into_iter().collect()),
    ])
}

fn schemas(catalogue: &Catalogue) -> Value {
    let events = catalogue.events.iter();
    let events = events.map(|event| (event.type_name, json_schema::of_event(event)));
    let types = catalogue.types.iter();
    let types = types.map(|used| (used.name.as_str(), json_schema::of_type(used)));
    object([("Headers", headers())].into_iter().chain(events).chain(types))
}

fn headers() -> Value {
    let property = |header: &waybill::envelope::Header| {
        let schema = [("type", "string".into()), ("description", header.meaning.into())];
        (header.name, object(schema))
    };
    let required = HEADERS.iter().filter(|header| header.required);
    object([
        ("type", "object".into()),
        ("properties", object(HEADERS.iter().map(property))),
        ("required", required.map(|header| header.name).collect()),
    ])
}

/// Messages of a channel, by name.
fn messages<'a>(events: impl IntoIterator<Item = &'a Entry>) -> Value {
    object(events.into_iter().map(|event| {
        let message = reference(&["components", "messages", event.type_name]);
        (event.type_name, message)
    }))
}

fn amqp<const N: usize>(binding: [(&'static str, Value); N]) -> Value {
    let version = [("bindingVersion", BINDING_VERSION.into())];
    object([("amqp", object(binding.into_iter().chain(version)))])
}

/// A reference to another part of the document.
pub(super) fn reference(path: &[&str]) -> Value {
    object([("$ref", format!("#/{}", path.join("/")).into())])
}

/// An object with these entries, in this order.
pub(super) fn object<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Mapping(
        entries
            .into_iter()
            .map(|(key, value)| (key.into(), value))
            .collect(),
    )
}
