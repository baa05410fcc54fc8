//! Operations, and who works on them.

use std::time::Duration;

use waybill::{
    clock::unix_millis,
    grpc::page::{Cursor, Page},
};
use waybill_operations::{
    domain::{
        filter::{Filter, Selection},
        operation::{Batch, Kind, Operation, Order, Step},
    },
    ports::Stores,
};

use crate::support::letters::{at, id};

pub(crate) async fn conform(stores: &Stores) {
    everything_comes_back(stores).await;
    an_id_is_used_once(stores).await;
    of_two_writers_one_wins(stores).await;
    pages_are_newest_first(stores).await;
    what_has_not_ended_runs(stores).await;
    one_leads(stores).await;
}

fn operation(after_ms: i64, selection: Selection) -> Operation {
    let order = Order {
        id: id(),
        fingerprint: [7; 32],
        kind: Kind::Replay,
        selection,
        actor: "ada".into(),
        reason: "mended".into(),
        rate: 100,
        time: at(after_ms),
    };
    Operation::new(order, 3)
}

fn all() -> Selection {
    Selection::Filter(Filter::default())
}

async fn everything_comes_back(stores: &Stores) {
    let filter = Filter {
        consumer: Some("q".into()),
        event_type: Some("t".into()),
        reason: Some("R".into()),
        order_id: Some("o".into()),
        failed_since: Some(at(1)),
        failed_before: Some(at(2)),
    };
    for selection in [Selection::Filter(filter), Selection::Ids(vec![id(), id()])] {
        let mut one = operation(0, selection);
        one.refusal = "no".into();
        one.batch = Some(Batch {
            id: id(),
            step: Step::Sending,
            size: 5,
            refused: 1,
        });
        one.end = Some(at(9));
        assert_eq!(stores.operations.create(&one).await.unwrap(), None);
        let found = stores.operations.get(one.order.id).await.unwrap();
        assert_eq!(found, Some(one));
    }
    assert_eq!(stores.operations.get(id()).await.unwrap(), None);
}

async fn an_id_is_used_once(stores: &Stores) {
    let first = operation(0, all());
    let mut second = operation(1, all());
    second.order.id = first.order.id;
    let creating = [&first, &second].map(|one| stores.operations.create(one));
    let created = futures::future::join_all(creating).await;
    let known: Vec<_> = created.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(known.len(), 1, "one of the two is told of the other");
    let kept = stores.operations.get(first.order.id).await.unwrap();
    assert_eq!(kept.as_ref(), known.first());
    end(stores, kept.unwrap()).await;
}

async fn end(stores: &Stores, mut operation: Operation) {
    operation.end = Some(at(9));
    operation.revision += 1;
    assert!(stores.operations.save(&operation).await.unwrap());
}

async fn of_two_writers_one_wins(stores: &Stores) {
    let mut one = operation(0, all());
    stores.operations.create(&one).await.unwrap();
    one.revision += 1;
    one.done = 5;
    let another = Operation {
        done: 6,
        ..one.clone()
    };
    assert!(stores.operations.save(&one).await.unwrap());
    assert!(!stores.operations.save(&another).await.unwrap());
    let kept = stores.operations.get(one.order.id).await.unwrap();
    assert_eq!(kept.as_ref(), Some(&one));
    end(stores, one).await;
}

async fn pages_are_newest_first(stores: &Stores) {
    // Newer than any other check's.
    let mut made = Vec::new();
    for n in 0..5 {
        let mut one = operation(10_000 + n / 2, all());
        one.end = Some(at(9));
        stores.operations.create(&one).await.unwrap();
        made.push((one.order.time, one.order.id));
    }
    made.sort_unstable();
    made.reverse();
    let mut seen = Vec::new();
    let mut page = Page { size: 2, after: None };
    while seen.len() < made.len() {
        let mut found = stores.operations.list(page).await.unwrap();
        assert!(found.len() <= 3);
        found.truncate(2);
        seen.extend(found.iter().map(|one| (one.order.time, one.order.id)));
        page.after = seen.last().map(|(time, id)| Cursor {
            time_ms: unix_millis(*time),
            id: *id,
        });
    }
    assert_eq!(seen[..made.len()], made);
}

async fn what_has_not_ended_runs(stores: &Stores) {
    assert_eq!(stores.work.running(10).await.unwrap(), []);
    let (newer, older) = (operation(6, all()), operation(5, all()));
    for one in [&newer, &older] {
        stores.operations.create(one).await.unwrap();
    }
    assert_eq!(
        stores.work.running(10).await.unwrap(),
        [older.clone(), newer.clone()]
    );
    assert_eq!(
        stores.work.running(1).await.unwrap(),
        std::slice::from_ref(&older)
    );
    end(stores, older).await;
    assert_eq!(
        stores.work.running(10).await.unwrap(),
        std::slice::from_ref(&newer)
    );
    end(stores, newer).await;
}

async fn one_leads(stores: &Stores) {
    let lease = Duration::from_millis(10);
    let try_lead = async |holder, now| stores.work.try_lead(holder, at(now), lease).await.unwrap();
    assert!(try_lead("a", 0).await);
    assert!(!try_lead("b", 9).await);
    assert!(try_lead("a", 5).await, "renewed");
    assert!(!try_lead("b", 14).await);
    assert!(try_lead("b", 15).await);
    assert!(!try_lead("a", 16).await);
}
