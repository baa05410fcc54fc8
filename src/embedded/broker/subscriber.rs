//! One subscriber of a queue: claims a batch, has it acknowledged, hands back what was not.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::BoxFuture;
use tokio::sync::Notify;

use super::{Inner, LEASE, claims, unavailable};
use crate::{
    broker::{Acknowledgement, Batch, Deliveries, Error},
    message::Message,
};

/// How often an idle subscriber looks for what other processes have published. What this process
/// publishes wakes it at once.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

pub(super) struct Subscriber {
    broker: Arc<Inner>,
    queue: i64,
    prefetch: usize,
    /// Woken when there may be something new in the queue.
    news: Arc<Notify>,
    /// A claim under way, kept here so that cancelling `next` does not lose it.
    claiming: Option<BoxFuture<'static, Result<Vec<Message>, Error>>>,
    /// The latest batch.
    batch: i64,
}

impl Subscriber {
    pub(super) fn new(broker: Arc<Inner>, queue: i64, prefetch: u16) -> Self {
        Self {
            news: broker.news_of(queue),
            broker,
            queue,
            prefetch: usize::from(prefetch.max(1)),
            claiming: None,
            batch: 0,
        }
    }

    /// Claims what is there, at most `max`.
    async fn claim(&mut self, max: usize) -> Result<Vec<Message>, Error> {
        if self.claiming.is_none() {
            self.broker.hand_back(self.batch);
            self.batch = fastrand::i64(1..);
            let broker = Arc::clone(&self.broker);
            let max = max.clamp(1, self.prefetch);
            self.claiming = Some(Box::pin(claimed(broker, self.queue, self.batch, max)));
        }
        let claiming = self.claiming.as_mut().expect("just set");
        let result = claiming.await;
        self.claiming = None;
        result
    }
}

async fn claimed(broker: Arc<Inner>, queue: i64, batch: i64, max: usize) -> Result<Vec<Message>, Error> {
    let until = broker.now_ms() + super::super::duration_millis(LEASE);
    let claimed = broker
        .database
        .write_repeatable(move |c| claims::claim(c, queue, batch, max, until))
        .await
        .map_err(unavailable)?;
    if claimed == 0 {
        return Ok(Vec::new());
    }
    broker.held().insert(batch);
    broker
        .database
        .read(move |c| claims::messages(c, batch))
        .await
        .map_err(unavailable)
}

#[async_trait]
impl Deliveries for Subscriber {
    async fn next(&mut self, max: usize) -> Result<Batch, Error> {
        let news = Arc::clone(&self.news);
        loop {
            // Listening starts before looking, so that nothing published in between is missed.
            let mut woken = std::pin::pin!(news.notified());
            woken.as_mut().enable();
            let messages = self.claim(max).await?;
            if messages.len() > max {
                // A cancelled call had asked for more: they are handed back, and claimed anew.
                continue;
            }
            if !messages.is_empty() {
                let acknowledgement = Box::new(Claimed {
                    broker: Arc::clone(&self.broker),
                    queue: self.queue,
                    batch: self.batch,
                });
                return Ok(Batch {
                    messages,
                    acknowledgement,
                });
            }
            // Either way the next thing to do is to look.
            let _ = tokio::time::timeout(POLL_INTERVAL, woken).await;
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        if self.claiming.take().is_some() {
            // The claim may be on its way to the writer; handing it back is queued behind it.
            self.broker.held().insert(self.batch);
        }
        self.broker.hand_back(self.batch);
    }
}

/// The claim on a batch.
struct Claimed {
    broker: Arc<Inner>,
    queue: i64,
    batch: i64,
}

#[async_trait]
impl Acknowledgement for Claimed {
    async fn ack(self: Box<Self>) -> Result<(), Error> {
        let (queue, batch) = (self.queue, self.batch);
        let ours = self
            .broker
            .database
            .write_repeatable(move |c| claims::acknowledge(c, queue, batch))
            .await
            .map_err(unavailable)?;
        self.broker.held().remove(&batch);
        if ours {
            Ok(())
        } else {
            Err(Error::Unavailable(
                "the batch took too long and was handed out again".to_owned(),
            ))
        }
    }
}
