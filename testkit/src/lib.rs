//! Real servers for tests, private to the test, and the suites that every adapter of a port passes.
//!
//! A test that needs a server starts one, or takes the one named by `WAYBILL_TEST_AMQP_URL` or
//! `WAYBILL_TEST_MONGODB_URL`. A server that is not installed fails the test with how to get it;
//! nothing is skipped.

pub mod conformance;
mod http;
pub mod jaeger;
pub mod mongodb;
pub mod prometheus;
pub mod rabbitmq;
pub mod server;
pub mod smtp;
pub mod sqlite;
pub mod stated;
pub mod tools;
pub mod wait;
