//! The catalogue of events: what each means and holds, who publishes it and who consumes it.
//!
//! All of it comes from code. Meaning and fields stand in the contracts' descriptors, publishers in
//! each service's list of what it publishes, consumers in each service's subscriptions.

pub(crate) mod asyncapi;
mod field;
mod json_schema;
pub(crate) mod markdown;
mod types;

use prost_reflect::{DescriptorPool, MessageDescriptor};
use serde::Serialize;
use waybill::contract::{self, EventInfo};

use self::{
    field::{Field, comment},
    types::Type,
};
use crate::serve::Role;

/// Every event of the contracts, by type name, and the types that their fields have.
pub(crate) struct Catalogue {
    pub(crate) events: Vec<Entry>,
    pub(crate) types: Vec<Type>,
}

/// One event.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    /// Full protobuf name.
    #[serde(rename = "type")]
    pub(crate) type_name: &'static str,
    /// What it says happened.
    pub(crate) meaning: String,
    pub(crate) routing_key: &'static str,
    /// Its major version, for instance `v1`: the last word of the routing key.
    pub(crate) version: &'static str,
    /// The field that holds the id of its aggregate.
    pub(crate) aggregate_id: String,
    /// Services that publish it.
    pub(crate) publishers: Vec<&'static str>,
    pub(crate) consumers: Vec<Consumer>,
    pub(crate) fields: Vec<Field>,
    /// An example in the JSON mapping of protobuf.
    pub(crate) example: serde_json::Value,
    /// The same as it was written.
    #[serde(skip)]
    pub(crate) example_text: &'static str,
    /// The file that declares it, below `proto/`.
    pub(crate) file: String,
    #[serde(skip)]
    message: MessageDescriptor,
}

/// Who receives an event, and where.
#[derive(Debug, Serialize)]
pub(crate) struct Consumer {
    pub(crate) service: &'static str,
    pub(crate) queue: String,
}

impl Catalogue {
    /// What this binary knows.
    pub(crate) fn new() -> Self {
        let pool = DescriptorPool::decode(contract::FILE_DESCRIPTOR_SET);
        let pool = pool.expect("the build wrote the descriptors");
        let events: Vec<_> = contract::EVENTS
            .iter()
            .map(|info| Entry::new(info, &pool))
            .collect();
        let types = types::used_by(events.iter().map(|event| &event.message));
        Self { events, types }
    }
}

impl Entry {
    fn new(info: &EventInfo, pool: &DescriptorPool) -> Self {
        let message = pool.get_message_by_name(info.type_name);
        let message = message.expect("the list of events comes from the same descriptors");
        let example_text = info.example().unwrap_or("{}\n");
        Self {
            type_name: info.type_name,
            meaning: comment(message.parent_file_descriptor_proto(), message.path()),
            routing_key: info.routing_key,
            version: info.routing_key.rsplit('.').next().unwrap_or_default(),
            aggregate_id: info.aggregate.replace('.', "_"),
            publishers: publishers(info),
            consumers: consumers(info),
            fields: message.fields().map(|field| Field::new(&field)).collect(),
            example: serde_json::from_str(example_text).expect("golden text is JSON, or its test fails"),
            example_text,
            file: message.parent_file().name().to_owned(),
            message,
        }
    }

    /// Its name without the package.
    pub(crate) fn name(&self) -> &str {
        self.message.name()
    }
}

fn publishers(info: &EventInfo) -> Vec<&'static str> {
    let publishes = |role: &&Role| role.publishes().iter().any(|e| e.type_name() == info.type_name);
    Role::ALL
        .iter()
        .filter(publishes)
        .map(|role| role.name())
        .collect()
}

fn consumers(info: &EventInfo) -> Vec<Consumer> {
    let of_role = |role: &Role| {
        let service = role.name();
        let subscriptions = role.subscriptions().into_iter();
        subscriptions
            .filter(|subscription| subscription.routing_keys.contains(&info.routing_key))
            .map(move |subscription| Consumer {
                service,
                queue: subscription.queue,
            })
    };
    Role::ALL.iter().flat_map(of_role).collect()
}
