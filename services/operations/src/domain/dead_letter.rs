//! One message that one consumer could not handle, and how its failures add up.

use std::time::SystemTime;

use uuid::Uuid;
use waybill::message::Message;

use super::operation::Kind;

/// Failures of one message that are known again when they are delivered again. A delivery is repeated
/// soon or not at all; a message that failed so often since is no longer the same story.
pub const MAX_KNOWN_FAILURES: usize = 16;

/// Actions that a dead letter remembers, the newest: each is one that a person asked for. The
/// operations themselves are kept for ever.
pub const MAX_ACTIONS: usize = 100;

/// Where a dead letter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waits for somebody to decide.
    Waiting,
    /// Belongs to a batch, from which no other operation takes it.
    Marked,
    /// About to be sent; whether the broker has it is not known.
    Staged,
    /// The broker has confirmed it.
    Forwarded,
    /// The broker did not take it; it waits again when its batch has ended.
    Refused,
    /// Sent back.
    Replayed,
    /// Set aside for good.
    Discarded,
}

/// The states in which dead letters are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Waiting, or on its way.
    Open,
    /// Sent back.
    Replayed,
    /// Set aside.
    Discarded,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Marked,
        Self::Staged,
        Self::Forwarded,
        Self::Refused,
        Self::Replayed,
        Self::Discarded,
    ];

    /// The word that stores keep.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Marked => "MARKED",
            Self::Staged => "STAGED",
            Self::Forwarded => "FORWARDED",
            Self::Refused => "REFUSED",
            Self::Replayed => "REPLAYED",
            Self::Discarded => "DISCARDED",
        }
    }

    /// The state that a store's word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Its phase.
    pub fn phase(self) -> Phase {
        match self {
            Self::Replayed => Phase::Replayed,
            Self::Discarded => Phase::Discarded,
            _ => Phase::Open,
        }
    }
}

impl Phase {
    /// The number that stores keep.
    pub fn number(self) -> i32 {
        match self {
            Self::Open => 0,
            Self::Replayed => 1,
            Self::Discarded => 2,
        }
    }
}

/// Whether trying again could have helped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The broker gave it up: nobody knows.
    Unknown,
    /// It could have, but no attempt was left.
    Transient,
    /// It could not.
    Permanent,
}

impl Class {
    /// The word that stores keep.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Transient => "transient",
            Self::Permanent => "permanent",
        }
    }

    /// The class that a word stands for, also one in a header.
    pub fn from_word(word: &str) -> Self {
        match word {
            "transient" => Self::Transient,
            "permanent" => Self::Permanent,
            _ => Self::Unknown,
        }
    }
}

/// Why handling failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whether trying again could have helped.
    pub class: Class,
    /// Stable name of the cause.
    pub reason: String,
    /// What happened, in words.
    pub message: String,
    /// Instance that failed.
    pub instance: String,
    /// Version of the software that failed.
    pub version: String,
}

/// What an operation did with a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The operation.
    pub operation: Uuid,
    /// What it did.
    pub kind: Kind,
    /// Who asked for it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When it was done, with millisecond precision.
    pub time: SystemTime,
}

/// What has it in hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hold {
    /// The operation; it stays when it is done with it, so that it does not take it again.
    pub operation: Option<Uuid>,
    /// Its batch.
    pub batch: Option<Uuid>,
    /// The attempt to send the batch.
    pub staging: Option<Uuid>,
}

/// A dead letter without its message. Times have millisecond precision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// [Its id](super::identity::dead_letter_id).
    pub id: Uuid,
    /// The consumer that failed, by the name of its queue.
    pub consumer: String,
    /// AMQP message id; empty when there is none.
    pub message_id: String,
    /// AMQP type; empty when there is none.
    pub event_type: String,
    /// The order it is about; empty when it is about none.
    pub order_id: String,
    /// Exchange to which it was first published.
    pub exchange: String,
    /// Routing key under which it was first published.
    pub routing_key: String,
    /// Correlation id; empty when there is none.
    pub correlation_id: String,
    /// W3C trace id; empty when there is none.
    pub trace_id: String,
    /// How it failed last.
    pub failure: Failure,
    /// Attempts in all.
    pub attempts: u64,
    /// When it first failed.
    pub first_failure: SystemTime,
    /// When it last failed.
    pub last_failure: SystemTime,
    /// Where it stands.
    pub state: State,
    /// What has it in hand.
    pub hold: Hold,
    /// What was done with it, oldest first, at most [`MAX_ACTIONS`].
    pub actions: Vec<Action>,
    /// [Failures](super::identity::failure_id) that it consists of, at most [`MAX_KNOWN_FAILURES`].
    pub failures: Vec<Uuid>,
}

/// One failure, as it came out of a dead-letter queue: a dead letter that has failed once, and the
/// attempt to send it back that it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Failed {
    /// The dead letter that it is if nothing was known before.
    pub dead_letter: DeadLetter,
    /// The message.
    pub message: Message,
    /// The attempt to send it back that it comes from.
    pub staging: Option<Uuid>,
}

impl DeadLetter {
    /// What becomes of it when `failed` is found in the dead-letter queue; `None` when that failure is
    /// known already and only delivered again.
    ///
    /// It waits again, unless an operation has it in hand that has yet to send it: a failure of an
    /// earlier copy does not take it away from there. The copy which that operation sent does.
    pub fn failed_again(&self, failed: &Failed) -> Option<Self> {
        let new = &failed.dead_letter;
        if new.failures.iter().all(|failure| self.failures.contains(failure)) {
            return None;
        }
        let mut failures = self.failures.clone();
        failures.extend(&new.failures);
        failures.drain(..failures.len().saturating_sub(MAX_KNOWN_FAILURES));
        let is_held = match self.state {
            State::Marked => true,
            State::Staged | State::Refused => failed.staging.is_none() || failed.staging != self.hold.staging,
            _ => false,
        };
        let (state, hold) = if is_held {
            (self.state, self.hold)
        } else {
            let operation = self.hold.operation;
            (
                State::Waiting,
                Hold {
                    operation,
                    ..Hold::default()
                },
            )
        };
        Some(Self {
            attempts: self.attempts.saturating_add(new.attempts),
            first_failure: self.first_failure.min(new.first_failure),
            last_failure: self.last_failure.max(new.last_failure),
            actions: self.actions.clone(),
            state,
            hold,
            failures,
            ..new.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use waybill::clock::from_unix_millis;

    use super::*;

    fn failed(failure: u128, staging: Option<u128>) -> Failed {
        let time = from_unix_millis(i64::try_from(failure).unwrap() * 1000);
        Failed {
            dead_letter: DeadLetter {
                id: Uuid::from_u128(1),
                consumer: "q".into(),
                message_id: "m".into(),
                event_type: "t".into(),
                order_id: String::new(),
                exchange: "e".into(),
                routing_key: "k".into(),
                correlation_id: String::new(),
                trace_id: String::new(),
                failure: Failure {
                    class: Class::Transient,
                    reason: format!("R{failure}"),
                    message: String::new(),
                    instance: String::new(),
                    version: String::new(),
                },
                attempts: 3,
                first_failure: time,
                last_failure: time,
                state: State::Waiting,
                hold: Hold::default(),
                actions: Vec::new(),
                failures: vec![Uuid::from_u128(failure)],
            },
            message: Message::default(),
            staging: staging.map(Uuid::from_u128),
        }
    }

    fn in_state(state: State, staging: Option<u128>) -> DeadLetter {
        DeadLetter {
            state,
            hold: Hold {
                operation: Some(Uuid::from_u128(7)),
                batch: Some(Uuid::from_u128(8)),
                staging: staging.map(Uuid::from_u128),
            },
            ..failed(1, None).dead_letter
        }
    }

    #[test]
    fn a_failure_that_is_delivered_again_changes_nothing() {
        for state in State::ALL {
            let known = in_state(state, None);
            assert_eq!(known.failed_again(&failed(1, None)), None, "{state:?}");
            let after = known.failed_again(&failed(2, None)).unwrap();
            assert_eq!(after.failed_again(&failed(1, None)), None, "{state:?}");
        }
    }

    #[test]
    fn attempts_add_up_and_the_last_cause_counts() {
        let after = in_state(State::Replayed, None)
            .failed_again(&failed(5, Some(9)))
            .unwrap();
        assert_eq!((after.attempts, after.state), (6, State::Waiting));
        assert_eq!(after.failure.reason, "R5");
        assert_eq!(after.first_failure, from_unix_millis(1000));
        assert_eq!(after.last_failure, from_unix_millis(5000));
        assert_eq!(
            after.hold.operation,
            Some(Uuid::from_u128(7)),
            "it is not taken twice by one operation"
        );
        assert_eq!(after.hold.batch, None);
    }

    #[test]
    fn a_copy_of_before_does_not_take_it_out_of_a_batch_but_the_copy_that_was_sent_does() {
        let state = |state, staging, of: Option<u128>| {
            let after = in_state(state, staging).failed_again(&failed(5, of)).unwrap();
            after.state
        };
        assert_eq!(state(State::Marked, None, None), State::Marked);
        assert_eq!(state(State::Staged, Some(3), None), State::Staged);
        assert_eq!(state(State::Staged, Some(3), Some(2)), State::Staged);
        assert_eq!(state(State::Staged, Some(3), Some(3)), State::Waiting);
        assert_eq!(state(State::Forwarded, Some(3), Some(3)), State::Waiting);
        assert_eq!(state(State::Discarded, None, None), State::Waiting);
    }

    #[test]
    fn only_so_many_failures_are_known() {
        let mut letter = failed(1, None).dead_letter;
        for n in 2..100 {
            letter = letter.failed_again(&failed(n, None)).unwrap();
        }
        assert_eq!(letter.failures.len(), MAX_KNOWN_FAILURES);
        assert_eq!(letter.attempts, 3 * 99);
    }
}
