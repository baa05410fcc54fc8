//! What can be seen while a load runs: a line a second, on a terminal only.

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};

/// How often the line changes.
const INTERVAL: Duration = Duration::from_secs(1);

/// Counts calls, and shows them.
pub(super) struct Progress {
    bar: ProgressBar,
    in_flight: AtomicU64,
    most_in_flight: AtomicU64,
    /// What ended since the line last changed; nobody keeps it where nobody looks.
    latest: Option<Mutex<Latest>>,
}

struct Latest {
    latencies: Histogram<u64>,
    failed: u64,
}

impl Latest {
    fn new() -> Self {
        Self {
            latencies: Histogram::new(2).expect("two digits are possible"),
            failed: 0,
        }
    }
}

impl Progress {
    /// Shows nothing when `is_quiet`, or when standard error is no terminal.
    pub(super) fn new(is_quiet: bool) -> Self {
        let bar = if is_quiet {
            ProgressBar::hidden()
        } else {
            ProgressBar::no_length()
        };
        let latest = (!bar.is_hidden()).then(|| Mutex::new(Latest::new()));
        Self {
            bar,
            in_flight: AtomicU64::new(0),
            most_in_flight: AtomicU64::new(0),
            latest,
        }
    }

    /// A step before the load begins, of `count` parts.
    pub(super) fn begin(&self, what: &'static str, count: u64) {
        let style = ProgressStyle::with_template("{msg} {pos}/{len}").expect("the template is well-formed");
        self.bar.set_style(style);
        self.bar.set_message(what);
        self.bar.set_length(count);
        self.bar.set_position(0);
    }

    /// One part of the step is done.
    pub(super) fn advance(&self) {
        self.bar.inc(1);
    }

    /// The step is done.
    pub(super) fn end(&self) {
        self.bar.unset_length();
        self.bar
            .set_style(ProgressStyle::with_template("{msg}").expect("the template is well-formed"));
        self.bar.set_message("");
    }

    /// A call is made.
    pub(super) fn started(&self) {
        let now = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        if now > self.most_in_flight.load(Ordering::Relaxed) {
            self.most_in_flight.fetch_max(now, Ordering::Relaxed);
        }
    }

    /// A call has ended.
    pub(super) fn ended(&self, took: Duration, is_ok: bool) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        let Some(latest) = &self.latest else { return };
        let mut latest = locked(latest);
        if is_ok {
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            latest.latencies.saturating_record(micros);
        } else {
            latest.failed += 1;
        }
    }

    /// The most calls that were under way at one time.
    pub(super) fn most_in_flight(&self) -> u64 {
        self.most_in_flight.load(Ordering::Relaxed)
    }

    /// Changes the line each second, until it is dropped.
    pub(super) async fn show(self: Arc<Self>) {
        let Some(latest) = &self.latest else { return };
        let mut every = tokio::time::interval(INTERVAL);
        every.tick().await;
        loop {
            every.tick().await;
            let Latest { latencies, failed } = std::mem::replace(&mut *locked(latest), Latest::new());
            let in_flight = self.in_flight.load(Ordering::Relaxed);
            let (rate, p50, p99) = (
                latencies.len(),
                latencies.value_at_quantile(0.5),
                latencies.value_at_quantile(0.99),
            );
            self.bar.set_message(format!(
                "{rate}/s, {in_flight} in flight, p50 {p50} us, p99 {p99} us, {failed} failed"
            ));
        }
    }

    /// Takes the line away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn locked(latest: &Mutex<Latest>) -> MutexGuard<'_, Latest> {
    latest.lock().expect("no holder of the lock can panic")
}
