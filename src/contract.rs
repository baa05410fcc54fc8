//! The contracts: commands, queries and events, generated from `proto/`.
//!
//! Protobuf is the only schema. Whatever the option on an event's message says becomes its
//! [`Event`] implementation; nothing about an event is written a second time.

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "generated code"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/contract.rs"));
}

pub use generated::google;
use generated::waybill;
pub use waybill::{event, notification, operations, order, user};

/// All files of `proto/` and what they import, as an encoded `FileDescriptorSet`, comments included.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));

/// A message that says what happened.
pub trait Event: prost::Message + Default {
    /// Full protobuf name, for instance `waybill.order.v1.OrderCreated`.
    const TYPE: &'static str;
    /// Routing key under which it is published.
    const ROUTING_KEY: &'static str;
    /// Id of the aggregate that it belongs to.
    fn aggregate_id(&self) -> &str;
}

/// What is known of an event without its Rust type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventInfo {
    /// Full protobuf name.
    pub type_name: &'static str,
    /// Routing key under which it is published.
    pub routing_key: &'static str,
    /// What telemetry calls the id of its aggregate: `order.id` for the field `order_id`.
    pub aggregate: &'static str,
}

impl EventInfo {
    /// An example of the event as JSON: the text beside its golden bytes.
    pub fn example(&self) -> Option<&'static str> {
        let found = EXAMPLES
            .iter()
            .find(|(type_name, _)| *type_name == self.type_name);
        found.map(|(_, text)| *text)
    }
}

include!(concat!(env!("OUT_DIR"), "/events.rs"));
include!(concat!(env!("OUT_DIR"), "/examples.rs"));
