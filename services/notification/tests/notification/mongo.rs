//! What the MongoDB adapters cost: one command a call, and an index for every query.

use std::sync::{Arc, Mutex};

use ::mongodb::{
    bson::{Document, doc},
    event::{EventHandler, command::CommandEvent},
    options::ClientOptions,
};
use waybill::{
    clock::{from_unix_millis, unix_millis},
    grpc::page::{Cursor, Page},
    mongo::{Client, Database},
};
use waybill_notification::{
    adapters::mongo::{MongoContacts, MongoNotifications},
    domain::{
        contact::Contact,
        notification::{Kind, Notification, State},
    },
    ports::{
        contacts::Contacts,
        notifications::{Filter, Notifications},
    },
};
use waybill_testkit::mongodb::Databases;

use crate::support::events::{EVENT_TIME_MS, id};

/// A database of its own whose commands are written down.
struct Watched {
    database: Database,
    commands: Arc<Mutex<Vec<Document>>>,
}

impl Watched {
    async fn new() -> Self {
        let databases = Databases::new().await;
        let mut options = ClientOptions::parse(databases.url()).await.unwrap();
        let commands = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&commands);
        options.command_event_handler = Some(EventHandler::callback(move |event| {
            if let CommandEvent::Started(started) = event {
                written.lock().unwrap().push(started.command);
            }
        }));
        let client = Client::with_options(options).unwrap();
        Self {
            database: client.database("notification"),
            commands,
        }
    }

    /// The one command since it was last asked.
    fn command(&self) -> Document {
        let mut commands = std::mem::take(&mut *self.commands.lock().unwrap());
        assert_eq!(commands.len(), 1, "{commands:?}");
        commands.remove(0)
    }

    /// How the server answers the one `find` since it was last asked.
    async fn plan(&self) -> String {
        let command = self.command();
        let collection = command.get_str("find").unwrap();
        let mut find = doc! {"find": collection};
        for name in ["filter", "sort"] {
            if let Some(value) = command.get(name) {
                find.insert(name, value.clone());
            }
        }
        let namespace = self.database.collection::<Document>(collection).namespace();
        let database = self.database.client().database(&namespace.db);
        let explained = database
            .run_command(doc! {"explain": find, "verbosity": "queryPlanner"})
            .await
            .unwrap();
        self.commands.lock().unwrap().clear();
        let planner = explained.get_document("queryPlanner").unwrap();
        planner.get_document("winningPlan").unwrap().to_string()
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
    assert!(watched.command().contains_key("bulkWrite"));

    contacts
        .find(&[batch[0].user_id, batch[1].user_id])
        .await
        .unwrap();
    let plan = watched.plan().await;
    assert!(!plan.contains("COLLSCAN"), "{plan}");
}

#[tokio::test]
async fn a_batch_of_notifications_is_one_command_and_every_query_has_an_index() {
    let watched = Watched::new().await;
    let notifications = MongoNotifications::new(&watched.database);
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
        assert!(!plan.contains("COLLSCAN"), "{plan}");
    }
    for after in [None, after] {
        notifications
            .list(Filter::User(user_id), Page { size: 10, after })
            .await
            .unwrap();
        let plan = watched.plan().await;
        assert!(plan.contains("IXSCAN") && !plan.contains("\"SORT\""), "{plan}");
    }
}
