//! Shows orders.

use uuid::Uuid;

use super::{Error, Orders};
use crate::{domain::Order, ports::Position};

impl Orders {
    /// The order of this id.
    pub async fn get_order(&self, order_id: Uuid) -> Result<Order, Error> {
        let order = self.parts.queries.find(order_id).await?;
        order.ok_or(Error::NotFound(order_id))
    }

    /// At most `limit` orders of a user, newest first.
    pub async fn list_orders(
        &self,
        user_id: Uuid,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Order>, Error> {
        Ok(self.parts.queries.list(user_id, after, limit).await?)
    }
}
