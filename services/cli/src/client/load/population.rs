//! Users, and how often each of them orders.

use std::sync::Arc;

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use waybill::contract::user::v1::{RegisterUserRequest, user_service_client::UserServiceClient};

use super::progress::Progress;
use crate::client::connection::{Connection, call, request_id};

/// Registrations under way at a time.
const REGISTERING: usize = 32;

/// A share of the users who place a share of the orders, both in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HotUsers {
    pub(super) users_percent: u8,
    pub(super) orders_percent: u8,
}

/// Ids of users, of whom one is picked at a time.
#[derive(Debug, Clone)]
pub(super) struct Population {
    ids: Arc<[String]>,
    hot: Option<HotUsers>,
}

impl Population {
    /// Users nobody has heard of.
    pub(super) fn made_up(count: u32) -> Self {
        Self {
            ids: (0..count).map(|_| request_id(None)).collect(),
            hot: None,
        }
    }

    /// Registers users, each with an address of its own.
    pub(super) async fn register(count: u32, connection: &Connection, progress: &Progress) -> Result<Self> {
        let client = UserServiceClient::new(connection.channel());
        progress.begin("registering users", u64::from(count));
        let register = |number: u32| {
            let mut client = client.clone();
            async move {
                let id = request_id(None);
                let body = RegisterUserRequest {
                    email: format!("load-{id}@load.example"),
                    display_name: format!("Load {number}"),
                    request_id: id,
                };
                let answer = call(body, async |request| client.register_user(request).await).await?;
                progress.advance();
                anyhow::Ok(answer.user.unwrap_or_default().user_id)
            }
        };
        let ids: Vec<_> = stream::iter((0..count).map(register))
            .buffer_unordered(REGISTERING)
            .try_collect()
            .await?;
        progress.end();
        Ok(Self {
            ids: ids.into(),
            hot: None,
        })
    }

    /// The same users, some of whom order more.
    pub(super) fn with_hot(self, hot: Option<HotUsers>) -> Self {
        Self { hot, ..self }
    }

    /// One of them.
    pub(super) fn pick(&self) -> &str {
        let count = self.ids.len();
        let at = match self.hot {
            None => fastrand::usize(..count),
            Some(hot) => {
                let hot_count = (count * usize::from(hot.users_percent)).div_ceil(100);
                let is_hot = fastrand::u8(..100) < hot.orders_percent;
                if is_hot || hot_count == count {
                    fastrand::usize(..hot_count)
                } else {
                    fastrand::usize(hot_count..count)
                }
            }
        };
        &self.ids[at]
    }

    /// The user at `number`, counted round and round.
    pub(super) fn at(&self, number: usize) -> &str {
        &self.ids[number % self.ids.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hot_users_place_their_share() {
        let hot = HotUsers {
            users_percent: 1,
            orders_percent: 50,
        };
        let users = Population::made_up(1000).with_hot(Some(hot));
        let picked = (0..20_000).filter(|_| {
            let id = users.pick();
            users.ids[..10].iter().any(|hot| hot == id)
        });
        let share = picked.count();
        assert!((9_000..11_000).contains(&share), "{share} of 20000");
    }

    #[test]
    fn all_users_may_be_hot() {
        let hot = HotUsers {
            users_percent: 100,
            orders_percent: 1,
        };
        let users = Population::made_up(3).with_hot(Some(hot));
        for _ in 0..100 {
            users.pick();
        }
    }
}
