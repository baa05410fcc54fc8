//! What both stores keep the same way: parts that no query looks into, as text.

mod operation;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use uuid::Uuid;
use waybill::{
    clock::{from_unix_millis, unix_millis},
    message::Message,
};

pub(super) use operation::StoredOperation;

use crate::domain::{
    dead_letter::{Action, Class, DeadLetter, Failure},
    filter::Filter,
    operation::Kind,
};

/// An id as text, as everywhere in Waybill's databases.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextId(pub(super) Uuid);

impl Serialize for TextId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TextId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Uuid::try_parse(&text).map(Self).map_err(D::Error::custom)
    }
}

/// What a dead letter tells beside what it is looked for by.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Details {
    message_id: String,
    exchange: String,
    routing_key: String,
    correlation_id: String,
    trace_id: String,
    class: String,
    failure_message: String,
    instance: String,
    version: String,
    attempts: u64,
    first_failure_ms: i64,
    failures: Vec<TextId>,
}

impl From<&DeadLetter> for Details {
    fn from(letter: &DeadLetter) -> Self {
        Self {
            message_id: letter.message_id.clone(),
            exchange: letter.exchange.clone(),
            routing_key: letter.routing_key.clone(),
            correlation_id: letter.correlation_id.clone(),
            trace_id: letter.trace_id.clone(),
            class: letter.failure.class.as_str().to_owned(),
            failure_message: letter.failure.message.clone(),
            instance: letter.failure.instance.clone(),
            version: letter.failure.version.clone(),
            attempts: letter.attempts,
            first_failure_ms: unix_millis(letter.first_failure),
            failures: letter.failures.iter().copied().map(TextId).collect(),
        }
    }
}

impl Details {
    /// The failure whose reason is kept apart, as it is looked for.
    pub(super) fn failure(&self, reason: String) -> Failure {
        Failure {
            class: Class::from_word(&self.class),
            reason,
            message: self.failure_message.clone(),
            instance: self.instance.clone(),
            version: self.version.clone(),
        }
    }

    /// Fills in a letter that has all else.
    pub(super) fn complete(self, letter: DeadLetter) -> DeadLetter {
        DeadLetter {
            failure: self.failure(letter.failure.reason.clone()),
            message_id: self.message_id,
            exchange: self.exchange,
            routing_key: self.routing_key,
            correlation_id: self.correlation_id,
            trace_id: self.trace_id,
            attempts: self.attempts,
            first_failure: from_unix_millis(self.first_failure_ms),
            failures: self.failures.into_iter().map(|id| id.0).collect(),
            ..letter
        }
    }
}

/// An [`Action`] as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredAction {
    operation: TextId,
    kind: String,
    actor: String,
    reason: String,
    time_ms: i64,
}

impl From<&Action> for StoredAction {
    fn from(action: &Action) -> Self {
        Self {
            operation: TextId(action.operation),
            kind: action.kind.as_str().to_owned(),
            actor: action.actor.clone(),
            reason: action.reason.clone(),
            time_ms: unix_millis(action.time),
        }
    }
}

impl From<StoredAction> for Action {
    fn from(stored: StoredAction) -> Self {
        Self {
            operation: stored.operation.0,
            kind: Kind::from_word(&stored.kind).unwrap_or(Kind::Replay),
            actor: stored.actor,
            reason: stored.reason,
            time: from_unix_millis(stored.time_ms),
        }
    }
}

/// A [`Filter`] as it is kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct StoredFilter {
    consumer: Option<String>,
    event_type: Option<String>,
    reason: Option<String>,
    order_id: Option<String>,
    failed_since_ms: Option<i64>,
    failed_before_ms: Option<i64>,
}

impl From<&Filter> for StoredFilter {
    fn from(filter: &Filter) -> Self {
        Self {
            consumer: filter.consumer.clone(),
            event_type: filter.event_type.clone(),
            reason: filter.reason.clone(),
            order_id: filter.order_id.clone(),
            failed_since_ms: filter.failed_since.map(unix_millis),
            failed_before_ms: filter.failed_before.map(unix_millis),
        }
    }
}

impl From<StoredFilter> for Filter {
    fn from(stored: StoredFilter) -> Self {
        Self {
            consumer: stored.consumer,
            event_type: stored.event_type,
            reason: stored.reason,
            order_id: stored.order_id,
            failed_since: stored.failed_since_ms.map(from_unix_millis),
            failed_before: stored.failed_before_ms.map(from_unix_millis),
        }
    }
}

/// Properties and headers of a message as JSON, which holds every kind of header.
pub(super) fn texts(message: &Message) -> (String, String) {
    let text = |value: serde_json::Result<String>| value.expect("they have text for keys");
    (
        text(serde_json::to_string(&message.properties)),
        text(serde_json::to_string(&message.headers)),
    )
}

/// The message of these parts.
pub(super) fn message(
    routing_key: String,
    properties: &str,
    headers: &str,
    body: Vec<u8>,
) -> serde_json::Result<Message> {
    Ok(Message {
        routing_key,
        properties: serde_json::from_str(properties)?,
        headers: serde_json::from_str(headers)?,
        body: body.into(),
    })
}
