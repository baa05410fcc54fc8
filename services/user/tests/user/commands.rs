//! What the service asks of MongoDB: how many commands an operation takes, and that each finds its way
//! by an index.

use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;
use waybill::{
    clock::{SystemClock, unix_millis},
    grpc::page::Cursor,
    mongo::{
        Database,
        mongodb::{
            Client,
            bson::{Document, doc},
            event::{EventHandler, command::CommandEvent},
            options::ClientOptions,
        },
    },
    platform,
};
use waybill_testkit::mongodb::Databases;
use waybill_user::storage::Storage;

use crate::{
    stats::{ORDER, handle},
    support::{at, change, changed, id, registered, registration, request},
};

/// A database of its own, with its indexes, whose commands are written down.
struct Watched {
    storage: Storage,
    driver: waybill::mongo::mongodb::Database,
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
        let name = options.default_database.clone().unwrap();
        let driver = Client::with_options(options).unwrap().database(&name);
        let database = platform::Database::Mongo(Database::from(driver.clone()));
        let mut storage = Storage::of(&database, &(Arc::new(SystemClock) as _));
        let upkeep = std::mem::replace(&mut storage.upkeep, Box::new(|_| Box::pin(async {})));
        upkeep(CancellationToken::new()).await;
        let watched = Self {
            storage,
            driver,
            commands,
        };
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

    /// The commands since it was last asked.
    fn commands(&self) -> Vec<Document> {
        std::mem::take(&mut self.commands.lock().unwrap())
    }

    /// Their names.
    fn names(&self) -> Vec<String> {
        let name = |command: Document| command.keys().next().unwrap().clone();
        self.commands().into_iter().map(name).collect()
    }

    /// How the server looks for what a `find` or `findAndModify` is about.
    async fn plan(&self, command: &Document) -> String {
        let (_, collection) = command.iter().next().unwrap();
        let mut find = doc! {"find": collection.clone()};
        for (from, to) in [("filter", "filter"), ("query", "filter"), ("sort", "sort")] {
            if let Some(value) = command.get(from) {
                find.insert(to, value.clone());
            }
        }
        let explain = doc! {"explain": find, "verbosity": "queryPlanner"};
        let explained = self.driver.run_command(explain).await.unwrap();
        let planner = explained.get_document("queryPlanner").unwrap();
        planner.get_document("winningPlan").unwrap().to_string()
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
async fn a_batch_of_events_is_one_transaction_with_one_bulk_write() {
    let watched = Watched::new().await;
    let batch: Vec<_> = (1..=50).map(|n| ORDER.created(n)).collect();
    handle(&watched.storage, &batch).await;
    let names = watched.names();
    assert_eq!(names[0], "update", "the inbox records the session that it uses");
    assert_eq!(names[1..], ["insert", "bulkWrite", "commitTransaction"]);
}

#[tokio::test]
async fn every_query_uses_an_index() {
    let watched = Watched::new().await;
    let users = &watched.storage.users;
    users.find(id(1)).await.unwrap();
    users.list(None, 10).await.unwrap();
    let after = Cursor {
        time_ms: unix_millis(at(5)),
        id: id(5),
    };
    users.list(Some(after), 10).await.unwrap();
    let user = registration(1, "user1@example.com").user;
    let next = user.change(&change("", "Bo"), at(50)).unwrap();
    users
        .change(&next, request(9, 1), changed(&next, 102))
        .await
        .unwrap();
    // Asks for the request id, and then for the address.
    let taken = registration(2, "user1@example.com");
    users.register(&taken, registered(&taken, 103)).await.unwrap();

    let mut looked_for = 0;
    for command in watched.commands() {
        if command.contains_key("insert") {
            continue;
        }
        let plan = watched.plan(&command).await;
        assert!(
            !plan.contains("COLLSCAN") && !plan.contains("\"SORT\""),
            "{command}: {plan}"
        );
        assert!(
            plan.contains("IXSCAN") || plan.contains("IDHACK"),
            "{command}: {plan}"
        );
        looked_for += 1;
    }
    assert_eq!(looked_for, 6);
}
