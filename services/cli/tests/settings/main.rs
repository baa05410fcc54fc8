//! The binary as its operators see it: settings, where it listens, readiness, its end, and where
//! client commands go.

mod client;
mod process;
mod starting;
mod wrong;
