//! What every repository of users must do, on every database.

mod changes;
mod registrations;

use std::time::SystemTime;

use waybill::{clock::unix_millis, grpc::page::Cursor};
use waybill_user::{domain::user::User, ports::Registered};

use crate::support::{Store, at, contact, id, on_all, registered, registration};

/// A moment at which every entry of the outbox is old enough to be swept.
pub(crate) fn later() -> SystemTime {
    at(1_000_000)
}

/// Registers user `n` with an event of id 100 + `n`.
pub(crate) async fn register(store: &Store, n: u128, email: &str) -> User {
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
async fn users_are_listed_newest_first_page_by_page() {
    on_all(async |store| {
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
    })
    .await;
}
