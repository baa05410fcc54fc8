//! Failures in, letters out.

use uuid::Uuid;
use waybill::{
    clock::unix_millis,
    grpc::page::{Cursor, Page},
    message::{HeaderValue, Headers},
};
use waybill_operations::{
    domain::{
        dead_letter::{DeadLetter, Failed, Phase, State},
        filter::{Cause, Filter},
    },
    ports::Stores,
};

use crate::support::letters::{again, at, consumer, event, given_up, id, new, of};

pub(crate) async fn conform(stores: &Stores) {
    everything_comes_back(stores).await;
    what_is_delivered_again_changes_nothing(stores).await;
    a_message_that_fails_again_is_the_same_letter(stores).await;
    failures_at_the_same_moment_add_up(stores).await;
    every_filter_finds_what_matches(stores).await;
    pages_are_whole(stores).await;
    causes_are_counted_up_to_a_limit(stores).await;
    those_that_wait_are_counted(stores).await;
}

async fn record(stores: &Stores, failures: &[Failed]) {
    stores.intake.record(failures).await.unwrap();
}

async fn get(stores: &Stores, id: Uuid) -> DeadLetter {
    stores.dead_letters.get(id).await.unwrap().unwrap().0
}

async fn everything_comes_back(stores: &Stores) {
    let consumer = consumer();
    let mut message = given_up(event("o-1"), &consumer, "A", 0);
    message.properties.priority = Some(7);
    message.properties.reply_to = Some("somewhere".into());
    message.properties.timestamp = Some(u64::MAX);
    message.body = vec![0, 159, 146, 150].into();
    let list = vec![HeaderValue::Void, HeaderValue::Integer(i64::MIN)];
    let table = Headers::from([("$in.ner".to_owned(), HeaderValue::Timestamp(u64::MAX))]);
    for (name, value) in [
        ("a.b$c", HeaderValue::Bool(true)),
        ("double", HeaderValue::Double(f64::NEG_INFINITY)),
        ("bytes", HeaderValue::Bytes(vec![0, 255])),
        ("text", "grüße \" \\ \u{0}".into()),
        ("list", HeaderValue::List(list)),
        ("table", HeaderValue::Table(table)),
    ] {
        message.headers.insert(name.to_owned(), value);
    }
    let failed = waybill_operations::adapters::events::failed(&consumer, message, at(0));
    record(stores, std::slice::from_ref(&failed)).await;
    let found = stores.dead_letters.get(failed.dead_letter.id).await.unwrap();
    assert_eq!(found, Some((failed.dead_letter, failed.message)));
    assert_eq!(stores.dead_letters.get(id()).await.unwrap(), None);
}

async fn what_is_delivered_again_changes_nothing(stores: &Stores) {
    let failed = new(&consumer(), "A", 0);
    // Also within one batch.
    record(stores, &[failed.clone(), failed.clone()]).await;
    record(stores, std::slice::from_ref(&failed)).await;
    assert_eq!(get(stores, failed.dead_letter.id).await, failed.dead_letter);
}

async fn a_message_that_fails_again_is_the_same_letter(stores: &Stores) {
    // Many in one batch, so that a store that records them in any order is found out.
    let consumer = consumer();
    let failed_twice = || {
        let first = new(&consumer, "A", 0);
        let second = again(&first, "B", 5, None);
        [first, second]
    };
    let failures: Vec<_> = (0..20).flat_map(|_| failed_twice()).collect();
    record(stores, &failures).await;
    for second in failures.into_iter().skip(1).step_by(2) {
        let found = stores.dead_letters.get(second.dead_letter.id).await.unwrap();
        let (letter, message) = found.unwrap();
        assert_eq!(letter.attempts, 2);
        assert_eq!((letter.first_failure, letter.last_failure), (at(0), at(5)));
        assert_eq!(letter.failure.reason, "B");
        assert_eq!(message, second.message);
    }
}

async fn failures_at_the_same_moment_add_up(stores: &Stores) {
    let first = new(&consumer(), "A", 0);
    record(stores, std::slice::from_ref(&first)).await;
    let more: Vec<_> = (1..=6).map(|n| again(&first, "B", n, None)).collect();
    let recording = more
        .iter()
        .map(|one| stores.intake.record(std::slice::from_ref(one)));
    for recorded in futures::future::join_all(recording).await {
        recorded.unwrap();
    }
    assert_eq!(get(stores, first.dead_letter.id).await.attempts, 7);
}

async fn found(stores: &Stores, filter: &Filter) -> Vec<Uuid> {
    let page = Page {
        size: 100,
        after: None,
    };
    let found = stores.dead_letters.list(Phase::Open, filter, page).await.unwrap();
    found.iter().map(|letter| letter.id).collect()
}

async fn every_filter_finds_what_matches(stores: &Stores) {
    let (ours, other) = (consumer(), consumer());
    let order = id().to_string();
    let mut of_order = new(&ours, "A", 10);
    of_order.dead_letter.order_id.clone_from(&order);
    let mut of_type = new(&ours, "B", 20);
    of_type.dead_letter.event_type = format!("t.{other}");
    let late = new(&ours, "B", 30);
    let elsewhere = new(&other, "A", 40);
    record(
        stores,
        &[of_order.clone(), of_type.clone(), late.clone(), elsewhere.clone()],
    )
    .await;
    let [of_order, of_type, late, elsewhere] = [of_order, of_type, late, elsewhere].map(|f| f.dead_letter.id);

    assert_eq!(found(stores, &of(&ours)).await, [late, of_type, of_order]);
    assert_eq!(found(stores, &of(&other)).await, [elsewhere]);
    let filter = |change: fn(&mut Filter, String), text: &str| {
        let mut filter = of(&ours);
        change(&mut filter, text.to_owned());
        filter
    };
    let by_reason = filter(|f, text| f.reason = Some(text), "B");
    assert_eq!(found(stores, &by_reason).await, [late, of_type]);
    let type_name = format!("t.{other}");
    let by_type = filter(|f, text| f.event_type = Some(text), &type_name);
    assert_eq!(found(stores, &by_type).await, [of_type]);
    let type_alone = Filter {
        consumer: None,
        ..by_type.clone()
    };
    assert_eq!(found(stores, &type_alone).await, [of_type]);
    let by_both = Filter {
        reason: Some("A".into()),
        ..by_type
    };
    assert!(found(stores, &by_both).await.is_empty());
    let by_order = filter(|f, text| f.order_id = Some(text), &order);
    assert_eq!(found(stores, &by_order).await, [of_order]);
    let order_alone = Filter {
        consumer: None,
        ..by_order
    };
    assert_eq!(found(stores, &order_alone).await, [of_order]);
    let by_age = Filter {
        failed_since: Some(at(20)),
        failed_before: Some(at(30)),
        ..of(&ours)
    };
    assert_eq!(found(stores, &by_age).await, [of_type]);
}

async fn pages_are_whole(stores: &Stores) {
    let consumer = consumer();
    // Times repeat, so that the id has to decide.
    let failures: Vec<_> = (0..9).map(|n| new(&consumer, "A", n / 4)).collect();
    record(stores, &failures).await;
    let mut all: Vec<_> = failures.into_iter().map(|f| f.dead_letter).collect();
    all.sort_by_key(|letter| std::cmp::Reverse((letter.last_failure, letter.id)));
    for size in [1, 2, 4, 9, 100] {
        let mut seen = Vec::new();
        let mut page = Page { size, after: None };
        loop {
            let found = stores.dead_letters.list(Phase::Open, &of(&consumer), page).await;
            let mut found = found.unwrap();
            assert!(found.len() <= size + 1, "more than one beyond the page");
            let is_last = found.len() <= size;
            found.truncate(size);
            seen.extend(found);
            if is_last {
                break;
            }
            page.after = seen.last().map(|last: &DeadLetter| Cursor {
                time_ms: unix_millis(last.last_failure),
                id: last.id,
            });
        }
        assert_eq!(seen, all);
    }
}

async fn causes_are_counted_up_to_a_limit(stores: &Stores) {
    let consumer = consumer();
    let failures: Vec<_> = [("A", 0), ("B", 1), ("A", 2), ("A", 3)]
        .map(|(reason, after)| new(&consumer, reason, after))
        .into();
    record(stores, &failures).await;
    let causes = async |limit| {
        let mut causes = stores.dead_letters.causes(&of(&consumer), limit).await.unwrap();
        causes.sort_by(|a, b| a.reason.cmp(&b.reason));
        causes
    };
    let cause = |reason: &str, count, oldest, newest| Cause {
        consumer: consumer.clone(),
        event_type: "waybill.order.v1.OrderCreated".into(),
        reason: reason.into(),
        count,
        oldest: at(oldest),
        newest: at(newest),
    };
    assert_eq!(causes(100).await, [cause("A", 3, 0, 3), cause("B", 1, 1, 1)]);
    assert_eq!(causes(2).await, [cause("A", 2, 2, 3)], "the newest are counted");
}

async fn those_that_wait_are_counted(stores: &Stores) {
    let failed = new(&consumer(), "A", 0);
    record(stores, std::slice::from_ref(&failed)).await;
    let known = failed.dead_letter.id;
    assert_eq!(failed.dead_letter.state, State::Waiting);
    assert_eq!(stores.dead_letters.waiting(&[known, id()]).await.unwrap(), 1);
}
