//! A broker that takes everything and remembers it, and that has some messages for its first subscriber.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use waybill::{
    broker::{self, Acknowledgement, Batch, Broker, Deliveries},
    message::Message,
    publisher::{self, Publication, Publisher},
    topology::Subscription,
};

/// See the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder {
    published: Arc<Mutex<Vec<Message>>>,
    waiting: Arc<Mutex<Vec<Message>>>,
}

impl Recorder {
    /// A broker on which these messages wait.
    pub(crate) fn holding(messages: Vec<Message>) -> Self {
        Self {
            waiting: Arc::new(Mutex::new(messages)),
            ..Self::default()
        }
    }

    /// What was published so far.
    pub(crate) fn published(&self) -> Vec<Message> {
        self.published.lock().unwrap().clone()
    }
}

#[async_trait]
impl Publisher for Recorder {
    async fn publish(&self, publications: Vec<Publication>) -> Vec<Result<(), publisher::Error>> {
        let mut published = self.published.lock().unwrap();
        let publish = |publication: Publication| {
            published.push(publication.message);
            Ok(())
        };
        publications.into_iter().map(publish).collect()
    }
}

#[async_trait]
impl Broker for Recorder {
    async fn declare(&self, _subscription: &Subscription) -> Result<(), broker::Error> {
        Ok(())
    }

    async fn subscribe(&self, _subscription: &Subscription) -> Result<Box<dyn Deliveries>, broker::Error> {
        Ok(Box::new(self.clone()))
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(self.clone())
    }

    async fn check(&self) -> Result<(), broker::Error> {
        Ok(())
    }
}

#[async_trait]
impl Deliveries for Recorder {
    async fn next(&mut self, _max: usize) -> Result<Batch, broker::Error> {
        let messages = std::mem::take(&mut *self.waiting.lock().unwrap());
        if messages.is_empty() {
            return std::future::pending().await;
        }
        Ok(Batch {
            messages,
            acknowledgement: Box::new(Acknowledged),
        })
    }
}

struct Acknowledged;

#[async_trait]
impl Acknowledgement for Acknowledged {
    async fn ack(self: Box<Self>) -> Result<(), broker::Error> {
        Ok(())
    }
}
