//! Changing: from one version to the next, and to an address that is free.

use futures::future::join_all;
use waybill_user::ports::{Changed, Registered, StoredUser};

use super::{later, register};
use crate::support::{Store, at, change, changed, id, on_all, registered, registration, request};

#[tokio::test]
async fn an_address_belongs_to_one_user_whatever_its_case() {
    on_all(async |store| {
        let ann = register(store, 1, "Ann@Example.com").await;
        let other = registration(2, "aNN@example.COM");
        let result = store.there.users.register(&other, registered(&other, 102));
        assert_eq!(result.await.unwrap(), Registered::EmailTaken, "{}", store.name);

        let bo = register(store, 2, "bo@example.com").await;
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
    })
    .await;
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
    on_all(async |store| {
        let user = register(store, 1, "ann@example.com").await;
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
        store.there.outbox.clear(&[entry.key()]).await.unwrap();
        assert_eq!(
            store.here.outbox.pending(later(), 10).await.unwrap(),
            pending[..1],
            "{}",
            store.name
        );
    })
    .await;
}

#[tokio::test]
async fn of_changes_at_the_same_moment_one_wins() {
    on_all(async |store| {
        let user = register(store, 1, "ann@example.com").await;
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
    })
    .await;
}
