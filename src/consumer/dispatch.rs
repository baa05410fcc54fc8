//! Calls a handler so that one bad message fails alone and an outage fails nobody.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use opentelemetry::{Context, context::FutureExt as _};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    backoff::Backoff,
    envelope::Envelope,
    failure::{Failure, Outcome},
    handler::{Error, Handler},
};

/// The events of a batch, and what each is handled in.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) envelopes: Vec<Envelope>,
    /// In which all are handled at once.
    pub(super) context: Context,
    /// In which each is handled alone, in their order.
    pub(super) contexts: Vec<Context>,
}

/// Has a batch handled: one outcome an envelope. While the handler is unavailable it waits and asks
/// again. `None` when told to stop before that ended.
pub(super) async fn until_handled(
    handler: &dyn Handler,
    events: &Events,
    stop: &CancellationToken,
) -> Option<Vec<Outcome>> {
    let batch = events.envelopes.as_slice();
    match until_available(handler, batch, &events.context, stop).await? {
        Ok(outcomes) => Some(outcomes),
        Err(failure) if batch.len() == 1 => Some(vec![Err(failure)]),
        Err(failure) => {
            warn!(messages = batch.len(), %failure, "batch failed, handling its messages one by one");
            one_by_one(handler, events, stop).await
        }
    }
}

async fn one_by_one(
    handler: &dyn Handler,
    events: &Events,
    stop: &CancellationToken,
) -> Option<Vec<Outcome>> {
    let mut outcomes = Vec::with_capacity(events.envelopes.len());
    for (envelope, context) in events.envelopes.iter().zip(&events.contexts) {
        let one = std::slice::from_ref(envelope);
        let outcome = until_available(handler, one, context, stop).await?;
        outcomes.push(outcome.and_then(|mut one| one.pop().expect("counted")));
    }
    Some(outcomes)
}

async fn until_available(
    handler: &dyn Handler,
    batch: &[Envelope],
    context: &Context,
    stop: &CancellationToken,
) -> Option<Result<Vec<Outcome>, Failure>> {
    if batch.is_empty() {
        return Some(Ok(Vec::new()));
    }
    let mut backoff = Backoff::default();
    loop {
        let handling = handler.handle(batch).with_context(context.clone());
        match AssertUnwindSafe(handling).catch_unwind().await {
            Ok(Ok(outcomes)) if outcomes.len() == batch.len() => return Some(Ok(outcomes)),
            Ok(Ok(outcomes)) => {
                let text = format!("{} outcomes for {} messages", outcomes.len(), batch.len());
                return Some(Err(Failure::permanent("HANDLER_BROKEN", text)));
            }
            Ok(Err(Error::Failed(failure))) => return Some(Err(failure)),
            Ok(Err(Error::Unavailable(error))) => {
                warn!(error, "handler cannot go on, waiting");
                stop.run_until_cancelled(backoff.wait()).await?;
            }
            Err(_) => {
                return Some(Err(Failure::transient(
                    "HANDLER_PANICKED",
                    "the handler panicked",
                )));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;
    use crate::{clock::from_unix_millis, context};

    /// What a handler answers to one call.
    type Step = fn(&[Envelope]) -> Result<Vec<Outcome>, Error>;

    /// Handles as its script says, one entry a call.
    struct Scripted(Mutex<Vec<Step>>);

    #[async_trait]
    impl Handler for Scripted {
        async fn handle(&self, batch: &[Envelope]) -> Result<Vec<Outcome>, Error> {
            let step = self.0.lock().unwrap().remove(0);
            step(batch)
        }
    }

    fn batch(n: u128) -> Events {
        let envelope = |id| Envelope {
            id: Uuid::from_u128(id),
            type_name: "t".into(),
            routing_key: "k".into(),
            source: "s".into(),
            subject: "a".into(),
            time: from_unix_millis(0),
            context: context::Context::default(),
            body: Bytes::new(),
        };
        Events {
            envelopes: (0..n).map(envelope).collect(),
            contexts: (0..n).map(|_| Context::new()).collect(),
            context: Context::new(),
        }
    }

    async fn dispatch(script: Vec<Step>, n: u128) -> Vec<Outcome> {
        let handler = Scripted(Mutex::new(script));
        let stop = CancellationToken::new();
        until_handled(&handler, &batch(n), &stop).await.unwrap()
    }

    #[allow(clippy::unnecessary_wraps, reason = "it is a Step")]
    fn all_well(batch: &[Envelope]) -> Result<Vec<Outcome>, Error> {
        Ok(batch.iter().map(|_| Ok(())).collect())
    }

    fn bad() -> Failure {
        Failure::permanent("BAD", "bad")
    }

    #[tokio::test]
    async fn a_message_that_fails_the_batch_fails_alone() {
        let outcomes = dispatch(
            vec![|_| Err(Error::Failed(bad())), all_well, |_| {
                Err(Error::Failed(bad()))
            }],
            2,
        )
        .await;
        assert_eq!(outcomes, [Ok(()), Err(bad())]);
    }

    #[tokio::test]
    async fn a_panic_fails_the_message_that_caused_it() {
        let outcomes = dispatch(
            vec![|_| panic!("on purpose"), |_| panic!("on purpose"), all_well],
            2,
        )
        .await;
        assert_eq!(outcomes[0].as_ref().unwrap_err().reason, "HANDLER_PANICKED");
        assert_eq!(outcomes[1], Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_waited_for_and_fails_nobody() {
        let down = |_: &[Envelope]| Err(Error::Unavailable("down".into()));
        assert_eq!(
            dispatch(vec![down, down, down, all_well], 2).await,
            [Ok(()), Ok(())]
        );
    }

    #[tokio::test]
    async fn a_handler_that_loses_count_is_not_believed() {
        let outcomes = dispatch(vec![|_| Ok(vec![])], 1).await;
        assert_eq!(outcomes[0].as_ref().unwrap_err().reason, "HANDLER_BROKEN");
    }
}
