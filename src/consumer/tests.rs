use std::{sync::Mutex, time::Duration};

use async_trait::async_trait;
use tokio::time::Instant;

use super::*;
use crate::{broker::Acknowledgement, clock::SystemClock, envelope::Envelope, handler, pace::ROUND};

/// A broker that takes everything; nothing is ever received from it.
struct Silent;

#[async_trait]
impl Broker for Silent {
    async fn declare(&self, _: &Subscription) -> Result<(), broker::Error> {
        Ok(())
    }

    async fn subscribe(&self, _: &Subscription) -> Result<Box<dyn Deliveries>, broker::Error> {
        std::future::pending().await
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(Self)
    }

    async fn check(&self) -> Result<(), broker::Error> {
        Ok(())
    }
}

#[async_trait]
impl Publisher for Silent {
    async fn publish(&self, batch: Vec<Publication>) -> Vec<Result<(), publisher::Error>> {
        vec![Ok(()); batch.len()]
    }
}

#[async_trait]
impl Handler for Silent {
    async fn handle(&self, _: &[Envelope]) -> Result<Vec<Outcome>, handler::Error> {
        unreachable!("no message is an event")
    }
}

#[async_trait]
impl Acknowledgement for Silent {
    async fn ack(self: Box<Self>) -> Result<(), broker::Error> {
        Ok(())
    }
}

/// Batches of so many messages, each there when it is asked for, and when that was.
struct Ready {
    sizes: Vec<usize>,
    asked: Arc<Mutex<Vec<Instant>>>,
}

#[async_trait]
impl Deliveries for Ready {
    async fn next(&mut self, _: usize) -> Result<Batch, broker::Error> {
        self.asked.lock().unwrap().push(Instant::now());
        let Some(size) = self.sizes.pop() else {
            return std::future::pending().await;
        };
        Ok(Batch {
            messages: vec![Message::default(); size],
            acknowledgement: Box::new(Silent),
        })
    }
}

#[tokio::test(start_paused = true)]
async fn small_batches_keep_a_rhythm_and_large_ones_follow_at_once() {
    let subscription = Subscription::new("q").prefetching(10);
    let consumer = Consumer::new(
        Arc::new(Silent),
        subscription,
        Arc::new(Silent),
        Arc::new(SystemClock),
        "i",
    );
    let asked = Arc::new(Mutex::new(Vec::new()));
    let mut deliveries = Ready {
        sizes: vec![1, 5, 4],
        asked: Arc::clone(&asked),
    };
    let stop = CancellationToken::new();
    let stopping = async {
        tokio::time::sleep(ROUND * 5).await;
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(consumer.consume(&mut deliveries, &stop), stopping);
    ended.unwrap();
    let asked = asked.lock().unwrap();
    let waits: Vec<_> = asked.windows(2).map(|two| two[1] - two[0]).collect();
    assert_eq!(waits, [ROUND, Duration::ZERO, ROUND]);
}
