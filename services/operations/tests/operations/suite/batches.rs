//! Letters on their way through a batch: every step may be repeated, and takes nothing from anybody.

use uuid::Uuid;
use waybill::grpc::page::Page;
use waybill_operations::{
    domain::{
        dead_letter::{Action, DeadLetter, Failed, Phase, State},
        filter::Selection,
        operation::Kind,
    },
    ports::{
        Stores,
        batches::{Left, Mark},
    },
};

use crate::support::letters::{again, at, consumer, id, new, of};

pub(crate) async fn conform(stores: &Stores) {
    a_replay_goes_through_every_step_and_each_may_be_repeated(stores).await;
    only_what_waits_and_is_meant_is_marked(stores).await;
    two_operations_never_have_the_same_letter(stores).await;
    an_interrupted_attempt_has_nothing_more_to_say(stores).await;
    what_fails_again_while_it_is_sent_waits_again(stores).await;
    what_is_refused_waits_again_and_is_not_taken_twice(stores).await;
    what_is_discarded_is_kept_with_who_and_why(stores).await;
    only_what_was_replayed_is_forgotten(stores).await;
}

async fn kept(stores: &Stores, count: i64) -> (String, Vec<Failed>) {
    let consumer = consumer();
    let failures: Vec<_> = (0..count).map(|n| new(&consumer, "A", n)).collect();
    stores.intake.record(&failures).await.unwrap();
    (consumer, failures)
}

fn mark(consumer: &str, limit: usize) -> Mark {
    Mark {
        operation: id(),
        batch: id(),
        selection: Selection::Filter(of(consumer)),
        until: at(1000),
        limit,
    }
}

fn action(mark: &Mark, kind: Kind) -> Action {
    Action {
        operation: mark.operation,
        kind,
        actor: "ada".into(),
        reason: "because".into(),
        time: at(2000),
    }
}

async fn get(stores: &Stores, failed: &Failed) -> DeadLetter {
    let found = stores.dead_letters.get(failed.dead_letter.id).await.unwrap();
    found.unwrap().0
}

async fn states(stores: &Stores, failures: &[Failed]) -> Vec<State> {
    let mut states = Vec::new();
    for failed in failures {
        states.push(get(stores, failed).await.state);
    }
    states
}

async fn staged(stores: &Stores, mark: &Mark, staging: Uuid) -> Vec<Uuid> {
    let staged = stores.sending.staged(mark.batch, staging, 100).await.unwrap();
    staged.iter().map(|(letter, _)| letter.id).collect()
}

async fn a_replay_goes_through_every_step_and_each_may_be_repeated(stores: &Stores) {
    let (consumer, failures) = kept(stores, 3).await;
    let ids: Vec<_> = failures.iter().map(|f| f.dead_letter.id).collect();
    let mark = mark(&consumer, 100);
    let (staging, replay) = (id(), action(&mark, Kind::Replay));
    for _ in 0..2 {
        assert_eq!(stores.batches.mark(&mark).await.unwrap(), 3);
    }
    assert_eq!(states(stores, &failures).await, [State::Marked; 3]);
    for _ in 0..2 {
        stores.batches.stage(mark.batch, staging, &replay).await.unwrap();
    }
    let sending = stores.sending.staged(mark.batch, staging, 2).await.unwrap();
    let first: Vec<_> = sending.iter().map(|(letter, _)| letter.id).collect();
    assert_eq!(first, ids[..2], "those that failed first before others");
    assert_eq!(sending[0].1, failures[0].message);
    let left = Left {
        unsent: 3,
        refused: 0,
    };
    assert_eq!(stores.batches.left(mark.batch).await.unwrap(), left);
    for _ in 0..2 {
        stores.sending.forwarded(staging, &ids).await.unwrap();
    }
    assert!(staged(stores, &mark, staging).await.is_empty());
    assert_eq!(states(stores, &failures).await, [State::Forwarded; 3]);
    for _ in 0..2 {
        stores
            .batches
            .end(mark.batch, Kind::Replay, &replay)
            .await
            .unwrap();
    }
    assert_eq!(states(stores, &failures).await, [State::Replayed; 3]);
    let letter = get(stores, &failures[0]).await;
    assert_eq!((letter.actions, letter.hold.batch), (vec![replay], None));
    // It is no longer among those that are open.
    let page = Page {
        size: 10,
        after: None,
    };
    let open = stores
        .dead_letters
        .list(Phase::Open, &of(&consumer), page)
        .await
        .unwrap();
    assert_eq!(open, []);
    let replayed = stores
        .dead_letters
        .list(Phase::Replayed, &of(&consumer), page)
        .await
        .unwrap();
    assert_eq!(replayed.len(), 3);
    let next = Mark { batch: id(), ..mark };
    assert_eq!(stores.batches.mark(&next).await.unwrap(), 0);
}

async fn only_what_waits_and_is_meant_is_marked(stores: &Stores) {
    let (consumer, failures) = kept(stores, 4).await;
    let few = Mark {
        until: at(2),
        ..mark(&consumer, 2)
    };
    assert_eq!(stores.batches.mark(&few).await.unwrap(), 2);
    let expected = [State::Marked, State::Marked, State::Waiting, State::Waiting];
    assert_eq!(states(stores, &failures).await, expected);
    let rest = Mark { batch: id(), ..few };
    assert_eq!(
        stores.batches.mark(&rest).await.unwrap(),
        1,
        "the last one failed later"
    );
    let ids: Vec<_> = failures.iter().map(|f| f.dead_letter.id).chain([id()]).collect();
    let by_id = Mark {
        selection: Selection::Ids(ids),
        ..mark(&consumer, 100)
    };
    assert_eq!(
        stores.batches.mark(&by_id).await.unwrap(),
        1,
        "the others are taken"
    );
}

async fn two_operations_never_have_the_same_letter(stores: &Stores) {
    let (consumer, failures) = kept(stores, 20).await;
    let marks: Vec<_> = (0..4).map(|_| mark(&consumer, 100)).collect();
    let marking = marks.iter().map(|mark| stores.batches.mark(mark));
    let marked = futures::future::join_all(marking).await;
    let counts: Vec<_> = marked.into_iter().map(Result::unwrap).collect();
    assert_eq!(counts.iter().sum::<u64>(), 20, "{counts:?}");
    for (mark, count) in marks.iter().zip(counts) {
        let mut held = 0;
        for failed in &failures {
            held += u64::from(get(stores, failed).await.hold.batch == Some(mark.batch));
        }
        assert_eq!(held, count);
    }
}

async fn an_interrupted_attempt_has_nothing_more_to_say(stores: &Stores) {
    let (consumer, failures) = kept(stores, 2).await;
    let mark = mark(&consumer, 100);
    stores.batches.mark(&mark).await.unwrap();
    let (interrupted, fresh) = (id(), id());
    let replay = action(&mark, Kind::Replay);
    stores
        .batches
        .stage(mark.batch, interrupted, &replay)
        .await
        .unwrap();
    stores.batches.stage(mark.batch, fresh, &replay).await.unwrap();
    assert!(staged(stores, &mark, interrupted).await.is_empty());
    let ids = staged(stores, &mark, fresh).await;
    assert_eq!(ids.len(), 2);
    stores.sending.forwarded(interrupted, &ids).await.unwrap();
    stores.sending.refused(interrupted, &ids).await.unwrap();
    assert_eq!(states(stores, &failures).await, [State::Staged; 2]);
    assert_eq!(get(stores, &failures[0]).await.actions, [replay], "told once");
}

async fn what_fails_again_while_it_is_sent_waits_again(stores: &Stores) {
    let (consumer, failures) = kept(stores, 2).await;
    let mark = mark(&consumer, 100);
    stores.batches.mark(&mark).await.unwrap();
    let staging = id();
    let replay = action(&mark, Kind::Replay);
    stores.batches.stage(mark.batch, staging, &replay).await.unwrap();
    let failed = again(&failures[0], "B", 50, Some(staging));
    stores.intake.record(&[failed]).await.unwrap();
    let ids: Vec<_> = failures.iter().map(|f| f.dead_letter.id).collect();
    stores.sending.forwarded(staging, &ids).await.unwrap();
    stores
        .batches
        .end(mark.batch, Kind::Replay, &replay)
        .await
        .unwrap();
    assert_eq!(states(stores, &failures).await, [State::Waiting, State::Replayed]);
    let letter = get(stores, &failures[0]).await;
    assert_eq!((letter.attempts, letter.actions), (2, vec![replay]));
    // The operation that sent it does not take it again; another one does.
    let same = Mark {
        batch: id(),
        ..mark.clone()
    };
    assert_eq!(stores.batches.mark(&same).await.unwrap(), 0);
    let another = Mark {
        operation: id(),
        ..same
    };
    assert_eq!(stores.batches.mark(&another).await.unwrap(), 1);
}

async fn what_is_refused_waits_again_and_is_not_taken_twice(stores: &Stores) {
    let (consumer, failures) = kept(stores, 2).await;
    let mark = mark(&consumer, 100);
    stores.batches.mark(&mark).await.unwrap();
    let (staging, replay) = (id(), action(&mark, Kind::Replay));
    stores.batches.stage(mark.batch, staging, &replay).await.unwrap();
    let first = failures[0].dead_letter.id;
    stores.sending.refused(staging, &[first]).await.unwrap();
    let left = Left {
        unsent: 1,
        refused: 1,
    };
    assert_eq!(stores.batches.left(mark.batch).await.unwrap(), left);
    let second = failures[1].dead_letter.id;
    stores.sending.forwarded(staging, &[second]).await.unwrap();
    stores
        .batches
        .end(mark.batch, Kind::Replay, &replay)
        .await
        .unwrap();
    assert_eq!(states(stores, &failures).await, [State::Waiting, State::Replayed]);
    let same = Mark { batch: id(), ..mark };
    assert_eq!(stores.batches.mark(&same).await.unwrap(), 0);
}

async fn what_is_discarded_is_kept_with_who_and_why(stores: &Stores) {
    let (consumer, failures) = kept(stores, 1).await;
    let mark = mark(&consumer, 100);
    stores.batches.mark(&mark).await.unwrap();
    let discard = action(&mark, Kind::Discard);
    for _ in 0..2 {
        stores
            .batches
            .end(mark.batch, Kind::Discard, &discard)
            .await
            .unwrap();
    }
    let found = stores.dead_letters.get(failures[0].dead_letter.id).await.unwrap();
    let (letter, message) = found.unwrap();
    assert_eq!((letter.state, letter.actions), (State::Discarded, vec![discard]));
    assert_eq!(message, failures[0].message);
    let page = Page {
        size: 10,
        after: None,
    };
    let discarded = stores
        .dead_letters
        .list(Phase::Discarded, &of(&consumer), page)
        .await;
    assert_eq!(discarded.unwrap().len(), 1);
}

async fn only_what_was_replayed_is_forgotten(stores: &Stores) {
    let (consumer, failures) = kept(stores, 3).await;
    let take = async |kind, limit| {
        let mark = mark(&consumer, limit);
        stores.batches.mark(&mark).await.unwrap();
        let (staging, action) = (id(), action(&mark, kind));
        if kind == Kind::Replay {
            stores.batches.stage(mark.batch, staging, &action).await.unwrap();
            let ids = staged(stores, &mark, staging).await;
            stores.sending.forwarded(staging, &ids).await.unwrap();
        }
        stores.batches.end(mark.batch, kind, &action).await.unwrap();
    };
    take(Kind::Replay, 1).await;
    take(Kind::Discard, 1).await;
    assert_eq!(stores.work.forget_replayed(at(2000), 1000).await.unwrap(), 0);
    while stores.work.forget_replayed(at(2001), 1).await.unwrap() > 0 {}
    let found = async |n: usize| stores.dead_letters.get(failures[n].dead_letter.id).await.unwrap();
    assert_eq!(found(0).await, None);
    assert!(found(1).await.is_some() && found(2).await.is_some());
}
