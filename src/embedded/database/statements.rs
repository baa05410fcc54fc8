//! The statements that a file is sent, for tests that ask how each of them finds its rows. In a program
//! nobody asks, and a connection costs a look at an empty list.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use rusqlite::{
    Connection,
    trace::{TraceEvent, TraceEventCodes},
};

/// Distinct statements, without the values of their parameters.
pub type Statements = Arc<Mutex<BTreeSet<String>>>;

static WATCHED: Mutex<Vec<(PathBuf, Statements)>> = Mutex::new(Vec::new());

/// Writes down what the file at `path` is sent by connections that are opened from now on.
pub fn watch(path: &Path) -> Statements {
    let statements = Statements::default();
    let mut watched = WATCHED.lock().expect("no holder of the lock can panic");
    watched.push((path.to_owned(), Arc::clone(&statements)));
    statements
}

/// Writes down what `connection` sends, if the file at `path` is watched.
pub(super) fn write_down(connection: &mut Connection, path: &Path) -> rusqlite::Result<()> {
    let watched = WATCHED.lock().expect("no holder of the lock can panic");
    let Some((_, statements)) = watched.iter().find(|(watched, _)| watched == path) else {
        return Ok(());
    };
    let statements = Arc::clone(statements);
    let note = move |event: TraceEvent<'_>| {
        if let TraceEvent::Stmt(statement, _) = event {
            let mut statements = statements.lock().expect("no holder of the lock can panic");
            statements.insert(statement.sql().into_owned());
        }
    };
    connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(note))
}
