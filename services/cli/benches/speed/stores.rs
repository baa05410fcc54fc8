//! The order service where few orders are stored and where many are, on each platform. They are filled once,
//! by the service's own repository, and stay for all rounds.

use std::{sync::Arc, time::Instant};

use futures::{StreamExt, future::join_all, stream};
use tokio::{process::Command, sync::OnceCell, time::sleep};
use waybill::{
    embedded::{self, SqliteOutbox},
    mongo,
    outbox::{Key, Outbox},
};
use waybill_order::{
    adapters::{mongo::MongoOrderRepository, sqlite},
    ports::{Insert, OrderRepository},
};
use waybill_testkit::wait;

use crate::{
    client::new_id,
    floors::{bulk::Bulk, databases},
    metrics::Metrics,
    payload::Payload,
    platform::Platform,
    sizes::Sizes,
    stack::Stack,
};

/// Orders that each user has. More than a page, so that every first page is full.
const ORDERS_EACH: usize = 100;

/// Orders that are stored together; and how many such batches are under way.
const TOGETHER: usize = 1024;
const BATCHES: usize = 2;

/// Orders that are placed before all others: so many that some are of the same millisecond.
const FIRST: usize = 100;

/// The stores of both platforms, made when they are first needed. They end, with their servers and all that
/// is stored, when they are dropped.
#[derive(Default)]
pub(crate) struct Stores {
    real: OnceCell<Pair>,
    embedded: OnceCell<Pair>,
}

impl Stores {
    pub(crate) async fn real(&self, sizes: &Sizes) -> &Pair {
        self.real.get_or_init(|| Pair::filled(sizes, true)).await
    }

    pub(crate) async fn embedded(&self, sizes: &Sizes) -> &Pair {
        self.embedded.get_or_init(|| Pair::filled(sizes, false)).await
    }
}

/// Two that differ by what is stored alone.
pub(crate) struct Pair {
    pub(crate) few: Store,
    pub(crate) many: Store,
}

impl Pair {
    async fn filled(sizes: &Sizes, is_real: bool) -> Self {
        let few = Store::filled(is_real, sizes.few, sizes.history).await;
        let many = Store::filled(is_real, sizes.many, sizes.history).await;
        sleep(sizes.settling).await;
        Self { few, many }
    }
}

/// An order service, alone on its platform, and its orders.
pub(crate) struct Store {
    pub(crate) platform: Platform,
    pub(crate) inside: Inside,
    /// Users whose orders are read. They place no more, so that their pages stay alike: there are
    /// servers that read all orders of a user for one page.
    pub(crate) readers: Vec<String>,
    /// Those who have as many, and place more.
    pub(crate) buyers: Vec<String>,
    /// Orders at first. What is placed while it is measured stays, too.
    pub(crate) orders: usize,
    /// How long filling took, in seconds.
    pub(crate) fill_s: f64,
    /// How large it was then, in MiB.
    pub(crate) mib: f64,
}

impl Store {
    async fn filled(is_real: bool, orders: usize, history: usize) -> Self {
        // On a database server of its own: there are servers that keep all indexes in one tree.
        let stack = if is_real {
            Stack::real_with_own_database().await
        } else {
            Stack::embedded()
        };
        if stack.virtual_host.is_some() {
            databases::age(stack.database(), history).await;
        }
        let mut platform = Platform::on(stack);
        // The service makes the schema.
        platform.start("order");
        let platform = platform.ready().await;
        let inside = Inside::of(&platform.stack).await;
        // As in life, events were published before there were many orders: there are servers that look
        // through all documents once, when some that are found in an index of arrays are equal by it.
        let first: Vec<_> = (0..FIRST).map(|_| new_id()).collect();
        inside.place(first.iter()).await;
        until_published(&platform, FIRST).await;
        let users: Vec<_> = (0..orders.div_ceil(ORDERS_EACH)).map(|_| new_id()).collect();
        let began = Instant::now();
        let batches = (0..orders)
            .step_by(TOGETHER)
            .map(|first| first..orders.min(first + TOGETHER));
        stream::iter(batches)
            .for_each_concurrent(BATCHES, async |batch| {
                inside
                    .keep(batch.map(|number| &users[number % users.len()]))
                    .await;
            })
            .await;
        // What is still to be written would be written while others wait for the same disk.
        let synced = Command::new("sync").status().await;
        assert!(synced.expect("sync runs").success());
        let fill_s = began.elapsed().as_secs_f64();
        assert_eq!(
            published(&platform).await,
            FIRST,
            "the others were never to be published"
        );
        let mib = match platform.stack.virtual_host {
            Some(_) => databases::size_mib(platform.stack.database()).await,
            None => folder_mib(&platform.stack),
        };
        eprintln!("stored {orders} orders in {fill_s:.0} s, {mib:.0} MiB");
        // In turn, so that both are everywhere in an index of users.
        let (readers, buyers): (Vec<_>, Vec<_>) = (0..).zip(users).partition(|(at, _)| at % 2 == 0);
        let ids = |users: Vec<(usize, String)>| users.into_iter().map(|(_, id)| id).collect();
        Self {
            platform,
            inside,
            readers: ids(readers),
            buyers: ids(buyers),
            orders,
            fill_s,
            mib,
        }
    }
}

/// Events that the order service has published since it started.
pub(crate) async fn published(platform: &Platform) -> usize {
    let told = platform.metrics("order").await;
    told.iter().map(Metrics::published).sum()
}

/// Waits until the order service has published that many. Asking for that costs the database nothing.
pub(crate) async fn until_published(platform: &Platform, number: usize) {
    wait::until("the relay gets through", async || {
        (published(platform).await >= number).then_some(())
    })
    .await;
}

/// Size of all files of the embedded platform.
fn folder_mib(stack: &Stack) -> f64 {
    let entries = std::fs::read_dir(stack.data_dir()).expect("the folder is there");
    let bytes = entries.map(|entry| entry.and_then(|entry| entry.metadata()).map(|file| file.len()));
    let bytes: u64 = bytes.map(|bytes| bytes.expect("it can be read")).sum();
    crate::statistics::count(usize::try_from(bytes / 1024).expect("it fits on this machine")) / 1024.0
}

/// An order service's database, as the service's own code reaches it.
pub(crate) struct Inside {
    repository: Arc<dyn OrderRepository>,
    outbox: Arc<dyn Outbox>,
    /// A faster way to store many.
    bulk: Option<Bulk>,
}

impl Inside {
    async fn of(stack: &Stack) -> Self {
        if stack.virtual_host.is_some() {
            let client = mongo::Client::new(stack.database()).await.expect("it is a URL");
            let database = client.database(waybill_order::NAME);
            return Self {
                repository: Arc::new(MongoOrderRepository::new(&database)),
                outbox: Arc::new(MongoOrderRepository::outbox(&database)),
                bulk: Some(Bulk::under(stack.database()).await),
            };
        }
        let file = stack.data_dir().join(format!("{}.db", waybill_order::NAME));
        let database = embedded::Database::open(&file, sqlite::MIGRATIONS).expect("it can be opened");
        Self {
            repository: Arc::new(sqlite::SqliteOrderRepository::new(database.clone())),
            outbox: Arc::new(SqliteOutbox::new(database)),
            bulk: None,
        }
    }

    /// Stores an order of each of these users, as it is when its event has been published.
    async fn keep(&self, users: impl Iterator<Item = &String>) {
        if let Some(bulk) = &self.bulk {
            return bulk.store(users).await;
        }
        let waiting = self.place(users).await;
        self.outbox.clear(&waiting).await.expect("they are cleared");
    }

    /// Stores an order of each of these users. Their events wait; answers which.
    pub(crate) async fn place(&self, users: impl Iterator<Item = &String>) -> Vec<Key> {
        let store = async |user: &String| {
            let Payload {
                order,
                stored_request,
                event,
                ..
            } = Payload::new(user);
            match self.repository.insert(&order, stored_request, event).await {
                Ok(Insert::Stored(entry)) => entry.key(),
                other => panic!("it is new and can be stored: {other:?}"),
            }
        };
        join_all(users.map(store)).await
    }

    /// Events that wait to be published, counted up to some thousands.
    pub(crate) async fn waiting(&self) -> u64 {
        self.outbox.backlog().await.expect("the database is there").depth
    }
}
