//! What a message carries about its failures, on its way to a wait queue or a dead-letter queue.
//!
//! The attempt count is a header of ours: RabbitMQ 4 ignores an `x-death` that a client sends. For
//! the same reason the broker's own death headers are not carried along.

use std::time::SystemTime;

use jiff::Timestamp;

use crate::{
    failure::Failure,
    message::{HeaderValue, Headers, Message},
    topology::EVENTS_EXCHANGE,
};

/// Attempts made so far.
pub const ATTEMPTS: &str = "waybill-attempts";
/// `transient` or `permanent`.
pub const FAILURE_CLASS: &str = "waybill-failure-class";
/// Stable name of the cause.
pub const FAILURE_REASON: &str = "waybill-failure-reason";
/// What happened, up to [`MAX_FAILURE_MESSAGE_BYTES`].
pub const FAILURE_MESSAGE: &str = "waybill-failure-message";
/// Consumer that failed.
pub const FAILED_CONSUMER: &str = "waybill-failed-consumer";
/// Instance of it.
pub const FAILED_INSTANCE: &str = "waybill-failed-instance";
/// Version of the software that failed.
pub const FAILED_VERSION: &str = "waybill-failed-version";
/// When the first attempt failed, RFC 3339.
pub const FIRST_FAILURE_TIME: &str = "waybill-first-failure-time";
/// When the last attempt failed, RFC 3339.
pub const LAST_FAILURE_TIME: &str = "waybill-last-failure-time";
/// Span of the last attempt, as a `traceparent`: there if that attempt was recorded.
pub const LAST_ATTEMPT: &str = "waybill-last-attempt";
/// Exchange to which the message was first published.
pub const ORIGINAL_EXCHANGE: &str = "waybill-original-exchange";
/// Routing key under which it was first published.
pub const ORIGINAL_ROUTING_KEY: &str = "waybill-original-routing-key";
/// Which attempt to send a dead letter back this message comes from: a UUID.
pub const STAGING_ID: &str = "waybill-staging-id";

/// Longest failure text in a header: enough for a cause, far from any broker's header limit.
pub const MAX_FAILURE_MESSAGE_BYTES: usize = 1024;

/// Who failed.
#[derive(Debug, Clone)]
pub struct FailedBy<'a> {
    /// Consumer, by the name of its queue.
    pub consumer: &'a str,
    /// Instance of it.
    pub instance: &'a str,
}

/// Number of the attempt that is made when this message is handled now; the first is 1.
pub fn attempt(message: &Message) -> u32 {
    let made = message.headers.get(ATTEMPTS).and_then(HeaderValue::as_integer);
    u32::try_from(made.unwrap_or(0)).unwrap_or(0).saturating_add(1)
}

/// Gives a message that comes from a wait queue the routing key it was first published under.
pub fn restore_routing_key(message: &mut Message) {
    if let Some(key) = message.header(ORIGINAL_ROUTING_KEY) {
        message.routing_key = key.to_owned();
    }
}

/// Writes a failure into the message's headers.
pub fn record_failure(message: &mut Message, failure: &Failure, by: &FailedBy<'_>, now: SystemTime) {
    let attempts = attempt(message);
    let now = format!("{:.3}", Timestamp::try_from(now).unwrap_or_default());
    let routing_key = message.routing_key.clone();
    let headers = &mut message.headers;
    headers.retain(|name, _| !is_broker_death_header(name));
    let mut set = |name: &str, value: HeaderValue| headers.insert(name.to_owned(), value);
    set(ATTEMPTS, i64::from(attempts).into());
    set(FAILURE_CLASS, failure.class.as_str().into());
    set(FAILURE_REASON, failure.reason.into());
    set(FAILURE_MESSAGE, bounded(&failure.message).into());
    set(FAILED_CONSUMER, by.consumer.into());
    set(FAILED_INSTANCE, by.instance.into());
    set(FAILED_VERSION, env!("CARGO_PKG_VERSION").into());
    set(LAST_FAILURE_TIME, now.as_str().into());
    set_once(headers, FIRST_FAILURE_TIME, &now);
    set_once(headers, ORIGINAL_EXCHANGE, EVENTS_EXCHANGE);
    set_once(headers, ORIGINAL_ROUTING_KEY, &routing_key);
}

/// Makes a dead letter one that has never failed, to be handled again. What tells its way stays: the
/// original exchange and routing key, and the last attempt, which the next one will link to.
pub fn forget_failures(message: &mut Message) {
    const FORGOTTEN: [&str; 9] = [
        ATTEMPTS,
        FAILURE_CLASS,
        FAILURE_REASON,
        FAILURE_MESSAGE,
        FAILED_CONSUMER,
        FAILED_INSTANCE,
        FAILED_VERSION,
        FIRST_FAILURE_TIME,
        LAST_FAILURE_TIME,
    ];
    let headers = &mut message.headers;
    headers.retain(|name, _| !FORGOTTEN.contains(&name.as_str()) && !is_broker_death_header(name));
    let routing_key = message.routing_key.clone();
    set_once(headers, ORIGINAL_EXCHANGE, EVENTS_EXCHANGE);
    set_once(headers, ORIGINAL_ROUTING_KEY, &routing_key);
}

fn set_once(headers: &mut Headers, name: &str, value: &str) {
    headers.entry(name.to_owned()).or_insert_with(|| value.into());
}

fn is_broker_death_header(name: &str) -> bool {
    ["x-death", "x-first-death-", "x-last-death-"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_FAILURE_MESSAGE_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::from_unix_millis;

    const BY: FailedBy<'_> = FailedBy {
        consumer: "q",
        instance: "i",
    };

    #[test]
    fn a_second_failure_counts_up_and_keeps_when_it_first_failed() {
        let mut message = Message {
            routing_key: "order.created.v1".into(),
            ..Message::default()
        };
        message.headers.insert("kept".into(), "yes".into());
        message
            .headers
            .insert("x-death".into(), HeaderValue::List(vec![]));
        assert_eq!(attempt(&message), 1);
        record_failure(
            &mut message,
            &Failure::transient("A", "a"),
            &BY,
            from_unix_millis(1000),
        );
        message.routing_key = "q".into();
        restore_routing_key(&mut message);
        record_failure(
            &mut message,
            &Failure::permanent("B", "b"),
            &BY,
            from_unix_millis(2000),
        );
        assert_eq!(attempt(&message), 3);
        assert_eq!(message.routing_key, "order.created.v1");
        let header = |name| message.header(name).unwrap_or_default();
        assert_eq!(header(FIRST_FAILURE_TIME), "1970-01-01T00:00:01.000Z");
        assert_eq!(header(LAST_FAILURE_TIME), "1970-01-01T00:00:02.000Z");
        assert_eq!(header(FAILURE_REASON), "B");
        assert_eq!(header("kept"), "yes");
        assert!(!message.headers.contains_key("x-death"));
    }

    #[test]
    fn what_is_sent_back_has_never_failed_and_knows_where_it_was_published() {
        let mut message = Message {
            routing_key: "order.created.v1".into(),
            ..Message::default()
        };
        message.headers.insert("kept".into(), "yes".into());
        message.headers.insert(LAST_ATTEMPT.into(), "00-a".into());
        let failure = Failure::transient("A", "a");
        record_failure(&mut message, &failure, &BY, from_unix_millis(1000));
        message
            .headers
            .insert("x-first-death-reason".into(), "delivery_limit".into());
        forget_failures(&mut message);
        assert_eq!(attempt(&message), 1);
        let names: Vec<_> = message.headers.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["kept", LAST_ATTEMPT, ORIGINAL_EXCHANGE, ORIGINAL_ROUTING_KEY]
        );
    }

    #[test]
    fn a_long_failure_text_is_cut_between_characters() {
        assert_eq!(bounded(&"ü".repeat(1000)).len(), MAX_FAILURE_MESSAGE_BYTES);
    }
}
