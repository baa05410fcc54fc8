//! Time and ids, as ports: the only place that asks the system for either.
//!
//! Elsewhere `SystemTime::now` and `Uuid::now_v7` are banned by lint, so that a test can say what
//! time it is.

use std::{
    fmt,
    sync::Mutex,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use uuid::{ContextV7, Timestamp, Uuid};

/// Tells the time.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now. It may step back when the machine's clock is set.
    fn now(&self) -> SystemTime;
}

/// Makes ids.
pub trait IdGenerator: fmt::Debug + Send + Sync + 'static {
    /// A new UUIDv7. Ids of one generator sort in the order in which they were made.
    fn next_id(&self) -> Uuid;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the port's one real adapter")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// UUIDv7 (RFC 9562) from the machine's clock, a counter and random bits.
#[derive(Debug, Default)]
pub struct UuidV7Generator {
    context: Mutex<ContextV7>,
}

impl IdGenerator for UuidV7Generator {
    fn next_id(&self) -> Uuid {
        let since_epoch = SystemClock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let context = self.context.lock().expect("no holder of the lock can panic");
        Uuid::new_v7(Timestamp::from_unix(
            &*context,
            since_epoch.as_secs(),
            since_epoch.subsec_nanos(),
        ))
    }
}

/// A clock that a test sets.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<SystemTime>,
}

impl ManualClock {
    /// A clock that shows `now` until it is moved.
    pub fn new(now: SystemTime) -> Self {
        Self { now: Mutex::new(now) }
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        *self.now.lock().expect("no holder of the lock can panic") += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        *self.now.lock().expect("no holder of the lock can panic")
    }
}

/// `time` in whole milliseconds since the Unix epoch; 0 before it.
pub fn unix_millis(time: SystemTime) -> i64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

/// The time `millis` after the Unix epoch; the epoch itself for negative numbers.
pub fn from_unix_millis(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
