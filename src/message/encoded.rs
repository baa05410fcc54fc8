//! A message as bytes, for databases that keep it and never look into it.
//!
//! As [MessagePack](https://msgpack.org) with the names of fields: it holds whatever a message can, a
//! field that comes later has a default, and to a database it is one value, however many headers
//! it has.

use super::Message;

/// Room for what a message has beside its body, in bytes: the platform's own have 560 and a trace.
const BESIDE_BODY: usize = 768;

impl Message {
    /// The bytes that hold this message.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.body.len() + BESIDE_BODY);
        rmp_serde::encode::write_named(&mut bytes, self)
            .expect("nothing in a message is without a form in MessagePack");
        bytes
    }

    /// The message that `bytes` hold; `None` when they hold none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        rmp_serde::from_slice(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{HeaderValue, Headers, Properties};

    #[test]
    fn everything_that_a_message_can_hold_comes_back() {
        let values = [
            HeaderValue::Void,
            HeaderValue::Bool(true),
            HeaderValue::Integer(i64::MIN),
            HeaderValue::Double(f64::NEG_INFINITY),
            HeaderValue::Double(0.1),
            HeaderValue::Text("é".into()),
            HeaderValue::Bytes(vec![0, 255]),
            HeaderValue::Timestamp(u64::MAX),
        ];
        let table = Headers::from([("table".to_owned(), HeaderValue::List(values.clone().into()))]);
        let mut headers: Headers = (0..).map(|n: u8| n.to_string()).zip(values).collect();
        headers.insert("nested".into(), HeaderValue::Table(table));
        let message = Message {
            routing_key: "order.created".into(),
            properties: Properties {
                message_id: Some("m-1".into()),
                timestamp: Some(u64::MAX),
                priority: Some(9),
                ..Properties::default()
            },
            headers,
            body: vec![0, 255].into(),
        };
        assert_eq!(Message::from_bytes(&message.to_bytes()), Some(message));
        let empty = Message::default();
        assert_eq!(Message::from_bytes(&empty.to_bytes()), Some(empty));
    }

    #[test]
    fn what_is_no_message_is_none() {
        let whole = Message::default().to_bytes();
        assert_eq!(Message::from_bytes(&whole[..whole.len() - 1]), None);
        assert_eq!(Message::from_bytes(b"\x80"), None);
    }
}
