use std::sync::Mutex;

use async_trait::async_trait;
use uuid::Uuid;

use super::*;
use crate::{
    clock::from_unix_millis,
    context::Context,
    contract::order::v1::OrderCreated,
    store::{Error, Result},
};

/// Keeps what it is given, in the writes it came in; refuses as often as it is told.
#[derive(Default)]
struct Memory {
    writes: Mutex<Vec<Vec<Attempt>>>,
    refusals: Mutex<Vec<Error>>,
}

#[async_trait]
impl Stories for Memory {
    async fn record(&self, attempts: &[Attempt]) -> Result<()> {
        if let Some(error) = self.refusals.lock().unwrap().pop() {
            return Err(error);
        }
        self.writes.lock().unwrap().push(attempts.to_vec());
        Ok(())
    }

    async fn of(&self, _: &str) -> Result<Vec<Attempt>> {
        Ok(self.writes.lock().unwrap().concat())
    }
}

fn tell(teller: &Teller, number: u32) {
    let event = OrderCreated {
        order_id: "o-1".into(),
        ..OrderCreated::default()
    };
    let mut context = Context::new("c");
    context.trace.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    let happened = from_unix_millis(1_000);
    let event = Envelope::new(Uuid::from_u128(1), happened, "waybill.test", &context, &event);
    let made = Made {
        consumer: "waybill.test",
        instance: "test-1",
        number,
        started: from_unix_millis(1_250),
        ended: from_unix_millis(1_500),
        span: &SpanContext::NONE,
    };
    teller.tell(&event, &made, Ending::Handled);
}

#[tokio::test(start_paused = true)]
async fn what_is_told_together_is_one_write_that_says_all_of_it() {
    let memory = Arc::new(Memory::default());
    let (teller, telling) = Teller::new(memory.clone());
    tell(&teller, 1);
    tell(&teller, 2);
    drop(teller);
    telling.run(CancellationToken::new()).await;
    let writes = memory.writes.lock().unwrap().clone();
    assert_eq!(writes.iter().map(Vec::len).collect::<Vec<_>>(), [2]);
    let expected = Attempt {
        event_id: Uuid::from_u128(1).to_string(),
        type_name: "waybill.order.v1.OrderCreated".into(),
        subject: "o-1".into(),
        event_time_ms: 1_000,
        consumer: "waybill.test".into(),
        instance: "test-1".into(),
        number: 1,
        start_time_ms: 1_250,
        end_time_ms: 1_500,
        ending: Ending::Handled,
        trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
    };
    assert_eq!(writes[0][0], expected);
}

#[tokio::test(start_paused = true)]
async fn what_was_told_before_the_end_is_written() {
    let memory = Arc::new(Memory::default());
    let (teller, telling) = Teller::new(memory.clone());
    for number in 0..1200 {
        tell(&teller, number);
    }
    let stop = CancellationToken::new();
    stop.cancel();
    telling.run(stop).await;
    assert_eq!(memory.of("o-1").await.unwrap().len(), 1200);
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_waits_for_nothing() {
    let memory = Arc::new(Memory::default());
    let (teller, telling) = Teller::new(memory.clone());
    (0..10_000).for_each(|number| tell(&teller, number));
    drop(teller);
    let started = tokio::time::Instant::now();
    telling.run(CancellationToken::new()).await;
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(memory.of("o-1").await.unwrap().len(), 10_000);
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_room_is_counted_and_holds_nobody_up() {
    let memory = Arc::new(Memory::default());
    let (teller, telling) = Teller::new(memory.clone());
    let count = u32::try_from(MAX_WAITING).unwrap() + 3;
    (0..count).for_each(|number| tell(&teller, number));
    assert_eq!(teller.untold.load(Ordering::Relaxed), 3);
    drop(teller);
    telling.run(CancellationToken::new()).await;
    assert_eq!(memory.of("o-1").await.unwrap().len(), MAX_WAITING);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_waited_for_and_one_that_refuses_is_not() {
    let away = || Error::Unavailable("told so".into());
    for (refusals, written) in [
        (vec![away(), away()], 1),
        (vec![Error::Failed("told so".into())], 0),
    ] {
        let memory = Arc::new(Memory::default());
        memory.refusals.lock().unwrap().extend(refusals);
        let (teller, telling) = Teller::new(memory.clone());
        tell(&teller, 1);
        drop(teller);
        telling.run(CancellationToken::new()).await;
        assert_eq!(memory.of("o-1").await.unwrap().len(), written);
    }
}
