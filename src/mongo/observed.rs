//! Measures every command that the driver sends.

use mongodb::event::{EventHandler, command::CommandEvent};

use super::store_error;
use crate::telemetry::metrics::{OTHER, database::Operation};

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
pub(super) fn durations() -> EventHandler<CommandEvent> {
    let operation = |name| Operation::new("mongodb", None, name);
    let known = COMMANDS.map(operation);
    let other = operation(OTHER);
    let of = move |name: &str, result, took| {
        let at = COMMANDS.iter().position(|command| *command == name);
        at.map_or(&other, |at| &known[at]).ended(&result, took);
    };
    EventHandler::callback(move |event| match event {
        CommandEvent::Succeeded(event) => of(&event.command_name, Ok(()), event.duration),
        CommandEvent::Failed(event) => {
            of(
                &event.command_name,
                Err(store_error(event.failure)),
                event.duration,
            );
        }
        _ => {}
    })
}
