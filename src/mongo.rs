//! Adapters for MongoDB: outbox and inbox on one database per service.
//!
//! **Ids.** An aggregate's `_id` is a string, for a UUID its hyphenated lower-case form: what stands
//! in events, URLs and logs is what one looks for in the database, and the owner of an
//! [outbox entry](crate::outbox::Entry) is that string.
//!
//! **Writing an order and its events.** The repository inserts the aggregate's document with the
//! field [`outbox::FIELD`] set to [`outbox::to_bson`] of the entries. An update adds to it with
//! `$push: {outbox: {$each: …}}` and names the other fields that it sets; replacing the document
//! would bring back entries that the relay has cleared meanwhile.
//!
//! **Indexes.** A platform starts while its database is away, so indexes are made when the database
//! can first be reached: a service gives those of its adapters to [`until_ensured`], in the background.
//! A repository whose correctness needs an index (a unique one) also awaits [`Indexes::ensure`]
//! before it writes, which costs nothing once they are there.
//!
//! **Topology.** Outboxes work on any MongoDB, a sharded one included. Inboxes need transactions, so
//! a replica set; one node is enough for one. Its collection is not sharded, or by
//! `consumer`, with which its unique index begins. An inbox ends sessions of its own user, which needs no
//! privilege.

mod collection;
mod database;
mod error;
mod group_insert;
pub mod inbox;
mod indexes;
mod observed;
pub mod outbox;
mod sessions;
mod stories;
mod updates;

pub use collection::{Collection, all_at_once};
pub use database::{Client, DEFAULT_PREFIX, Database};
pub use error::{is_duplicate_key, store_error};
pub use group_insert::{GroupInsert, Inserted, MAX_GROUP};
pub use inbox::{MongoEffects, MongoInbox};
pub use indexes::{Indexes, until_ensured};
pub use observed::Command;
pub use outbox::MongoOutbox;
pub use stories::MongoStories;
pub use updates::Upsert;
pub use {bson, mongodb};
