//! What becomes of a message that cannot be handled: a consumer on the broker.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use waybill::{
    broker::Broker,
    clock::{ManualClock, from_unix_millis},
    consumer::Consumer,
    contract::{Event, order::v1::OrderCreated},
    dead_letter,
    envelope::Envelope,
    failure::{Failure, Outcome},
    handler::{Error, Handler},
    message::{HeaderValue, Message},
    publisher::Destination,
    topology::EVENTS_EXCHANGE,
};

use super::fixture::{
    QUEUE, SOON, Spy, created, ids, nothing_is_left, publish, send, subscribed_to, subscription, take,
    take_one,
};
use crate::wait;

/// What a handler does with a batch.
type Script = dyn Fn(&[Envelope]) -> Result<Vec<Outcome>, Error> + Send + Sync;

/// Handles as its script says, and remembers the subjects that went well.
struct Scripted {
    script: Box<Script>,
    clock: Arc<ManualClock>,
    handled: Mutex<Vec<String>>,
}

#[async_trait]
impl Handler for Scripted {
    async fn handle(&self, batch: &[Envelope]) -> Result<Vec<Outcome>, Error> {
        self.clock.advance(Duration::from_secs(1));
        let outcomes = (self.script)(batch)?;
        let mut handled = self.handled.lock().expect("no holder panics");
        for (envelope, outcome) in batch.iter().zip(&outcomes) {
            if outcome.is_ok() {
                handled.push(envelope.subject.clone());
            }
        }
        Ok(outcomes)
    }
}

/// A consumer at work.
struct Running {
    handler: Arc<Scripted>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), waybill::broker::Error>>,
}

impl Running {
    fn on(
        broker: &Arc<dyn Broker>,
        script: impl Fn(&[Envelope]) -> Result<Vec<Outcome>, Error> + Send + Sync + 'static,
    ) -> Self {
        let clock = Arc::new(ManualClock::new(from_unix_millis(0)));
        let handler = Arc::new(Scripted {
            script: Box::new(script),
            clock: Arc::clone(&clock),
            handled: Mutex::default(),
        });
        let stop = CancellationToken::new();
        let consumer = Consumer::new(
            Arc::clone(broker),
            subscription(),
            Arc::clone(&handler) as Arc<dyn Handler>,
            clock,
            "an-instance",
        );
        let task = tokio::spawn(consumer.run(stop.clone()));
        Self { handler, stop, task }
    }

    async fn until_handled(&self, subjects: &[&str]) {
        let what = format!("{subjects:?} handled");
        wait::until(&what, async || {
            let handled = self.handler.handled.lock().expect("no holder panics");
            (*handled == subjects).then_some(())
        })
        .await;
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task
            .await
            .expect("it does not panic")
            .expect("the topology fits");
    }
}

/// Fails those that `fails` gives a failure.
fn each(
    fails: impl Fn(&Envelope) -> Option<Failure> + Send + Sync + 'static,
) -> impl Fn(&[Envelope]) -> Result<Vec<Outcome>, Error> + Send + Sync + 'static {
    move |batch| {
        Ok(batch
            .iter()
            .map(|envelope| fails(envelope).map_or(Ok(()), Err))
            .collect())
    }
}

fn is_about(subject: &str, envelope: &Envelope) -> bool {
    envelope.subject == subject
}

/// Insists that `dead` is `original` with nothing lost, and says of its failure what is expected.
fn is_dead_letter_of(original: &Message, dead: &Message, expected: &[(&str, &str)], attempts: i64) {
    assert_eq!(
        (&dead.properties, &dead.body),
        (&original.properties, &original.body)
    );
    for (name, value) in &original.headers {
        assert_eq!(dead.headers.get(name), Some(value), "{name}");
    }
    let always = [
        (dead_letter::FAILED_CONSUMER, QUEUE),
        (dead_letter::FAILED_INSTANCE, "an-instance"),
        (dead_letter::ORIGINAL_EXCHANGE, EVENTS_EXCHANGE),
        (dead_letter::ORIGINAL_ROUTING_KEY, original.routing_key.as_str()),
    ];
    for (name, text) in always.iter().chain(expected) {
        assert_eq!(dead.header(name), Some(*text), "{name}");
    }
    assert!(dead.header(dead_letter::FAILED_VERSION).is_some());
    assert_eq!(
        dead.headers.get(dead_letter::ATTEMPTS),
        Some(&HeaderValue::Integer(attempts))
    );
}

/// A permanent failure is not tried again, and the queue goes on.
pub async fn a_permanent_failure_is_dead_lettered_at_once(broker: Arc<dyn Broker>) {
    broker.declare(&subscription()).await.unwrap();
    let bad = created("bad").into_message();
    publish(broker.as_ref(), [bad.clone(), created("good").into_message()]).await;
    let running = Running::on(
        &broker,
        each(|event| is_about("bad", event).then(|| Failure::permanent("BAD", "it is bad"))),
    );
    running.until_handled(&["good"]).await;
    let dead = take_one(broker.as_ref(), &subscription().dead_letter_queue()).await;
    let first = dead
        .header(dead_letter::FIRST_FAILURE_TIME)
        .expect("when it failed");
    let expected = [
        (dead_letter::FAILURE_CLASS, "permanent"),
        (dead_letter::FAILURE_REASON, "BAD"),
        (dead_letter::FAILURE_MESSAGE, "it is bad"),
        (dead_letter::LAST_FAILURE_TIME, first),
    ];
    is_dead_letter_of(&bad, &dead, &expected, 1);
    running.stop().await;
}

/// A body that is no protobuf, an unknown type and a missing header are permanent failures.
pub async fn what_is_no_event_is_dead_lettered_at_once(broker: Arc<dyn Broker>) {
    broker.declare(&subscription()).await.unwrap();
    let mut garbled = created("garbled");
    garbled.body = Bytes::from_static(b"\xff\xff");
    let mut unknown = created("unknown");
    unknown.type_name = "some.where.Else".into();
    let mut headless = created("headless").into_message();
    headless.headers.remove("cloudEvents_source");
    let bare = Message {
        routing_key: OrderCreated::ROUTING_KEY.into(),
        ..Message::default()
    };
    let bad = [garbled.into_message(), unknown.into_message(), headless, bare];
    publish(broker.as_ref(), bad.clone()).await;
    publish(broker.as_ref(), [created("good").into_message()]).await;
    let running = Running::on(&broker, each(|event| event.decode::<OrderCreated>().err()));
    running.until_handled(&["good"]).await;
    let mut dead_letters = subscribed_to(broker.as_ref(), &subscription().dead_letter_queue()).await;
    let mut dead = take(dead_letters.as_mut(), 4).await;
    let reasons = [
        "INVALID_BODY",
        "UNKNOWN_TYPE",
        "INVALID_ENVELOPE",
        "INVALID_ENVELOPE",
    ];
    for (original, reason) in bad.iter().zip(reasons) {
        let same = |dead: &Message| ids(std::slice::from_ref(dead)) == ids(std::slice::from_ref(original));
        let found = dead.remove(dead.iter().position(same).expect("each is there once"));
        is_dead_letter_of(original, &found, &[(dead_letter::FAILURE_REASON, reason)], 1);
    }
    running.stop().await;
}

/// A transient failure waits longer each time, and ends as a dead letter that tells the whole story.
pub async fn a_transient_failure_is_retried_later_each_time_and_then_dead_lettered(broker: Arc<dyn Broker>) {
    let spy = Spy::on(&broker);
    let watched = Arc::clone(&spy) as Arc<dyn Broker>;
    broker.declare(&subscription()).await.unwrap();
    let running = Running::on(&watched, each(|_| Some(Failure::transient("AWAY", "it is away"))));
    let message = created("o-1").into_message();
    publish(broker.as_ref(), [message.clone()]).await;
    let dead = take_one(broker.as_ref(), &subscription().dead_letter_queue()).await;
    // The clock moves on a second with every attempt, and stands still while a message waits.
    let expected = [
        (dead_letter::FAILURE_CLASS, "transient"),
        (dead_letter::FAILURE_REASON, "AWAY"),
        (dead_letter::FIRST_FAILURE_TIME, "1970-01-01T00:00:01.000Z"),
        (dead_letter::LAST_FAILURE_TIME, "1970-01-01T00:00:04.000Z"),
    ];
    is_dead_letter_of(&message, &dead, &expected, 4);
    let steps = [1, 2, 3].map(|attempt| {
        let lanes = (0..3).filter_map(move |random| SOON.delay_after(attempt, random));
        lanes
            .map(|delay| subscription().wait_queue(delay))
            .collect::<Vec<_>>()
    });
    let seen = spy.seen();
    assert_eq!(seen.len(), 4, "{seen:?}");
    for (destination, step) in seen.iter().zip(&steps) {
        assert!(
            matches!(destination, Destination::Queue(queue) if step.contains(queue)),
            "{seen:?}"
        );
    }
    assert_eq!(seen[3], Destination::Queue(subscription().dead_letter_queue()));
    running.stop().await;
}

/// A message with which every batch fails leaves its neighbours alone.
pub async fn a_message_that_fails_its_batch_fails_alone(broker: Arc<dyn Broker>) {
    broker.declare(&subscription()).await.unwrap();
    let orders = ["a", "b", "bad", "c", "d"];
    publish(broker.as_ref(), orders.map(|order| created(order).into_message())).await;
    let running = Running::on(&broker, |batch| {
        if batch.iter().any(|event| is_about("bad", event)) {
            return Err(Error::Failed(Failure::permanent("BAD", "it is bad")));
        }
        Ok(batch.iter().map(|_| Ok(())).collect())
    });
    running.until_handled(&["a", "b", "c", "d"]).await;
    let dead = take_one(broker.as_ref(), &subscription().dead_letter_queue()).await;
    assert_eq!(dead.header("cloudEvents_subject"), Some("bad"));
    running.stop().await;
}

/// While its handler is unavailable a consumer waits: nothing is retried and nothing is given up.
pub async fn an_outage_of_the_handler_counts_no_attempt(broker: Arc<dyn Broker>) {
    let spy = Spy::on(&broker);
    let watched = Arc::clone(&spy) as Arc<dyn Broker>;
    broker.declare(&subscription()).await.unwrap();
    let calls = Mutex::new(0);
    let running = Running::on(&watched, move |batch| {
        let mut calls = calls.lock().expect("no holder panics");
        *calls += 1;
        if *calls <= 5 {
            return Err(Error::Unavailable("the database is down".into()));
        }
        Ok(batch.iter().map(|_| Ok(())).collect())
    });
    publish(broker.as_ref(), [created("o-1").into_message()]).await;
    running.until_handled(&["o-1"]).await;
    assert_eq!(spy.seen(), []);
    running.stop().await;
    let mut deliveries = subscribed_to(broker.as_ref(), QUEUE).await;
    nothing_is_left(broker.as_ref(), QUEUE, deliveries.as_mut()).await;
    let dead = Destination::Queue(subscription().dead_letter_queue());
    send(broker.as_ref(), &dead, [created("first").into_message()]).await;
    let first = take_one(broker.as_ref(), &subscription().dead_letter_queue()).await;
    assert_eq!(first.header("cloudEvents_subject"), Some("first"));
}
