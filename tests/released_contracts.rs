//! What was released stays readable: `proto/released.binpb` holds the contracts of the last release,
//! and these tests hold `proto/` to it. `buf breaking` sees fields and messages; the event option,
//! which it does not look into, is compared here.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use prost_reflect::{DescriptorPool, MessageDescriptor, Value};
use waybill::contract::FILE_DESCRIPTOR_SET;

const EVENTS: &str = "waybill/order/v1/events.proto";
const ORDER: &str = "waybill/order/v1/order.proto";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn released() -> DescriptorPool {
    let bytes = fs::read(root().join("proto/released.binpb")).unwrap();
    DescriptorPool::decode(bytes.as_slice()).unwrap()
}

/// Routing key and aggregate of a message, if it is an event.
fn event_option(message: &MessageDescriptor) -> Option<(Value, Value)> {
    let event = message
        .parent_pool()
        .get_extension_by_name("waybill.event.v1.event")
        .expect("the pool holds the option");
    let options = message.options();
    if !options.has_extension(&event) {
        return None;
    }
    let option = options.get_extension(&event);
    let of = |name| {
        let option = option.as_message().unwrap();
        option.get_field_by_name(name).unwrap().into_owned()
    };
    Some((of("routing_key"), of("aggregate_id")))
}

/// Copies what `buf` reads of a folder, one level after the other.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Changes `file` by replacing the first `old`, and asks `buf` whether that breaks what was released.
fn breaking(file: &str, old: &str, new: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    copy(&root().join("proto"), &folder.path().join("proto"));
    fs::copy(root().join("buf.yaml"), folder.path().join("buf.yaml")).unwrap();
    let path = folder.path().join("proto").join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{file} holds no {old:?}");
    fs::write(path, text.replacen(old, new, 1)).unwrap();
    Command::new("buf")
        .args([
            "breaking",
            "--against",
            "proto/released.binpb",
            "--error-format",
            "json",
        ])
        .current_dir(folder.path())
        .output()
        .expect("buf is there: scripts/install brings it, scripts/tools-path says where")
}

/// The change must be refused by `rule`, in words that name `what`.
fn assert_refused(output: &Output, rule: &str, what: &str) {
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "buf takes it: {said}");
    assert!(said.contains(&format!("\"{rule}\"")), "{rule} is not in {said}");
    assert!(said.contains(what), "{what} is not in {said}");
}

fn assert_taken(output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{problem}");
}

#[test]
fn a_field_that_is_removed_is_refused_by_name() {
    let output = breaking(EVENTS, "  string user_id = 2;\n", "");
    assert_refused(&output, "FIELD_NO_DELETE", "user_id");
}

#[test]
fn a_field_that_is_renumbered_is_refused_by_name() {
    let output = breaking(EVENTS, "string user_id = 2;", "string user_id = 9;");
    assert_refused(&output, "FIELD_NO_DELETE", "user_id");
}

#[test]
fn a_field_that_changes_its_type_is_refused_by_name() {
    let output = breaking(EVENTS, "int64 version = 5;", "string version = 5;");
    assert_refused(&output, "FIELD_SAME_TYPE", "version");
}

#[test]
fn an_event_that_is_renamed_is_refused_by_name() {
    let output = breaking(EVENTS, "message OrderCancelled {", "message OrderWithdrawn {");
    assert_refused(&output, "MESSAGE_NO_DELETE", "OrderCancelled");
}

#[test]
fn an_enum_value_that_is_removed_is_refused_by_its_number() {
    let output = breaking(ORDER, "ORDER_STATE_CANCELLED = 2;", "ORDER_STATE_ABANDONED = 3;");
    assert_refused(
        &output,
        "ENUM_VALUE_NO_DELETE",
        r#"enum value \"2\" on enum \"OrderState\""#,
    );
}

#[test]
fn a_new_field_a_new_enum_value_and_a_new_message_are_taken() {
    assert_taken(&breaking(
        EVENTS,
        "string user_id = 2;",
        "string user_id = 2;\n  // Where it was placed.\n  optional string channel = 90;",
    ));
    assert_taken(&breaking(
        ORDER,
        "ORDER_STATE_CANCELLED = 2;",
        "ORDER_STATE_CANCELLED = 2;\n  // On its way.\n  ORDER_STATE_SHIPPED = 90;",
    ));
    assert_taken(&breaking(
        EVENTS,
        "// An order was placed.",
        "// Nothing yet.\nmessage Parcel {}\n\n// An order was placed.",
    ));
}

#[test]
fn a_released_event_keeps_its_routing_key_and_its_aggregate() {
    let now = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let mut events = 0;
    for message in released().all_messages() {
        let Some(option) = event_option(&message) else {
            continue;
        };
        events += 1;
        let name = message.full_name();
        let today = now
            .get_message_by_name(name)
            .unwrap_or_else(|| panic!("{name} was released and is gone"));
        assert_eq!(event_option(&today), Some(option), "the option of {name}");
    }
    assert!(events >= 4, "{events} events were released");
}
