//! Shows users and their statistics.

use uuid::Uuid;
use waybill::grpc::page::Cursor;

use super::{Error, Result, Users};
use crate::domain::{stats::OrderStats, user::User};

impl Users {
    /// The user of that id.
    pub async fn get_user(&self, user_id: Uuid) -> Result<User> {
        let stored = self.repository.find(user_id).await?;
        stored
            .map(|stored| stored.user)
            .ok_or(Error::UserNotFound(user_id))
    }

    /// Users, newest first, starting after `after`, at most `limit`.
    pub async fn list_users(&self, after: Option<Cursor>, limit: usize) -> Result<Vec<User>> {
        Ok(self.repository.list(after, limit).await?)
    }

    /// What a user's orders come to: zeros for a user without orders. Orders may be placed for a user
    /// who is not registered (the order service asks nobody), so such a user may have statistics too.
    pub async fn get_order_stats(&self, user_id: Uuid) -> Result<OrderStats> {
        if let Some(stats) = self.stats.find(user_id).await? {
            return Ok(stats);
        }
        self.get_user(user_id).await?;
        Ok(OrderStats::default())
    }
}
