//! Registering: once a request, once an address, whoever asks and whenever.

use std::sync::Arc;

use futures::future::join_all;
use waybill::{clock::SystemClock, mongo, platform::Database, retention::Retention, store::Error};
use waybill_testkit::{mongodb::PrivateServer, wait};
use waybill_user::{
    ports::{Changed, Registered, StoredUser},
    storage::Storage,
};

use super::{later, register};
use crate::support::{at, change, changed, id, on_all, registered, registration, request};

#[tokio::test]
async fn a_user_is_stored_with_its_event_in_one_write() {
    on_all(async |store| {
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

        store.here.outbox.clear(&[entry.key()]).await.unwrap();
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
    })
    .await;
}

#[tokio::test]
async fn a_request_registers_once_and_its_first_answer_outlives_changes() {
    on_all(async |store| {
        let first = registration(1, "ann@example.com");
        let user = register(store, 1, "ann@example.com").await;
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
    })
    .await;
}

#[tokio::test]
async fn of_registrations_at_the_same_moment_one_wins() {
    on_all(async |store| {
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
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_away_at_the_start_is_used_as_it_should_be_when_it_comes() {
    let mut server = PrivateServer::start().await;
    server.kill();
    let url = format!("{}&serverSelectionTimeoutMS=500", server.url());
    let client = mongo::Client::new(&url).await.unwrap();
    let database = Database::Mongo(client.database("user"));
    let storage = Storage::of(
        &database,
        &(Arc::new(SystemClock) as _),
        Retention::default().inbox,
    );
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
