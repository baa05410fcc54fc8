//! The operations service's adapters and flows, against real servers.

mod conformance;
mod grpc;
mod intake;
mod mongo;
mod replay;
mod suite;
mod support;
mod volume;
