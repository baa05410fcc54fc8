//! A field of a message, as its contract describes it.

use prost_reflect::{Cardinality, FieldDescriptor, Kind};
use prost_types::FileDescriptorProto;
use serde::Serialize;

/// One field.
#[derive(Debug, Serialize)]
pub(crate) struct Field {
    /// Its name in the contract.
    pub(crate) name: String,
    pub(crate) number: u32,
    /// Its protobuf type, for instance `repeated waybill.order.v1.OrderItem`.
    #[serde(rename = "type")]
    pub(crate) type_text: String,
    pub(crate) meaning: String,
    /// The full name of its type, if that is a message or an enum.
    #[serde(skip)]
    pub(crate) named: Option<String>,
}

impl Field {
    pub(super) fn new(field: &FieldDescriptor) -> Self {
        Self {
            name: field.name().to_owned(),
            number: field.number(),
            type_text: type_text(field),
            meaning: comment(
                field.parent_message().parent_file_descriptor_proto(),
                field.path(),
            ),
            named: named(&field.kind()),
        }
    }
}

/// The comment above what `path` leads to in `file`, on one line; empty if there is none.
pub(super) fn comment(file: &FileDescriptorProto, path: &[i32]) -> String {
    let locations = file.source_code_info.iter().flat_map(|info| &info.location);
    let words = locations
        .filter(|location| location.path == path)
        .flat_map(|location| location.leading_comments().split_whitespace());
    words.collect::<Vec<_>>().join(" ")
}

fn named(kind: &Kind) -> Option<String> {
    match kind {
        Kind::Message(message) => Some(message.full_name().to_owned()),
        Kind::Enum(values) => Some(values.full_name().to_owned()),
        _ => None,
    }
}

fn type_text(field: &FieldDescriptor) -> String {
    let name = |kind: &Kind| named(kind).unwrap_or_else(|| format!("{kind:?}").to_lowercase());
    if field.is_map()
        && let Kind::Message(entry) = field.kind()
    {
        let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
        return format!("map<{}, {}>", name(&key.kind()), name(&value.kind()));
    }
    let type_name = name(&field.kind());
    let is_optional = field.field_descriptor_proto().proto3_optional();
    match field.cardinality() {
        Cardinality::Repeated => format!("repeated {type_name}"),
        _ if is_optional => format!("optional {type_name}"),
        _ => type_name,
    }
}
