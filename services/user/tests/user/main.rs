//! The user service from outside: its repositories on every database, its use cases, its rpcs.

mod commands;
mod grpc;
mod repository;
mod stats;
mod support;
mod use_cases;
