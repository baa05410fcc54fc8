//! A broker that is watched: what passes through it is measured, and what is published has spans.

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;

use super::{
    metrics::broker::{InFlight, Publishing, Receiving, Sending},
    trace,
};
use crate::{
    broker::{Acknowledgement, Batch, Broker, Deliveries, Endpoint, Error},
    publisher::{self, Publication, Publisher},
    topology::Subscription,
};

/// Does what another broker does, and records it.
pub struct ObservedBroker {
    inner: Arc<dyn Broker>,
    publisher: Arc<dyn Publisher>,
    endpoint: Endpoint,
}

impl ObservedBroker {
    /// Watches `inner`.
    pub fn new(inner: Arc<dyn Broker>) -> Self {
        let endpoint = inner.endpoint();
        let publisher = ObservedPublisher {
            inner: inner.publisher(),
            publishing: Publishing::to(endpoint.system),
            endpoint: endpoint.clone(),
        };
        Self {
            inner,
            publisher: Arc::new(publisher),
            endpoint,
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
        let receiving = Receiving::from(self.endpoint.system, subscription);
        Ok(Box::new(ObservedDeliveries { inner, receiving }))
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::clone(&self.publisher)
    }

    async fn check(&self) -> Result<(), Error> {
        self.inner.check().await
    }

    fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }
}

struct ObservedPublisher {
    inner: Arc<dyn Publisher>,
    publishing: Publishing,
    endpoint: Endpoint,
}

#[async_trait]
impl Publisher for ObservedPublisher {
    async fn publish(&self, mut batch: Vec<Publication>) -> Vec<Result<(), publisher::Error>> {
        let started = Instant::now();
        let spans: Vec<_> = batch
            .iter_mut()
            .map(|publication| trace::messaging::publish(&self.endpoint, publication))
            .collect();
        let sending: Vec<_> = batch.iter().map(Sending::from).collect();
        let results = self.inner.publish(batch).await;
        self.publishing.published(&sending, &results, started.elapsed());
        for (span, result) in spans.into_iter().zip(&results) {
            span.end(result.as_ref().err().map(publisher::Error::kind));
        }
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
