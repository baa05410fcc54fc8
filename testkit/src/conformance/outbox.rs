//! What every outbox must do.
