//! A message as it crosses a broker: properties, headers, body. No driver is named here.
//!
//! It can hold whatever AMQP 0-9-1 can carry, also what a stranger published, so that a message
//! that is retried or dead-lettered keeps every property and header it came with.

mod encoded;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Headers by name.
pub type Headers = BTreeMap<String, HeaderValue>;

/// One message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Key under which it was, or is to be, published.
    pub routing_key: String,
    /// AMQP basic properties.
    pub properties: Properties,
    /// AMQP header table.
    pub headers: Headers,
    /// The payload, untouched.
    pub body: Bytes,
}

/// The basic properties of AMQP 0-9-1 that a message may carry. Every message is persistent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Properties {
    /// MIME type of the body.
    pub content_type: Option<String>,
    /// MIME encoding of the body.
    pub content_encoding: Option<String>,
    /// Id of the message; for events, the event id.
    pub message_id: Option<String>,
    /// Type name of the body.
    #[serde(rename = "type")]
    pub type_name: Option<String>,
    /// Id of the business transaction it belongs to.
    pub correlation_id: Option<String>,
    /// Service that published it.
    pub app_id: Option<String>,
    /// Where to reply.
    pub reply_to: Option<String>,
    /// Seconds since the Unix epoch.
    pub timestamp: Option<u64>,
    /// Priority, 0 to 9.
    pub priority: Option<u8>,
}

/// The value of a header: the AMQP field types, integers and floats widened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderValue {
    /// A field without a value.
    Void,
    /// `t`.
    Bool(bool),
    /// `b`, `B`, `s`, `u`, `I`, `i`, `l`.
    Integer(i64),
    /// `f`, `d`.
    Double(#[serde(with = "double")] f64),
    /// `S` that is UTF-8, or a short string.
    Text(String),
    /// `x`, or `S` that is not UTF-8.
    Bytes(Vec<u8>),
    /// `T`, seconds since the Unix epoch.
    Timestamp(u64),
    /// `A`.
    List(Vec<HeaderValue>),
    /// `F`.
    Table(Headers),
}

/// JSON has no words for infinity and NaN: they are stored as text.
mod double {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Finite(f64),
        Other(String),
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if value.is_finite() {
            Stored::Finite(*value).serialize(serializer)
        } else {
            Stored::Other(value.to_string()).serialize(serializer)
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        match Stored::deserialize(deserializer)? {
            Stored::Finite(value) => Ok(value),
            Stored::Other(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

impl HeaderValue {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(*integer),
            _ => None,
        }
    }
}

impl From<&str> for HeaderValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for HeaderValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for HeaderValue {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl Message {
    /// The text of a header, if there is one of that name and it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(HeaderValue::as_text)
    }
}
