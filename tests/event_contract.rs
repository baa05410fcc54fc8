//! The event option, from its declaration to `impl Event`: what a contract must say, and what the
//! build answers when it does not.

use std::{fs, path::Path};

use prost::Message;
use prost_reflect::DescriptorPool;
use waybill::contract::{self, Event, EventInfo, order::v1::OrderCreated};

#[path = "../build/event_impls.rs"]
mod event_impls;

use event_impls::Error;

/// Generates from one file that declares `messages` in the package `shop.v1`.
fn generate(messages: &str) -> Result<String, Error> {
    let folder = tempfile::tempdir().unwrap();
    let source =
        format!("syntax = \"proto3\"; package shop.v1; import \"waybill/event/v1/event.proto\"; {messages}");
    fs::write(folder.path().join("shop.proto"), source).unwrap();
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let mut compiler = protox::Compiler::new([folder.path(), &proto]).unwrap();
    compiler.include_imports(true).open_file("shop.proto").unwrap();
    event_impls::generate(&compiler.descriptor_pool())
}

/// A message called `name` with a string `id`, and with an option that says `option`.
fn event(name: &str, option: &str) -> String {
    format!(
        "message {name} {{ option (waybill.event.v1.event) = {{ {option} }}; \
         string id = 1; repeated string ids = 2; int64 number = 3; optional string maybe = 4; \
         oneof one {{ string either = 5; }} }}"
    )
}

#[test]
fn an_event_gets_its_name_key_and_aggregate_from_the_option() {
    let parcel = event(
        "ParcelSent",
        r#"routing_key: "parcel.sent.v1" aggregate_id: "id""#,
    );
    let source = generate(&format!("{parcel} message NoEvent {{}}")).unwrap();
    let compact = source.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        compact.starts_with(
            "impl Event for shop::v1::ParcelSent { \
             const TYPE: &'static str = \"shop.v1.ParcelSent\"; \
             const ROUTING_KEY: &'static str = \"parcel.sent.v1\"; \
             fn aggregate_id(&self) -> &str { &self.id } }"
        ),
        "{source}"
    );
    assert!(
        compact.contains(
            r#"EventInfo { type_name: "shop.v1.ParcelSent", routing_key: "parcel.sent.v1", aggregate: "id" }"#
        ),
        "{source}"
    );
    assert!(!source.contains("NoEvent"), "{source}");
}

#[test]
fn an_event_without_a_routing_key_fails_the_build() {
    let error = generate(&event("ParcelSent", r#"aggregate_id: "id""#)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "event shop.v1.ParcelSent: option event has no routing_key"
    );
}

#[test]
fn a_routing_key_that_a_binding_could_not_name_fails_the_build() {
    for key in [
        "Parcel.sent",
        "parcel..sent",
        ".parcel",
        "parcel.",
        "parcel.*",
        "parcel.#",
        "parcel sent",
    ] {
        let option = format!(r#"routing_key: "{key}" aggregate_id: "id""#);
        let error = generate(&event("ParcelSent", &option)).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("event shop.v1.ParcelSent: routing_key {key:?} must be")),
            "{error}"
        );
    }
}

#[test]
fn a_routing_key_used_twice_fails_the_build_and_both_are_named() {
    let option = r#"routing_key: "parcel.sent.v1" aggregate_id: "id""#;
    let both = event("ParcelSent", option) + &event("ParcelShipped", option);
    let error = generate(&both).unwrap_err().to_string();
    for part in ["shop.v1.ParcelSent", "shop.v1.ParcelShipped", "parcel.sent.v1"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
}

#[test]
fn an_aggregate_id_that_is_not_always_one_string_fails_the_build() {
    for field in ["", "order_id", "ids", "number", "maybe", "either"] {
        let option = format!(r#"routing_key: "parcel.sent.v1" aggregate_id: "{field}""#);
        let error = generate(&event("ParcelSent", &option)).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!(
                "event shop.v1.ParcelSent: aggregate_id {field:?} names no field"
            )),
            "{error}"
        );
    }
}

#[test]
fn the_contracts_have_these_events_and_no_others() {
    let info = |type_name, routing_key, aggregate| EventInfo {
        type_name,
        routing_key,
        aggregate,
    };
    assert_eq!(
        contract::EVENTS,
        [
            info(
                "waybill.order.v1.OrderCancelled",
                "order.cancelled.v1",
                "order.id"
            ),
            info("waybill.order.v1.OrderCreated", "order.created.v1", "order.id"),
            info(
                "waybill.user.v1.UserContactChanged",
                "user.contact_changed.v1",
                "user.id"
            ),
            info("waybill.user.v1.UserRegistered", "user.registered.v1", "user.id"),
        ]
    );
}

#[test]
fn a_generated_event_knows_its_aggregate() {
    let created = OrderCreated {
        order_id: "0199".into(),
        ..OrderCreated::default()
    };
    assert_eq!(created.aggregate_id(), "0199");
    assert_eq!(OrderCreated::TYPE, "waybill.order.v1.OrderCreated");
    assert_eq!(OrderCreated::ROUTING_KEY, "order.created.v1");
}

#[test]
fn the_descriptor_set_holds_every_event_under_its_type_name() {
    let pool = DescriptorPool::decode(contract::FILE_DESCRIPTOR_SET).unwrap();
    for event in contract::EVENTS {
        assert!(
            pool.get_message_by_name(event.type_name).is_some(),
            "{} is missing",
            event.type_name
        );
    }
    // It is what reflection shows, so it must decode as plain descriptors too.
    prost_types::FileDescriptorSet::decode(contract::FILE_DESCRIPTOR_SET).unwrap();
}
