//! What each flag takes. Beyond these a run would not measure the platform but the machine it runs on.

use std::time::Duration;

use clap::builder::{RangedI64ValueParser, RangedU64ValueParser};
use waybill::config;

use super::population::HotUsers;

/// Longest run, and longest warm-up.
const MAX_TIME: Duration = Duration::from_hours(24);

fn ranged(from: i64, to: i64) -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(from..=to)
}

pub(super) fn rate() -> RangedI64ValueParser<u32> {
    ranged(1, 1_000_000)
}

pub(super) fn concurrency() -> RangedI64ValueParser<u32> {
    ranged(1, 10_000)
}

pub(super) fn in_flight() -> RangedI64ValueParser<u32> {
    ranged(1, 100_000)
}

pub(super) fn users() -> RangedI64ValueParser<u32> {
    ranged(1, 1_000_000)
}

/// An order holds at most 500.
pub(super) fn items() -> RangedI64ValueParser<u32> {
    ranged(1, 500)
}

pub(super) fn prefill() -> RangedI64ValueParser<u32> {
    ranged(0, 10_000_000)
}

pub(super) fn connections() -> RangedI64ValueParser<u32> {
    ranged(1, 64)
}

pub(super) fn requests() -> RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(1..)
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    time(text, Duration::from_millis(1))
}

pub(super) fn warm_up(text: &str) -> Result<Duration, String> {
    time(text, Duration::ZERO)
}

fn time(text: &str, min: Duration) -> Result<Duration, String> {
    config::time(text)
        .filter(|time| (min..=MAX_TIME).contains(time))
        .ok_or_else(|| format!("takes a time from {min:?} to 24h, such as 500ms, 30s or 2m"))
}

pub(super) fn hot_users(text: &str) -> Result<HotUsers, String> {
    let percent = |text: &str| text.parse().ok().filter(|percent| (1..=100).contains(percent));
    let parsed = text.split_once(':').and_then(|(users, orders)| {
        Some(HotUsers {
            users_percent: percent(users)?,
            orders_percent: percent(orders)?,
        })
    });
    parsed.ok_or_else(|| "takes two whole numbers from 1 to 100, such as 1:50".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_bounds() {
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        assert_eq!(warm_up("0s"), Ok(Duration::ZERO));
        for bad in ["0s", "25h", "3", "", "-1s"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn hot_users_are_two_shares() {
        let hot = hot_users("1:50").unwrap();
        assert_eq!((hot.users_percent, hot.orders_percent), (1, 50));
        for bad in ["", "1", "0:50", "1:101", "1:50:3", "a:b", "1.5:3"] {
            assert!(hot_users(bad).is_err(), "{bad:?}");
        }
    }
}
