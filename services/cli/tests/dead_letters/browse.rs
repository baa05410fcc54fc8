//! Listing, counting and showing: every field is there, and looking moves nothing.

use bytes::Bytes;
use prost::Message as _;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, field_descriptor_proto,
};
use serde_json::{Value, json};
use waybill::message::Message;

use crate::{
    platform::{MAIL, Platform, STATS, number, text},
    support::{
        client::new_id,
        events::{created_and_cancelled, message},
        stack::Stack,
    },
};

fn spoiled(good: &Message, spoil: impl Fn(&mut Message)) -> Message {
    let mut message = good.clone();
    let id = new_id();
    message.properties.message_id = Some(id.clone());
    message
        .headers
        .insert("cloudEvents_id".into(), id.as_str().into());
    spoil(&mut message);
    message
}

fn reasons(letters: &[Value]) -> Vec<&str> {
    let mut reasons: Vec<_> = letters
        .iter()
        .map(|letter| text(letter, "/failure/reason"))
        .collect();
    reasons.sort_unstable();
    reasons
}

async fn poison_is_kept_with_every_field(stack: Stack) {
    let platform = Platform::start(stack).await;
    let (created, _) = created_and_cancelled(&new_id());
    let good = message(&created);
    let no_protobuf = spoiled(&good, |m| {
        m.body = Bytes::from_static(b"\xff\xff\xff");
        m.properties.priority = Some(3);
        m.headers.insert("kept".into(), 42.into());
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        m.headers.insert("traceparent".into(), traceparent.into());
    });
    let unknown_type = spoiled(&good, |m| {
        m.properties.type_name = Some("shop.v1.ParcelShipped".into());
        m.headers
            .insert("cloudEvents_type".into(), "shop.v1.ParcelShipped".into());
        m.body = Bytes::from_static(b"\x0a\x03p-1");
    });
    let no_header = spoiled(&good, |m| drop(m.headers.remove("cloudEvents_id")));
    platform
        .stack
        .publish([no_protobuf.clone(), unknown_type, no_header])
        .await;
    let letters = platform.letters(6).await;
    let each = ["INVALID_BODY", "INVALID_ENVELOPE", "UNKNOWN_TYPE"];
    assert_eq!(
        reasons(&letters),
        [each[0], each[0], each[1], each[1], each[2], each[2]]
    );

    by_filters(&platform, &letters).await;
    with_every_field(&platform, &no_protobuf).await;
    by_schema(&platform).await;
    // All this looking has changed nothing.
    assert_eq!(platform.letters(6).await, letters);
}

async fn by_filters(platform: &Platform, letters: &[Value]) {
    let of_mail = platform.dlq(&["list", "--consumer", MAIL]).await;
    assert_eq!(
        reasons(&of_mail),
        ["INVALID_BODY", "INVALID_ENVELOPE", "UNKNOWN_TYPE"]
    );
    let both = platform
        .dlq(&[
            "list",
            "--error",
            "UNKNOWN_TYPE",
            "--type",
            "shop.v1.ParcelShipped",
        ])
        .await;
    assert_eq!(both.len(), 2);
    let order = text(&letters[0], "/orderId");
    assert_eq!(platform.dlq(&["list", "--order", order]).await.len(), 6);
    assert_eq!(
        platform.dlq(&["list", "--order", &new_id()]).await,
        Vec::<Value>::new()
    );
    assert_eq!(
        platform.dlq(&["list", "--older-than", "1h"]).await,
        Vec::<Value>::new()
    );
    assert_eq!(platform.dlq(&["list", "--newer-than", "1h"]).await.len(), 6);
    assert_eq!(platform.dlq(&["list", "--limit", "4"]).await, letters[..4]);

    let stats = platform.dlq(&["stats"]).await.remove(0);
    assert_eq!(
        (
            number(&stats, "/counted"),
            stats["causes"].as_array().unwrap().len()
        ),
        (6, 6)
    );
    let stats = platform.dlq(&["stats", "--consumer", STATS]).await.remove(0);
    for cause in stats["causes"].as_array().unwrap() {
        assert_eq!((text(cause, "/consumer"), number(cause, "/count")), (STATS, 1));
    }
}

async fn with_every_field(platform: &Platform, published: &Message) {
    let broken = platform
        .dlq(&["list", "--error", "INVALID_BODY", "--consumer", MAIL])
        .await;
    let shown = platform
        .dlq(&["show", text(&broken[0], "/deadLetterId")])
        .await
        .remove(0);
    let letter = &shown["deadLetter"];
    assert_eq!(text(letter, "/consumer"), MAIL);
    assert_eq!(text(letter, "/exchange"), "waybill.events");
    assert_eq!(text(letter, "/routingKey"), "order.created.v1");
    assert_eq!(text(letter, "/state"), "DEAD_LETTER_STATE_WAITING");
    assert_eq!(text(letter, "/failure/class"), "FAILURE_CLASS_PERMANENT");
    assert_eq!(text(letter, "/failure/version"), env!("CARGO_PKG_VERSION"));
    assert!(text(letter, "/failure/instance").starts_with("up-"));
    assert!(!text(letter, "/failure/message").is_empty());
    assert_eq!(number(letter, "/attempts"), 1);
    assert_eq!(
        text(letter, "/firstFailureTime"),
        text(letter, "/lastFailureTime")
    );
    assert_eq!(
        Some(text(letter, "/messageId")),
        published.properties.message_id.as_deref()
    );
    assert_eq!(
        Some(text(letter, "/correlationId")),
        published.properties.correlation_id.as_deref()
    );
    assert_eq!(text(letter, "/traceId"), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(text(&shown, "/message/properties/priority"), "3");
    assert_eq!(text(&shown, "/message/headers/kept/integerValue"), "42");
    assert_eq!(text(&shown, "/message/body"), "////");
    assert!(text(&shown, "/decodeError").contains("waybill.order.v1.OrderCreated"));
}

/// A schema that this build does not know, as a file that another build wrote.
fn parcels() -> Vec<u8> {
    let field = FieldDescriptorProto {
        name: Some("parcel_id".into()),
        number: Some(1),
        label: Some(field_descriptor_proto::Label::Optional.into()),
        r#type: Some(field_descriptor_proto::Type::String.into()),
        json_name: Some("parcelId".into()),
        ..FieldDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("shop/v1/events.proto".into()),
        package: Some("shop.v1".into()),
        message_type: vec![DescriptorProto {
            name: Some("ParcelShipped".into()),
            field: vec![field],
            ..DescriptorProto::default()
        }],
        syntax: Some("proto3".into()),
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

async fn by_schema(platform: &Platform) {
    let unknown = platform
        .dlq(&["list", "--error", "UNKNOWN_TYPE", "--consumer", MAIL])
        .await;
    let id = text(&unknown[0], "/deadLetterId");
    let shown = platform.dlq(&["show", id]).await.remove(0);
    assert!(
        text(&shown, "/decodeError").contains("--descriptors"),
        "{shown:#}"
    );
    let file = platform.stack.data_dir().join("parcels.binpb");
    std::fs::write(&file, parcels()).unwrap();
    let given = ["show", id, "--descriptors", file.to_str().unwrap()];
    let shown = platform.dlq(&given).await.remove(0);
    assert_eq!(shown["decodedBody"], json!({"parcelId": "p-1"}));
    let known = platform
        .dlq(&["list", "--error", "INVALID_ENVELOPE", "--consumer", MAIL])
        .await;
    let shown = platform
        .dlq(&["show", text(&known[0], "/deadLetterId")])
        .await
        .remove(0);
    assert_eq!(text(&shown, "/decodedBody/orderId"), text(&known[0], "/orderId"));
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_kept_with_every_field_embedded() {
    poison_is_kept_with_every_field(Stack::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_kept_with_every_field_on_rabbitmq_and_mongodb() {
    poison_is_kept_with_every_field(Stack::real().await).await;
}
