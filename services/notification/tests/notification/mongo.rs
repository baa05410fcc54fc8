//! What the MongoDB adapters cost: one command a call, and an index for every query.

use std::{sync::Arc, time::Duration};

use ::mongodb::bson::{Document, doc};
use waybill::{
    clock::{Clock, SystemClock, from_unix_millis, unix_millis},
    grpc::page::{Cursor, Page},
    handler::Handler,
    mongo::{Client, Database},
    retention,
    topology::DEFAULT_PREFETCH,
};
use waybill_notification::{
    adapters::{
        events::{ContactsHandler, MailHandler},
        mongo::{MongoContacts, MongoNotifications},
    },
    app::notify::{Notify, RECORDED_TOGETHER},
    domain::{
        contact::Contact,
        notification::{Kind, Notification, State},
    },
    ports::{
        contacts::Contacts,
        notifications::{Filter, Notifications},
    },
};
use waybill_testkit::mongodb::{Commands, Databases, Plan};

use crate::support::{
    events::{EVENT_TIME_MS, created, id, registered},
    memory::MemoryMailer,
    service::DOMAIN,
};

/// A database of its own whose commands are written down.
struct Watched {
    database: Database,
    commands: Commands,
}

impl Watched {
    async fn new() -> Self {
        let (options, commands) = Databases::new().await.watched().await;
        let client = Client::with_options(options).unwrap();
        Self {
            database: client.database("notification"),
            commands,
        }
    }

    /// The one command since it was last asked.
    fn command(&self) -> Document {
        let mut commands = self.commands.take();
        assert_eq!(commands.len(), 1, "{commands:?}");
        commands.remove(0)
    }

    /// How the server answers the one `find` since it was last asked.
    async fn plan(&self) -> Plan {
        let mut plans = self.commands.plans().await;
        assert_eq!(plans.len(), 1, "{plans:?}");
        plans.remove(0)
    }
}

#[tokio::test]
async fn a_batch_of_contacts_is_one_command_and_is_found_by_key() {
    let watched = Watched::new().await;
    let contacts = MongoContacts::new(&watched.database);
    let batch: Vec<_> = (0..50)
        .map(|version| Contact {
            user_id: id(),
            email: "ada@example.com".into(),
            display_name: "Ada".into(),
            version,
        })
        .collect();
    contacts.save(&batch).await.unwrap();
    assert_eq!(watched.commands.names(), ["update"]);
    watched.commands.assert_indexed().await;

    contacts
        .find(&[batch[0].user_id, batch[1].user_id])
        .await
        .unwrap();
    let plan = watched.plan().await;
    assert!(plan.is_indexed(), "{plan:?}");
}

#[tokio::test]
async fn a_batch_of_notifications_is_one_command_and_every_query_has_an_index() {
    let watched = Watched::new().await;
    let notifications = MongoNotifications::new(&watched.database).keeping(retention::MAX);
    notifications.indexes().ensure().await.unwrap();
    watched.command();
    let user_id = id();
    let batch: Vec<_> = (0..50)
        .map(|n| Notification {
            id: id(),
            kind: Kind::Confirmation,
            state: State::Sent,
            user_id,
            order_id: id(),
            subject: "Your order".into(),
            message_id: "<1@shop.example>".into(),
            create_time: from_unix_millis(EVENT_TIME_MS + n),
        })
        .collect();
    notifications.record(&batch).await.unwrap();
    assert!(watched.command().contains_key("insert"));

    let one = &batch[25];
    notifications.get(one.id).await.unwrap();
    let get = watched.plan().await;
    notifications.about(&[one.order_id, id()]).await.unwrap();
    let about = watched.plan().await;
    let after = Some(Cursor {
        time_ms: unix_millis(one.create_time),
        id: one.id,
    });
    notifications
        .list(Filter::Order(one.order_id), Page { size: 10, after })
        .await
        .unwrap();
    let of_order = watched.plan().await;
    for plan in [get, about, of_order] {
        assert!(plan.is_indexed(), "{plan:?}");
    }
    for after in [None, after] {
        notifications
            .list(Filter::User(user_id), Page { size: 10, after })
            .await
            .unwrap();
        let plan = watched.plan().await;
        assert!(plan.is_indexed() && !plan.sorts(), "{plan:?}");
    }
}

#[tokio::test]
async fn the_largest_batch_of_mails_is_three_commands() {
    // What a consumer takes from RabbitMQ at a time.
    let largest = usize::from(DEFAULT_PREFETCH) / 2;
    assert!(largest <= RECORDED_TOGETHER);
    let watched = Watched::new().await;
    let contacts = Arc::new(MongoContacts::new(&watched.database));
    let notifications = MongoNotifications::new(&watched.database).keeping(retention::MAX);
    let indexes = notifications.indexes();
    let mailer = Arc::new(MemoryMailer::default());
    let notify = Notify::new(
        Arc::clone(&contacts) as _,
        Arc::new(notifications),
        Arc::clone(&mailer) as _,
        Arc::new(SystemClock),
        DOMAIN,
    );
    let (contacts, mail) = (ContactsHandler::new(contacts), MailHandler::new(notify));
    let users: Vec<_> = (0..largest).map(|_| id()).collect();
    let known: Vec<_> = users
        .iter()
        .map(|user| registered(*user, "ada@example.com", "Ada"))
        .collect();
    contacts.handle(&known).await.unwrap();
    indexes.ensure().await.unwrap();
    watched.commands.reset();

    let batch: Vec<_> = users.iter().map(|user| created(*user, id())).collect();
    let outcomes = mail.handle(&batch).await.unwrap();
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(watched.commands.names(), ["find", "find", "insert"]);
    assert_eq!(mailer.tried().len(), largest);
}

#[tokio::test]
async fn each_document_says_when_the_server_is_to_forget_it() {
    let watched = Watched::new().await;
    let kept = Duration::from_hours(400 * 24);
    let notifications = MongoNotifications::new(&watched.database).keeping(kept);
    let now = SystemClock.now();
    let notification = Notification {
        id: id(),
        kind: Kind::Confirmation,
        state: State::Sent,
        user_id: id(),
        order_id: id(),
        subject: "Your order".into(),
        message_id: "<1@shop.example>".into(),
        create_time: from_unix_millis(unix_millis(now)),
    };
    notifications
        .record(std::slice::from_ref(&notification))
        .await
        .unwrap();
    let stored = watched.database.collection::<Document>("notifications");
    let document = stored.find_one(doc! {}).await.unwrap().unwrap();
    let expires = document.get_datetime("expires").unwrap().timestamp_millis();
    assert_eq!(expires, unix_millis(now + kept));

    let mut indexes = stored.list_indexes().await.unwrap();
    let mut expiring = Vec::new();
    while indexes.advance().await.unwrap() {
        let index = indexes.deserialize_current().unwrap();
        if let Some(after) = index.options.and_then(|options| options.expire_after) {
            expiring.push((index.keys, after));
        }
    }
    assert_eq!(expiring, [(doc! {"expires": 1}, Duration::ZERO)]);
    // One from before there was such a time is read, and stays.
    let unset = doc! {"$unset": {"expires": ""}};
    stored.update_one(doc! {}, unset).await.unwrap();
    assert_eq!(
        notifications.get(notification.id).await.unwrap(),
        Some(notification)
    );
}
