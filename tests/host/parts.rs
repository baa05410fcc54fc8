//! A broker and an outbox that do as they are told, and note what was asked of them.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use waybill::{
    broker::{Broker, Deliveries, Error},
    outbox::{Backlog, Entry, Key, Outbox},
    publisher::{self, Publication, Publisher},
    store,
    topology::Subscription,
};

/// Parts that share what they are told and what they note.
#[derive(Clone, Default)]
pub(crate) struct Scripted {
    /// Whether the broker can be reached.
    pub(crate) is_up: Arc<AtomicBool>,
    /// Whether its queues contradict ours.
    pub(crate) contradicts: Arc<AtomicBool>,
    /// When the oldest event in the outbox was stored.
    pub(crate) oldest: Arc<Mutex<Option<SystemTime>>>,
    /// What happened, in order.
    pub(crate) happened: Arc<Mutex<Vec<&'static str>>>,
}

impl Scripted {
    fn note(&self, what: &'static str) {
        self.happened.lock().unwrap().push(what);
    }

    fn answer(&self) -> Result<(), Error> {
        if self.is_up.load(Ordering::SeqCst) {
            Ok(())
        } else {
            Err(Error::Unavailable("told so".to_owned()))
        }
    }
}

#[async_trait]
impl Broker for Scripted {
    async fn declare(&self, subscription: &Subscription) -> Result<(), Error> {
        self.answer().inspect_err(|_| self.note("cannot declare"))?;
        if self.contradicts.load(Ordering::SeqCst) {
            return Err(Error::Mismatch {
                name: subscription.queue.clone(),
                detail: "told so".to_owned(),
            });
        }
        self.note("declared");
        Ok(())
    }

    async fn subscribe(&self, _: &Subscription) -> Result<Box<dyn Deliveries>, Error> {
        std::future::pending().await
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(self.clone())
    }

    async fn check(&self) -> Result<(), Error> {
        self.answer()
    }
}

#[async_trait]
impl Publisher for Scripted {
    async fn publish(&self, batch: Vec<Publication>) -> Vec<Result<(), publisher::Error>> {
        self.note("published");
        batch.iter().map(|_| Ok(())).collect()
    }
}

#[async_trait]
impl Outbox for Scripted {
    async fn pending(&self, _: SystemTime, _: usize) -> store::Result<Vec<Entry>> {
        Ok(Vec::new())
    }

    async fn clear(&self, _: &[Key]) -> store::Result<()> {
        self.note("cleared");
        Ok(())
    }

    async fn backlog(&self) -> store::Result<Backlog> {
        let oldest = *self.oldest.lock().unwrap();
        Ok(Backlog {
            depth: u64::from(oldest.is_some()),
            oldest,
        })
    }

    async fn try_lead(&self, _: &str, _: SystemTime, _: Duration) -> store::Result<bool> {
        Ok(true)
    }
}
