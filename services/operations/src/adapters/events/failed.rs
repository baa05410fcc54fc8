//! Reads a failure from a message's headers: its consumer's, or the broker's if that gave it up.

use std::time::SystemTime;

use uuid::Uuid;
use waybill::{
    clock::{from_unix_millis, unix_millis},
    context::TraceContext,
    contract::EVENTS,
    dead_letter::{
        ATTEMPTS, FAILED_INSTANCE, FAILED_VERSION, FAILURE_CLASS, FAILURE_MESSAGE, FAILURE_REASON,
        FIRST_FAILURE_TIME, LAST_FAILURE_TIME, ORIGINAL_EXCHANGE, STAGING_ID, restore_routing_key,
    },
    message::{HeaderValue, Headers, Message},
    topology::EVENTS_EXCHANGE,
};

use crate::domain::{
    dead_letter::{Class, DeadLetter, Failed, Failure, Hold, State},
    identity::{dead_letter_id, failure_id},
};

/// Header that holds the id of the aggregate.
const SUBJECT: &str = "cloudEvents_subject";

/// What telemetry and contracts call an order's id.
const ORDER: &str = "order.id";

/// What the broker calls the end of a message whose consumer died with it again and again.
const DELIVERY_LIMIT: &str = "delivery_limit";

/// The failure of a message that nobody says anything about.
const UNKNOWN: &str = "UNKNOWN";

/// Reads what `consumer` could not handle, found at `now`.
pub fn failed(consumer: &str, mut message: Message, now: SystemTime) -> Failed {
    let death = given_up_by_broker(&message.headers);
    if let Some(routing_key) = death.as_ref().and_then(|death| death.routing_key.clone()) {
        message.routing_key = routing_key;
    }
    restore_routing_key(&mut message);
    let header = |name| message.header(name).unwrap_or_default().to_owned();
    let time = |name| {
        message
            .header(name)
            .and_then(|text| text.parse::<jiff::Timestamp>().ok())
    };
    let now = from_unix_millis(unix_millis(now));
    let time = |name| time(name).map_or(now, |time| from_unix_millis(time.as_millisecond()));
    let made = message.headers.get(ATTEMPTS).and_then(HeaderValue::as_integer);
    let made = u64::try_from(made.unwrap_or(0)).unwrap_or(0);
    let (failure, attempts, last_failure) = match &death {
        Some(_) => (of_broker(), made + 1, now),
        None => (of_consumer(&message), made.max(1), time(LAST_FAILURE_TIME)),
    };
    let properties = &message.properties;
    let text = |property: &Option<String>| property.clone().unwrap_or_default();
    let trace = TraceContext::from_headers(|name| message.header(name));
    let dead_letter = DeadLetter {
        id: dead_letter_id(consumer, &message),
        consumer: consumer.to_owned(),
        message_id: text(&properties.message_id),
        event_type: text(&properties.type_name),
        order_id: order_id(&message),
        exchange: Some(header(ORIGINAL_EXCHANGE))
            .filter(|exchange| !exchange.is_empty())
            .unwrap_or_else(|| EVENTS_EXCHANGE.to_owned()),
        routing_key: message.routing_key.clone(),
        correlation_id: text(&properties.correlation_id),
        trace_id: trace.trace_id().unwrap_or_default().to_owned(),
        failure,
        attempts,
        first_failure: time(FIRST_FAILURE_TIME).min(last_failure),
        last_failure,
        state: State::Waiting,
        hold: Hold::default(),
        actions: Vec::new(),
        failures: vec![failure_id(&message)],
    };
    let staging = message.header(STAGING_ID).and_then(|id| Uuid::try_parse(id).ok());
    Failed {
        dead_letter,
        message,
        staging,
    }
}

fn of_consumer(message: &Message) -> Failure {
    let header = |name| message.header(name).unwrap_or_default().to_owned();
    let reason = message.header(FAILURE_REASON).filter(|reason| !reason.is_empty());
    Failure {
        class: Class::from_word(&header(FAILURE_CLASS)),
        reason: reason.unwrap_or(UNKNOWN).to_owned(),
        message: header(FAILURE_MESSAGE),
        instance: header(FAILED_INSTANCE),
        version: header(FAILED_VERSION),
    }
}

/// The order that a message is about: its subject, if its type or its routing key says that this is one.
fn order_id(message: &Message) -> String {
    let type_name = message.properties.type_name.as_deref();
    let known = EVENTS.iter().find(|event| Some(event.type_name) == type_name);
    let is_of_order = match known {
        Some(event) => event.aggregate == ORDER,
        None => message.routing_key.starts_with("order."),
    };
    let subject = message.header(SUBJECT).filter(|_| is_of_order);
    subject.unwrap_or_default().to_owned()
}

/// What the broker says when it gives a message up.
struct Death {
    routing_key: Option<String>,
}

fn of_broker() -> Failure {
    Failure {
        class: Class::Unknown,
        reason: DELIVERY_LIMIT.to_uppercase(),
        message: "its consumer died with it, or did not acknowledge it, again and again".to_owned(),
        instance: String::new(),
        version: String::new(),
    }
}

/// A consumer removes these headers when it records a failure of its own, so they tell the last one.
fn given_up_by_broker(headers: &Headers) -> Option<Death> {
    let is_limit = |value: Option<&HeaderValue>| value.and_then(HeaderValue::as_text) == Some(DELIVERY_LIMIT);
    let deaths = match headers.get("x-death") {
        Some(HeaderValue::List(deaths)) => deaths.as_slice(),
        _ => &[],
    };
    let table = |death: &HeaderValue| match death {
        HeaderValue::Table(table) if is_limit(table.get("reason")) => Some(table.clone()),
        _ => None,
    };
    if let Some(death) = deaths.iter().find_map(table) {
        let routing_key = match death.get("routing-keys") {
            Some(HeaderValue::List(keys)) => keys.first().and_then(HeaderValue::as_text),
            _ => None,
        };
        return Some(Death {
            routing_key: routing_key.map(str::to_owned),
        });
    }
    ["x-first-death-reason", "x-last-death-reason"]
        .iter()
        .any(|name| is_limit(headers.get(*name)))
        .then_some(Death { routing_key: None })
}

#[cfg(test)]
mod tests {
    use waybill::{
        dead_letter::{FailedBy, record_failure},
        failure,
    };

    use super::*;

    fn created() -> Message {
        let mut message = Message {
            routing_key: "order.created.v1".into(),
            ..Message::default()
        };
        message.properties.message_id = Some("m-1".into());
        message.properties.type_name = Some("waybill.order.v1.OrderCreated".into());
        message.headers.insert(SUBJECT.into(), "o-1".into());
        message
    }

    #[test]
    fn a_consumers_failure_is_read_whole() {
        let mut message = created();
        let by = FailedBy {
            consumer: "q",
            instance: "i-1",
        };
        let because = failure::Failure::transient("CONTACT_UNKNOWN", "no contact");
        record_failure(&mut message, &because, &by, from_unix_millis(1000));
        record_failure(&mut message, &because, &by, from_unix_millis(2000));
        message.routing_key = "q.dead".into();
        let Failed {
            dead_letter, staging, ..
        } = failed("q", message, from_unix_millis(9000));
        assert_eq!(dead_letter.failure.class, Class::Transient);
        assert_eq!(dead_letter.failure.reason, "CONTACT_UNKNOWN");
        assert_eq!(dead_letter.failure.message, "no contact");
        assert_eq!(dead_letter.failure.instance, "i-1");
        assert_eq!(dead_letter.failure.version, env!("CARGO_PKG_VERSION"));
        assert_eq!(dead_letter.attempts, 2);
        assert_eq!(dead_letter.first_failure, from_unix_millis(1000));
        assert_eq!(dead_letter.last_failure, from_unix_millis(2000));
        assert_eq!(dead_letter.routing_key, "order.created.v1");
        assert_eq!(dead_letter.exchange, EVENTS_EXCHANGE);
        assert_eq!(dead_letter.order_id, "o-1");
        assert_eq!(staging, None);
    }

    #[test]
    fn what_the_broker_gave_up_says_so_after_an_earlier_failure_too() {
        let mut message = created();
        let by = FailedBy {
            consumer: "q",
            instance: "i-1",
        };
        let because = failure::Failure::transient("A", "a");
        record_failure(&mut message, &because, &by, from_unix_millis(1000));
        let entry = |reason: &str| {
            let keys = HeaderValue::List(vec!["order.created.v1".into()]);
            HeaderValue::Table(Headers::from([
                ("reason".to_owned(), reason.into()),
                ("routing-keys".to_owned(), keys),
            ]))
        };
        let deaths = HeaderValue::List(vec![entry("expired"), entry(DELIVERY_LIMIT)]);
        message.headers.insert("x-death".into(), deaths);
        message.routing_key = "q.dead".into();
        let letter = failed("q", message, from_unix_millis(9000)).dead_letter;
        assert_eq!(letter.failure.reason, "DELIVERY_LIMIT");
        assert_eq!(
            (letter.attempts, letter.last_failure),
            (2, from_unix_millis(9000))
        );
        assert_eq!(letter.routing_key, "order.created.v1");
    }

    #[test]
    fn a_message_without_any_header_is_a_dead_letter_too() {
        let letter = failed("q", Message::default(), from_unix_millis(9000)).dead_letter;
        assert_eq!((letter.failure.reason.as_str(), letter.attempts), (UNKNOWN, 1));
        assert_eq!(letter.first_failure, letter.last_failure);
    }
}
