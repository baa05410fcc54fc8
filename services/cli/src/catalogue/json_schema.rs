//! JSON Schema of what protobuf's JSON mapping makes of a message.

use prost_reflect::{FieldDescriptor, Kind};
use serde_yaml_ng::Value;

use super::{
    Entry,
    asyncapi::{object, reference},
    field::Field,
    types::{Holds, Type, WELL_KNOWN},
};

/// The schema of an event.
pub(super) fn of_event(event: &Entry) -> Value {
    let fields: Vec<_> = event.message.fields().collect();
    of_fields(&event.meaning, &fields, &event.fields)
}

/// The schema of a type that stands in events.
pub(super) fn of_type(used: &Type) -> Value {
    match &used.holds {
        Holds::Fields(message, described) => {
            let fields: Vec<_> = message.fields().collect();
            of_fields(&used.meaning, &fields, described)
        }
        Holds::Values(values) => object([
            ("type", "string".into()),
            ("description", used.meaning.as_str().into()),
            (
                "enum",
                values.iter().map(|(name, ..)| name.as_str()).collect::<Value>(),
            ),
        ]),
    }
}

/// No field is required: the mapping leaves out what holds its default.
fn of_fields(meaning: &str, fields: &[FieldDescriptor], described: &[Field]) -> Value {
    let properties = fields.iter().zip(described).map(|(field, described)| {
        let mut schema = of_field(field);
        // What stands beside a reference counts for nothing.
        if let Some(schema) = schema.as_mapping_mut()
            && !schema.contains_key("$ref")
        {
            schema.insert("description".into(), described.meaning.as_str().into());
        }
        (Value::from(field.json_name()), schema)
    });
    object([
        ("type", "object".into()),
        ("description", meaning.into()),
        ("properties", Value::Mapping(properties.collect())),
    ])
}

fn of_field(field: &FieldDescriptor) -> Value {
    if field.is_map()
        && let Kind::Message(entry) = field.kind()
    {
        let values = of_kind(&entry.map_entry_value_field().kind());
        return object([("type", "object".into()), ("additionalProperties", values)]);
    }
    if field.is_list() {
        return object([("type", "array".into()), ("items", of_kind(&field.kind()))]);
    }
    of_kind(&field.kind())
}

fn of_kind(kind: &Kind) -> Value {
    let integer = |least: i64, most: i64| {
        object([
            ("type", "integer".into()),
            ("minimum", least.into()),
            ("maximum", most.into()),
        ])
    };
    match kind {
        Kind::Bool => object([("type", "boolean".into())]),
        Kind::Float | Kind::Double => object([("type", "number".into())]),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => integer(i32::MIN.into(), i32::MAX.into()),
        Kind::Uint32 | Kind::Fixed32 => integer(0, u32::MAX.into()),
        // A JSON number would lose digits in many readers.
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => text(Some(("pattern", "^-?[0-9]+$"))),
        Kind::Uint64 | Kind::Fixed64 => text(Some(("pattern", "^[0-9]+$"))),
        Kind::String => text(None),
        Kind::Bytes => text(Some(("contentEncoding", "base64"))),
        Kind::Enum(values) => reference(&["components", "schemas", values.full_name()]),
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" => text(Some(("format", "date-time"))),
            "google.protobuf.Duration" => text(Some(("pattern", "^-?[0-9.]+s$"))),
            // Others of protobuf's own may be any JSON.
            name if name.starts_with(WELL_KNOWN) => object([]),
            name => reference(&["components", "schemas", name]),
        },
    }
}

fn text(rule: Option<(&'static str, &str)>) -> Value {
    let rule = rule.map(|(name, value)| (name, value.into()));
    object([("type", "string".into())].into_iter().chain(rule))
}
