//! The service's state in a MongoDB database.
//!
//! `users` stays on one shard: its unique indexes reach across shards only where they start with the
//! shard key. `order_stats` may be sharded on its hashed `_id`.

mod stats;
mod users;

pub use stats::{MongoStatsEffects, MongoStatsRepository};
pub use users::{MAX_UNPUBLISHED, MongoUserRepository};
