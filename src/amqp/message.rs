//! Messages as lapin has them, and back.
//!
//! Integers and floats are widened on the way in, and go out wide. What the broker itself writes on
//! a message for one queue does not belong to the message, and is left out.

use lapin::{
    BasicProperties,
    message::Delivery,
    types::{AMQPValue, DeliveryTag, FieldTable, ShortString},
};

use crate::{
    message::{HeaderValue, Headers, Message, Properties},
    publisher::Error,
};

/// Delivery mode of a message that survives a restart of the broker.
const PERSISTENT: u8 = 2;

/// Longest text that fits a property, a header's name or a routing key, in bytes: AMQP's short string.
const MAX_SHORT_BYTES: usize = 255;

/// Headers by which a quorum queue tells how often it delivered a message.
const QUEUE_HEADERS: [&str; 2] = ["x-delivery-count", "x-acquired-count"];

/// Sets one of the properties that are texts.
type WithText = fn(BasicProperties, ShortString) -> BasicProperties;

/// Takes a delivery apart.
pub(super) fn received(delivery: Delivery) -> (Message, DeliveryTag) {
    let properties = &delivery.properties;
    let owned = |value: &Option<ShortString>| value.as_ref().map(text);
    let mut headers = properties.headers().as_ref().map(headers_in).unwrap_or_default();
    headers.retain(|name, _| !QUEUE_HEADERS.contains(&name.as_str()));
    let message = Message {
        routing_key: text(&delivery.routing_key),
        properties: Properties {
            content_type: owned(properties.content_type()),
            content_encoding: owned(properties.content_encoding()),
            message_id: owned(properties.message_id()),
            type_name: owned(properties.kind()),
            correlation_id: owned(properties.correlation_id()),
            app_id: owned(properties.app_id()),
            reply_to: owned(properties.reply_to()),
            timestamp: *properties.timestamp(),
            priority: *properties.priority(),
        },
        headers,
        body: delivery.data.into(),
    };
    (message, delivery.delivery_tag)
}

/// The properties and headers under which a message is published.
pub fn properties(properties: Properties, headers: Headers) -> Result<BasicProperties, Error> {
    let Properties {
        content_type,
        content_encoding,
        message_id,
        type_name,
        correlation_id,
        app_id,
        reply_to,
        timestamp,
        priority,
    } = properties;
    let texts: [(_, WithText); 7] = [
        (content_type, BasicProperties::with_content_type),
        (content_encoding, BasicProperties::with_content_encoding),
        (message_id, BasicProperties::with_message_id),
        (type_name, BasicProperties::with_type),
        (correlation_id, BasicProperties::with_correlation_id),
        (app_id, BasicProperties::with_app_id),
        (reply_to, BasicProperties::with_reply_to),
    ];
    let mut properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
    for (text, with) in texts {
        if let Some(text) = text {
            properties = with(properties, short(text)?);
        }
    }
    if let Some(timestamp) = timestamp {
        properties = properties.with_timestamp(timestamp);
    }
    if let Some(priority) = priority {
        properties = properties.with_priority(priority);
    }
    Ok(properties.with_headers(headers_out(headers)?))
}

/// A short string, if it is short.
pub(super) fn short(text: String) -> Result<ShortString, Error> {
    let bytes = text.len();
    ShortString::try_new(text).map_err(|_| Error::TooLarge {
        bytes,
        max: MAX_SHORT_BYTES,
    })
}

fn text(short: &ShortString) -> String {
    short.as_str().to_owned()
}

fn headers_in(table: &FieldTable) -> Headers {
    let entry = |(name, value): (&ShortString, &AMQPValue)| (text(name), value_in(value));
    table.inner().iter().map(entry).collect()
}

fn value_in(value: &AMQPValue) -> HeaderValue {
    match value {
        AMQPValue::Void => HeaderValue::Void,
        AMQPValue::Boolean(value) => HeaderValue::Bool(*value),
        AMQPValue::ShortShortInt(value) => HeaderValue::Integer((*value).into()),
        AMQPValue::ShortShortUInt(value) => HeaderValue::Integer((*value).into()),
        AMQPValue::ShortInt(value) => HeaderValue::Integer((*value).into()),
        AMQPValue::ShortUInt(value) => HeaderValue::Integer((*value).into()),
        AMQPValue::LongInt(value) => HeaderValue::Integer((*value).into()),
        AMQPValue::LongUInt(value) => HeaderValue::Integer((*value).into()),
        AMQPValue::LongLongInt(value) => HeaderValue::Integer(*value),
        AMQPValue::Float(value) => HeaderValue::Double((*value).into()),
        AMQPValue::Double(value) => HeaderValue::Double(*value),
        AMQPValue::DecimalValue(value) => {
            HeaderValue::Double(f64::from(value.value) / 10_f64.powi(value.scale.into()))
        }
        AMQPValue::ShortString(short) => HeaderValue::Text(text(short)),
        AMQPValue::LongString(text) => match std::str::from_utf8(text.as_bytes()) {
            Ok(text) => HeaderValue::Text(text.to_owned()),
            Err(_) => HeaderValue::Bytes(text.as_bytes().to_vec()),
        },
        AMQPValue::ByteArray(bytes) => HeaderValue::Bytes(bytes.as_slice().to_vec()),
        AMQPValue::Timestamp(seconds) => HeaderValue::Timestamp(*seconds),
        AMQPValue::FieldArray(values) => HeaderValue::List(values.as_slice().iter().map(value_in).collect()),
        AMQPValue::FieldTable(table) => HeaderValue::Table(headers_in(table)),
    }
}

fn headers_out(headers: Headers) -> Result<FieldTable, Error> {
    let mut table = FieldTable::default();
    for (name, value) in headers {
        table.insert(short(name)?, value_out(value)?);
    }
    Ok(table)
}

fn value_out(value: HeaderValue) -> Result<AMQPValue, Error> {
    Ok(match value {
        HeaderValue::Void => AMQPValue::Void,
        HeaderValue::Bool(value) => AMQPValue::Boolean(value),
        HeaderValue::Integer(value) => AMQPValue::LongLongInt(value),
        HeaderValue::Double(value) => AMQPValue::Double(value),
        HeaderValue::Text(text) => AMQPValue::LongString(text.into()),
        HeaderValue::Bytes(bytes) => AMQPValue::ByteArray(bytes.into()),
        HeaderValue::Timestamp(seconds) => AMQPValue::Timestamp(seconds),
        HeaderValue::List(values) => {
            let values: Result<Vec<_>, _> = values.into_iter().map(value_out).collect();
            AMQPValue::FieldArray(values?.into())
        }
        HeaderValue::Table(headers) => AMQPValue::FieldTable(headers_out(headers)?),
    })
}
