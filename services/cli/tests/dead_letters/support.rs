//! What the flow tests stand on, too.

#[path = "../flow/support/client.rs"]
pub(crate) mod client;
#[path = "../flow/support/events.rs"]
pub(crate) mod events;
#[path = "../flow/support/process.rs"]
pub(crate) mod process;
#[path = "../flow/support/stack.rs"]
pub(crate) mod stack;
