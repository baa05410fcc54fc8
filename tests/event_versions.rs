//! An event's second version beside its first, and a consumer that moves from one to the other while
//! both are published: it never pauses, and each event has its effect once. This is the recipe of
//! docs/evolving-events.md, step by step.

use std::sync::Arc;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use waybill::{
    amqp::AmqpBroker,
    broker::Broker,
    clock::{Clock, IdGenerator, SystemClock, UuidV7Generator},
    consumer::Consumer,
    context::Context,
    contract::Event,
    embedded::{Database, EmbeddedBroker, SqliteInbox, SqliteOutbox, inbox, outbox, rusqlite},
    envelope::Envelope,
    failure::Failure,
    inbox::InboxHandler,
    message::Message,
    outbox::{Entry, Outbox},
    relay::{Relay, RelayHandle},
    topology::Subscription,
};
use waybill_testkit::{rabbitmq::VirtualHost, wait};

/// `shop.v1.ParcelSent`, which told kilograms.
#[derive(Clone, PartialEq, prost::Message)]
struct ParcelSentV1 {
    #[prost(string, tag = "1")]
    parcel_id: String,
    #[prost(int32, tag = "2")]
    weight_kg: i32,
}

/// `shop.v2.ParcelSent`, which tells grams under the same number: no reader of the first may see it.
#[derive(Clone, PartialEq, prost::Message)]
struct ParcelSentV2 {
    #[prost(string, tag = "1")]
    parcel_id: String,
    #[prost(int64, tag = "2")]
    weight_grams: i64,
}

impl Event for ParcelSentV1 {
    const TYPE: &'static str = "shop.v1.ParcelSent";
    const ROUTING_KEY: &'static str = "parcel.sent.v1";
    fn aggregate_id(&self) -> &str {
        &self.parcel_id
    }
}

impl Event for ParcelSentV2 {
    const TYPE: &'static str = "shop.v2.ParcelSent";
    const ROUTING_KEY: &'static str = "parcel.sent.v2";
    fn aggregate_id(&self) -> &str {
        &self.parcel_id
    }
}

/// What a parcel changes: its id and grams.
type Sent = (String, i64);

fn by_v1(envelope: &Envelope) -> Result<Sent, Failure> {
    let event: ParcelSentV1 = envelope.decode()?;
    Ok((event.parcel_id, i64::from(event.weight_kg) * 1000))
}

fn by_v2(envelope: &Envelope) -> Result<Sent, Failure> {
    let event: ParcelSentV2 = envelope.decode()?;
    Ok((event.parcel_id, event.weight_grams))
}

fn by_either(envelope: &Envelope) -> Result<Sent, Failure> {
    match envelope.type_name.as_str() {
        ParcelSentV1::TYPE => by_v1(envelope),
        _ => by_v2(envelope),
    }
}

/// Adds, without a look at what is there: an effect that came twice would show.
fn add(connection: &rusqlite::Connection, sent: &[Sent]) -> rusqlite::Result<()> {
    let mut add = connection.prepare_cached("INSERT INTO effect (parcel, grams) VALUES (?1, ?2)")?;
    for (parcel, grams) in sent {
        add.execute(rusqlite::params![parcel, grams])?;
    }
    Ok(())
}

/// A broker, a publisher with its outbox, and a folder for consumers' databases.
struct Shop {
    broker: Arc<dyn Broker>,
    folder: TempDir,
    database: Database,
    offers: RelayHandle,
    stop: CancellationToken,
    sent: i32,
}

/// Which versions a publisher publishes.
#[derive(Clone, Copy)]
enum Versions {
    V1,
    Both,
    V2,
}

impl Shop {
    fn open(broker: Arc<dyn Broker>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("publisher.db"), &[outbox::SCHEMA]).unwrap();
        let outbox: Arc<dyn Outbox> = Arc::new(SqliteOutbox::new(database.clone()));
        let (relay, offers) = Relay::new(outbox, broker.publisher(), Arc::new(SystemClock), "test");
        let stop = CancellationToken::new();
        tokio::spawn(relay.run(stop.clone()));
        Self {
            broker,
            folder,
            database,
            offers,
            stop,
            sent: 0,
        }
    }

    /// Sends twenty parcels more, each one write: the entries of both versions are in it, or neither.
    async fn send(&mut self, versions: Versions) {
        for _ in 0..20 {
            self.sent += 1;
            let parcel_id = format!("parcel-{}", self.sent);
            let v1 = ParcelSentV1 {
                parcel_id: parcel_id.clone(),
                weight_kg: self.sent,
            };
            let v2 = ParcelSentV2 {
                parcel_id,
                weight_grams: i64::from(self.sent) * 1000,
            };
            // One event, told in two ways: both have its id.
            let id = UuidV7Generator::default().next_id();
            let messages = match versions {
                Versions::V1 => vec![message(id, &v1)],
                Versions::Both => vec![message(id, &v1), message(id, &v2)],
                Versions::V2 => vec![message(id, &v2)],
            };
            let entries: Vec<_> = messages
                .into_iter()
                .map(|message| Entry {
                    owner: format!("parcel-{}", self.sent),
                    message,
                })
                .collect();
            let stored = entries.clone();
            let write = self.database.write(move |c| outbox::insert(c, &stored));
            write.await.unwrap();
            self.offers.offer(entries);
        }
    }

    /// The database of a consumer, which all its instances share.
    fn consumer_database(&self, name: &str) -> Database {
        let effect = "CREATE TABLE effect (parcel TEXT NOT NULL, grams INTEGER NOT NULL) STRICT";
        let path = self.folder.path().join(format!("{name}.db"));
        Database::open(&path, &[inbox::SCHEMA, effect]).unwrap()
    }

    /// Starts an instance of the consumer `name` once its queue has these bindings.
    async fn consume(
        &self,
        name: &str,
        bind: fn(Subscription) -> Subscription,
        read: fn(&Envelope) -> Result<Sent, Failure>,
    ) -> Instance {
        let subscription = bind(Subscription::new(format!("waybill.test.{name}")));
        self.broker.declare(&subscription).await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let database = self.consumer_database(name);
        let inbox = SqliteInbox::new(database, &subscription.queue, Arc::clone(&clock), add);
        let handler = Arc::new(InboxHandler::new(Arc::new(inbox), read));
        let consumer = Consumer::new(Arc::clone(&self.broker), subscription, handler, clock, "test");
        let stop = CancellationToken::new();
        let running = tokio::spawn(consumer.run(stop.clone()));
        Instance { stop, running }
    }

    /// Waits until the consumer `name` has the effect of these parcels, each once and rightly read.
    async fn until_effects(&self, name: &str, parcels: std::ops::RangeInclusive<i32>) {
        let expected: Vec<Sent> = parcels
            .map(|n| (format!("parcel-{n}"), i64::from(n) * 1000))
            .collect();
        let database = self.consumer_database(name);
        wait::until("every parcel has its effect", async || {
            let effects: Vec<Sent> = database
                .read(|c| {
                    c.prepare("SELECT parcel, grams FROM effect ORDER BY grams")?
                        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                        .collect()
                })
                .await
                .unwrap();
            assert!(
                effects.len() <= expected.len(),
                "an effect came twice: {effects:?}"
            );
            (effects == expected).then_some(())
        })
        .await;
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn message(id: Uuid, event: &impl Event) -> Message {
    Envelope::new(id, SystemClock.now(), "waybill.test", &Context::new("c"), event).into_message()
}

/// A running instance of a consumer.
struct Instance {
    stop: CancellationToken,
    running: tokio::task::JoinHandle<Result<(), waybill::broker::Error>>,
}

impl Instance {
    /// Ends it as a deployment does: what it has in hand it finishes.
    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
    }
}

fn to_v1(queue: Subscription) -> Subscription {
    queue.to::<ParcelSentV1>()
}

fn to_v2(queue: Subscription) -> Subscription {
    queue.to::<ParcelSentV2>()
}

fn to_both(queue: Subscription) -> Subscription {
    to_v2(to_v1(queue))
}

async fn a_consumer_moves_over(broker: Arc<dyn Broker>) {
    let mut shop = Shop::open(broker);
    // `ledger` will move; `archive` belongs to a team that reads the first version for now.
    let ledger = shop.consume("ledger", to_v1, by_v1).await;
    let archive = shop.consume("archive", to_v1, by_v1).await;
    shop.send(Versions::V1).await;
    shop.until_effects("ledger", 1..=20).await;

    // 1. Instances that read both versions take over, one by one, from those that read the first.
    let reads_both = shop.consume("ledger", to_v1, by_either).await;
    shop.send(Versions::V1).await;
    ledger.stop().await;

    // 2. Both are published, under one id. Who begins now binds the second version alone.
    let audit = shop.consume("audit", to_v2, by_v2).await;
    shop.send(Versions::Both).await;
    shop.until_effects("ledger", 1..=60).await;

    // 3. The ledger binds the second version too, and receives each event twice from here on.
    let binds_both = shop.consume("ledger", to_both, by_either).await;
    shop.send(Versions::Both).await;
    reads_both.stop().await;
    shop.send(Versions::Both).await;
    shop.until_effects("ledger", 1..=100).await;

    // 4. The archive's team has moved as well, or gone: the first version ends.
    shop.until_effects("archive", 1..=100).await;
    archive.stop().await;
    shop.send(Versions::V2).await;
    shop.until_effects("ledger", 1..=120).await;
    shop.until_effects("audit", 41..=120).await;
    for instance in [binds_both, audit] {
        instance.stop().await;
    }
    // Nothing is left to come: not in the outbox either.
    let outbox = SqliteOutbox::new(shop.database.clone());
    wait::until("everything is published", async || {
        (outbox.backlog().await.unwrap().depth == 0).then_some(())
    })
    .await;
    shop.until_effects("ledger", 1..=120).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_moves_over_embedded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broker.db");
    let broker = EmbeddedBroker::open(&path, Arc::new(SystemClock)).await.unwrap();
    a_consumer_moves_over(Arc::new(broker)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_moves_over_on_rabbitmq() {
    let host = VirtualHost::fresh().await;
    let broker = AmqpBroker::new(host.url(), "test").unwrap();
    wait::until("connected", async || broker.check().await.ok()).await;
    a_consumer_moves_over(Arc::new(broker)).await;
}
