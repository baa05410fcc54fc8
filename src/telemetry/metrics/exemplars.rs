//! Histograms that remember traces: for each bucket, the newest value that was recorded within a
//! sampled span, and which span that was.
//!
//! The SDK collects no exemplars, so they are kept beside it, and [`openmetrics`](super::openmetrics)
//! puts both together again. A span that is not sampled costs one branch; one that is costs no waiting.

mod kept;
mod series;

use std::sync::Arc;

use opentelemetry::{
    KeyValue,
    metrics::{BoundHistogram, Histogram, Meter},
    trace::SpanContext,
};

use self::kept::Exemplars;
pub(super) use self::{
    kept::{Exemplar, Newest, Registry},
    series::Series,
};
use crate::clock::{Clock, SystemClock};

/// The exemplars of this process.
static KEPT: Registry = Registry::new();

/// A histogram whose buckets have exemplars.
#[derive(Debug, Clone)]
pub(crate) struct TracedHistogram {
    histogram: Histogram<f64>,
    family: String,
    bounds: &'static [f64],
    kept: &'static Registry,
}

impl TracedHistogram {
    /// A histogram of `meter` with these bounds of its buckets.
    pub(crate) fn new(
        meter: &Meter,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        bounds: &'static [f64],
    ) -> Self {
        Self::kept_in(&KEPT, meter, name, unit, description, bounds)
    }

    /// As [`new`](Self::new), with its exemplars among those of `kept`.
    pub(super) fn kept_in(
        kept: &'static Registry,
        meter: &Meter,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
        bounds: &'static [f64],
    ) -> Self {
        let histogram = meter
            .f64_histogram(name)
            .with_unit(unit)
            .with_description(description)
            .with_boundaries(bounds.to_vec())
            .build();
        Self {
            histogram,
            family: series::family(name, unit),
            bounds,
            kept,
        }
    }

    /// Itself for these attributes. What is bound twice shares its exemplars, as it shares its counts.
    pub(crate) fn bind(&self, attributes: &[KeyValue]) -> BoundTracedHistogram {
        BoundTracedHistogram {
            histogram: self.histogram.bind(attributes),
            exemplars: self.kept.of(self.series(attributes), self.bounds),
        }
    }

    /// Records `value` for attributes that were not known beforehand, within `span`.
    pub(crate) fn record_with_attributes(&self, value: f64, attributes: &[KeyValue], span: &SpanContext) {
        self.histogram.record(value, attributes);
        if is_kept(span)
            && let Some(exemplars) = self.kept.of_at_once(self.series(attributes), self.bounds)
        {
            exemplars.remember(exemplar(value, span));
        }
    }

    fn series(&self, attributes: &[KeyValue]) -> Series {
        Series::recorded(&self.family, attributes)
    }
}

/// A [`TracedHistogram`] for attributes that are known beforehand, so that recording looks nothing up.
#[derive(Debug, Clone)]
pub(crate) struct BoundTracedHistogram {
    histogram: BoundHistogram<f64>,
    /// `None` where there are too many series already.
    exemplars: Option<Arc<Exemplars>>,
}

impl BoundTracedHistogram {
    /// Records `value` within `span`.
    pub(crate) fn record(&self, value: f64, span: &SpanContext) {
        self.histogram.record(value);
        if is_kept(span)
            && let Some(exemplars) = &self.exemplars
        {
            exemplars.remember(exemplar(value, span));
        }
    }
}

/// All exemplars there are. Whoever tells them with counts must ask for the counts afterwards: values
/// are counted first, so that then each exemplar's own value is among the counted ones.
pub(super) fn newest() -> Newest {
    KEPT.newest()
}

/// Whether others will find this span, so that it is worth pointing at.
fn is_kept(span: &SpanContext) -> bool {
    span.is_sampled() && span.is_valid()
}

fn exemplar(value: f64, span: &SpanContext) -> Exemplar {
    Exemplar {
        value,
        trace_id: span.trace_id(),
        span_id: span.span_id(),
        time: SystemClock.now(),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

    use super::*;
    use crate::telemetry::metrics::meter;

    const BOUNDS: &[f64] = &[0.5, 1.0];

    fn histogram(kept: &'static Registry, name: &'static str) -> TracedHistogram {
        TracedHistogram::kept_in(kept, &meter(), name, "s", "Test.", BOUNDS)
    }

    fn span(id: u64, flags: TraceFlags) -> SpanContext {
        let (trace, span) = (TraceId::from(u128::from(id)), SpanId::from(id));
        SpanContext::new(trace, span, flags, false, TraceState::NONE)
    }

    /// Value and span of each bucket's exemplar.
    fn exemplars(kept: &Registry, name: &str, labels: &[(&str, &str)]) -> Vec<Option<(f64, SpanId)>> {
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let newest = kept.newest();
        let buckets = newest.of(&Series::new(name, labels)).iter();
        buckets
            .map(|bucket| bucket.map(|e| (e.value, e.span_id)))
            .collect()
    }

    #[test]
    fn only_sampled_spans_are_remembered() {
        static KEPT: Registry = Registry::new();
        let bound = histogram(&KEPT, "test.sampled").bind(&[]);
        bound.record(0.3, &SpanContext::NONE);
        bound.record(0.3, &span(7, TraceFlags::NOT_SAMPLED));
        bound.record(0.3, &span(0, TraceFlags::SAMPLED));
        bound.record(f64::NAN, &span(7, TraceFlags::SAMPLED));
        assert_eq!(exemplars(&KEPT, "test_sampled_seconds", &[]), [None; 3]);
        bound.record(0.5, &span(7, TraceFlags::SAMPLED));
        bound.record(11.0, &span(8, TraceFlags::SAMPLED));
        assert_eq!(
            exemplars(&KEPT, "test_sampled_seconds", &[]),
            [Some((0.5, SpanId::from(7))), None, Some((11.0, SpanId::from(8)))]
        );
    }

    #[test]
    fn whoever_records_the_same_series_shares_its_exemplars() {
        static KEPT: Registry = Registry::new();
        let (a, b) = (KeyValue::new("a.a", "1"), KeyValue::new("b", 2));
        let unbound = histogram(&KEPT, "test.shared");
        let one = unbound.bind(&[a.clone(), b.clone()]);
        let other = histogram(&KEPT, "test.shared").bind(&[b.clone(), a.clone()]);
        let newest = || exemplars(&KEPT, "test_shared_seconds", &[("a_a", "1"), ("b", "2")]);

        one.record(0.1, &span(1, TraceFlags::SAMPLED));
        assert_eq!(newest(), [Some((0.1, SpanId::from(1))), None, None]);
        other.record(0.2, &span(2, TraceFlags::SAMPLED));
        assert_eq!(newest(), [Some((0.2, SpanId::from(2))), None, None]);
        unbound.record_with_attributes(0.3, &[b, a], &span(3, TraceFlags::SAMPLED));
        assert_eq!(newest(), [Some((0.3, SpanId::from(3))), None, None]);
        assert_eq!(exemplars(&KEPT, "test_shared_seconds", &[]), []);
    }
}
