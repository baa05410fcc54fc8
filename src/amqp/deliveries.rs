//! Receives from one queue on a channel of its own.

use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use lapin::{
    Channel, Consumer,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::{DeliveryTag, FieldTable},
};

use super::{error::unavailable, message};
use crate::{
    broker::{Acknowledgement, Batch, Deliveries, Error},
    topology::Subscription,
};

/// One consumer on one channel. Dropping it, and what acknowledges its batches, closes the channel, and with
/// that the broker takes back what was not acknowledged.
pub(super) struct AmqpDeliveries {
    channel: Channel,
    deliveries: Consumer,
    /// Messages in one batch: half of what the broker sends ahead, so that the next are there when these are
    /// handled.
    most: usize,
    /// Why no more will come, once that is known.
    ended: Option<Error>,
}

impl AmqpDeliveries {
    /// Starts to consume on `channel`, which must be new.
    pub(super) async fn start(channel: Channel, subscription: &Subscription) -> Result<Self, Error> {
        let qos = BasicQosOptions::default();
        let prefetched = channel.basic_qos(subscription.prefetch, qos).await;
        prefetched.map_err(unavailable)?;
        let (queue, server_names_it) = (subscription.queue.as_str().into(), "".into());
        let options = BasicConsumeOptions::default();
        let consuming = channel.basic_consume(queue, server_names_it, options, FieldTable::default());
        Ok(Self {
            deliveries: consuming.await.map_err(unavailable)?,
            channel,
            most: usize::from(subscription.prefetch).div_ceil(2),
            ended: None,
        })
    }

    fn received(&mut self, next: Option<lapin::Result<Delivery>>) -> Result<Delivery, Error> {
        let cancelled = || Error::Unavailable("broker cancelled the subscription".to_owned());
        let received = match next {
            Some(result) => result.map_err(unavailable),
            None => Err(cancelled()),
        };
        self.ended = received.as_ref().err().cloned();
        received
    }
}

#[async_trait]
impl Deliveries for AmqpDeliveries {
    async fn next(&mut self, max: usize) -> Result<Batch, Error> {
        if let Some(error) = &self.ended {
            return Err(error.clone());
        }
        // Nothing is awaited once this one is out of the stream: a cancelled call has taken nothing.
        let next = self.deliveries.next().await;
        let (first, mut last) = message::received(self.received(next)?);
        let mut messages = vec![first];
        while messages.len() < max.min(self.most)
            && let Some(next) = self.deliveries.next().now_or_never()
            && let Ok(delivery) = self.received(next)
        {
            let (message, tag) = message::received(delivery);
            messages.push(message);
            last = tag;
        }
        Ok(Batch {
            messages,
            acknowledgement: Box::new(UpTo {
                channel: self.channel.clone(),
                last,
            }),
        })
    }
}

/// Acknowledges all that its channel has delivered, up to one message.
struct UpTo {
    channel: Channel,
    last: DeliveryTag,
}

#[async_trait]
impl Acknowledgement for UpTo {
    /// By the channel: lapin's `Acker` hands its word to a task, and never answers if that has ended because
    /// the connection broke at this moment (4.12).
    async fn ack(self: Box<Self>) -> Result<(), Error> {
        let options = BasicAckOptions { multiple: true };
        let acknowledged = self.channel.basic_ack(self.last, options).await;
        acknowledged.map_err(unavailable)
    }
}
