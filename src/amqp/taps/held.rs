//! The events that a tap holds until its reader asks: a limited number, the newest.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
};

use tokio::sync::Notify;

use crate::{
    broker::Error,
    message::Message,
    tap::{MAX_HELD, Passed},
};

/// Most bytes of bodies held: what [`MAX_HELD`] events of the usual size come to, many times over, and
/// far less than as many of the largest.
const MAX_HELD_BYTES: usize = 16 * 1024 * 1024;

/// Filled from one side and emptied from the other, neither of which waits for the other.
#[derive(Default)]
pub(super) struct Held {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Default)]
struct State {
    messages: VecDeque<Message>,
    bytes: usize,
    missed: u64,
    ended: Option<Error>,
}

impl Held {
    /// Holds one more, and drops the oldest beyond the limits. The newest is always held.
    pub(super) fn push(&self, message: Message) {
        let mut state = self.state();
        state.bytes += message.body.len();
        state.messages.push_back(message);
        while state.messages.len() > MAX_HELD || (state.bytes > MAX_HELD_BYTES && state.messages.len() > 1) {
            let dropped = state.messages.pop_front().expect("more than one is held");
            state.bytes -= dropped.body.len();
            state.missed += 1;
        }
        drop(state);
        self.news.notify_one();
    }

    /// Nothing will be held any more, for this reason. What is held can still be taken.
    pub(super) fn end(&self, reason: Error) {
        self.state().ended = Some(reason);
        self.news.notify_one();
    }

    /// Waits until something was held or dropped, and takes all of it.
    pub(super) async fn take(&self) -> Result<Passed, Error> {
        loop {
            // A notification that came before this waits for it.
            let news = self.news.notified();
            if let Some(taken) = self.take_now() {
                return taken;
            }
            news.await;
        }
    }

    fn take_now(&self) -> Option<Result<Passed, Error>> {
        let mut state = self.state();
        if state.messages.is_empty() {
            return state.ended.clone().map(Err);
        }
        state.bytes = 0;
        Some(Ok(Passed {
            missed: std::mem::take(&mut state.missed),
            messages: std::mem::take(&mut state.messages).into(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock can panic")
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn message(number: usize, bytes: usize) -> Message {
        Message {
            routing_key: number.to_string(),
            body: vec![0; bytes].into(),
            ..Message::default()
        }
    }

    fn taken(held: &Held) -> (u64, Vec<String>) {
        let passed = held.take().now_or_never().expect("there is something").unwrap();
        let keys = passed.messages.into_iter().map(|message| message.routing_key);
        (passed.missed, keys.collect())
    }

    #[test]
    fn the_oldest_beyond_the_limits_are_dropped_and_counted_once() {
        let held = Held::default();
        (0..MAX_HELD + 3).for_each(|number| held.push(message(number, 1)));
        let (missed, keys) = taken(&held);
        assert_eq!((missed, keys.len(), keys[0].as_str()), (3, MAX_HELD, "3"));
        let half = MAX_HELD_BYTES / 2;
        [half, half, 1, MAX_HELD_BYTES + 1]
            .into_iter()
            .enumerate()
            .for_each(|(number, bytes)| held.push(message(number, bytes)));
        assert_eq!(taken(&held), (3, vec!["3".to_owned()]));
        assert!(held.take().now_or_never().is_none(), "it is empty");
    }

    #[test]
    fn what_was_held_at_the_end_is_still_taken() {
        let held = Held::default();
        held.push(message(0, 1));
        held.end(Error::Unavailable("gone".to_owned()));
        assert_eq!(taken(&held), (0, vec!["0".to_owned()]));
        assert!(held.take().now_or_never().expect("it has ended").is_err());
    }
}
