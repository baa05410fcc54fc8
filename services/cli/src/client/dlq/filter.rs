//! Which dead letters are meant, as a person says it.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use clap::Args;
use prost_types::Timestamp;
use waybill::{
    clock::{Clock, SystemClock},
    contract::operations::v1::DeadLetterFilter,
};

/// Those that match everything that is said.
#[derive(Debug, Clone, Args)]
pub(crate) struct Which {
    /// Only those of this consumer, by the name of its queue.
    #[arg(long, value_name = "QUEUE")]
    consumer: Option<String>,
    /// Only those of this event type.
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Only those that failed with this error, for instance `CONTACT_UNKNOWN`.
    #[arg(long, value_name = "REASON")]
    error: Option<String>,
    /// Only those about this order.
    #[arg(long = "order", value_name = "ORDER_ID")]
    order_id: Option<String>,
    /// Only those that last failed longer ago than this, for instance `2h` or `7d`.
    #[arg(long, value_name = "TIME", value_parser = age)]
    older_than: Option<Duration>,
    /// Only those that last failed no longer ago than this.
    #[arg(long, value_name = "TIME", value_parser = age)]
    newer_than: Option<Duration>,
}

impl Which {
    /// Whether nothing is said, which means all of them.
    pub(crate) fn is_all(&self) -> bool {
        let texts = [&self.consumer, &self.event_type, &self.error, &self.order_id];
        texts.iter().all(|text| text.is_none()) && self.older_than.is_none() && self.newer_than.is_none()
    }

    /// The filter that it comes to now.
    pub(crate) fn filter(&self) -> Result<DeadLetterFilter> {
        let now = SystemClock.now();
        let ago = |age: Option<Duration>| {
            let at = |age| now.checked_sub(age).context("that is before there were clocks");
            age.map(|age| at(age).map(|time: SystemTime| Timestamp::from(time)))
                .transpose()
        };
        Ok(DeadLetterFilter {
            consumer: self.consumer.clone().unwrap_or_default(),
            event_type: self.event_type.clone().unwrap_or_default(),
            reason: self.error.clone().unwrap_or_default(),
            order_id: self.order_id.clone().unwrap_or_default(),
            failed_since: ago(self.newer_than)?,
            failed_before: ago(self.older_than)?,
        })
    }
}

/// Reads a time such as `90s`, `2h` or `7d`.
fn age(text: &str) -> Result<Duration, String> {
    let span = text.parse::<jiff::Span>().ok();
    span.and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok())
        .and_then(|age| Duration::try_from(age).ok())
        .ok_or_else(|| "takes a time such as 90s, 2h or 7d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        assert_eq!(age("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(age("2h"), Ok(Duration::from_hours(2)));
        assert_eq!(age("7d"), Ok(Duration::from_hours(7 * 24)));
        for bad in ["", "7", "soon", "-2h"] {
            assert!(age(bad).is_err(), "{bad}");
        }
    }
}
