//! Dead letters, causes and operations, for people and for scripts.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use anyhow::Result;
use serde_json::Value;
use waybill::contract::operations::v1::{
    DeadLetter, DeadLetterMessage, DeadLetterState, FailureClass, GetDeadLetterResponse, HeaderValue,
    Operation, OperationKind, OperationState, SummarizeDeadLettersResponse, header_value::Kind,
};

use super::decode::{Schemas, hex};
use crate::client::output::{Output, time};

/// Shows one letter with everything that is known of it.
pub(super) fn whole(answer: &GetDeadLetterResponse, schemas: &Schemas, output: &Output) -> Result<()> {
    let letter = answer.dead_letter.clone().unwrap_or_default();
    let message = answer.message.clone().unwrap_or_default();
    let decoded = schemas.decode(&letter.event_type, &message.body);
    if let Some(mut value) = output.value(answer)? {
        let (name, decoded) = match decoded {
            Ok(decoded) => ("decodedBody", decoded),
            Err(error) => ("decodeError", Value::String(format!("{error:#}"))),
        };
        value[name] = decoded;
        return output.json(&value);
    }
    output.text(|out| {
        facts(&letter, out)?;
        writeln!(out, "  properties")?;
        for (name, value) in BTreeMap::from_iter(&message.properties) {
            writeln!(out, "    {name:<28}  {value}")?;
        }
        headers(&message, out)?;
        match decoded {
            Ok(decoded) => writeln!(out, "  body\n{decoded:#}"),
            Err(error) => {
                let bytes = message.body.len();
                writeln!(out, "  body: {error:#}")?;
                writeln!(out, "    {bytes} bytes: {}", hex(&message.body))
            }
        }
    })
}

fn facts(letter: &DeadLetter, out: &mut dyn Write) -> io::Result<()> {
    let failure = letter.failure.clone().unwrap_or_default();
    let class = match failure.class() {
        FailureClass::Transient => "transient",
        FailureClass::Permanent => "permanent",
        FailureClass::Unspecified => "given up by the broker",
    };
    writeln!(out, "dead letter {}", letter.dead_letter_id)?;
    let lines = [
        ("state", state(letter.state()).to_owned()),
        ("consumer", letter.consumer.clone()),
        ("event", letter.event_type.clone()),
        ("message", letter.message_id.clone()),
        ("order", letter.order_id.clone()),
        ("error", format!("{} ({class})", failure.reason)),
        ("", failure.message),
        (
            "failed at",
            format!("{} (version {})", failure.instance, failure.version),
        ),
        ("attempts", letter.attempts.to_string()),
        ("first", time(letter.first_failure_time.as_ref())),
        ("last", time(letter.last_failure_time.as_ref())),
        ("exchange", letter.exchange.clone()),
        ("key", letter.routing_key.clone()),
        ("correlation", letter.correlation_id.clone()),
        ("trace", letter.trace_id.clone()),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "  {name:<11}  {value}")?;
    }
    for action in &letter.actions {
        let (at, what) = (time(action.time.as_ref()), done(action.kind()));
        writeln!(
            out,
            "  {what} by {} at {at}: {}",
            action.actor,
            or_dash(&action.reason)
        )?;
    }
    Ok(())
}

fn headers(message: &DeadLetterMessage, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  headers")?;
    for (name, value) in BTreeMap::from_iter(&message.headers) {
        writeln!(out, "    {name:<28}  {}", header(value))?;
    }
    Ok(())
}

fn header(value: &HeaderValue) -> String {
    match &value.kind {
        None => "-".to_owned(),
        Some(Kind::BoolValue(value)) => value.to_string(),
        Some(Kind::IntegerValue(value)) => value.to_string(),
        Some(Kind::DoubleValue(value)) => value.to_string(),
        Some(Kind::TextValue(value)) => value.clone(),
        Some(Kind::BytesValue(value)) => hex(value),
        Some(Kind::TimestampValue(seconds)) => i64::try_from(*seconds)
            .ok()
            .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
            .map_or_else(|| seconds.to_string(), |time| time.to_string()),
        Some(Kind::ListValue(list)) => {
            let values: Vec<_> = list.values.iter().map(header).collect();
            format!("[{}]", values.join(", "))
        }
        Some(Kind::TableValue(table)) => {
            let entries = BTreeMap::from_iter(&table.entries);
            let entries = entries
                .iter()
                .map(|(name, value)| format!("{name}: {}", header(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

fn state(state: DeadLetterState) -> &'static str {
    match state {
        DeadLetterState::Unspecified => "unknown",
        DeadLetterState::Waiting => "waiting",
        DeadLetterState::Marked => "marked",
        DeadLetterState::Staged => "being sent",
        DeadLetterState::Forwarded => "sent",
        DeadLetterState::Refused => "refused by the broker",
        DeadLetterState::Replayed => "replayed",
        DeadLetterState::Discarded => "discarded",
    }
}

fn done(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Replay => "replayed",
        OperationKind::Discard => "discarded",
        OperationKind::Unspecified => "touched",
    }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// Shows counts by cause.
pub(super) fn causes(answer: &SummarizeDeadLettersResponse, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{:>8}  {:<20}  {:<28}  {:<32}  {:<20}  NEWEST",
        "COUNT", "REASON", "CONSUMER", "EVENT", "OLDEST"
    )?;
    for cause in &answer.causes {
        writeln!(
            out,
            "{:>8}  {:<20}  {:<28}  {:<32}  {:<20}  {}",
            cause.count,
            cause.reason,
            cause.consumer,
            or_dash(&cause.event_type),
            time(cause.oldest_time.as_ref()),
            time(cause.newest_time.as_ref())
        )?;
    }
    let more = if answer.has_more {
        ", the newest; there are more"
    } else {
        ""
    };
    writeln!(out, "{:>8}  in all{more}", answer.counted)
}

/// Shows an operation: what became of it, and who asked for it.
pub(super) fn operation(operation: &Operation, out: &mut dyn Write) -> io::Result<()> {
    let what = match operation.kind() {
        OperationKind::Replay => "replay",
        OperationKind::Discard => "discard",
        OperationKind::Unspecified => "operation",
    };
    let state = match operation.state() {
        OperationState::Running => "goes on",
        OperationState::Done => "done",
        OperationState::Unspecified => "unknown",
    };
    writeln!(out, "{what} {}", operation.operation_id)?;
    writeln!(out, "  state      {state}")?;
    writeln!(out, "  by         {}", operation.actor)?;
    writeln!(out, "  reason     {}", or_dash(&operation.reason))?;
    writeln!(out, "  began      {}", time(operation.create_time.as_ref()))?;
    writeln!(out, "  ended      {}", time(operation.end_time.as_ref()))?;
    writeln!(out, "  matched    {}", operation.matched_count)?;
    writeln!(out, "  {:<9}  {}", done(operation.kind()), operation.done_count)?;
    if operation.refused_count > 0 {
        writeln!(
            out,
            "  refused    {}: {}",
            operation.refused_count, operation.refusal
        )?;
    }
    Ok(())
}
