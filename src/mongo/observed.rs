//! Measures every command that the driver sends, and makes it a span where its step is recorded.
//!
//! The driver tells of commands within the task that sends them, so the current step is the one that
//! a command is a part of.

use std::{collections::HashMap, sync::Mutex};

use mongodb::{
    bson::Bson,
    event::{
        EventHandler,
        command::{CommandEvent, CommandStartedEvent},
    },
    options::ServerAddress,
};

use super::store_error;
use crate::telemetry::{
    metrics::{OTHER, database::Operation},
    trace::{Span, database::Query},
};

/// `db.system.name` of the semantic conventions.
pub(super) const SYSTEM: &str = "mongodb";

/// The port of a server whose address names none.
const DEFAULT_PORT: u16 = 27017;

/// The commands that adapters send; what else the driver sends counts as one more.
const COMMANDS: [&str; 13] = [
    "abortTransaction",
    "aggregate",
    "bulkWrite",
    "commitTransaction",
    "createIndexes",
    "delete",
    "find",
    "findAndModify",
    "getMore",
    "insert",
    "killCursors",
    "ping",
    "update",
];

/// A handler that records how long each command took.
pub(super) fn commands() -> EventHandler<CommandEvent> {
    let operation = |name| Operation::new(SYSTEM, None, name);
    let known = COMMANDS.map(operation);
    let other = operation(OTHER);
    let spans = Spans::default();
    let ended = move |name: &str, error_type, took, span: Span| {
        let at = COMMANDS.iter().position(|command| *command == name);
        let operation = at.map_or(&other, |at| &known[at]);
        operation.ended(error_type, took, &span.span_context());
        span.end(error_type);
    };
    EventHandler::callback(move |event| match event {
        CommandEvent::Started(event) => spans.start(&event),
        CommandEvent::Succeeded(event) => {
            let span = spans.take(event.request_id);
            ended(&event.command_name, None, event.duration, span);
        }
        CommandEvent::Failed(event) => {
            let span = spans.take(event.request_id);
            let kind = store_error(event.failure).kind();
            ended(&event.command_name, Some(kind), event.duration, span);
        }
        _ => {}
    })
}

/// Spans of commands that have no answer yet, by request id: as many as there are connections.
#[derive(Default)]
struct Spans(Mutex<HashMap<i32, Span>>);

impl Spans {
    fn start(&self, event: &CommandStartedEvent) {
        let name = event.command_name.as_str();
        let named = |field| event.command.get(field).and_then(Bson::as_str);
        let collection = named(name).or_else(|| named("collection"));
        let server = match &event.connection.address {
            ServerAddress::Tcp { host, port } => Some((host.as_str(), port.unwrap_or(DEFAULT_PORT))),
            _ => None,
        };
        let query = Query {
            system: SYSTEM,
            operation: name,
            namespace: &event.db,
            collection,
            server,
        };
        let span = query.start();
        if span.is_recording() {
            self.locked().insert(event.request_id, span);
        }
    }

    fn take(&self, request_id: i32) -> Span {
        self.locked().remove(&request_id).unwrap_or_default()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<i32, Span>> {
        self.0.lock().expect("no holder of the lock can panic")
    }
}
