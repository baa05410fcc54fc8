//! What every store of stories must do. Each check is given one that is empty.

use waybill::story::{Attempt, Ending, MAX_TOLD, Stories};

/// What was recorded comes back whole, by when each attempt began, and one aggregate's alone.
pub async fn one_aggregates_attempts_by_when_they_began(stories: &dyn Stories) {
    let [late, early, other] = [attempt("o-1", 30), attempt("o-1", 10), attempt("o-2", 20)];
    let retried = Attempt {
        ending: Ending::Retried("NOT_YET".into()),
        ..attempt("o-1", 20)
    };
    let given_up = Attempt {
        ending: Ending::GivenUp("BROKEN".into()),
        trace_id: String::new(),
        ..attempt("o-1", 40)
    };
    let recorded = [late.clone(), other.clone(), early.clone(), given_up.clone()];
    stories.record(&recorded).await.unwrap();
    stories.record(std::slice::from_ref(&retried)).await.unwrap();
    let told = stories.of("o-1").await.unwrap();
    assert_eq!(told, [early, retried, late, given_up]);
    assert_eq!(stories.of("o-2").await.unwrap(), [other]);
    assert_eq!(stories.of("o-3").await.unwrap(), []);
}

/// An attempt that is made again, as after a crash, is told again: it was made.
pub async fn what_happened_twice_is_told_twice(stories: &dyn Stories) {
    let attempt = attempt("o-1", 10);
    let twice = [attempt.clone(), attempt];
    stories.record(&twice).await.unwrap();
    assert_eq!(stories.of("o-1").await.unwrap(), twice);
}

/// A story without end is told from its beginning, and no further than it may be long.
pub async fn a_story_has_an_end(stories: &dyn Stories) {
    let attempts: Vec<_> = (0..).take(MAX_TOLD + 1).map(|n| attempt("o-1", n)).collect();
    stories.record(&attempts).await.unwrap();
    assert_eq!(stories.of("o-1").await.unwrap(), attempts[..MAX_TOLD]);
}

/// An attempt that had its effect, began at `start_time_ms` and is unlike others in no other way.
pub fn attempt(subject: &str, start_time_ms: i64) -> Attempt {
    Attempt {
        event_id: "e-1".into(),
        type_name: "waybill.order.v1.OrderCreated".into(),
        subject: subject.into(),
        event_time_ms: 5,
        consumer: "waybill.test".into(),
        instance: "test-1".into(),
        number: 1,
        start_time_ms,
        end_time_ms: start_time_ms + 1,
        ending: Ending::Handled,
        trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
    }
}
