//! Tells of orders in events: which there are, how their messages are built, and how stored ones
//! reach the relay.

use std::{sync::Arc, time::SystemTime};

use waybill::{
    clock::IdGenerator,
    context::Context,
    contract::{
        Event,
        order::v1::{OrderCancelled, OrderCreated},
    },
    envelope::Envelope,
    message::Message,
    outbox::Entry,
    relay::RelayHandle,
    source::{Published, Source},
    telemetry::trace,
};

use super::contract::{items, money, timestamp};
use crate::{
    domain::Order,
    ports::{EventOffers, OrderEvents},
};

/// This service, as the source of events.
#[derive(Debug)]
pub struct OrderSource;

impl Source for OrderSource {
    const NAME: &'static str = "waybill.order";
    const PUBLISHES: &'static [Published] =
        &[Published::of::<OrderCreated>(), Published::of::<OrderCancelled>()];
}

/// Builds events as the contracts have them.
#[derive(Debug, Clone)]
pub struct ContractEvents {
    ids: Arc<dyn IdGenerator>,
}

impl ContractEvents {
    /// Events whose ids come from `ids`.
    pub fn new(ids: Arc<dyn IdGenerator>) -> Self {
        Self { ids }
    }

    fn message(&self, event: &impl Event, time: SystemTime, context: &Context) -> Message {
        let id = self.ids.next_id();
        let message = Envelope::published_by::<OrderSource, _>(id, time, context, event).into_message();
        trace::writing(&message);
        message
    }
}

impl OrderEvents for ContractEvents {
    fn created(&self, order: &Order, context: &Context) -> Message {
        let event = OrderCreated {
            order_id: order.id().to_string(),
            user_id: order.user_id().to_string(),
            items: items(order),
            total_amount: Some(money(order.total())),
            version: order.version(),
            create_time: Some(timestamp(order.create_time())),
        };
        self.message(&event, order.create_time(), context)
    }

    fn cancelled(&self, order: &Order, context: &Context) -> Message {
        let event = OrderCancelled {
            order_id: order.id().to_string(),
            user_id: order.user_id().to_string(),
            items: items(order),
            total_amount: Some(money(order.total())),
            version: order.version(),
            create_time: Some(timestamp(order.create_time())),
            cancel_time: Some(timestamp(order.update_time())),
            reason: order.cancel_reason().to_owned(),
        };
        self.message(&event, order.update_time(), context)
    }
}

impl EventOffers for RelayHandle {
    fn offer(&self, entry: Entry) {
        RelayHandle::offer(self, [entry]);
    }
}
