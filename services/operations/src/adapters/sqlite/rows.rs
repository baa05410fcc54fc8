//! Letters and operations as rows.

use uuid::Uuid;
use waybill::{
    clock::{from_unix_millis, unix_millis},
    embedded::rusqlite::{self, Connection, Row, params, types::Type},
    message::Message,
};

use crate::{
    adapters::record::{self, Details, StoredAction},
    domain::dead_letter::{Action, DeadLetter, Failed, Hold, State},
};

/// What [`letter`] reads.
pub(super) const LETTER: &str = "id, consumer, event_type, reason, order_id, last_failure_ms, state, \
    operation, batch, staging, actions, details";

/// What [`message`] reads.
pub(super) const MESSAGE: &str = "routing_key, properties, headers, body";

const SAVE: &str = "
    INSERT INTO dead_letter (id, phase, consumer, event_type, reason, order_id, last_failure_ms, state,
        operation, batch, staging, actions, details, routing_key, properties, headers, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
    ON CONFLICT (id) DO UPDATE SET phase = ?2, consumer = ?3, event_type = ?4, reason = ?5, order_id = ?6,
        last_failure_ms = ?7, state = ?8, operation = ?9, batch = ?10, staging = ?11, details = ?13,
        routing_key = ?14, properties = ?15, headers = ?16, body = ?17";

/// Keeps a letter, new or known, with its message.
pub(super) fn save(connection: &Connection, letter: &DeadLetter, failed: &Failed) -> rusqlite::Result<()> {
    let actions: Vec<_> = letter.actions.iter().map(StoredAction::from).collect();
    let (properties, headers) = record::texts(&failed.message);
    connection
        .prepare_cached(SAVE)?
        .execute(params![
            letter.id.as_bytes(),
            letter.state.phase().number(),
            letter.consumer,
            letter.event_type,
            letter.failure.reason,
            letter.order_id,
            unix_millis(letter.last_failure),
            letter.state.as_str(),
            bytes(letter.hold.operation),
            bytes(letter.hold.batch),
            bytes(letter.hold.staging),
            json(&actions),
            json(&Details::from(letter)),
            failed.message.routing_key,
            properties,
            headers,
            &*failed.message.body,
        ])
        .map(drop)
}

/// Reads [`LETTER`], the first columns of a row.
pub(super) fn letter(row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    let uuid = |column| {
        row.get::<_, Option<[u8; 16]>>(column)
            .map(|id| id.map(Uuid::from_bytes))
    };
    let state: String = row.get(6)?;
    let actions: Vec<StoredAction> = from_json(row, 10)?;
    let details: Details = from_json(row, 11)?;
    let last_failure = from_unix_millis(row.get(5)?);
    let letter = DeadLetter {
        id: Uuid::from_bytes(row.get(0)?),
        consumer: row.get(1)?,
        event_type: row.get(2)?,
        failure: details.failure(row.get(3)?),
        order_id: row.get(4)?,
        state: State::from_word(&state).ok_or_else(|| unreadable(6, format!("no state {state:?}")))?,
        hold: Hold {
            operation: uuid(7)?,
            batch: uuid(8)?,
            staging: uuid(9)?,
        },
        actions: actions.into_iter().map(Action::from).collect(),
        last_failure,
        message_id: String::new(),
        exchange: String::new(),
        routing_key: String::new(),
        correlation_id: String::new(),
        trace_id: String::new(),
        attempts: 0,
        first_failure: last_failure,
        failures: Vec::new(),
    };
    Ok(details.complete(letter))
}

/// Reads [`LETTER`] and, after it, [`MESSAGE`].
pub(super) fn letter_and_message(row: &Row<'_>) -> rusqlite::Result<(DeadLetter, Message)> {
    let text = |column| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
    let message = record::message(row.get(12)?, text(13)?, text(14)?, row.get(15)?);
    Ok((letter(row)?, message.map_err(|error| unreadable(13, error))?))
}

/// An id as it stands in a column.
pub(super) fn bytes(id: Option<Uuid>) -> Option<[u8; 16]> {
    id.map(Uuid::into_bytes)
}

/// `value` as JSON text.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("what is kept has text for keys")
}

/// Reads a column of JSON text.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(column)?.as_str()?).map_err(|error| unreadable(column, error))
}

/// The error of a column that does not hold what it must.
pub(super) fn unreadable(
    column: usize,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}
