//! Sessions for transactions, known to all instances, so that those of a dead one are ended.
//!
//! A transaction whose client died holds what it wrote against everybody until the server gives it
//! up, by default after a minute (`transactionLifetimeLimitSeconds`). So an instance writes down
//! which session it uses and that it is alive, and whoever meets a conflict again and again ends the
//! sessions of those that have not been seen lately. That is always safe: what it aborts was not
//! committed, and a client that was only slow tries again.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures::TryStreamExt;
use mongodb::{
    ClientSession,
    bson::{Bson, DateTime, Document, doc},
    error::Result,
};
use tracing::info;

use super::{Collection, Command};
use crate::clock::{Clock, unix_millis};

/// What the `_id` of a session's record begins with, which no consumer is called.
const PREFIX: &str = "session:";

/// What comes right after every text with [`PREFIX`].
const BEYOND: &str = "session;";

/// How often a session that is used is seen.
const RENEWAL: Duration = Duration::from_secs(1);

/// When a session that was not seen counts as abandoned: long after its last renewal, short beside
/// the server's own limit. Clocks of instances that differ by more cost a transaction now and then.
const ABANDONED: Duration = Duration::from_secs(3);

/// How long a record stays that nobody cleans up.
const RETENTION: Duration = Duration::from_hours(24);

/// Sessions ended in one go.
const MAX_ENDED: i64 = 100;

/// The sessions of one instance, recorded in a collection of documents that end at `expires`.
pub(super) struct Sessions {
    records: Collection<Document>,
    clock: Arc<dyn Clock>,
    idle: Mutex<Vec<Session>>,
}

/// A session, and when it was last recorded as alive.
pub(super) struct Session {
    pub(super) driver: ClientSession,
    seen: SystemTime,
}

impl Sessions {
    pub(super) fn new(records: Collection<Document>, clock: Arc<dyn Clock>) -> Self {
        Self {
            records,
            clock,
            idle: Mutex::default(),
        }
    }

    /// A session that nobody else uses, recorded as alive. One that is not [given back](Self::give_back)
    /// is ended by whoever it is in the way of.
    pub(super) async fn take(&self) -> Result<Session> {
        let idle = self.idle().pop();
        let mut session = match idle {
            Some(session) => session,
            None => Session {
                driver: self.records.client().start_session().await?,
                seen: UNIX_EPOCH,
            },
        };
        let now = self.clock.now();
        let age = now.duration_since(session.seen).unwrap_or(RENEWAL);
        if age >= RENEWAL {
            self.record(&session.driver, now).await?;
            session.seen = now;
        }
        Ok(session)
    }

    /// Keeps a session for the next transaction.
    pub(super) fn give_back(&self, session: Session) {
        self.idle().push(session);
    }

    /// Ends the sessions of instances that have not been seen lately.
    pub(super) async fn end_abandoned(&self) -> Result<()> {
        let before = date_time(self.clock.now() - ABANDONED);
        let find = self
            .records
            .find(doc! {"_id": {"$gt": PREFIX, "$lt": BEYOND}, "seen": {"$lt": before}})
            .limit(MAX_ENDED);
        let abandoned = self.records.observe(Command::Find, find).await?;
        let abandoned: Vec<Document> = abandoned.try_collect().await?;
        if abandoned.is_empty() {
            return Ok(());
        }
        let part = |name| {
            abandoned
                .iter()
                .filter_map(move |record| record.get(name).cloned())
        };
        let sessions: Vec<Bson> = part("session").collect();
        let ids: Vec<Bson> = part("_id").collect();
        let admin = self.records.client().database("admin");
        let kill = admin.run_command(doc! {"killSessions": sessions});
        self.records.observe(Command::KillSessions, kill).await?;
        let delete = self.records.delete_many(doc! {"_id": {"$in": ids}});
        self.records.observe(Command::Delete, delete).await?;
        info!(
            sessions = abandoned.len(),
            "ended the transactions of instances that are gone"
        );
        Ok(())
    }

    async fn record(&self, session: &ClientSession, now: SystemTime) -> Result<()> {
        let record = doc! {
            "session": session.id(),
            "seen": date_time(now),
            "expires": date_time(now + RETENTION),
        };
        let update = self
            .records
            .update_one(doc! {"_id": key(session)}, doc! {"$set": record})
            .upsert(true);
        self.records.observe(Command::Update, update).await.map(drop)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Session>> {
        self.idle.lock().expect("no holder of the lock can panic")
    }
}

/// A session's id is `{id: UUID}`, made by the driver.
fn key(session: &ClientSession) -> String {
    let Some(Bson::Binary(id)) = session.id().get("id") else {
        unreachable!("sessions have ids");
    };
    id.bytes
        .iter()
        .fold(PREFIX.to_owned(), |key, byte| format!("{key}{byte:02x}"))
}

fn date_time(time: SystemTime) -> DateTime {
    DateTime::from_millis(unix_millis(time))
}
