//! What every repository of users must do, on every database.

use std::sync::Arc;

use futures::future::join_all;
use waybill::{
    clock::{SystemClock, unix_millis},
    grpc::page::Cursor,
    mongo,
    platform::Database,
    store::Error,
};
use waybill_testkit::{mongodb::PrivateServer, wait};
use waybill_user::{
    domain::user::User,
    ports::{Changed, Registered, StoredUser},
    storage::Storage,
};

use crate::support::{Store, at, change, changed, contact, id, registered, registration, request};

/// A moment at which every entry of the outbox is old enough to be swept.
fn later() -> std::time::SystemTime {
    at(1_000_000)
}

/// Registers user `n` with an event of id 100 + `n`.
async fn register(store: &Store, n: u128, email: &str) -> User {
    let registration = registration(n, email);
    let result = store
        .here
        .users
        .register(&registration, registered(&registration, 100 + n));
    let Registered::Stored(_) = result.await.unwrap() else {
        panic!("{}: {email} is not registered", store.name);
    };
    registration.user
}

#[tokio::test]
async fn a_user_is_stored_with_its_event_in_one_write() {
    for store in Store::all().await {
        let registration = registration(1, "ann@example.com");
        let event = registered(&registration, 101);
        let result = store
            .here
            .users
            .register(&registration, event.clone())
            .await
            .unwrap();
        let Registered::Stored(entry) = result else {
            panic!("{}: {result:?}", store.name);
        };
        assert_eq!(entry.message, event, "{}", store.name);
        let pending = store.there.outbox.pending(later(), 10).await.unwrap();
        assert_eq!(pending, std::slice::from_ref(&entry), "{}", store.name);

        store.here.outbox.clear(&[entry]).await.unwrap();
        assert_eq!(
            store.there.outbox.backlog().await.unwrap().depth,
            0,
            "{}",
            store.name
        );
        let stored = store.there.users.find(id(1)).await.unwrap();
        let expected = StoredUser {
            user: registration.user,
            latest_change: None,
        };
        assert_eq!(stored, Some(expected), "{}", store.name);
        assert_eq!(
            store.here.users.find(id(2)).await.unwrap(),
            None,
            "{}",
            store.name
        );
    }
}

#[tokio::test]
async fn a_request_registers_once_and_its_first_answer_outlives_changes() {
    for store in Store::all().await {
        let first = registration(1, "ann@example.com");
        let user = register(&store, 1, "ann@example.com").await;
        let next = user.change(&change("bo@example.com", "Bo"), at(50)).unwrap();
        let result = store.here.users.change(&next, request(9, 9), changed(&next, 102));
        assert!(
            matches!(result.await.unwrap(), Changed::Stored(_)),
            "{}",
            store.name
        );

        // A retry makes another id and another time; another body does not matter here.
        let mut again = registration(2, "carl@example.com");
        again.request = request(1, 7);
        let result = store
            .there
            .users
            .register(&again, registered(&again, 103))
            .await
            .unwrap();
        assert_eq!(result, Registered::Before(first), "{}", store.name);
        assert_eq!(
            store.here.users.find(id(2)).await.unwrap(),
            None,
            "{}",
            store.name
        );
        assert_eq!(
            store.here.outbox.backlog().await.unwrap().depth,
            2,
            "{}",
            store.name
        );
    }
}

#[tokio::test]
async fn of_registrations_at_the_same_moment_one_wins() {
    for store in Store::all().await {
        // Ten with one request id, and ten with one address.
        let same_request = (1..=10).map(|n| {
            let mut registration = registration(n, "ann@example.com");
            registration.request = request(1, 1);
            registration
        });
        let same_email = (11..=20).map(|n| registration(n, "BO@example.com"));
        let results = join_all(same_request.chain(same_email).map(|registration| {
            let instance = [&store.here, &store.there][registration.user.user_id.as_u128() as usize % 2];
            async move {
                let event = registered(&registration, 100 + registration.user.user_id.as_u128());
                instance.users.register(&registration, event).await.unwrap()
            }
        }))
        .await;
        let stored = |results: &[Registered]| {
            results
                .iter()
                .filter(|result| matches!(result, Registered::Stored(_)))
                .count()
        };
        assert_eq!(stored(&results[..10]), 1, "{}", store.name);
        assert_eq!(stored(&results[10..]), 1, "{}", store.name);
        let winner = store.here.users.list(None, 100).await.unwrap();
        assert_eq!(winner.len(), 2, "{}", store.name);
        for result in &results[..10] {
            if let Registered::Before(first) = result {
                assert!(winner.contains(&first.user), "{}", store.name);
            }
        }
        let taken = results[10..]
            .iter()
            .filter(|result| **result == Registered::EmailTaken);
        assert_eq!(taken.count(), 9, "{}", store.name);
        assert_eq!(
            store.here.outbox.backlog().await.unwrap().depth,
            2,
            "{}",
            store.name
        );
    }
}

#[tokio::test]
async fn an_address_belongs_to_one_user_whatever_its_case() {
    for store in Store::all().await {
        let ann = register(&store, 1, "Ann@Example.com").await;
        let other = registration(2, "aNN@example.COM");
        let result = store.there.users.register(&other, registered(&other, 102));
        assert_eq!(result.await.unwrap(), Registered::EmailTaken, "{}", store.name);

        let bo = register(&store, 2, "bo@example.com").await;
        let grabbing = bo.change(&change("ANN@example.com", ""), at(50)).unwrap();
        let result = store
            .here
            .users
            .change(&grabbing, request(9, 1), changed(&grabbing, 103));
        assert_eq!(result.await.unwrap(), Changed::EmailTaken, "{}", store.name);
        let stored = store.here.users.find(id(2)).await.unwrap().unwrap();
        assert_eq!(stored.user, bo, "{}", store.name);

        // Its own address in another case is no other address.
        let respelled = ann.change(&change("ann@example.com", ""), at(51)).unwrap();
        let result = store
            .here
            .users
            .change(&respelled, request(8, 1), changed(&respelled, 104));
        assert!(
            matches!(result.await.unwrap(), Changed::Stored(_)),
            "{}",
            store.name
        );
    }
}

/// Not on MongoDB: secantusd-rs 0.5.3-beta.193, the server that tests have, does not give up the unique
/// key of a document's first version when that changes. (It says so for bare `updateOne` and `insertOne` too.)
#[tokio::test]
async fn an_address_that_was_given_up_is_free() {
    for store in [Store::in_memory(), Store::sqlite()] {
        let ann = register(&store, 1, "ann@example.com").await;
        let moved = ann.change(&change("ann@example.org", ""), at(52)).unwrap();
        let result = store
            .here
            .users
            .change(&moved, request(7, 1), changed(&moved, 105));
        assert!(
            matches!(result.await.unwrap(), Changed::Stored(_)),
            "{}",
            store.name
        );
        register(&store, 3, "ANN@example.com").await;
    }
}

#[tokio::test]
async fn a_change_needs_the_version_before_and_keeps_earlier_events() {
    for store in Store::all().await {
        let user = register(&store, 1, "ann@example.com").await;
        let second = user.change(&change("", "Second"), at(50)).unwrap();
        let rival = user.change(&change("", "Rival"), at(50)).unwrap();
        let result = store
            .here
            .users
            .change(&second, request(8, 1), changed(&second, 102));
        let Changed::Stored(entry) = result.await.unwrap() else {
            panic!("{}: not stored", store.name);
        };
        let result = store
            .there
            .users
            .change(&rival, request(9, 1), changed(&rival, 103));
        assert_eq!(result.await.unwrap(), Changed::Conflict, "{}", store.name);

        let expected = StoredUser {
            user: second,
            latest_change: Some(request(8, 1)),
        };
        assert_eq!(
            store.there.users.find(id(1)).await.unwrap(),
            Some(expected),
            "{}",
            store.name
        );
        let pending = store.here.outbox.pending(later(), 10).await.unwrap();
        let events: Vec<_> = pending.iter().map(|entry| entry.event_id().to_owned()).collect();
        assert_eq!(
            events,
            [id(101).to_string(), id(102).to_string()],
            "{}",
            store.name
        );
        assert_eq!(pending[1], entry, "{}", store.name);
        store.there.outbox.clear(&[entry]).await.unwrap();
        assert_eq!(
            store.here.outbox.pending(later(), 10).await.unwrap(),
            pending[..1],
            "{}",
            store.name
        );
    }
}

#[tokio::test]
async fn of_changes_at_the_same_moment_one_wins() {
    for store in Store::all().await {
        let user = register(&store, 1, "ann@example.com").await;
        let results = join_all((0..10_u8).map(|n| {
            let next = user.change(&change("", &format!("Name {n}")), at(50)).unwrap();
            let instance = [&store.here, &store.there][usize::from(n) % 2];
            async move {
                let event = changed(&next, 200 + u128::from(n));
                instance
                    .users
                    .change(&next, request(n.into(), 1), event)
                    .await
                    .unwrap()
            }
        }))
        .await;
        let conflicts = results
            .iter()
            .filter(|result| **result == Changed::Conflict)
            .count();
        assert_eq!(conflicts, 9, "{}", store.name);
        let stored = store.here.users.find(id(1)).await.unwrap().unwrap();
        assert_eq!(stored.user.version, 2, "{}", store.name);
        assert_eq!(
            store.here.outbox.backlog().await.unwrap().depth,
            2,
            "{}",
            store.name
        );
    }
}

#[tokio::test]
async fn users_are_listed_newest_first_page_by_page() {
    for store in Store::all().await {
        // Two in each second: the id decides between them.
        for n in [3, 1, 5, 2, 4_u128] {
            let mut registration = registration(n, &format!("user{n}@example.com"));
            let time = at(i64::try_from(n / 2).unwrap());
            registration.user = User::register(id(n), contact(&format!("user{n}@example.com"), "U"), time);
            let event = registered(&registration, 100 + n);
            store.here.users.register(&registration, event).await.unwrap();
        }
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = store.there.users.list(after, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(Cursor {
                time_ms: unix_millis(last.create_time),
                id: last.user_id,
            });
            seen.extend(page.iter().map(|user| user.user_id.as_u128()));
        }
        assert_eq!(seen, [5, 4, 3, 2, 1], "{}", store.name);
    }
}

#[tokio::test]
async fn a_database_that_is_away_at_the_start_is_used_as_it_should_be_when_it_comes() {
    let mut server = PrivateServer::start().await;
    server.kill();
    let url = format!("{}&serverSelectionTimeoutMS=500", server.url());
    let client = mongo::Client::new(&url).await.unwrap();
    let database = Database::Mongo(client.database("user"));
    let storage = Storage::of(&database, &(Arc::new(SystemClock) as _));
    let ann = registration(1, "ann@example.com");
    let result = storage.users.register(&ann, registered(&ann, 101)).await;
    assert!(matches!(result, Err(Error::Unavailable(_))), "{result:?}");

    server.restart().await;
    // Nobody has made the indexes in the background: the first write does, before it writes.
    let result = wait::until("the user is registered", async || {
        storage.users.register(&ann, registered(&ann, 101)).await.ok()
    });
    // An attempt whose answer was lost may have been the one.
    assert!(matches!(
        result.await,
        Registered::Stored(_) | Registered::Before(_)
    ));
    let other = registration(2, "ANN@example.com");
    let result = storage.users.register(&other, registered(&other, 102)).await;
    assert_eq!(result.unwrap(), Registered::EmailTaken);
}
