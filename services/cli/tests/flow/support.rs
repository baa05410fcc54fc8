//! What every flow test stands on.

pub(crate) mod client;
pub(crate) mod events;
pub(crate) mod process;
pub(crate) mod stack;
