//! `grpc.health.v1` and the HTTP probes: who is ready, and why not.
