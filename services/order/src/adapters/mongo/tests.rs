use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;
use waybill::{
    clock::{SystemClock, UuidV7Generator},
    context::Context,
    mongo::{
        Client, mongodb,
        mongodb::{event::EventHandler, event::command::CommandEvent, options::ClientOptions},
        until_ensured,
    },
};
use waybill_testkit::mongodb::Databases;

use super::*;
use crate::{
    adapters::{
        conformance::{self, Subject, id, order, request},
        events::ContractEvents,
        memory::InMemoryOffers,
    },
    app::{Orders, Parts},
    domain::{ItemDraft, OrderDraft, PriceDraft, Reason},
    ports::OrderEvents,
};

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
        let name = format!("{}_order", options.default_database.clone().unwrap());
        let client = mongodb::Client::with_options(options).unwrap();
        Self {
            database: client.database(&name).into(),
            commands,
        }
    }

    /// The commands since it was last asked.
    fn commands(&self) -> Vec<Document> {
        std::mem::take(&mut self.commands.lock().unwrap())
    }

    /// How the server would look for what a `find` or `findAndModify` is about.
    async fn plan(&self, command: &Document) -> String {
        let collection = command.get_str("find").or(command.get_str("findAndModify"));
        let mut find = doc! {"find": collection.unwrap()};
        for (from, to) in [("filter", "filter"), ("query", "filter"), ("sort", "sort")] {
            if let Some(value) = command.get(from) {
                find.insert(to, value.clone());
            }
        }
        let explain = doc! {"explain": find, "verbosity": "queryPlanner"};
        let database = self.database.client().database(&self.name());
        let explained = database.run_command(explain).await.unwrap();
        explained
            .get_document("queryPlanner")
            .unwrap()
            .get_document("winningPlan")
            .unwrap()
            .to_string()
    }

    fn name(&self) -> String {
        self.database.collection::<Document>(COLLECTION).namespace().db
    }
}

#[tokio::test]
async fn it_does_what_every_repository_must() {
    let databases = Databases::new().await;
    let database = Client::new(databases.url()).await.unwrap().database("order");
    let store = Arc::new(MongoOrderRepository::new(&database));
    conformance::run(&Subject {
        repository: store.clone(),
        queries: store,
        outbox: Arc::new(MongoOrderRepository::outbox(&database)),
    })
    .await;
}

#[tokio::test]
async fn a_placement_is_one_command() {
    let watched = Watched::new().await;
    let store = Arc::new(MongoOrderRepository::new(&watched.database));
    let ids = Arc::new(UuidV7Generator::default());
    let parts = Parts {
        repository: store.clone(),
        queries: store.clone(),
        events: Arc::new(ContractEvents::new(ids.clone())),
        offers: Arc::new(InMemoryOffers::default()),
        clock: Arc::new(SystemClock),
        ids,
    };
    let orders = Orders::new(parts, CancellationToken::new());
    let item = ItemDraft {
        product_id: "p".into(),
        quantity: 1,
        unit_price: Some(PriceDraft {
            currency_code: "EUR".into(),
            units: 1,
            nanos: 0,
        }),
    };
    let draft = OrderDraft {
        user_id: id().to_string(),
        items: vec![item],
    };
    for _ in 0..2 {
        watched.commands();
        let new = draft.clone().validate().unwrap();
        orders
            .place_order(new, request(), &Context::new("c"))
            .await
            .unwrap();
        let commands = watched.commands();
        assert_eq!(commands.len(), 1, "{commands:?}");
        assert_eq!(commands[0].get_str("insert").unwrap(), COLLECTION);
    }
}

#[tokio::test]
async fn collections_can_be_sharded_on_their_id() {
    let databases = Databases::new().await;
    let database = Client::new(databases.url()).await.unwrap().database("order");
    let indexes = vec![
        MongoOrderRepository::new(&database).indexes(),
        MongoOrderRepository::outbox(&database).indexes(),
    ];
    until_ensured(indexes, CancellationToken::new()).await;
    let orders = database.collection::<Document>(COLLECTION);
    let indexes: Vec<IndexModel> = orders.list_indexes().await.unwrap().try_collect().await.unwrap();
    assert_eq!(indexes.len(), 4, "_id, order_id, by user, unpublished");
    let unique = |index: &IndexModel| index.options.as_ref().and_then(|o| o.unique) == Some(true);
    assert!(!indexes.iter().any(unique));
}

#[tokio::test]
async fn every_query_uses_an_index() {
    let watched = Watched::new().await;
    let store = MongoOrderRepository::new(&watched.database);
    until_ensured(vec![store.indexes()], CancellationToken::new()).await;

    let events = ContractEvents::new(Arc::new(UuidV7Generator::default()));
    let context = Context::new("c");
    let user_id = id();
    let mut last = order(user_id, 0);
    for millis in 1..50 {
        last = order(user_id, millis);
        let event = events.created(&last, &context);
        store.insert(&last, request(), event).await.unwrap();
    }
    let cancelled = last.cancel(last.create_time(), Reason::default()).unwrap();
    let after = Position {
        create_time: last.create_time(),
        order_id: last.id(),
    };

    watched.commands();
    let event = events.cancelled(&cancelled, &context);
    let request = request();
    store.cancel(&cancelled, request, event).await.unwrap();
    store.cancelled_by(request.id).await.unwrap().unwrap();
    store.find(last.id()).await.unwrap();
    store.list(user_id, None, 10).await.unwrap();
    store.list(user_id, Some(after), 10).await.unwrap();
    store.versions(&[last.id(), id()]).await.unwrap();

    let queries: Vec<_> = watched
        .commands()
        .into_iter()
        .filter(|command| command.contains_key("find") || command.contains_key("findAndModify"))
        .collect();
    assert_eq!(queries.len(), 7);
    for query in queries {
        let plan = watched.plan(&query).await;
        // The last two are how servers of several versions look for an `_id`.
        let indexed = ["IXSCAN", "IDHACK", "EXPRESS"]
            .iter()
            .any(|stage| plan.contains(stage));
        let walks = ["COLLSCAN", "\"SORT\""].iter().any(|stage| plan.contains(stage));
        assert!(indexed && !walks, "{query}: {plan}");
    }
}
