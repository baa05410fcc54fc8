//! The floor of an order's latency: a call that is answered at once and a document that is stored, one
//! after the other, at a rate far below what either can take.

use std::sync::Arc;

use super::{Floor, echo::Caller, insert::Documents};
use crate::{pace, statistics::Sample};

/// Calls a second.
const RATE: u32 = 300;

/// Connections to the database, of which this rate needs a few.
const CONNECTIONS: usize = 32;

pub(super) async fn measure(floor: &Floor) -> Sample {
    let caller = Caller::new(&floor.echo).await;
    let documents = Arc::new(Documents::new(&floor.database, CONNECTIONS).await);
    let call = move || {
        let (caller, documents) = (caller.clone(), Arc::clone(&documents));
        async move {
            caller.call().await;
            documents.insert_one().await;
        }
    };
    pace::open(RATE, floor.paced_times, &floor.watched, call).await
}
