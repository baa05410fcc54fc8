//! The newest exemplar of every bucket of every series, in bounded memory.
//!
//! Whoever remembers one never waits. What somebody else has in hand at that moment is left as it is:
//! one exemplar is as good as another, and a call that waits for its own measurement is not.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use opentelemetry::trace::{SpanId, TraceId};

use super::Series;

/// Most series that have exemplars; those beyond have none. It is what the SDK takes of one instrument,
/// and comes to some 2 MiB.
const MAX_SERIES: usize = 2_000;

/// A value that was recorded, and where to read more about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Exemplar {
    /// The value itself.
    pub(crate) value: f64,
    /// Trace in which it was recorded.
    pub(crate) trace_id: TraceId,
    /// Span of that trace.
    pub(crate) span_id: SpanId,
    /// When.
    pub(crate) time: SystemTime,
}

/// One series' exemplars, at most one a bucket.
#[derive(Debug)]
pub(super) struct Exemplars {
    bounds: &'static [f64],
    /// One more than there are bounds: the last takes what exceeds them all.
    buckets: Box<[Mutex<Option<Exemplar>>]>,
}

impl Exemplars {
    fn within(bounds: &'static [f64]) -> Self {
        let buckets = (0..=bounds.len()).map(|_| Mutex::new(None)).collect();
        Self { bounds, buckets }
    }

    /// Keeps this one instead of the one before it in its bucket.
    pub(super) fn remember(&self, exemplar: Exemplar) {
        // The SDK does not count such a value either.
        if !exemplar.value.is_finite() {
            return;
        }
        let bucket = self.bounds.partition_point(|bound| *bound < exemplar.value);
        if let Ok(mut newest) = self.buckets[bucket].try_lock() {
            *newest = Some(exemplar);
        }
    }

    fn newest(&self) -> Vec<Option<Exemplar>> {
        let read = |bucket: &Mutex<_>| *bucket.lock().expect("no holder of the lock can panic");
        self.buckets.iter().map(read).collect()
    }
}

/// The exemplars of many series.
#[derive(Debug)]
pub(crate) struct Registry(Mutex<BTreeMap<Series, Arc<Exemplars>>>);

impl Registry {
    /// Those of none yet.
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Those of one series, whose buckets have these bounds if it is new; `None` if there are too many.
    /// This may wait for [`newest`](Self::newest).
    pub(super) fn of(&self, series: Series, bounds: &'static [f64]) -> Option<Arc<Exemplars>> {
        let mut all = self.0.lock().expect("no holder of the lock can panic");
        among(&mut all, series, bounds)
    }

    /// As [`of`](Self::of), but `None` also if it would have to wait.
    pub(super) fn of_at_once(&self, series: Series, bounds: &'static [f64]) -> Option<Arc<Exemplars>> {
        let mut all = self.0.try_lock().ok()?;
        among(&mut all, series, bounds)
    }

    /// All that there are now.
    pub(crate) fn newest(&self) -> Newest {
        let all = self.0.lock().expect("no holder of the lock can panic");
        let newest = all.iter().map(|(series, kept)| (series.clone(), kept.newest()));
        Newest(newest.collect())
    }
}

fn among(
    all: &mut BTreeMap<Series, Arc<Exemplars>>,
    series: Series,
    bounds: &'static [f64],
) -> Option<Arc<Exemplars>> {
    if all.len() >= MAX_SERIES {
        return all.get(&series).cloned();
    }
    let exemplars = all
        .entry(series)
        .or_insert_with(|| Arc::new(Exemplars::within(bounds)));
    Some(Arc::clone(exemplars))
}

/// Exemplars as they were at one moment.
#[derive(Debug, Default)]
pub(crate) struct Newest(BTreeMap<Series, Vec<Option<Exemplar>>>);

impl Newest {
    /// Those of one series by bucket, that of larger values last; none at all if nobody kept any.
    pub(crate) fn of(&self, series: &Series) -> &[Option<Exemplar>] {
        self.0.get(series).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
impl FromIterator<(Series, Vec<Option<Exemplar>>)> for Newest {
    fn from_iter<T: IntoIterator<Item = (Series, Vec<Option<Exemplar>>)>>(exemplars: T) -> Self {
        Self(exemplars.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: &[f64] = &[1.0, 2.0];

    fn of_value(value: f64) -> Exemplar {
        Exemplar {
            value,
            trace_id: TraceId::from(1),
            span_id: SpanId::from(1),
            time: SystemTime::UNIX_EPOCH,
        }
    }

    fn values(exemplars: &Exemplars) -> Vec<Option<f64>> {
        exemplars.newest().iter().map(|e| e.map(|e| e.value)).collect()
    }

    #[test]
    fn a_bucket_keeps_the_newest_and_takes_its_upper_bound() {
        let exemplars = Exemplars::within(BOUNDS);
        for value in [0.5, 1.0, 2.5, f64::INFINITY] {
            exemplars.remember(of_value(value));
        }
        assert_eq!(values(&exemplars), [Some(1.0), None, Some(2.5)]);
    }

    #[test]
    fn nobody_waits_to_remember() {
        let registry = Registry::new();
        let series = Series::new("a", []);
        let exemplars = registry.of(series.clone(), BOUNDS).expect("there is room");
        let held = exemplars.buckets[0].lock();
        exemplars.remember(of_value(0.5));
        exemplars.remember(of_value(1.5));
        drop(held);
        assert_eq!(values(&exemplars), [None, Some(1.5), None]);
        let held = registry.0.lock();
        assert!(registry.of_at_once(series.clone(), BOUNDS).is_none());
        drop(held);
        assert!(registry.of_at_once(series, BOUNDS).is_some());
    }

    #[test]
    fn there_are_no_more_series_than_may_be() {
        let registry = Registry::new();
        let of = |n: usize| registry.of(Series::new(&n.to_string(), []), BOUNDS);
        let first = of(0).expect("there is room");
        assert!((0..MAX_SERIES).all(|n| of(n).is_some()));
        assert!(of(MAX_SERIES).is_none());
        let again = of(0).expect("it was there before");
        assert!(Arc::ptr_eq(&first, &again));
    }
}
