//! The ports' adapters for whichever database the platform has.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use waybill::{
    clock::Clock,
    embedded::{self, SqliteInbox, SqliteOutbox},
    inbox::Inbox,
    mongo::{self, MongoInbox},
    outbox::Outbox,
    platform::Database,
};

use crate::{
    ORDER_STATS_QUEUE,
    adapters::{
        memory::InMemoryDatabase,
        mongo::{MongoStatsEffects, MongoStatsRepository, MongoUserRepository},
        sqlite::{self, SqliteStatsRepository, SqliteUserRepository},
    },
    domain::stats::StatsChange,
    ports::{StatsRepository, UserRepository},
};

/// What is kept where.
pub struct Storage {
    /// The users.
    pub users: Arc<dyn UserRepository>,
    /// The statistics, for reading.
    pub stats: Arc<dyn StatsRepository>,
    /// The statistics, for the consumer of order events.
    pub inbox: Arc<dyn Inbox<StatsChange>>,
    /// The events of users that are not published yet.
    pub outbox: Arc<dyn Outbox>,
    /// What must be done about the database in the background, until the token is cancelled.
    pub upkeep: Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, ()> + Send>,
}

impl Storage {
    /// The adapters for `database`. The inbox remembers events for `retention`.
    pub fn of(database: &Database, clock: &Arc<dyn Clock>, retention: Duration) -> Self {
        match database {
            Database::Sqlite(database) => Self::sqlite(database, Arc::clone(clock), retention),
            Database::Mongo(database) => Self::mongo(database, Arc::clone(clock), retention),
        }
    }

    /// Nothing but memory.
    pub fn in_memory(database: Arc<InMemoryDatabase>) -> Self {
        Self {
            users: Arc::clone(&database) as _,
            stats: Arc::clone(&database) as _,
            inbox: Arc::clone(&database) as _,
            outbox: database,
            upkeep: Box::new(|_| Box::pin(std::future::ready(()))),
        }
    }

    fn sqlite(database: &embedded::Database, clock: Arc<dyn Clock>, retention: Duration) -> Self {
        let inbox = SqliteInbox::new(database.clone(), ORDER_STATS_QUEUE, clock, sqlite::apply);
        let inbox = Arc::new(inbox);
        Self {
            users: Arc::new(SqliteUserRepository::new(database.clone())),
            stats: Arc::new(SqliteStatsRepository::new(database.clone())),
            inbox: Arc::clone(&inbox) as _,
            outbox: Arc::new(SqliteOutbox::new(database.clone())),
            upkeep: Box::new(move |stop| Box::pin(inbox.keep(retention, stop))),
        }
    }

    fn mongo(database: &mongo::Database, clock: Arc<dyn Clock>, retention: Duration) -> Self {
        let users = MongoUserRepository::new(database);
        let outbox = users.outbox();
        let effects = Arc::new(MongoStatsEffects::new(database));
        let inbox = MongoInbox::new(database, ORDER_STATS_QUEUE, clock, effects).remembering(retention);
        let indexes = vec![users.indexes(), outbox.indexes(), inbox.indexes()];
        Self {
            users: Arc::new(users),
            stats: Arc::new(MongoStatsRepository::new(database)),
            inbox: Arc::new(inbox),
            outbox: Arc::new(outbox),
            upkeep: Box::new(|stop| Box::pin(mongo::until_ensured(indexes, stop))),
        }
    }
}
