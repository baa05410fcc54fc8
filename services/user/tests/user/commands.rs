//! What the service asks of MongoDB: how many commands an operation takes, and what it need not sort.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use waybill::{
    clock::{Clock, SystemClock, unix_millis},
    grpc::page::Cursor,
    mongo::{Database, mongodb::Client},
    outbox::Key,
    platform,
    retention::Retention,
};
use waybill_testkit::{
    mongodb::{Commands, Databases},
    stated,
};
use waybill_user::{adapters::mongo::MAX_UNPUBLISHED, ports::Changed, storage::Storage};

use crate::{
    stats::{ORDER, handle},
    support::{at, change, changed, id, registered, registration, request},
};

/// A database of its own, with its indexes, whose commands are written down.
struct Watched {
    storage: Storage,
    commands: Commands,
}

impl Watched {
    async fn new() -> Self {
        let (options, commands) = Databases::new().await.watched().await;
        let name = options.default_database.clone().unwrap();
        let driver = Client::with_options(options).unwrap().database(&name);
        let database = platform::Database::Mongo(Database::from(driver));
        let mut storage = Storage::of(
            &database,
            &(Arc::new(SystemClock) as _),
            Retention::default().inbox,
        );
        let upkeep = std::mem::replace(&mut storage.upkeep, Box::new(|_| Box::pin(async {})));
        upkeep(CancellationToken::new()).await;
        let watched = Self { storage, commands };
        // The first write of a repository asks for its indexes once more.
        watched.register(1).await;
        watched.names();
        watched
    }

    async fn register(&self, n: u128) {
        let registration = registration(n, &format!("user{n}@example.com"));
        let event = registered(&registration, 100 + n);
        self.storage.users.register(&registration, event).await.unwrap();
    }

    /// The names of the commands since it was last asked.
    fn names(&self) -> Vec<String> {
        let names = self.commands.names();
        self.commands.reset();
        names
    }
}

#[tokio::test]
async fn a_registration_and_a_change_are_one_write_each() {
    let watched = Watched::new().await;
    watched.register(2).await;
    assert_eq!(watched.names(), ["insert"]);
    let user = registration(2, "user2@example.com").user;
    let next = user.change(&change("", "Bo"), at(50)).unwrap();
    let stored = watched
        .storage
        .users
        .change(&next, request(9, 1), changed(&next, 102));
    stored.await.unwrap();
    assert_eq!(watched.names(), ["findAndModify"]);
}

#[tokio::test]
async fn a_batch_of_events_is_one_transaction_with_one_update() {
    let watched = Watched::new().await;
    let batch: Vec<_> = (1..=50).map(|n| ORDER.created(n)).collect();
    handle(&watched.storage, &batch).await;
    let names = watched.names();
    assert_eq!(names[0], "update", "the inbox records the session that it uses");
    assert_eq!(names[1..], ["insert", "update", "commitTransaction"]);
}

#[tokio::test]
async fn pages_of_users_come_from_the_index_in_their_order() {
    let watched = Watched::new().await;
    let after = Cursor {
        time_ms: unix_millis(at(5)),
        id: id(5),
    };
    for after in [None, Some(after)] {
        watched.storage.users.list(after, 10).await.unwrap();
    }
    let plans = watched.commands.plans().await;
    assert_eq!(plans.len(), 2);
    for plan in plans {
        assert!(plan.is_indexed() && !plan.sorts(), "{plan:?}");
    }
}

#[tokio::test]
async fn events_that_wait_for_the_broker_do_not_fill_a_document() {
    let watched = Watched::new().await;
    let Storage { users, outbox, .. } = &watched.storage;
    let mut user = registration(1, "user1@example.com").user;
    let mut changes = 0;
    let refusal = loop {
        let next = user
            .change(&change("", &format!("Bo {changes}")), at(50))
            .unwrap();
        let stored = users.change(
            &next,
            request(1_000 + changes, 1),
            changed(&next, 10_000 + changes),
        );
        match stored.await {
            Ok(Changed::Stored(_)) => (user, changes) = (next, changes + 1),
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
        assert!(changes < 1_000, "there is no end of it");
    };
    assert!(refusal.is_transient(), "{refusal}");
    // The registration is the first of them.
    assert_eq!(usize::try_from(changes).unwrap() + 1, MAX_UNPUBLISHED);
    stated::in_a_table(&stated::count(MAX_UNPUBLISHED));
    watched.commands.assert_indexed().await;

    let waiting = outbox
        .pending(SystemClock.now() + Duration::from_hours(24), 1)
        .await
        .unwrap();
    outbox.clear(&Key::of(&waiting)).await.unwrap();
    let next = user.change(&change("", "Bo"), at(60)).unwrap();
    let stored = users.change(&next, request(2_000, 1), changed(&next, 20_000));
    assert!(matches!(stored.await.unwrap(), Changed::Stored(_)));
}
