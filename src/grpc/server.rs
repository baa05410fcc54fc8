//! The server that all gRPC services of a process share.
