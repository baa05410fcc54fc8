//! Databases of every kind, and values to put into them.

pub(crate) mod broker;

use std::{sync::Arc, time::SystemTime};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use waybill::{
    clock::{Clock, ManualClock, SystemClock, from_unix_millis},
    context::Context,
    embedded,
    message::Message,
    mongo,
    platform::Database,
    retention::Retention,
};
use waybill_testkit::{
    mongodb::{Commands, Databases},
    sqlite::Watched,
};
use waybill_user::{
    adapters::{events::write_event, memory::InMemoryDatabase, sqlite},
    domain::{
        contact::{Contact, ContactChange},
        user::{User, UserEvent},
    },
    ports::{Registration, RequestKey},
    storage::Storage,
};

/// One database, seen by two instances of the service.
pub(crate) struct Store {
    pub(crate) name: &'static str,
    pub(crate) here: Storage,
    pub(crate) there: Storage,
    _file: Option<(Watched, TempDir)>,
    commands: Option<Commands>,
}

impl Store {
    pub(crate) fn in_memory() -> Self {
        let database = Arc::new(InMemoryDatabase::default());
        Self {
            name: "memory",
            here: Storage::in_memory(Arc::clone(&database)),
            there: Storage::in_memory(database),
            _file: None,
            commands: None,
        }
    }

    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("user.db");
        let watched = Watched::new(&path);
        let open = || {
            let database = embedded::Database::open(&path, sqlite::MIGRATIONS).unwrap();
            Storage::of(
                &Database::Sqlite(database),
                &system_clock(),
                Retention::default().inbox,
            )
        };
        Self {
            name: "sqlite",
            here: open(),
            there: open(),
            _file: Some((watched, folder)),
            commands: None,
        }
    }

    async fn mongo() -> Self {
        let (options, commands) = Databases::new().await.watched().await;
        let open = || {
            let client = mongo::Client::with_options(options.clone()).unwrap();
            Storage::of(
                &Database::Mongo(client.database("user")),
                &system_clock(),
                Retention::default().inbox,
            )
        };
        let mut here = open();
        // In the background it would be too late for a query's plan.
        let upkeep = std::mem::replace(&mut here.upkeep, Box::new(|_| Box::pin(async {})));
        upkeep(CancellationToken::new()).await;
        Self {
            name: "mongo",
            here,
            there: open(),
            _file: None,
            commands: Some(commands),
        }
    }
}

/// Checks a store of each kind: what a test shows of a repository must hold for all of them.
pub(crate) async fn on_all(check: impl AsyncFn(&Store)) {
    check(&Store::in_memory()).await;
    on_databases(check).await;
}

/// Checks a store of each kind that outlives its process. Whatever the check asked a database for must be
/// found by an index.
pub(crate) async fn on_databases(check: impl AsyncFn(&Store)) {
    for store in [Store::sqlite(), Store::mongo().await] {
        check(&store).await;
        if let Some(commands) = &store.commands {
            commands.assert_indexed().await;
        }
    }
}

fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// A clock that shows the second that [`at`] counts from.
pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(at(0)))
}

/// Some second of 2026.
pub(crate) fn at(second: i64) -> SystemTime {
    from_unix_millis(1_780_000_000_000 + second * 1_000)
}

pub(crate) fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

/// A request whose body is told by `body`.
pub(crate) fn request(n: u128, body: u8) -> RequestKey {
    RequestKey {
        id: id(n),
        fingerprint: [body; 32],
    }
}

pub(crate) fn contact(email: &str, name: &str) -> Contact {
    Contact::parse(email, name).unwrap()
}

pub(crate) fn change(email: &str, name: &str) -> ContactChange {
    ContactChange::parse(email, name).unwrap()
}

/// The registration of user `n` by request `n`, in second `n`.
pub(crate) fn registration(n: u128, email: &str) -> Registration {
    let second = at(i64::try_from(n).unwrap());
    Registration {
        request: request(n, 1),
        user: User::register(id(n), contact(email, "Somebody"), second),
    }
}

/// The event of a registration.
pub(crate) fn registered(registration: &Registration, event_id: u128) -> Message {
    let event = UserEvent::Registered(registration.user.clone());
    write_event(&event, id(event_id), &Context::new("c"))
}

/// The event of a change.
pub(crate) fn changed(user: &User, event_id: u128) -> Message {
    let event = UserEvent::ContactChanged(user.clone());
    write_event(&event, id(event_id), &Context::new("c"))
}
