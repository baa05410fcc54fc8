//! Statistics from events, on every database: each event counts once, in any order, to the last nano.

use std::{collections::BTreeMap, sync::Arc};

use waybill::{
    context::Context,
    contract::{
        google::r#type::Money,
        order::v1::{OrderCancelled, OrderCreated},
    },
    envelope::Envelope,
    handler::{self, Handler},
    inbox::InboxHandler,
};
use waybill_testkit::wait;
use waybill_user::{
    adapters::events::stats_change,
    domain::{
        amount::{Amount, Currency},
        stats::{OrderStats, StatsChange},
    },
    storage::Storage,
};

use crate::support::{Store, at, id, on_all, on_databases};

/// An order as its events tell of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    user: u128,
    currency: &'static str,
    units: i64,
    nanos: i32,
    second: i64,
}

impl Order {
    fn money(&self) -> Money {
        Money {
            currency_code: self.currency.to_owned(),
            units: self.units,
            nanos: self.nanos,
        }
    }

    pub(crate) fn created(&self, event_id: u128) -> Envelope {
        let event = OrderCreated {
            order_id: "an order".to_owned(),
            user_id: id(self.user).to_string(),
            total_amount: Some(self.money()),
            create_time: Some(at(self.second).into()),
            version: 1,
            ..OrderCreated::default()
        };
        Envelope::new(
            id(event_id),
            at(self.second),
            "waybill.order",
            &Context::new("c"),
            &event,
        )
    }

    pub(crate) fn cancelled(&self, event_id: u128) -> Envelope {
        let event = OrderCancelled {
            order_id: "an order".to_owned(),
            user_id: id(self.user).to_string(),
            total_amount: Some(self.money()),
            create_time: Some(at(self.second).into()),
            version: 2,
            ..OrderCancelled::default()
        };
        Envelope::new(
            id(event_id),
            at(self.second),
            "waybill.order",
            &Context::new("c"),
            &event,
        )
    }
}

pub(crate) const ORDER: Order = Order {
    user: 1,
    currency: "EUR",
    units: 12,
    nanos: 340_000_000,
    second: 7,
};

fn handler(storage: &Storage) -> InboxHandler<StatsChange> {
    InboxHandler::new(Arc::clone(&storage.inbox), stats_change)
}

/// Handles a batch as a consumer does: what is unavailable is tried again.
pub(crate) async fn handle(storage: &Storage, batch: &[Envelope]) {
    let handler = handler(storage);
    let attempt = async || match handler.handle(batch).await {
        Err(handler::Error::Unavailable(_)) => None,
        result => Some(result.unwrap()),
    };
    let outcomes = wait::until("a batch is handled", attempt).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

async fn stats(store: &Store, user: u128) -> OrderStats {
    store.there.stats.find(id(user)).await.unwrap().unwrap()
}

fn eur(units: i64, nanos: i64) -> BTreeMap<Currency, Amount> {
    BTreeMap::from([(Currency::parse("EUR").unwrap(), Amount::new(units, nanos))])
}

#[tokio::test]
async fn the_same_message_five_times_counts_once() {
    on_all(async |store| {
        assert_eq!(
            store.here.stats.find(id(1)).await.unwrap(),
            None,
            "{}",
            store.name
        );
        let message = ORDER.created(1);
        handle(&store.here, &[message.clone(), message.clone()]).await;
        handle(&store.here, std::slice::from_ref(&message)).await;
        handle(&store.there, &[ORDER.created(2), message.clone(), message]).await;
        let expected = OrderStats {
            placed: 2,
            cancelled: 0,
            spent: eur(24, 680_000_000),
            last_order_time: Some(at(7)),
        };
        assert_eq!(stats(store, 1).await, expected, "{}", store.name);
    })
    .await;
}

#[tokio::test]
async fn a_cancellation_before_its_placement_ends_the_same() {
    on_all(async |store| {
        handle(&store.here, &[ORDER.cancelled(2)]).await;
        let early = stats(store, 1).await;
        assert_eq!((early.placed, early.cancelled), (0, 1), "{}", store.name);
        assert_eq!(early.last_order_time, None, "{}", store.name);
        handle(&store.there, &[ORDER.created(1)]).await;
        let expected = OrderStats {
            placed: 1,
            cancelled: 1,
            spent: eur(0, 0),
            last_order_time: Some(at(7)),
        };
        assert_eq!(stats(store, 1).await, expected, "{}", store.name);
    })
    .await;
}

#[tokio::test]
async fn a_message_that_is_no_order_fails_alone() {
    on_all(async |store| {
        let mut broken = ORDER.created(1);
        broken.body = b"\xff\xff".as_slice().into();
        let outcomes = handler(&store.here)
            .handle(&[ORDER.created(2), broken, ORDER.created(3)])
            .await
            .unwrap();
        let failed: Vec<_> = outcomes.iter().map(Result::is_err).collect();
        assert_eq!(failed, [false, true, false], "{}", store.name);
        assert_eq!(stats(store, 1).await.placed, 2, "{}", store.name);
    })
    .await;
}

#[tokio::test]
async fn two_instances_share_the_work_and_repeat_none_of_it() {
    on_all(async |store| {
        // Every event is offered to both, as when a lease of one expires, and all are of one user.
        let batches: Vec<Vec<_>> = (0..8)
            .map(|batch| (0..25).map(|n| ORDER.created(batch * 25 + n + 1)).collect())
            .collect();
        let all = async |instance| {
            for batch in &batches {
                handle(instance, batch).await;
            }
        };
        tokio::join!(all(&store.here), all(&store.there));
        let expected = OrderStats {
            placed: 200,
            cancelled: 0,
            spent: eur(12 * 200 + 68, 0),
            last_order_time: Some(at(7)),
        };
        assert_eq!(stats(store, 1).await, expected, "{}", store.name);
    })
    .await;
}

/// What a user's statistics must come to.
#[derive(Debug, Default, PartialEq)]
struct Model {
    placed: i64,
    cancelled: i64,
    nanos: BTreeMap<&'static str, i128>,
    latest: i64,
}

/// Events of 600 orders of five users in three currencies, a third of them cancelled, in any order;
/// and what must come of them.
fn random_events(random: &mut fastrand::Rng) -> (Vec<Envelope>, BTreeMap<u128, Model>) {
    let mut events = Vec::new();
    let mut models: BTreeMap<u128, Model> = BTreeMap::new();
    for n in 0..600 {
        let order = Order {
            user: random.u128(1..=5),
            currency: ["EUR", "USD", "JPY"][random.usize(..3)],
            units: random.i64(0..=5_000_000_000_000_000),
            nanos: random.i32(0..1_000_000_000),
            second: random.i64(0..100_000),
        };
        let nanos = i128::from(order.units) * 1_000_000_000 + i128::from(order.nanos);
        let model = models.entry(order.user).or_default();
        let sum = model.nanos.entry(order.currency).or_default();
        model.placed += 1;
        model.latest = model.latest.max(order.second);
        *sum += nanos;
        events.push(order.created(2 * n + 1));
        if random.u8(..3) == 0 {
            model.cancelled += 1;
            *sum -= nanos;
            events.push(order.cancelled(2 * n + 2));
        }
    }
    random.shuffle(&mut events);
    (events, models)
}

#[tokio::test]
async fn sums_are_exact() {
    on_all(async |store| {
        let mut random = fastrand::Rng::with_seed(0x5eed);
        let (events, models) = random_events(&mut random);
        let mut left = events.as_slice();
        while !left.is_empty() {
            let (batch, rest) = left.split_at(random.usize(1..=100).min(left.len()));
            handle([&store.here, &store.there][random.usize(..2)], batch).await;
            left = rest;
        }
        for (user, model) in models {
            let stats = stats(store, user).await;
            let counts = (stats.placed, stats.cancelled, stats.last_order_time);
            let expected = (model.placed, model.cancelled, Some(at(model.latest)));
            assert_eq!(counts, expected, "{}", store.name);
            let nanos = |amount: &Amount| {
                let (units, nanos) = amount.parts().unwrap();
                i128::from(units) * 1_000_000_000 + i128::from(nanos)
            };
            let sums: BTreeMap<_, _> = stats
                .spent
                .iter()
                .map(|(currency, amount)| (currency.as_str(), nanos(amount)))
                .collect();
            assert_eq!(sums, model.nanos, "{}", store.name);
        }
    })
    .await;
}

#[tokio::test]
async fn a_sum_that_would_overflow_is_refused_and_the_old_one_stays() {
    on_databases(async |store| {
        let huge = Order {
            units: i64::MAX,
            ..ORDER
        };
        handle(&store.here, &[huge.created(1)]).await;
        for batch in [vec![huge.created(2)], vec![huge.created(3), huge.created(4)]] {
            let result = handler(&store.here).handle(&batch).await;
            assert!(
                matches!(result, Err(handler::Error::Failed(_))),
                "{}: {result:?}",
                store.name
            );
        }
        let expected = OrderStats {
            placed: 1,
            cancelled: 0,
            spent: eur(i64::MAX, 340_000_000),
            last_order_time: Some(at(7)),
        };
        assert_eq!(stats(store, 1).await, expected, "{}", store.name);
        // What failed is not remembered as handled: once there is room, it counts.
        handle(&store.here, &[huge.cancelled(5)]).await;
        handle(&store.here, &[huge.created(2)]).await;
        assert_eq!(stats(store, 1).await.placed, 2, "{}", store.name);
    })
    .await;
}
