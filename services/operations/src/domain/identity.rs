//! By what a dead letter and a failure are known again.

use sha2::{Digest, Sha256};
use uuid::Uuid;
use waybill::message::Message;

/// The id of what `consumer` makes of a message: the same whenever that message fails there. A message
/// without an id is known by its content, so that two of the same content are one.
pub fn dead_letter_id(consumer: &str, message: &Message) -> Uuid {
    let properties = &message.properties;
    let digest = Sha256::new().chain_update(consumer).chain_update([0]);
    let digest = match properties.message_id.as_deref().filter(|id| !id.is_empty()) {
        Some(id) => digest.chain_update("id").chain_update([0]).chain_update(id),
        None => digest
            .chain_update("content")
            .chain_update([0])
            .chain_update(properties.type_name.as_deref().unwrap_or_default())
            .chain_update([0])
            .chain_update(&message.body),
    };
    uuid_of(digest)
}

/// What tells one failure of a message from another, and knows one that is delivered again: every
/// failure writes other headers.
pub fn failure_id(message: &Message) -> Uuid {
    let headers = serde_json::to_vec(&message.headers).expect("headers have text for keys");
    uuid_of(
        Sha256::new()
            .chain_update("failure")
            .chain_update([0])
            .chain_update(headers),
    )
}

/// A UUIDv8 (RFC 9562) of the first 16 bytes.
fn uuid_of(digest: Sha256) -> Uuid {
    let whole = digest.finalize();
    uuid::Builder::from_custom_bytes(std::array::from_fn(|i| whole[i])).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: Option<&str>, body: &'static [u8]) -> Message {
        let mut message = Message {
            body: body.into(),
            ..Message::default()
        };
        message.properties.message_id = id.map(str::to_owned);
        message
    }

    #[test]
    fn a_message_is_known_by_its_id_or_else_by_its_content() {
        let id = |consumer, message: &Message| dead_letter_id(consumer, message);
        assert_eq!(
            id("q", &message(Some("1"), b"a")),
            id("q", &message(Some("1"), b"b"))
        );
        assert_ne!(
            id("q", &message(Some("1"), b"a")),
            id("q", &message(Some("2"), b"a"))
        );
        assert_ne!(
            id("q", &message(Some("1"), b"a")),
            id("p", &message(Some("1"), b"a"))
        );
        assert_eq!(id("q", &message(None, b"a")), id("q", &message(Some(""), b"a")));
        assert_ne!(id("q", &message(None, b"a")), id("q", &message(None, b"b")));
        assert_ne!(id("q", &message(None, b"1")), id("q", &message(Some("1"), b"1")));
    }

    #[test]
    fn a_failure_is_known_by_its_headers() {
        let first = message(Some("1"), b"a");
        let mut second = first.clone();
        assert_eq!(failure_id(&first), failure_id(&second));
        second.headers.insert("waybill-attempts".into(), 2.into());
        assert_ne!(failure_id(&first), failure_id(&second));
    }
}
