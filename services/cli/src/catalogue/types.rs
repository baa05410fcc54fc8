//! The types that events' fields have, beside the plain ones.

use std::collections::BTreeMap;

use prost_reflect::{EnumDescriptor, Kind, MessageDescriptor};

use super::field::{Field, comment};

/// Types of protobuf itself: every reader knows them.
pub(super) const WELL_KNOWN: &str = "google.protobuf.";

/// A message or an enum that stands in an event.
pub(crate) struct Type {
    /// Full protobuf name.
    pub(crate) name: String,
    pub(crate) meaning: String,
    pub(crate) holds: Holds,
}

/// What a type consists of.
pub(crate) enum Holds {
    /// A message's fields.
    Fields(MessageDescriptor, Vec<Field>),
    /// An enum's values, each with its number and what it means.
    Values(Vec<(String, i32, String)>),
}

/// The types that the fields of `messages` have, and the fields of those, by name.
pub(super) fn used_by<'a>(messages: impl Iterator<Item = &'a MessageDescriptor>) -> Vec<Type> {
    let mut found = BTreeMap::new();
    let mut left: Vec<_> = messages.cloned().collect();
    while let Some(message) = left.pop() {
        for field in message.fields() {
            match field.kind() {
                Kind::Message(inner) if inner.full_name().starts_with(WELL_KNOWN) => {}
                Kind::Message(inner) => {
                    let name = inner.full_name().to_owned();
                    if !inner.is_map_entry() && found.insert(name, of_message(&inner)).is_some() {
                        continue;
                    }
                    left.push(inner);
                }
                Kind::Enum(values) => {
                    found.insert(values.full_name().to_owned(), of_enum(&values));
                }
                _ => {}
            }
        }
    }
    found.into_values().collect()
}

fn of_message(message: &MessageDescriptor) -> Type {
    let fields = message.fields().map(|field| Field::new(&field)).collect();
    Type {
        name: message.full_name().to_owned(),
        meaning: comment(message.parent_file_descriptor_proto(), message.path()),
        holds: Holds::Fields(message.clone(), fields),
    }
}

fn of_enum(values: &EnumDescriptor) -> Type {
    let file = values.parent_file_descriptor_proto();
    let value = |value: prost_reflect::EnumValueDescriptor| {
        let meaning = comment(file, value.path());
        (value.name().to_owned(), value.number(), meaning)
    };
    Type {
        name: values.full_name().to_owned(),
        meaning: comment(file, values.path()),
        holds: Holds::Values(values.values().map(value).collect()),
    }
}
