//! Tells metrics how many dead letters there are that nobody has dealt with, by consumer.

use std::{collections::HashMap, sync::Arc, time::Duration};

use opentelemetry::KeyValue;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use waybill::telemetry::metrics;

use crate::{domain::filter::Filter, ports::dead_letters::DeadLetters};

/// How often they are counted: somebody is told within a minute, not within a second.
const INTERVAL: Duration = Duration::from_secs(5);

/// Where counting ends, so that it stays cheap: beyond that, more changes nothing for whoever is called.
const MAX_COUNTED: usize = 10_000;

/// Counts the dead letters of `consumers` in `letters` until `stop`. Every instance tells the same.
pub async fn count(letters: Arc<dyn DeadLetters>, consumers: Vec<String>, stop: CancellationToken) {
    let gauge = metrics::meter()
        .u64_gauge("waybill.dead_letters")
        .with_unit("{message}")
        .with_description(
            "Dead letters that wait for a decision or are on their way back; counting ends at 10,000.",
        )
        .build();
    while !stop.is_cancelled() {
        match letters.causes(&Filter::default(), MAX_COUNTED).await {
            Ok(causes) => {
                let mut counts: HashMap<_, _> = consumers.iter().map(|c| (c.as_str(), 0)).collect();
                for cause in &causes {
                    // One of a consumer that is no longer known is told by no alert, but by its list.
                    if let Some(count) = counts.get_mut(cause.consumer.as_str()) {
                        *count += cause.count;
                    }
                }
                for (consumer, count) in counts {
                    gauge.record(count, &[KeyValue::new("waybill.consumer", consumer.to_owned())]);
                }
            }
            Err(error) => warn!(%error, "dead letters cannot be counted now"),
        }
        stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await;
    }
}
