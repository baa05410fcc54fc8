//! How a message stands in a row: routing key, properties and headers as JSON, body as it is.
//!
//! Every table that holds messages has these four columns, under these names.

use bytes::Bytes;
use rusqlite::{Row, types::Type};
use serde::{Serialize, de::DeserializeOwned};

use crate::message::Message;

/// A message's columns, ready to be bound.
pub(super) struct Columns {
    pub(super) routing_key: String,
    pub(super) properties: String,
    pub(super) headers: String,
    pub(super) body: Bytes,
}

/// What stands in the row of `message`.
pub(super) fn columns(message: &Message) -> Columns {
    Columns {
        routing_key: message.routing_key.clone(),
        properties: to_json(&message.properties),
        headers: to_json(&message.headers),
        body: message.body.clone(),
    }
}

/// Reads a message from columns that start at `first`: `routing_key, properties, headers, body`.
pub(super) fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Message> {
    Ok(Message {
        routing_key: row.get(first)?,
        properties: from_json(row, first + 1)?,
        headers: from_json(row, first + 2)?,
        body: Bytes::from(row.get::<_, Vec<u8>>(first + 3)?),
    })
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("properties and headers have text for keys")
}

fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(column)?.as_str()?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}
