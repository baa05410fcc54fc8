//! A broker that is watched: what passes through it is measured.

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;

use super::metrics::broker::{InFlight, Publishing, Receiving, Sending};
use crate::{
    broker::{Acknowledgement, Batch, Broker, Deliveries, Error},
    publisher::{self, Publication, Publisher},
    topology::Subscription,
};

/// Does what another broker does, and records it.
pub struct ObservedBroker {
    inner: Arc<dyn Broker>,
    publisher: Arc<dyn Publisher>,
    system: &'static str,
}

impl ObservedBroker {
    /// Watches `inner`. `system` is its kind, as the semantic conventions name it: `rabbitmq`.
    pub fn new(inner: Arc<dyn Broker>, system: &'static str) -> Self {
        let publisher = ObservedPublisher {
            inner: inner.publisher(),
            publishing: Publishing::to(system),
        };
        Self {
            inner,
            publisher: Arc::new(publisher),
            system,
        }
    }
}

#[async_trait]
impl Broker for ObservedBroker {
    async fn declare(&self, subscription: &Subscription) -> Result<(), Error> {
        self.inner.declare(subscription).await
    }

    async fn subscribe(&self, subscription: &Subscription) -> Result<Box<dyn Deliveries>, Error> {
        let inner = self.inner.subscribe(subscription).await?;
        let receiving = Receiving::from(self.system, subscription);
        Ok(Box::new(ObservedDeliveries { inner, receiving }))
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::clone(&self.publisher)
    }

    async fn check(&self) -> Result<(), Error> {
        self.inner.check().await
    }
}

struct ObservedPublisher {
    inner: Arc<dyn Publisher>,
    publishing: Publishing,
}

#[async_trait]
impl Publisher for ObservedPublisher {
    async fn publish(&self, batch: Vec<Publication>) -> Vec<Result<(), publisher::Error>> {
        let started = Instant::now();
        let sending: Vec<_> = batch.iter().map(Sending::from).collect();
        let results = self.inner.publish(batch).await;
        self.publishing.published(&sending, &results, started.elapsed());
        results
    }
}

struct ObservedDeliveries {
    inner: Box<dyn Deliveries>,
    receiving: Receiving,
}

#[async_trait]
impl Deliveries for ObservedDeliveries {
    async fn next(&mut self, max: usize) -> Result<Batch, Error> {
        let Batch {
            messages,
            acknowledgement,
        } = self.inner.next(max).await?;
        let in_flight = self.receiving.received(&messages);
        let acknowledgement = Box::new(ObservedAcknowledgement {
            inner: acknowledgement,
            in_flight,
        });
        Ok(Batch {
            messages,
            acknowledgement,
        })
    }
}

struct ObservedAcknowledgement {
    inner: Box<dyn Acknowledgement>,
    in_flight: InFlight,
}

#[async_trait]
impl Acknowledgement for ObservedAcknowledgement {
    async fn ack(self: Box<Self>) -> Result<(), Error> {
        let started = Instant::now();
        let result = self.inner.ack().await;
        self.in_flight.acknowledged(result.is_ok(), started.elapsed());
        result
    }
}
