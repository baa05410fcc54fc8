//! Letters and operations as the contract has them.

use std::collections::HashMap;

use prost_types::Timestamp;
use waybill::{
    contract::operations::v1::{
        Cause as WireCause, DeadLetter as WireLetter, DeadLetterAction, DeadLetterFilter, DeadLetterIds,
        DeadLetterMessage, DeadLetterState, Failure as WireFailure, FailureClass, HeaderList, HeaderTable,
        HeaderValue as WireHeader, Operation as WireOperation, OperationKind, OperationState,
        header_value::Kind as HeaderKind, operation::Selection as WireSelection,
    },
    message::{HeaderValue, Headers, Message, Properties},
};

use crate::domain::{
    dead_letter::{Action, Class, DeadLetter, State},
    filter::{Cause, Filter, Selection},
    operation::{Kind, Operation},
};

/// A count as the contract has it.
pub(super) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A letter.
pub(super) fn letter(letter: DeadLetter) -> WireLetter {
    let class = match letter.failure.class {
        Class::Unknown => FailureClass::Unspecified,
        Class::Transient => FailureClass::Transient,
        Class::Permanent => FailureClass::Permanent,
    };
    WireLetter {
        dead_letter_id: letter.id.to_string(),
        consumer: letter.consumer,
        state: state(letter.state).into(),
        message_id: letter.message_id,
        event_type: letter.event_type,
        order_id: letter.order_id,
        exchange: letter.exchange,
        routing_key: letter.routing_key,
        correlation_id: letter.correlation_id,
        trace_id: letter.trace_id,
        failure: Some(WireFailure {
            class: class.into(),
            reason: letter.failure.reason,
            message: letter.failure.message,
            instance: letter.failure.instance,
            version: letter.failure.version,
        }),
        attempts: count(letter.attempts),
        first_failure_time: Some(Timestamp::from(letter.first_failure)),
        last_failure_time: Some(Timestamp::from(letter.last_failure)),
        operation_id: letter.hold.operation.map(|id| id.to_string()).unwrap_or_default(),
        actions: letter.actions.into_iter().map(action).collect(),
    }
}

fn state(state: State) -> DeadLetterState {
    match state {
        State::Waiting => DeadLetterState::Waiting,
        State::Marked => DeadLetterState::Marked,
        State::Staged => DeadLetterState::Staged,
        State::Forwarded => DeadLetterState::Forwarded,
        State::Refused => DeadLetterState::Refused,
        State::Replayed => DeadLetterState::Replayed,
        State::Discarded => DeadLetterState::Discarded,
    }
}

fn kind(kind: Kind) -> OperationKind {
    match kind {
        Kind::Replay => OperationKind::Replay,
        Kind::Discard => OperationKind::Discard,
    }
}

fn action(action: Action) -> DeadLetterAction {
    DeadLetterAction {
        operation_id: action.operation.to_string(),
        kind: kind(action.kind).into(),
        actor: action.actor,
        reason: action.reason,
        time: Some(Timestamp::from(action.time)),
    }
}

/// A message as it came.
pub(super) fn message(message: Message) -> DeadLetterMessage {
    DeadLetterMessage {
        properties: properties(message.properties),
        headers: headers(message.headers),
        body: message.body.to_vec(),
    }
}

fn properties(properties: Properties) -> HashMap<String, String> {
    [
        ("content_type", properties.content_type),
        ("content_encoding", properties.content_encoding),
        ("message_id", properties.message_id),
        ("type", properties.type_name),
        ("correlation_id", properties.correlation_id),
        ("app_id", properties.app_id),
        ("reply_to", properties.reply_to),
        ("timestamp", properties.timestamp.map(|n| n.to_string())),
        ("priority", properties.priority.map(|n| n.to_string())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

fn headers(headers: Headers) -> HashMap<String, WireHeader> {
    headers
        .into_iter()
        .map(|(name, value)| (name, header(value)))
        .collect()
}

fn header(value: HeaderValue) -> WireHeader {
    let kind = match value {
        HeaderValue::Void => None,
        HeaderValue::Bool(value) => Some(HeaderKind::BoolValue(value)),
        HeaderValue::Integer(value) => Some(HeaderKind::IntegerValue(value)),
        HeaderValue::Double(value) => Some(HeaderKind::DoubleValue(value)),
        HeaderValue::Text(value) => Some(HeaderKind::TextValue(value)),
        HeaderValue::Bytes(value) => Some(HeaderKind::BytesValue(value)),
        HeaderValue::Timestamp(value) => Some(HeaderKind::TimestampValue(value)),
        HeaderValue::List(values) => Some(HeaderKind::ListValue(HeaderList {
            values: values.into_iter().map(header).collect(),
        })),
        HeaderValue::Table(table) => Some(HeaderKind::TableValue(HeaderTable {
            entries: headers(table),
        })),
    };
    WireHeader { kind }
}

/// Letters of one cause.
pub(super) fn cause(cause: Cause) -> WireCause {
    WireCause {
        consumer: cause.consumer,
        event_type: cause.event_type,
        reason: cause.reason,
        count: count(cause.count),
        oldest_time: Some(Timestamp::from(cause.oldest)),
        newest_time: Some(Timestamp::from(cause.newest)),
    }
}

/// An operation.
pub(super) fn operation(operation: Operation) -> WireOperation {
    let order = operation.order;
    let state = match operation.end {
        None => OperationState::Running,
        Some(_) => OperationState::Done,
    };
    WireOperation {
        operation_id: order.id.to_string(),
        kind: kind(order.kind).into(),
        state: state.into(),
        actor: order.actor,
        reason: order.reason,
        selection: Some(match order.selection {
            Selection::Ids(ids) => WireSelection::Ids(DeadLetterIds {
                ids: ids.iter().map(ToString::to_string).collect(),
            }),
            Selection::Filter(filter) => WireSelection::Filter(wire_filter(filter)),
        }),
        max_per_second: order.rate,
        matched_count: count(operation.matched),
        done_count: count(operation.done),
        refused_count: count(operation.refused),
        refusal: operation.refusal,
        create_time: Some(Timestamp::from(order.time)),
        end_time: operation.end.map(Timestamp::from),
    }
}

fn wire_filter(filter: Filter) -> DeadLetterFilter {
    DeadLetterFilter {
        consumer: filter.consumer.unwrap_or_default(),
        event_type: filter.event_type.unwrap_or_default(),
        reason: filter.reason.unwrap_or_default(),
        order_id: filter.order_id.unwrap_or_default(),
        failed_since: filter.failed_since.map(Timestamp::from),
        failed_before: filter.failed_before.map(Timestamp::from),
    }
}
