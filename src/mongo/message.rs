//! A message as a sub-document, nothing lost: each kind of header is a BSON type of its own.

use bytes::Bytes;
use mongodb::bson::{Binary, Bson, Document, Timestamp, doc, spec::BinarySubtype};

use crate::message::{HeaderValue, Headers, Message, Properties};

/// The document that holds `message`.
pub(super) fn to_document(message: &Message) -> Document {
    doc! {
        "routing_key": &message.routing_key,
        "properties": properties_to_document(&message.properties),
        "headers": headers_to_document(&message.headers),
        "body": binary(message.body.to_vec()),
    }
}

/// The message that `document` holds; `None` when it holds none.
pub(super) fn from_document(document: &Document) -> Option<Message> {
    Some(Message {
        routing_key: document.get_str("routing_key").ok()?.to_owned(),
        properties: properties_from_document(document.get_document("properties").ok()?)?,
        headers: headers_from_document(document.get_document("headers").ok()?)?,
        body: Bytes::copy_from_slice(document.get_binary_generic("body").ok()?),
    })
}

fn properties_to_document(properties: &Properties) -> Document {
    let texts = [
        ("content_type", &properties.content_type),
        ("content_encoding", &properties.content_encoding),
        ("message_id", &properties.message_id),
        ("type", &properties.type_name),
        ("correlation_id", &properties.correlation_id),
        ("app_id", &properties.app_id),
        ("reply_to", &properties.reply_to),
    ];
    let mut document: Document = texts
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_owned(), Bson::String(text.clone()?))))
        .collect();
    if let Some(seconds) = properties.timestamp {
        document.insert("timestamp", timestamp(seconds));
    }
    if let Some(priority) = properties.priority {
        document.insert("priority", i32::from(priority));
    }
    document
}

fn properties_from_document(document: &Document) -> Option<Properties> {
    let text = |name| document.get_str(name).ok().map(str::to_owned);
    Some(Properties {
        content_type: text("content_type"),
        content_encoding: text("content_encoding"),
        message_id: text("message_id"),
        type_name: text("type"),
        correlation_id: text("correlation_id"),
        app_id: text("app_id"),
        reply_to: text("reply_to"),
        timestamp: document.get_timestamp("timestamp").ok().map(seconds),
        priority: match document.get_i32("priority") {
            Ok(priority) => Some(u8::try_from(priority).ok()?),
            Err(_) => None,
        },
    })
}

fn headers_to_document(headers: &Headers) -> Document {
    headers
        .iter()
        .map(|(name, value)| (name.clone(), header_to_bson(value)))
        .collect()
}

fn headers_from_document(document: &Document) -> Option<Headers> {
    document
        .iter()
        .map(|(name, value)| Some((name.clone(), header_from_bson(value)?)))
        .collect()
}

fn header_to_bson(value: &HeaderValue) -> Bson {
    match value {
        HeaderValue::Void => Bson::Null,
        HeaderValue::Bool(value) => Bson::Boolean(*value),
        HeaderValue::Integer(value) => Bson::Int64(*value),
        HeaderValue::Double(value) => Bson::Double(*value),
        HeaderValue::Text(value) => Bson::String(value.clone()),
        HeaderValue::Bytes(value) => binary(value.clone()),
        HeaderValue::Timestamp(value) => timestamp(*value),
        HeaderValue::List(values) => Bson::Array(values.iter().map(header_to_bson).collect()),
        HeaderValue::Table(headers) => Bson::Document(headers_to_document(headers)),
    }
}

fn header_from_bson(value: &Bson) -> Option<HeaderValue> {
    Some(match value {
        Bson::Null => HeaderValue::Void,
        Bson::Boolean(value) => HeaderValue::Bool(*value),
        Bson::Int64(value) => HeaderValue::Integer(*value),
        Bson::Double(value) => HeaderValue::Double(*value),
        Bson::String(value) => HeaderValue::Text(value.clone()),
        Bson::Binary(value) => HeaderValue::Bytes(value.bytes.clone()),
        Bson::Timestamp(value) => HeaderValue::Timestamp(seconds(*value)),
        Bson::Array(values) => HeaderValue::List(values.iter().map(header_from_bson).collect::<Option<_>>()?),
        Bson::Document(document) => HeaderValue::Table(headers_from_document(document)?),
        _ => return None,
    })
}

fn binary(bytes: Vec<u8>) -> Bson {
    Bson::Binary(Binary {
        subtype: BinarySubtype::Generic,
        bytes,
    })
}

/// An AMQP timestamp has 64 bits, and so has one of BSON, whose seconds are the lower half here.
fn timestamp(seconds: u64) -> Bson {
    let [h0, h1, h2, h3, l0, l1, l2, l3] = seconds.to_be_bytes();
    Bson::Timestamp(Timestamp {
        time: u32::from_be_bytes([l0, l1, l2, l3]),
        increment: u32::from_be_bytes([h0, h1, h2, h3]),
    })
}

fn seconds(timestamp: Timestamp) -> u64 {
    u64::from(timestamp.increment) << 32 | u64::from(timestamp.time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_timestamp_comes_back() {
        for value in [0, 1_700_000_000, u64::from(u32::MAX) + 1, u64::MAX] {
            let header = HeaderValue::Timestamp(value);
            assert_eq!(header_from_bson(&header_to_bson(&header)), Some(header));
        }
    }

    #[test]
    fn what_is_no_message_is_none() {
        assert_eq!(from_document(&doc! {"routing_key": "a"}), None);
        let mut document = to_document(&Message::default());
        assert_eq!(from_document(&document), Some(Message::default()));
        document.insert("headers", doc! {"regex": Bson::MaxKey});
        assert_eq!(from_document(&document), None);
    }
}
