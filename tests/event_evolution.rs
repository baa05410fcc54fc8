//! What a reader does with bytes that another version of a schema wrote, shown with real schemas;
//! and the bytes of every released event version, which every later reader must understand.

use std::{
    fs,
    path::{Path, PathBuf},
};

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, Value};
use waybill::contract::{
    EVENTS, Event, FILE_DESCRIPTOR_SET,
    order::v1::{OrderCancelled, OrderCreated},
    user::v1::{UserContactChanged, UserRegistered},
};

/// The schema that readers of the first version know.
const OLD: &str = "string id = 1; int32 count = 2; Size size = 3;";
const OLD_SIZES: &str = "SIZE_UNSPECIFIED = 0; SIZE_SMALL = 1;";

/// The message `Parcel` with these fields, and the enum `Size` with these values.
fn parcel(fields: &str, sizes: &str) -> MessageDescriptor {
    let folder = tempfile::tempdir().unwrap();
    let source = format!(
        "syntax = \"proto3\"; package shop.v1; enum Size {{ {sizes} }} message Parcel {{ {fields} }}"
    );
    fs::write(folder.path().join("parcel.proto"), source).unwrap();
    let mut compiler = protox::Compiler::new([folder.path()]).unwrap();
    compiler.open_file("parcel.proto").unwrap();
    let pool = compiler.descriptor_pool();
    pool.get_message_by_name("shop.v1.Parcel").unwrap()
}

fn old() -> MessageDescriptor {
    parcel(OLD, OLD_SIZES)
}

/// Bytes of a message with these fields.
fn written(schema: MessageDescriptor, fields: &[(&str, Value)]) -> Vec<u8> {
    let mut message = DynamicMessage::new(schema);
    for (name, value) in fields {
        message.set_field_by_name(name, value.clone());
    }
    message.encode_to_vec()
}

/// What an old writer sends.
fn old_bytes() -> Vec<u8> {
    let id = Value::String("p-1".into());
    written(
        old(),
        &[
            ("id", id),
            ("count", Value::I32(7)),
            ("size", Value::EnumNumber(1)),
        ],
    )
}

fn read(schema: MessageDescriptor, bytes: &[u8]) -> DynamicMessage {
    DynamicMessage::decode(schema, bytes).unwrap()
}

fn field(message: &DynamicMessage, name: &str) -> Value {
    message.get_field_by_name(name).unwrap().into_owned()
}

#[test]
fn a_field_added_is_passed_over_by_old_readers_and_empty_for_new_ones() {
    let new = parcel(&format!("{OLD} string note = 4;"), OLD_SIZES);
    let note = ("note", Value::String("fragile".into()));
    let bytes = written(new.clone(), &[("count", Value::I32(7)), note]);
    let by_old = read(old(), &bytes);
    assert_eq!(field(&by_old, "count"), Value::I32(7));
    assert_eq!(
        by_old.encode_to_vec(),
        bytes,
        "what it does not know goes on with it"
    );
    assert_eq!(
        field(&read(new, &old_bytes()), "note"),
        Value::String(String::new())
    );
}

#[test]
fn a_field_removed_reads_as_its_default_which_nobody_can_tell_from_a_value() {
    let new = parcel("string id = 1; Size size = 3;", OLD_SIZES);
    let bytes = written(new, &[("id", Value::String("p-1".into()))]);
    assert_eq!(field(&read(old(), &bytes), "count"), Value::I32(0));
}

#[test]
fn a_field_renumbered_is_lost_without_an_error() {
    let new = parcel("string id = 1; int32 count = 9; Size size = 3;", OLD_SIZES);
    assert_eq!(field(&read(new.clone(), &old_bytes()), "count"), Value::I32(0));
    let bytes = written(new, &[("count", Value::I32(7))]);
    assert_eq!(field(&read(old(), &bytes), "count"), Value::I32(0));
}

#[test]
fn a_number_made_wider_is_cut_off_by_old_readers() {
    let new = parcel("string id = 1; int64 count = 2; Size size = 3;", OLD_SIZES);
    assert_eq!(field(&read(new.clone(), &old_bytes()), "count"), Value::I64(7));
    let bytes = written(new, &[("count", Value::I64((1 << 32) + 7))]);
    assert_eq!(field(&read(old(), &bytes), "count"), Value::I32(7));
}

#[test]
fn a_field_that_goes_another_way_over_the_wire_fails_the_whole_message() {
    let new = parcel("string id = 1; string count = 2; Size size = 3;", OLD_SIZES);
    assert!(DynamicMessage::decode(new.clone(), old_bytes().as_slice()).is_err());
    let bytes = written(new, &[("count", Value::String("7".into()))]);
    assert!(DynamicMessage::decode(old(), bytes.as_slice()).is_err());
}

#[test]
fn an_enum_value_added_reaches_old_readers_as_a_number_without_a_name() {
    let new = parcel(OLD, &format!("{OLD_SIZES} SIZE_LARGE = 2;"));
    let bytes = written(new, &[("size", Value::EnumNumber(2))]);
    let Value::EnumNumber(number) = field(&read(old(), &bytes), "size") else {
        panic!("an enum is a number");
    };
    assert_eq!(number, 2);
    let sizes = old().parent_pool().get_enum_by_name("shop.v1.Size").unwrap();
    assert!(sizes.get_value(number).is_none());
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// The golden bytes of `E`, as this build's own reader understands them, written again.
fn read_and_write<E: Event>() -> (Vec<u8>, Vec<u8>) {
    let bytes = fs::read(golden(&format!("{}.binpb", E::TYPE))).unwrap();
    let again = E::decode(bytes.as_slice()).unwrap().encode_to_vec();
    (bytes, again)
}

#[test]
fn every_event_version_has_golden_bytes_that_say_what_the_text_beside_them_says() {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    for event in EVENTS {
        let schema = pool.get_message_by_name(event.type_name).unwrap();
        let bytes = fs::read(golden(&format!("{}.binpb", event.type_name)))
            .unwrap_or_else(|e| panic!("{} has no golden bytes: {e}", event.type_name));
        let text = fs::read_to_string(golden(&format!("{}.json", event.type_name))).unwrap();
        let mut json = serde_json::Deserializer::from_str(&text);
        let told = DynamicMessage::deserialize(schema.clone(), &mut json).unwrap();
        assert_eq!(read(schema.clone(), &bytes), told, "{}", event.type_name);
    }
}

#[test]
fn the_readers_of_this_build_lose_nothing_of_the_golden_bytes() {
    let events = [
        read_and_write::<OrderCreated>(),
        read_and_write::<OrderCancelled>(),
        read_and_write::<UserRegistered>(),
        read_and_write::<UserContactChanged>(),
    ];
    assert_eq!(events.len(), EVENTS.len(), "every event is read");
    for (bytes, again) in events {
        assert_eq!(again, bytes);
    }
}
