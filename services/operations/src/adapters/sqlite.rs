//! The ports on one SQLite file.

mod batches;
mod letters;
mod operations;
mod query;
mod rows;

use std::sync::Arc;

use waybill::embedded::Database;

use crate::ports::Stores;

/// The schema, as steps that are run once each; steps are only added.
///
/// One index for each set of things that letters may be looked for by, all in the order in which they
/// are shown. Whatever is asked for is read from where the page starts and no further.
pub const MIGRATIONS: &[&str] = &["
    CREATE TABLE dead_letter (
        id BLOB PRIMARY KEY,
        phase INTEGER NOT NULL,
        consumer TEXT NOT NULL,
        event_type TEXT NOT NULL,
        reason TEXT NOT NULL,
        order_id TEXT NOT NULL,
        last_failure_ms INTEGER NOT NULL,
        state TEXT NOT NULL,
        operation BLOB,
        batch BLOB,
        staging BLOB,
        changed_ms INTEGER NOT NULL DEFAULT 0,
        was_discarded INTEGER NOT NULL DEFAULT 0,
        actions TEXT NOT NULL DEFAULT '[]',
        details TEXT NOT NULL,
        routing_key TEXT NOT NULL,
        properties TEXT NOT NULL,
        headers TEXT NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX letters_by_time
        ON dead_letter (phase, last_failure_ms DESC, id DESC, consumer, event_type, reason);
    CREATE INDEX letters_by_c ON dead_letter (phase, consumer, last_failure_ms DESC, id DESC);
    CREATE INDEX letters_by_t ON dead_letter (phase, event_type, last_failure_ms DESC, id DESC);
    CREATE INDEX letters_by_r ON dead_letter (phase, reason, last_failure_ms DESC, id DESC);
    CREATE INDEX letters_by_ct ON dead_letter (phase, consumer, event_type, last_failure_ms DESC, id DESC);
    CREATE INDEX letters_by_cr ON dead_letter (phase, consumer, reason, last_failure_ms DESC, id DESC);
    CREATE INDEX letters_by_tr ON dead_letter (phase, event_type, reason, last_failure_ms DESC, id DESC);
    CREATE INDEX letters_by_ctr
        ON dead_letter (phase, consumer, event_type, reason, last_failure_ms DESC, id DESC);
    CREATE INDEX letters_by_order ON dead_letter (phase, order_id, last_failure_ms DESC, id DESC);
    CREATE INDEX letters_by_batch ON dead_letter (batch, state, last_failure_ms, id) WHERE batch IS NOT NULL;
    CREATE INDEX letters_to_forget ON dead_letter (changed_ms) WHERE phase = 1 AND was_discarded = 0;
    CREATE TABLE operation (
        id BLOB PRIMARY KEY,
        create_ms INTEGER NOT NULL,
        ended INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        data TEXT NOT NULL
    ) STRICT;
    CREATE INDEX operation_by_time ON operation (create_ms DESC, id DESC);
    CREATE INDEX operation_running ON operation (create_ms, id) WHERE ended = 0;
    CREATE TABLE work_lease (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
        holder TEXT NOT NULL,
        until_ms INTEGER NOT NULL
    ) STRICT;
"];

/// The ports on one SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteOperations(Database);

impl SqliteOperations {
    /// The ports on a database that has this adapter's [schema](MIGRATIONS).
    pub fn new(database: Database) -> Self {
        Self(database)
    }

    /// It, as every port.
    pub fn stores(&self) -> Stores {
        Stores {
            intake: Arc::new(self.clone()),
            dead_letters: Arc::new(self.clone()),
            batches: Arc::new(self.clone()),
            sending: Arc::new(self.clone()),
            operations: Arc::new(self.clone()),
            work: Arc::new(self.clone()),
        }
    }
}
