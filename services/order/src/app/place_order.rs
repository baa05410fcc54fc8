//! Places an order: one write, and an answer.

use tracing::info;
use waybill::context::Context;

use super::{Error, Orders};
use crate::{
    domain::{NewOrder, Order},
    ports::{Insert, Request},
};

impl Orders {
    /// Stores an order and its event in one write, and gives it back. A request that comes again
    /// gets the order as it first did.
    pub async fn place_order(
        &self,
        new: NewOrder,
        request: Request,
        context: &Context,
    ) -> Result<Order, Error> {
        let order = Order::place(self.parts.ids.next_id(), new, self.now());
        let event = self.parts.events.created(&order, context);
        match self.parts.repository.insert(&order, request, event).await? {
            Insert::Stored(entry) => {
                self.parts.offers.offer(entry);
                info!(order_id = %order.id(), "order placed");
                Ok(order)
            }
            Insert::Repeated(first) if first.fingerprint == request.fingerprint => Ok(first.order.placed()),
            Insert::Repeated(_) => Err(Error::RequestIdReused),
        }
    }
}
