//! When to stop, and how long draining may take.
