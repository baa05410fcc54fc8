//! The order service as its clients see it: over TCP, through the generated client, on real stores.
//!
//! The broker is away in all of these tests: no call waits for it.

mod cancelling;
mod fixture;
mod listing;
mod placing;
mod watching;
