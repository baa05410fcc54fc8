//! Measures every operation at a database, and makes it a span where its step is recorded.
//!
//! The driver's own command events would tell the same, but they decode each command with all its
//! documents first, which took a tenth of a service's processor time under load.

use std::{future::IntoFuture, sync::Arc, time::Instant};

use mongodb::{
    error::{Error, Result},
    options::ServerAddress,
};

use super::{is_duplicate_key, store_error};
use crate::telemetry::{
    metrics::database::Operation,
    trace::{Span, database::Query},
};

/// `db.system.name` of the semantic conventions.
const SYSTEM: &str = "mongodb";

/// The port of a server whose address names none.
const DEFAULT_PORT: u16 = 27017;

/// The server's commands that adapters send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Gives up a transaction.
    AbortTransaction,
    /// Computes over documents, as counting does.
    Aggregate,
    /// Ends a transaction.
    CommitTransaction,
    /// Makes indexes that are not there.
    CreateIndexes,
    /// Deletes documents.
    Delete,
    /// Reads documents.
    Find,
    /// Changes one document and reads it.
    FindAndModify,
    /// Stores new documents.
    Insert,
    /// Ends sessions, with their transactions.
    KillSessions,
    /// Asks whether the server is there.
    Ping,
    /// Changes documents.
    Update,
}

impl Command {
    const ALL: [Self; 11] = [
        Self::AbortTransaction,
        Self::Aggregate,
        Self::CommitTransaction,
        Self::CreateIndexes,
        Self::Delete,
        Self::Find,
        Self::FindAndModify,
        Self::Insert,
        Self::KillSessions,
        Self::Ping,
        Self::Update,
    ];

    /// Its name on the wire, `db.operation.name` of the semantic conventions.
    const fn name(self) -> &'static str {
        match self {
            Self::AbortTransaction => "abortTransaction",
            Self::Aggregate => "aggregate",
            Self::CommitTransaction => "commitTransaction",
            Self::CreateIndexes => "createIndexes",
            Self::Delete => "delete",
            Self::Find => "find",
            Self::FindAndModify => "findAndModify",
            Self::Insert => "insert",
            Self::KillSessions => "killSessions",
            Self::Ping => "ping",
            Self::Update => "update",
        }
    }
}

/// Observes the operations on one database. Clones share what they measure.
#[derive(Debug, Clone)]
pub(super) struct Observer(Arc<Observed>);

#[derive(Debug)]
struct Observed {
    namespace: String,
    /// Host and port, where there is only one server.
    server: Option<(String, u16)>,
    durations: [Operation; Command::ALL.len()],
}

impl Observer {
    /// Of the database `namespace`, on one of `servers`.
    pub(super) fn new(namespace: &str, servers: &[ServerAddress]) -> Self {
        let server = match servers {
            [ServerAddress::Tcp { host, port }] => Some((host.clone(), port.unwrap_or(DEFAULT_PORT))),
            _ => None,
        };
        Self(Arc::new(Observed {
            namespace: namespace.to_owned(),
            server,
            durations: Command::ALL.map(|command| Operation::new(SYSTEM, None, command.name())),
        }))
    }

    /// Runs `action`, which sends `command` for a collection or for none.
    pub(super) async fn run<A, T>(&self, command: Command, collection: Option<&str>, action: A) -> Result<T>
    where
        A: IntoFuture<Output = Result<T>>,
    {
        let span = self.span(command, collection);
        let started = Instant::now();
        let result = action.await;
        let error_type = result.as_ref().err().and_then(error_type);
        let took = started.elapsed();
        self.0.durations[command as usize].ended(error_type, took, &span.span_context());
        span.end(error_type);
        result
    }

    /// The span of a command, where the current step is recorded.
    pub(super) fn span(&self, command: Command, collection: Option<&str>) -> Span {
        let observed = &*self.0;
        let query = Query {
            system: SYSTEM,
            operation: command.name(),
            namespace: &observed.namespace,
            collection,
            server: observed
                .server
                .as_ref()
                .map(|(host, port)| (host.as_str(), *port)),
        };
        query.start()
    }
}

/// What went wrong, if it did: that a key is there already is an answer.
fn error_type(error: &Error) -> Option<&'static str> {
    (!is_duplicate_key(error)).then(|| store_error(error.clone()).kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_stand_in_the_order_of_commands() {
        for (at, command) in Command::ALL.into_iter().enumerate() {
            assert_eq!(command as usize, at, "{command:?}");
        }
    }
}
