//! Whether a process lives, and whether it is ready for calls.
//!
//! A process is ready when its broker and its databases answer and its outboxes do not fall behind.
//! One loop finds out, and tells it in two ways: gRPC health and `/readyz`. (Orders can be placed
//! while the broker is away; an instance that can reach it is still the better one to ask.)

mod http;
mod readiness;

pub use http::serve;
pub use readiness::{CHECK_INTERVAL, CHECK_TIMEOUT, MAX_OUTBOX_AGE, Readiness, Watched};

use serde::Serialize;

/// What the last round of checks found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether every check is fine.
    pub ready: bool,
    /// One by one.
    pub checks: Vec<Check>,
}

/// One thing that readiness depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at: `broker`, `order.database`, `order.outbox`.
    pub name: String,
    /// What is wrong with it, in words that are safe to show to anyone; nothing when it is fine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Report {
    /// A report of these checks.
    pub fn of(checks: Vec<Check>) -> Self {
        Self {
            ready: checks.iter().all(|check| check.problem.is_none()),
            checks,
        }
    }

    /// A report of one problem that stands for all: `starting`, `stopping`.
    fn unready(problem: &str) -> Self {
        Self::of(vec![Check {
            name: "process".to_owned(),
            problem: Some(problem.to_owned()),
        }])
    }
}
