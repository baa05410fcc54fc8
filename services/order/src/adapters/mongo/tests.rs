use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use waybill::{
    clock::{Clock, SystemClock, UuidV7Generator, from_unix_millis},
    context::{Context, MAX_BAGGAGE_BYTES, MAX_CORRELATION_ID_BYTES},
    mongo::{Client, bson, mongodb, until_ensured},
    outbox::Outbox,
    relay,
    topology::MAX_BODY_BYTES,
};
use waybill_testkit::{
    mongodb::{Commands, Databases},
    stated,
};

use super::*;
use crate::{
    adapters::{
        conformance::{self, Subject, id, order, request},
        events::ContractEvents,
        memory::InMemoryOffers,
    },
    app::{Orders, Parts},
    domain::{ItemDraft, MAX_ITEMS, MAX_REASON_CHARS, OrderDraft, PriceDraft, Reason},
    ports::OrderEvents,
};

/// A database of its own whose commands are written down.
struct Watched {
    database: Database,
    commands: Commands,
}

impl Watched {
    async fn new() -> Self {
        let (options, commands) = Databases::new().await.watched().await;
        let name = format!("{}_order", options.default_database.clone().unwrap());
        let client = mongodb::Client::with_options(options).unwrap();
        Self {
            database: client.database(&name).into(),
            commands,
        }
    }
}

#[tokio::test]
async fn it_does_what_every_repository_must() {
    let Watched { database, commands } = Watched::new().await;
    let store = Arc::new(MongoOrderRepository::new(&database));
    let outbox = Arc::new(MongoOrderRepository::outbox(&database));
    let indexes = vec![store.indexes(), outbox.indexes()];
    until_ensured(indexes, CancellationToken::new()).await;
    conformance::run(&Subject {
        repository: store.clone(),
        queries: store,
        outbox,
    })
    .await;
    commands.assert_indexed().await;
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
        watched.commands.reset();
        let new = draft.clone().validate().unwrap();
        orders
            .place_order(new, request(), &Context::new("c"))
            .await
            .unwrap();
        let commands = watched.commands.take();
        assert_eq!(commands.len(), 1, "{commands:?}");
        assert_eq!(commands[0].get_str("insert").unwrap(), COLLECTION);
    }
}

#[tokio::test]
async fn what_a_relay_takes_is_found_and_cleared_by_one_command_each() {
    let watched = Watched::new().await;
    let store = MongoOrderRepository::new(&watched.database);
    let outbox = MongoOrderRepository::outbox(&watched.database);
    until_ensured(vec![store.indexes(), outbox.indexes()], CancellationToken::new()).await;
    let events = ContractEvents::new(Arc::new(UuidV7Generator::default()));
    let placed: Vec<_> = (0..relay::BATCH).map(|_| order(id(), 0)).collect();
    let stored = placed
        .iter()
        .map(|order| store.insert(order, request(), events.created(order, &Context::new("c"))));
    futures::future::try_join_all(stored).await.unwrap();

    watched.commands.reset();
    let found = outbox.pending(SystemClock.now(), relay::BATCH).await.unwrap();
    assert_eq!(found.len(), relay::BATCH);
    let keys: Vec<_> = found.iter().map(Entry::key).collect();
    outbox.clear(&keys).await.unwrap();
    assert_eq!(watched.commands.names(), ["find", "update"]);
    assert_eq!(outbox.backlog().await.unwrap().depth, 0);
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

    watched.commands.reset();
    let event = events.cancelled(&cancelled, &context);
    let request = request();
    store.cancel(&cancelled, request, event).await.unwrap();
    store.cancelled_by(request.id).await.unwrap().unwrap();
    store.find(last.id()).await.unwrap();
    store.list(user_id, None, 10).await.unwrap();
    store.list(user_id, Some(after), 10).await.unwrap();
    store.versions(&[last.id(), id()]).await.unwrap();

    let plans = watched.commands.plans().await;
    assert_eq!(plans.len(), 7);
    for plan in plans {
        assert!(plan.is_indexed() && !plan.sorts(), "{plan:?}");
    }
}

/// docs/performance.md states it: how large the document of one order can become, with both its events
/// unpublished. MongoDB's own limit is 16 MiB.
const LARGEST_DOCUMENT: usize = 196_000;

/// docs/performance.md states it: how large an event can become.
const LARGEST_EVENT: usize = 46_700;

/// An order with every field at its limit. In the message, numbers take more bytes the larger they are:
/// with these, the sum of the order is the highest that there can be.
fn largest() -> Order {
    let item = |n| ItemDraft {
        product_id: format!("{n:0>64}"),
        quantity: 74,
        unit_price: Some(PriceDraft {
            currency_code: "EUR".into(),
            units: 270_270_269,
            nanos: 999_999_999,
        }),
    };
    let draft = OrderDraft {
        user_id: id().to_string(),
        items: (0..MAX_ITEMS).map(item).collect(),
    };
    let now = from_unix_millis(unix_millis(SystemClock.now()));
    let placed = Order::place(id(), draft.validate().unwrap(), now);
    let reason = Reason::parse("\u{1F600}".repeat(MAX_REASON_CHARS)).unwrap();
    placed.cancel(now, reason).unwrap()
}

#[test]
fn the_largest_order_is_as_large_as_is_stated() {
    let order = largest();
    let mut context = Context::new("c".repeat(MAX_CORRELATION_ID_BYTES));
    context.trace.traceparent = Some("0".repeat(55));
    context.trace.tracestate = Some("s".repeat(MAX_BAGGAGE_BYTES));
    context.trace.baggage = Some("b".repeat(MAX_BAGGAGE_BYTES));
    let events = ContractEvents::new(Arc::new(UuidV7Generator::default()));
    let messages = [
        events.created(&order.placed(), &context),
        events.cancelled(&order, &context),
    ];
    let event = messages.iter().map(|message| message.body.len()).max().unwrap();

    let [created, cancelled] = messages.map(|message| Entry {
        owner: id().to_string(),
        message,
    });
    let request = request();
    let time = order.update_time();
    let document = placement(&order.placed(), request, &created).unwrap();
    let mut document = bson::serialize_to_document(&document).unwrap();
    let cancel = CancelDocument::new(time, order.cancel_reason(), request);
    document.insert("cancel", cancel.into_bson().unwrap());
    document.insert(outbox::FIELD, outbox::to_bson(&[created, cancelled], time));
    let document = bson::serialize_to_vec(&document).unwrap().len();

    assert!(document <= LARGEST_DOCUMENT, "{document}");
    const { assert!(LARGEST_EVENT <= MAX_BODY_BYTES) };
    assert!(event <= LARGEST_EVENT, "{event}");
    for largest in [LARGEST_DOCUMENT, LARGEST_EVENT] {
        stated::in_a_table(&format!("{} bytes", stated::count(largest)));
    }
}
