//! What readiness looks at anyway: whether dependencies are there, and what waits in outboxes.

use std::time::Duration;

use opentelemetry::{KeyValue, metrics::Gauge};

use super::meter;
use crate::health::Check;

/// The gauges.
pub(crate) struct Readings {
    checks: Gauge<u64>,
    depth: Gauge<u64>,
    age: Gauge<f64>,
}

impl Readings {
    /// Nothing read yet.
    pub(crate) fn new() -> Self {
        let checks = meter()
            .u64_gauge("waybill.readiness.check")
            .with_description("Whether what readiness depends on is fine (1) or not (0).")
            .build();
        let depth = meter()
            .u64_gauge("waybill.outbox.depth")
            .with_unit("{message}")
            .with_description("Events stored and not yet published; counting ends at 10,000.")
            .build();
        let age = meter()
            .f64_gauge("waybill.outbox.oldest.age")
            .with_unit("s")
            .with_description("Age of the oldest event that is not yet published, or 0.")
            .build();
        Self { checks, depth, age }
    }

    /// What a round of checks found.
    pub(crate) fn checked(&self, checks: &[Check]) {
        for check in checks {
            let name = KeyValue::new("waybill.check", check.name.clone());
            self.checks.record(check.problem.is_none().into(), &[name]);
        }
    }

    /// What waits in a service's outbox.
    pub(crate) fn waiting(&self, service: &'static str, depth: u64, age: Duration) {
        let service = [KeyValue::new("waybill.service", service)];
        self.depth.record(depth, &service);
        self.age.record(age.as_secs_f64(), &service);
    }
}
