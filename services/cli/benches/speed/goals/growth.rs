//! What growing may cost.

use super::{Bound, Goal};
use crate::{
    scenarios::{
        instances::{COUNTS, WORK},
        stored::CALLS,
    },
    statistics::Results,
};

/// How unevenly instances may share work: standard deviation of what each did, in percent of the mean.
const MOST_UNEVEN_PERCENT: f64 = 10.0;

/// How much more an order may cost where many are stored.
const MOST_DEARER: f64 = 1.1;

/// All goals. How throughput grows has no bound: the processors of one machine are one.
pub(crate) fn goals(results: &Results) -> Vec<Goal> {
    let mut goals = Vec::new();
    for (instances, name) in COUNTS.into_iter().filter(|(instances, _)| *instances > 1) {
        for work in WORK {
            goals.push(Goal::new(
                &format!("{instances} instances: how unevenly they share {}, %", work.what),
                results.median(name, &work.value()),
                Bound::AtMost(MOST_UNEVEN_PERCENT),
            ));
        }
    }
    for (name, meaning) in CALLS {
        goals.push(Goal::new(
            &format!("processor time where many orders are stored ÷ where few are: {meaning}"),
            results.median(name, "ratio.cpu_us"),
            Bound::AtMost(MOST_DEARER),
        ));
    }
    goals
}
