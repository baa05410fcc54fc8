//! What every store of orders must do, as one suite that each of them runs.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use uuid::Uuid;
use waybill::{
    clock::{IdGenerator, UuidV7Generator},
    context::Context,
    outbox::{Entry, Outbox},
};

use super::events::ContractEvents;
use crate::{
    domain::{ItemDraft, Order, OrderDraft, PriceDraft, Reason},
    ports::{Insert, OrderEvents, OrderQueries, OrderRepository, Position, Recorded, Request, Update},
};

/// The store under test. It may hold other orders.
pub(crate) struct Subject {
    pub(crate) repository: Arc<dyn OrderRepository>,
    pub(crate) queries: Arc<dyn OrderQueries>,
    pub(crate) outbox: Arc<dyn Outbox>,
}

/// Runs the whole suite.
pub(crate) async fn run(subject: &Subject) {
    an_order_is_given_back_as_it_was_stored(subject).await;
    a_request_places_one_order(subject).await;
    of_placements_at_the_same_moment_one_is_stored(subject).await;
    an_order_is_cancelled_once(subject).await;
    of_cancellations_at_the_same_moment_one_is_stored(subject).await;
    a_request_cancels_one_order(subject).await;
    of_orders_cancelled_by_one_request_at_the_same_moment_one_is(subject).await;
    pages_lead_through_a_users_orders_newest_first(subject).await;
    versions_are_told_of_the_orders_asked_for(subject).await;
}

pub(crate) fn id() -> Uuid {
    thread_local!(static IDS: UuidV7Generator = UuidV7Generator::default());
    IDS.with(UuidV7Generator::next_id)
}

pub(crate) fn request() -> Request {
    Request {
        id: id(),
        fingerprint: [7; 32],
    }
}

/// An order placed at `millis` after the epoch.
pub(crate) fn order(user_id: Uuid, millis: u64) -> Order {
    let item = |product_id: &str, units, nanos| ItemDraft {
        product_id: product_id.to_owned(),
        quantity: 3,
        unit_price: Some(PriceDraft {
            currency_code: "EUR".to_owned(),
            units,
            nanos,
        }),
    };
    let draft = OrderDraft {
        user_id: user_id.to_string(),
        items: vec![item("b", 999_999_999, 999_999_999), item("a", 0, 1)],
    };
    let new = draft.validate().expect("it is a good order");
    Order::place(id(), new, UNIX_EPOCH + Duration::from_millis(millis))
}

fn cancelled(order: &Order) -> Order {
    let reason = Reason::parse("zu groß".to_owned()).unwrap();
    let later = order.create_time() + Duration::from_secs(1);
    order.cancel(later, reason).unwrap()
}

impl Subject {
    fn events() -> ContractEvents {
        ContractEvents::new(Arc::new(UuidV7Generator::default()))
    }

    async fn place(&self, order: &Order, request: Request) -> Insert {
        let event = Self::events().created(order, &Context::new("conformance"));
        self.repository.insert(order, request, event).await.unwrap()
    }

    async fn placed(&self, user_id: Uuid, millis: u64) -> Order {
        let order = order(user_id, millis);
        let insert = self.place(&order, request()).await;
        assert!(matches!(insert, Insert::Stored(_)));
        order
    }

    async fn cancel(&self, order: &Order, request: Request) -> Update {
        let event = Self::events().cancelled(order, &Context::new("conformance"));
        self.repository.cancel(order, request, event).await.unwrap()
    }

    /// How often the outbox holds an event of this order.
    async fn events_of(&self, order: &Order) -> usize {
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(100_000_000_000);
        let pending = self.outbox.pending(far, 10_000).await.unwrap();
        let subject = order.id().to_string();
        let of_order = |e: &&Entry| e.message.header("cloudEvents_subject") == Some(subject.as_str());
        pending.iter().filter(of_order).count()
    }
}

async fn an_order_is_given_back_as_it_was_stored(subject: &Subject) {
    let order = order(id(), 1_700_000_000_123);
    assert_eq!(subject.queries.find(order.id()).await.unwrap(), None);
    let Insert::Stored(entry) = subject.place(&order, request()).await else {
        panic!("the request id is new");
    };
    assert_eq!(
        subject.queries.find(order.id()).await.unwrap(),
        Some(order.clone())
    );

    assert_eq!(subject.events_of(&order).await, 1, "the event is in the outbox");
    subject.outbox.clear(&[entry.key()]).await.unwrap();
    assert_eq!(subject.events_of(&order).await, 0, "the entry leads to its event");
    assert_eq!(subject.queries.find(order.id()).await.unwrap(), Some(order));
}

async fn a_request_places_one_order(subject: &Subject) {
    let (first, second, request) = (order(id(), 5), order(id(), 6), request());
    subject.place(&first, request).await;
    let again = Request {
        fingerprint: [8; 32],
        ..request
    };
    let Insert::Repeated(recorded) = subject.place(&second, again).await else {
        panic!("the request id was used");
    };
    let expected = Recorded {
        order: first,
        fingerprint: request.fingerprint,
    };
    assert_eq!(recorded, expected);
    assert_eq!(subject.queries.find(second.id()).await.unwrap(), None);
    assert_eq!(subject.events_of(&second).await, 0);
}

async fn of_placements_at_the_same_moment_one_is_stored(subject: &Subject) {
    let request = request();
    let orders: Vec<Order> = (0..16).map(|n| order(id(), n)).collect();
    let placements = orders.iter().map(|order| subject.place(order, request));
    let results = futures::future::join_all(placements).await;
    let mut winners = HashSet::new();
    for (order, result) in orders.iter().zip(&results) {
        winners.insert(match result {
            Insert::Stored(_) => order.id(),
            Insert::Repeated(first) => first.order.id(),
        });
    }
    assert_eq!(winners.len(), 1);
    let stored = results.iter().filter(|r| matches!(r, Insert::Stored(_))).count();
    assert_eq!(stored, 1);
}

async fn an_order_is_cancelled_once(subject: &Subject) {
    let placed = subject.placed(id(), 5).await;
    let (cancelled, request) = (cancelled(&placed), request());
    assert_eq!(subject.repository.cancelled_by(request.id).await.unwrap(), None);
    let Update::Stored(entry) = subject.cancel(&cancelled, request).await else {
        panic!("the order was placed");
    };
    let recorded = Recorded {
        order: cancelled.clone(),
        fingerprint: request.fingerprint,
    };
    assert_eq!(
        subject.repository.cancelled_by(request.id).await.unwrap(),
        Some(recorded)
    );
    assert_eq!(
        subject.queries.find(placed.id()).await.unwrap(),
        Some(cancelled.clone())
    );
    assert_eq!(subject.events_of(&placed).await, 2);
    subject.outbox.clear(&[entry.key()]).await.unwrap();
    assert_eq!(subject.events_of(&placed).await, 1);

    assert!(matches!(subject.cancel(&cancelled, request).await, Update::Moved));
    let other = self::request();
    assert!(matches!(subject.cancel(&cancelled, other).await, Update::Moved));
    assert_eq!(subject.events_of(&placed).await, 1);
}

async fn of_cancellations_at_the_same_moment_one_is_stored(subject: &Subject) {
    let placed = subject.placed(id(), 5).await;
    let cancelled = cancelled(&placed);
    let cancellations = (0..8).map(|_| subject.cancel(&cancelled, request()));
    let results = futures::future::join_all(cancellations).await;
    let stored = results.iter().filter(|r| matches!(r, Update::Stored(_))).count();
    assert_eq!(stored, 1);
    assert_eq!(subject.events_of(&placed).await, 2);
}

async fn a_request_cancels_one_order(subject: &Subject) {
    let (one, two) = (subject.placed(id(), 5).await, subject.placed(id(), 6).await);
    let request = request();
    subject.cancel(&cancelled(&one), request).await;
    let result = subject.cancel(&cancelled(&two), request).await;
    assert!(matches!(result, Update::RequestUsed));
    assert_eq!(subject.queries.find(two.id()).await.unwrap(), Some(two.clone()));
    assert_eq!(subject.events_of(&two).await, 1);
}

async fn of_orders_cancelled_by_one_request_at_the_same_moment_one_is(subject: &Subject) {
    let (user_id, request) = (id(), request());
    let mut orders = Vec::new();
    for millis in 0..8 {
        orders.push(cancelled(&subject.placed(user_id, millis).await));
    }
    let cancellations = orders.iter().map(|order| subject.cancel(order, request));
    let results = futures::future::join_all(cancellations).await;
    let stored = results.iter().filter(|r| matches!(r, Update::Stored(_))).count();
    assert_eq!(stored, 1);
    let kept = subject.queries.list(user_id, None, 8).await.unwrap();
    assert_eq!(kept.iter().filter(|order| order.version() == 2).count(), 1);
}

async fn pages_lead_through_a_users_orders_newest_first(subject: &Subject) {
    let (user_id, other) = (id(), id());
    let mut placed = Vec::new();
    // Several of one moment, so that the id has to tell them apart.
    for millis in [10, 20, 20, 20, 30] {
        placed.push(subject.placed(user_id, millis).await);
        subject.placed(other, millis).await;
    }
    placed.sort_by_key(|o| std::cmp::Reverse((o.create_time(), o.id())));

    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = subject.queries.list(user_id, after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(Position {
            create_time: last.create_time(),
            order_id: last.id(),
        });
        listed.extend(page);
    }
    assert_eq!(listed, placed);
    assert!(subject.queries.list(id(), None, 2).await.unwrap().is_empty());
}

async fn versions_are_told_of_the_orders_asked_for(subject: &Subject) {
    let (one, two) = (subject.placed(id(), 5).await, subject.placed(id(), 6).await);
    subject.cancel(&cancelled(&two), request()).await;
    let mut versions = subject
        .queries
        .versions(&[two.id(), one.id(), id()])
        .await
        .unwrap();
    versions.sort_unstable();
    assert_eq!(versions, [(one.id(), 1), (two.id(), 2)]);
    assert!(subject.queries.versions(&[]).await.unwrap().is_empty());
}
