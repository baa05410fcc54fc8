//! What there is to say about an order, how it is said, and what is remembered of it.
//!
//! Pure values: no driver, no runtime, no generated type.

pub mod contact;
pub mod letter;
pub mod mail;
pub mod money;
pub mod notice;
pub mod notification;
pub mod text;
