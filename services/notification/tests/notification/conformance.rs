//! What every adapter of the stores must do, on memory, SQLite and MongoDB.

use tempfile::TempDir;
use uuid::Uuid;
use waybill::{
    clock::{from_unix_millis, unix_millis},
    embedded,
    grpc::page::{Cursor, Page},
    mongo, retention,
};
use waybill_notification::{
    adapters::{
        mongo::{MongoContacts, MongoNotifications},
        sqlite::{MIGRATIONS, SqliteContacts, SqliteNotifications},
    },
    domain::{
        contact::Contact,
        notification::{Kind, Notification, State},
    },
    ports::{
        contacts::Contacts,
        notifications::{Filter, Notifications},
    },
};
use waybill_testkit::{mongodb::Databases, sqlite::Watched};

use crate::support::{
    events::{EVENT_TIME_MS, id},
    memory::{MemoryContacts, MemoryNotifications},
};

#[tokio::test]
async fn memory_conforms() {
    contacts_conform(&MemoryContacts::default()).await;
    notifications_conform(&MemoryNotifications::default()).await;
}

/// A file whose every statement must be answered by an index.
fn sqlite() -> ((Watched, TempDir), embedded::Database) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notification.db");
    // An order has two notifications at most.
    let watched = Watched::new(&path).with_few_by(&["notifications_by_order"]);
    let database = embedded::Database::open(&path, MIGRATIONS).unwrap();
    ((watched, folder), database)
}

#[tokio::test]
async fn sqlite_conforms() {
    let (_file, database) = sqlite();
    contacts_conform(&SqliteContacts::new(database.clone())).await;
    notifications_conform(&SqliteNotifications::new(database)).await;
}

#[tokio::test]
async fn sqlite_forgets_what_is_too_old() {
    let (_file, database) = sqlite();
    let notifications = SqliteNotifications::new(database);
    let old = notification(id(), id(), Kind::Confirmation, 0);
    let young = notification(id(), id(), Kind::Confirmation, 1);
    notifications.record(&[old.clone(), young.clone()]).await.unwrap();
    let removed = notifications.remove_before(young.create_time).await.unwrap();
    assert_eq!(removed, 1);
    assert_eq!(notifications.get(old.id).await.unwrap(), None);
    assert_eq!(notifications.get(young.id).await.unwrap(), Some(young));
}

#[tokio::test]
async fn mongodb_conforms() {
    let databases = Databases::new().await;
    let (options, commands) = databases.watched().await;
    let client = mongo::Client::with_options(options).unwrap();
    let database = client.database("notification");
    contacts_conform(&MongoContacts::new(&database)).await;
    // What the suite records is years old.
    let notifications = MongoNotifications::new(&database).keeping(retention::MAX);
    notifications.indexes().ensure().await.unwrap();
    notifications_conform(&notifications).await;
    commands.assert_indexed().await;
}

async fn contacts_conform(contacts: &dyn Contacts) {
    unknown_users_are_left_out(contacts).await;
    only_a_higher_version_replaces(contacts).await;
    a_batch_mixes_old_and_new(contacts).await;
    contacts_saved_at_the_same_moment_end_with_the_newest(contacts).await;
    text_is_text(contacts).await;
}

async fn notifications_conform(notifications: &dyn Notifications) {
    what_is_recorded_is_found(notifications).await;
    an_order_is_told_each_thing_once(notifications).await;
    pages_are_newest_first_and_whole(notifications).await;
}

fn contact(user_id: Uuid, version: i64) -> Contact {
    Contact {
        user_id,
        email: format!("v{version}@example.com"),
        display_name: format!("Ada {version}"),
        version,
    }
}

async fn version_of(contacts: &dyn Contacts, user_id: Uuid) -> i64 {
    let [found] = contacts.find(&[user_id]).await.unwrap().try_into().unwrap();
    assert_eq!(
        found,
        contact(user_id, found.version),
        "parts of two versions are mixed"
    );
    found.version
}

async fn unknown_users_are_left_out(contacts: &dyn Contacts) {
    let known = id();
    assert_eq!(contacts.find(&[known]).await.unwrap(), []);
    contacts.save(&[contact(known, 1)]).await.unwrap();
    assert_eq!(contacts.find(&[id(), known]).await.unwrap(), [contact(known, 1)]);
}

async fn only_a_higher_version_replaces(contacts: &dyn Contacts) {
    let user = id();
    for (saved, kept) in [(0, 0), (2, 2), (1, 2), (2, 2), (3, 3)] {
        contacts.save(&[contact(user, saved)]).await.unwrap();
        assert_eq!(version_of(contacts, user).await, kept);
    }
}

async fn a_batch_mixes_old_and_new(contacts: &dyn Contacts) {
    let (stale, newer, new) = (id(), id(), id());
    contacts
        .save(&[contact(stale, 5), contact(newer, 5)])
        .await
        .unwrap();
    contacts
        .save(&[contact(stale, 4), contact(newer, 6), contact(new, 1)])
        .await
        .unwrap();
    assert_eq!(version_of(contacts, stale).await, 5);
    assert_eq!(version_of(contacts, newer).await, 6);
    assert_eq!(version_of(contacts, new).await, 1);
}

async fn contacts_saved_at_the_same_moment_end_with_the_newest(contacts: &dyn Contacts) {
    for _ in 0..10 {
        let user = id();
        let versions = (1..=8).map(|version| async move {
            contacts.save(&[contact(user, version)]).await.unwrap();
        });
        futures::future::join_all(versions).await;
        assert_eq!(version_of(contacts, user).await, 8);
    }
}

async fn text_is_text(contacts: &dyn Contacts) {
    let odd = Contact {
        display_name: "$email '\"; DROP TABLE contacts".into(),
        email: "$$ROOT".into(),
        ..contact(id(), 1)
    };
    contacts.save(std::slice::from_ref(&odd)).await.unwrap();
    assert_eq!(contacts.find(&[odd.user_id]).await.unwrap(), [odd]);
}

fn notification(user_id: Uuid, order_id: Uuid, kind: Kind, at_ms: i64) -> Notification {
    Notification {
        id: id(),
        kind,
        state: State::Sent,
        user_id,
        order_id,
        subject: "Your order".into(),
        message_id: "<1@shop.example>".into(),
        create_time: from_unix_millis(EVENT_TIME_MS + at_ms),
    }
}

async fn what_is_recorded_is_found(notifications: &dyn Notifications) {
    let (user, order) = (id(), id());
    let sent = notification(user, order, Kind::Cancellation, 0);
    let superseded = Notification {
        state: State::Superseded,
        message_id: String::new(),
        ..notification(user, order, Kind::Confirmation, 1)
    };
    let of_another = notification(user, id(), Kind::Confirmation, 2);
    let all = [sent.clone(), superseded.clone(), of_another.clone()];
    notifications.record(&all).await.unwrap();
    for one in &all {
        assert_eq!(notifications.get(one.id).await.unwrap().as_ref(), Some(one));
    }
    assert_eq!(notifications.get(id()).await.unwrap(), None);
    let mut about = notifications.about(&[id(), order]).await.unwrap();
    about.sort_by_key(|n| n.create_time);
    assert_eq!(about, [sent, superseded]);
}

async fn an_order_is_told_each_thing_once(notifications: &dyn Notifications) {
    let (user, order) = (id(), id());
    let first = notification(user, order, Kind::Confirmation, 0);
    let same_id = Notification {
        subject: "other".into(),
        ..first.clone()
    };
    let same_kind = notification(user, order, Kind::Confirmation, 1);
    let new = notification(user, order, Kind::Cancellation, 2);
    notifications.record(std::slice::from_ref(&first)).await.unwrap();
    // What is passed over keeps nothing else from being recorded.
    notifications
        .record(&[same_id, same_kind, new.clone()])
        .await
        .unwrap();
    let mut about = notifications.about(&[order]).await.unwrap();
    about.sort_by_key(|n| n.create_time);
    assert_eq!(about, [first, new]);
}

async fn pages_are_newest_first_and_whole(notifications: &dyn Notifications) {
    let (user, order) = (id(), id());
    // Times repeat, so that the id has to decide.
    let mut all: Vec<_> = (0..7)
        .map(|n| notification(user, id(), Kind::Confirmation, n / 3))
        .chain([
            notification(user, order, Kind::Confirmation, 10),
            notification(user, order, Kind::Cancellation, 11),
            notification(id(), id(), Kind::Confirmation, 1),
        ])
        .collect();
    notifications.record(&all).await.unwrap();
    all.retain(|n| n.user_id == user);
    all.sort_by_key(|n| std::cmp::Reverse((n.create_time, n.id)));

    assert_eq!(by_pages(notifications, Filter::User(user), 2).await, all);
    assert_eq!(by_pages(notifications, Filter::User(user), 500).await, all);
    assert_eq!(by_pages(notifications, Filter::Order(order), 1).await, all[..2]);
    assert_eq!(by_pages(notifications, Filter::Order(id()), 1).await, []);
}

/// Everything, read in pages of `size`.
async fn by_pages(notifications: &dyn Notifications, filter: Filter, size: usize) -> Vec<Notification> {
    let mut all = Vec::new();
    let mut page = Page { size, after: None };
    loop {
        let mut found = notifications.list(filter, page).await.unwrap();
        assert!(found.len() <= size + 1, "more than one beyond the page");
        let is_last = found.len() <= size;
        found.truncate(size);
        all.extend(found);
        if is_last {
            return all;
        }
        page.after = all.last().map(|last| Cursor {
            time_ms: unix_millis(last.create_time),
            id: last.id,
        });
    }
}
