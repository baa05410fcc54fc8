//! What a user is, and what a user's orders come to. Rules only: no database, no wire, no time of its own.

pub mod amount;
pub mod contact;
pub mod email;
pub mod stats;
pub mod user;
