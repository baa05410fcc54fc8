//! Orders end to end on several instances of each service, and how evenly those share the work.

use super::{Setting, end_to_end};
use crate::{
    metrics::{Metrics, PLACE_ORDER},
    platform::{Platform, STATISTICS},
    sizes::Sizes,
    statistics::{Sample, count},
};

use waybill::contract::{Event, order::v1::OrderCreated};

/// How many of each service, and what that is called.
pub(crate) const COUNTS: [(usize, &str); 3] = [(1, "instances_1"), (2, "instances_2"), (4, "instances_4")];

/// The same with instances that may use only [`LIMIT_PERCENT`] of a processor each.
pub(crate) const LIMITED: [(usize, &str); 4] = [
    (1, "limited_1"),
    (2, "limited_2"),
    (4, "limited_4"),
    (8, "limited_8"),
];

/// So little that it takes several instances to fill a machine of two processors.
pub(crate) const LIMIT_PERCENT: u32 = 4;

/// A kind of work that instances of one service share.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    pub(crate) what: &'static str,
    service: &'static str,
    /// How much of it an instance has done, as it tells.
    done: fn(&Metrics) -> usize,
}

impl Work {
    /// What a sample calls how unevenly it was shared.
    pub(crate) fn value(&self) -> String {
        format!("uneven_percent.{}", self.what)
    }
}

/// What instances share.
pub(crate) const WORK: [Work; 4] = [
    Work {
        what: "placements",
        service: "order",
        done: |told| told.answered(PLACE_ORDER),
    },
    Work {
        what: "publishing",
        service: "order",
        done: Metrics::published,
    },
    Work {
        what: "statistics",
        service: "user",
        done: |told| told.handled(STATISTICS, OrderCreated::TYPE),
    },
    Work {
        what: "mails",
        service: "notification",
        done: Metrics::mailed,
    },
];

/// On as much of the machine as they take.
pub(super) async fn measure(setting: Setting<'_>, instances: usize) -> Sample {
    let platform = Platform::split(setting.servers, instances).await;
    shared(platform, setting).await
}

/// On a small share of a processor each.
pub(super) async fn measure_limited(setting: Setting<'_>, instances: usize) -> Sample {
    let platform = Platform::split(setting.servers, instances).await;
    let sizes = Sizes {
        end_to_end: setting.sizes.limited * instances,
        ..*setting.sizes
    };
    let setting = Setting {
        sizes: &sizes,
        ..setting
    };
    shared(platform.limited_to(LIMIT_PERCENT), setting).await
}

async fn shared(platform: Platform, setting: Setting<'_>) -> Sample {
    let mut sample = end_to_end::measure(&platform, setting).await;
    for work in WORK {
        let told = platform.metrics(work.service).await;
        let done: Vec<_> = told.iter().map(work.done).map(count).collect();
        let all: f64 = done.iter().sum();
        assert!(all >= count(setting.sizes.end_to_end), "{}: {done:?}", work.what);
        sample.insert(work.value(), uneven_percent(&done));
    }
    platform.end().await;
    sample
}

/// Standard deviation, in percent of the mean.
fn uneven_percent(values: &[f64]) -> f64 {
    let number = count(values.len());
    let mean = values.iter().sum::<f64>() / number;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / number;
    variance.sqrt() / mean * 100.0
}
