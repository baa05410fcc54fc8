//! What came of the calls of one kind, and of all.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use hdrhistogram::Histogram;
use tonic::Status;
use tonic_types::StatusExt;

use super::mix::Kind;

/// Longest latency that is told apart, in microseconds: beyond any deadline.
const MAX_US: u64 = 60_000_000;

/// Significant digits of a latency.
const DIGITS: u8 = 3;

/// Reason of a call that was due and never made.
const NOT_MADE: &str = "not made in time";

/// Latencies of the calls that succeeded, and why others did not.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) latencies: Histogram<u64>,
    pub(super) errors: BTreeMap<String, u64>,
}

/// What came of all calls, by kind.
#[derive(Debug, Default)]
pub(super) struct Tally([Option<Outcome>; Kind::ALL.len()]);

/// A histogram takes 130 KB, too much for each of a thousand workers; few enough workers share one that
/// they hardly ever meet at it.
const SHARDS: usize = 16;

/// What workers count, a few of them together.
#[derive(Debug, Default)]
pub(super) struct Tallies([Mutex<Tally>; SHARDS]);

impl Tallies {
    /// The one of a worker.
    pub(super) fn of(&self, worker: usize) -> MutexGuard<'_, Tally> {
        let tally = &self.0[worker % SHARDS];
        tally.lock().expect("no holder of the lock can panic")
    }

    /// What all of them counted.
    pub(super) fn sum(&self) -> Tally {
        let mut sum = Tally::default();
        for shard in 0..SHARDS {
            sum.add(std::mem::take(&mut *self.of(shard)));
        }
        sum
    }
}

impl Outcome {
    fn new() -> Self {
        Self {
            latencies: Histogram::new_with_max(MAX_US, DIGITS).expect("the bounds are in order"),
            errors: BTreeMap::new(),
        }
    }
}

impl Tally {
    /// One call took so long, and failed if there is an `error`.
    pub(super) fn count(&mut self, kind: Kind, took: Duration, error: Option<&Status>) {
        let outcome = self.0[kind as usize].get_or_insert_with(Outcome::new);
        match error {
            None => {
                let micros = u64::try_from(took.as_micros()).unwrap_or(MAX_US);
                outcome.latencies.saturating_record(micros);
            }
            Some(status) => *outcome.errors.entry(reason(status)).or_default() += 1,
        }
    }

    /// A call was due and could not be made in time.
    pub(super) fn not_made(&mut self, kind: Kind) {
        let outcome = self.0[kind as usize].get_or_insert_with(Outcome::new);
        *outcome.errors.entry(NOT_MADE.to_owned()).or_default() += 1;
    }

    /// Adds what another worker counted.
    pub(super) fn add(&mut self, other: Self) {
        for (mine, others) in self.0.iter_mut().zip(other.0) {
            let Some(others) = others else { continue };
            let mine = mine.get_or_insert_with(Outcome::new);
            mine.latencies
                .add(&others.latencies)
                .expect("the bounds are the same");
            for (reason, count) in others.errors {
                *mine.errors.entry(reason).or_default() += count;
            }
        }
    }

    /// The kinds that were called.
    pub(super) fn kinds(&self) -> impl Iterator<Item = (Kind, &Outcome)> {
        Kind::ALL
            .into_iter()
            .zip(&self.0)
            .filter_map(|(kind, outcome)| Some((kind, outcome.as_ref()?)))
    }

    pub(super) fn succeeded(&self) -> u64 {
        self.kinds().map(|(_, outcome)| outcome.latencies.len()).sum()
    }

    pub(super) fn failed(&self) -> u64 {
        self.kinds()
            .flat_map(|(_, outcome)| outcome.errors.values())
            .sum()
    }
}

/// Code and reason of an error.
fn reason(status: &Status) -> String {
    let code = format!("{:?}", status.code());
    match status.get_error_details().error_info() {
        Some(info) => format!("{code}/{}", info.reason),
        None => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_add_up() {
        let tallies = Tallies::default();
        for (worker, millis) in [(3, 1), (SHARDS + 4, 100_000)] {
            let mut tally = tallies.of(worker);
            tally.count(Kind::Place, Duration::from_millis(millis), None);
            tally.count(Kind::Get, Duration::ZERO, Some(&Status::not_found("no")));
        }
        let tally = tallies.sum();
        assert_eq!((tally.succeeded(), tally.failed()), (2, 2));
        let kinds: Vec<_> = tally.kinds().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, [Kind::Place, Kind::Get]);
        let (_, get) = tally.kinds().nth(1).unwrap();
        assert_eq!(get.errors, BTreeMap::from([("NotFound".to_owned(), 2)]));
    }
}
