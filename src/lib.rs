//! Waybill's contracts and its event backbone, in reading order.
//!
//! Ports and policies name no driver; [`amqp`], [`mongo`] and [`embedded`] are their adapters.
//! Services stand on this crate and never on each other.

// What is said
pub mod context;
pub mod contract;
pub mod envelope;
pub mod message;
pub mod source;

// From a database to the broker
pub mod outbox;
pub mod publisher;
pub mod relay;
pub mod store;

// From the broker to an effect
pub mod broker;
pub mod consumer;
pub mod dead_letter;
pub mod failure;
pub mod handler;
pub mod inbox;
pub mod retention;
pub mod retry;
pub mod story;
pub mod tap;
pub mod topology;

// What every service's main needs
pub mod backoff;
pub mod clock;
pub mod config;
pub mod gather;
pub mod grpc;
pub mod health;
pub mod host;
pub mod pace;
pub mod platform;
pub mod service;
pub mod shutdown;
pub mod telemetry;

// Adapters
pub mod amqp;
pub mod embedded;
pub mod mongo;
