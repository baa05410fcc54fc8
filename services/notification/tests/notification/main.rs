//! The notification service's adapters and flows, against real servers.

mod conformance;
mod files;
mod grpc;
mod mongo;
mod notify;
mod smtp;
mod support;
