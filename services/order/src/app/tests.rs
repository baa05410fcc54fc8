use std::{
    pin::pin,
    time::{Duration, UNIX_EPOCH},
};

use futures::{FutureExt, StreamExt};
use uuid::Uuid;
use waybill::{
    clock::{ManualClock, UuidV7Generator},
    context::Context,
    contract::order::v1::{OrderCancelled, OrderCreated},
    envelope::Envelope,
};

use super::*;
use crate::{
    adapters::{
        events::ContractEvents,
        memory::{InMemoryOffers, InMemoryOrders},
    },
    domain::{ItemDraft, NewOrder, Order, OrderDraft, PriceDraft, Reason, State},
    ports::Request,
};

/// One instance of the service, and what the test holds of it.
struct Instance {
    orders: Orders,
    offers: Arc<InMemoryOffers>,
    clock: Arc<ManualClock>,
    stop: CancellationToken,
}

impl Instance {
    fn new() -> Self {
        Self::on(Arc::default())
    }

    fn on(store: Arc<InMemoryOrders>) -> Self {
        let ids: Arc<dyn IdGenerator> = Arc::new(UuidV7Generator::default());
        let offers = Arc::new(InMemoryOffers::default());
        let clock = Arc::new(ManualClock::new(UNIX_EPOCH + Duration::from_nanos(1_000_000_007)));
        let stop = CancellationToken::new();
        let parts = Parts {
            repository: store.clone(),
            queries: store,
            events: Arc::new(ContractEvents::new(Arc::clone(&ids))),
            offers: offers.clone(),
            clock: clock.clone(),
            ids,
        };
        Self {
            orders: Orders::new(parts, stop.clone()),
            offers,
            clock,
            stop,
        }
    }

    async fn place(&self, request: Request) -> Result<Order, Error> {
        self.orders
            .place_order(new_order(), request, &Context::new("c-1"))
            .await
    }

    async fn cancel(&self, order_id: Uuid, request: Request) -> Result<Order, Error> {
        let reason = Reason::parse("late".into()).unwrap();
        self.orders
            .cancel_order(order_id, reason, request, &Context::new("c-2"))
            .await
    }

    fn offered(&self) -> Vec<Envelope> {
        let entries = self.offers.0.lock().unwrap();
        let envelope = |entry: &waybill::outbox::Entry| Envelope::from_message(&entry.message).unwrap();
        entries.iter().map(envelope).collect()
    }
}

fn new_order() -> NewOrder {
    let item = ItemDraft {
        product_id: "p".into(),
        quantity: 2,
        unit_price: Some(PriceDraft {
            currency_code: "EUR".into(),
            units: 1,
            nanos: 500_000_000,
        }),
    };
    let draft = OrderDraft {
        user_id: Uuid::from_u128(9).to_string(),
        items: vec![item],
    };
    draft.validate().unwrap()
}

fn request(id: u128) -> Request {
    Request {
        id: Uuid::from_u128(id),
        fingerprint: [1; 32],
    }
}

fn with_other_body(request: Request) -> Request {
    Request {
        fingerprint: [2; 32],
        ..request
    }
}

#[tokio::test]
async fn a_placed_order_is_shown_and_its_event_offered() {
    let instance = Instance::new();
    let order = instance.place(request(1)).await.unwrap();
    assert_eq!(
        order.create_time(),
        UNIX_EPOCH + Duration::from_secs(1),
        "stores keep milliseconds"
    );
    assert_eq!(instance.orders.get_order(order.id()).await.unwrap(), order);

    let [envelope] = &instance.offered()[..] else {
        panic!("one event");
    };
    assert_eq!(envelope.source, "waybill.order");
    assert_eq!(envelope.subject, order.id().to_string());
    assert_eq!(envelope.context.correlation_id, "c-1");
    let event: OrderCreated = envelope.decode().unwrap();
    assert_eq!((event.version, event.total_amount.unwrap().units), (1, 3));
}

#[tokio::test]
async fn a_repeated_placement_gets_the_first_answer_also_after_a_cancellation() {
    let instance = Instance::new();
    let first = instance.place(request(1)).await.unwrap();
    instance.clock.advance(Duration::from_secs(5));
    assert_eq!(instance.place(request(1)).await.unwrap(), first);
    instance.cancel(first.id(), request(2)).await.unwrap();
    assert_eq!(instance.place(request(1)).await.unwrap(), first);

    let reused = instance.place(with_other_body(request(1))).await;
    assert!(matches!(reused, Err(Error::RequestIdReused)));
    assert_eq!(instance.offered().len(), 2, "no repeat makes an event");
}

#[tokio::test]
async fn a_cancelled_order_says_so_and_its_event_repeats_what_it_held() {
    let instance = Instance::new();
    let placed = instance.place(request(1)).await.unwrap();
    instance.clock.advance(Duration::from_secs(5));
    let cancelled = instance.cancel(placed.id(), request(2)).await.unwrap();
    assert_eq!((cancelled.version(), cancelled.state()), (2, State::Cancelled));
    assert_eq!(cancelled.update_time(), UNIX_EPOCH + Duration::from_secs(6));

    let event: OrderCancelled = instance.offered()[1].decode().unwrap();
    assert_eq!(
        (event.version, event.reason.as_str(), event.items.len()),
        (2, "late", 1)
    );
    assert_eq!(event.cancel_time.unwrap().seconds, 6);
}

#[tokio::test]
async fn a_cancellation_is_repeated_refused_or_recognised_as_another() {
    let instance = Instance::new();
    let one = instance.place(request(1)).await.unwrap();
    let two = instance.place(request(2)).await.unwrap();
    let first = instance.cancel(one.id(), request(3)).await.unwrap();
    instance.clock.advance(Duration::from_secs(5));

    assert_eq!(instance.cancel(one.id(), request(3)).await.unwrap(), first);
    let other_body = with_other_body(request(3));
    for order_id in [one.id(), two.id(), Uuid::from_u128(404)] {
        let reused = instance.cancel(order_id, other_body).await;
        assert!(matches!(reused, Err(Error::RequestIdReused)), "{reused:?}");
    }
    let again = instance.cancel(one.id(), request(4)).await;
    assert!(matches!(again, Err(Error::AlreadyCancelled(id)) if id == one.id()));
    let unknown = instance.cancel(Uuid::from_u128(404), request(5)).await;
    assert!(matches!(unknown, Err(Error::NotFound(id)) if id == Uuid::from_u128(404)));
    assert_eq!(instance.orders.get_order(two.id()).await.unwrap(), two);
}

#[tokio::test]
async fn a_watcher_sees_every_version_once_and_in_order() {
    let instance = Instance::new();
    let placed = instance.place(request(1)).await.unwrap();
    let mut all = pin!(instance.orders.watch_order(placed.id(), 0).await.unwrap());
    let mut later = pin!(instance.orders.watch_order(placed.id(), 1).await.unwrap());
    let mut future = pin!(instance.orders.watch_order(placed.id(), 2).await.unwrap());
    assert_eq!(all.next().await.unwrap().unwrap(), placed);
    assert!(all.next().now_or_never().is_none());
    assert!(later.next().now_or_never().is_none());

    let cancelled = instance.cancel(placed.id(), request(2)).await.unwrap();
    assert_eq!(all.next().await.unwrap().unwrap(), cancelled);
    assert_eq!(later.next().await.unwrap().unwrap(), cancelled);
    for stream in [&mut all.boxed_local(), &mut later.boxed_local()] {
        assert!(stream.next().now_or_never().is_none());
    }
    assert!(future.next().now_or_never().is_none(), "it waits for version 3");
}

#[tokio::test]
async fn a_slow_watcher_still_sees_what_it_had_not_asked_for() {
    let instance = Instance::new();
    let placed = instance.place(request(1)).await.unwrap();
    let stream = instance.orders.watch_order(placed.id(), 0).await.unwrap();
    let cancelled = instance.cancel(placed.id(), request(2)).await.unwrap();
    let versions: Vec<_> = stream.take(2).map(Result::unwrap).collect().await;
    assert_eq!(versions, [placed, cancelled]);
}

#[tokio::test(start_paused = true)]
async fn a_change_made_by_another_instance_is_seen() {
    let store = Arc::new(InMemoryOrders::default());
    let (here, there) = (Instance::on(store.clone()), Instance::on(store));
    let looking = tokio::spawn(here.orders.watchers().run(here.stop.clone()));

    let placed = there.place(request(1)).await.unwrap();
    let mut stream = pin!(here.orders.watch_order(placed.id(), 1).await.unwrap());
    let cancelled = there.cancel(placed.id(), request(2)).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), cancelled);

    here.stop.cancel();
    assert!(matches!(stream.next().await.unwrap(), Err(Error::Stopping)));
    assert!(stream.next().await.is_none());
    looking.await.unwrap();
}

#[tokio::test]
async fn watchers_are_limited_and_leave_room_when_they_go() {
    let instance = Instance::new();
    let placed = instance.place(request(1)).await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..MAX_WATCHERS {
        streams.push(instance.orders.watch_order(placed.id(), 0).await.unwrap());
    }
    let refused = instance.orders.watch_order(placed.id(), 0).await.err();
    assert!(matches!(refused, Some(Error::TooManyWatchers)));
    streams.pop();
    assert!(instance.orders.watch_order(placed.id(), 0).await.is_ok());
}

#[tokio::test]
async fn an_unknown_order_cannot_be_shown_or_watched() {
    let instance = Instance::new();
    let unknown = Uuid::from_u128(404);
    assert!(matches!(
        instance.orders.get_order(unknown).await,
        Err(Error::NotFound(_))
    ));
    let refused = instance.orders.watch_order(unknown, 0).await.err();
    assert!(matches!(refused, Some(Error::NotFound(_))));
}
