//! What many measurements of the same thing come to: percentiles of one run, medians and spreads of all.

use std::collections::BTreeMap;

use serde::Serialize;

/// What one run measured, by name: `throughput`, `p99_us`, `cpu_us.broker`.
pub(crate) type Sample = BTreeMap<String, f64>;

/// How long calls took, in microseconds.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    pub(crate) fn add(&mut self, took: std::time::Duration) {
        self.0.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// Adds what they come to. Of none there is nothing to say.
    pub(crate) fn tell(mut self, sample: &mut Sample) {
        self.0.sort_unstable();
        let Some(max) = self.0.last() else { return };
        sample.insert("max_us".into(), f64::from(*max));
        let sum: f64 = self.0.iter().copied().map(f64::from).sum();
        sample.insert("mean_us".into(), sum / count(self.0.len()));
        for (name, per_mille) in [
            ("p50_us", 500),
            ("p90_us", 900),
            ("p99_us", 990),
            ("p99.9_us", 999),
        ] {
            // The smallest that so many are not above.
            let rank = (self.0.len() * per_mille).div_ceil(1000);
            sample.insert(name.into(), f64::from(self.0[rank.max(1) - 1]));
        }
    }
}

/// A count, to be divided by.
pub(crate) fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("nothing is measured four thousand million times"))
}

/// Of several values for one name the largest is told.
pub(crate) fn at_most(sample: &mut Sample, name: String, value: f64) {
    let most = sample.entry(name).or_default();
    *most = most.max(value);
}

/// The middle of all rounds, and how far they lie apart.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) rounds: usize,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Self {
            median,
            min,
            max,
            rounds: values.len(),
        })
    }
}

/// What all rounds measured, by measurement.
#[derive(Debug, Default)]
pub(crate) struct Results(BTreeMap<&'static str, Vec<Sample>>);

impl Results {
    pub(crate) fn add(&mut self, measurement: &'static str, sample: Sample) {
        self.0.entry(measurement).or_default().push(sample);
    }

    /// The spread of one value. `None` when it was not measured.
    pub(crate) fn spread(&self, measurement: &str, value: &str) -> Option<Spread> {
        let samples = self.0.get(measurement)?.iter();
        Spread::of(samples.filter_map(|sample| sample.get(value).copied()).collect())
    }

    /// The median of one value.
    pub(crate) fn median(&self, measurement: &str, value: &str) -> Option<f64> {
        Some(self.spread(measurement, value)?.median)
    }

    /// The spreads of everything.
    pub(crate) fn spreads(&self) -> BTreeMap<&'static str, BTreeMap<&str, Spread>> {
        self.0
            .iter()
            .map(|(measurement, samples)| {
                let names = samples.iter().flat_map(BTreeMap::keys).map(String::as_str);
                let spreads = names.filter_map(|name| Some((name, self.spread(measurement, name)?)));
                (*measurement, spreads.collect())
            })
            .collect()
    }
}
