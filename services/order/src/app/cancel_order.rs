//! Cancels an order: a read, and one write that only succeeds on what was read.

use tracing::info;
use uuid::Uuid;
use waybill::context::Context;

use super::{Error, Orders};
use crate::{
    domain::{Order, Reason},
    ports::{Request, Update},
};

/// How often a cancellation that another change came before is tried. A cancellation is final, so
/// today the second look decides; the number only guards against a loop without end.
const MAX_ATTEMPTS: usize = 3;

impl Orders {
    /// Cancels a placed order and gives it back. A request that comes again gets the order as it
    /// first did.
    pub async fn cancel_order(
        &self,
        order_id: Uuid,
        reason: Reason,
        request: Request,
        context: &Context,
    ) -> Result<Order, Error> {
        for _ in 0..MAX_ATTEMPTS {
            let placed = self.parts.queries.find(order_id).await?;
            let Some(placed) = placed else {
                return self.first_answer(request, Error::NotFound(order_id)).await;
            };
            let Ok(cancelled) = placed.cancel(self.now(), reason.clone()) else {
                return self
                    .first_answer(request, Error::AlreadyCancelled(order_id))
                    .await;
            };
            let event = self.parts.events.cancelled(&cancelled, context);
            match self.parts.repository.cancel(&cancelled, request, event).await? {
                Update::Stored(entry) => {
                    self.parts.offers.offer(entry);
                    info!(%order_id, "order cancelled");
                    self.watchers.notify(order_id, cancelled.version());
                    return Ok(cancelled);
                }
                Update::Moved => {}
                Update::RequestUsed => return Err(Error::RequestIdReused),
            }
        }
        Err(Error::Contended(order_id))
    }

    /// What this request was answered when it came before; `otherwise` when it never did.
    async fn first_answer(&self, request: Request, otherwise: Error) -> Result<Order, Error> {
        match self.parts.repository.cancelled_by(request.id).await? {
            Some(first) if first.fingerprint == request.fingerprint => Ok(first.order),
            Some(_) => Err(Error::RequestIdReused),
            None => Err(otherwise),
        }
    }
}
