//! What the MongoDB adapter costs: an index for every query, and pages in the order of one.

use waybill::{
    clock::unix_millis,
    grpc::page::{Cursor, Page},
    mongo::Client,
};
use waybill_operations::{
    adapters::mongo::MongoOperations,
    domain::{
        dead_letter::{Action, Phase},
        filter::{Filter, Selection},
        operation::Kind,
    },
    ports::{Stores, batches::Mark},
};
use waybill_testkit::mongodb::{Commands, Databases, Plan};

use crate::support::letters::{at, consumer, id, new, of};

/// A store whose commands are written down.
struct Watched {
    stores: Stores,
    commands: Commands,
    _databases: Databases,
}

impl Watched {
    async fn new() -> Self {
        let databases = Databases::new().await;
        let (options, commands) = databases.watched().await;
        let client = Client::with_options(options).unwrap();
        let database = client.database("operations");
        let store = MongoOperations::new(&database);
        for indexes in store.indexes() {
            indexes.ensure().await.unwrap();
        }
        Self {
            stores: store.stores(),
            commands,
            _databases: databases,
        }
    }

    /// How the server finds everything that was looked for since it was last asked.
    async fn plans(&self) -> Vec<Plan> {
        let plans = self.commands.plans().await;
        assert!(!plans.is_empty());
        plans
    }
}

#[tokio::test]
async fn every_list_is_read_in_the_order_of_an_index() {
    let watched = Watched::new().await;
    let consumer = consumer();
    let failures: Vec<_> = (0..20).map(|n| new(&consumer, "A", n)).collect();
    watched.stores.intake.record(&failures).await.unwrap();
    watched.plans().await;
    let set = |n: u32, bit: u32, text: &str| (n & (1 << bit) != 0).then(|| text.to_owned());
    let middle = &failures[10].dead_letter;
    let after = Some(Cursor {
        time_ms: unix_millis(middle.last_failure),
        id: middle.id,
    });
    for n in 0..16 {
        let filter = Filter {
            consumer: set(n, 0, &consumer),
            event_type: set(n, 1, &middle.event_type),
            reason: set(n, 2, "A"),
            order_id: set(n, 3, "o-1"),
            failed_since: Some(at(1)),
            failed_before: None,
        };
        for after in [None, after] {
            let page = Page { size: 5, after };
            let found = watched.stores.dead_letters.list(Phase::Open, &filter, page).await;
            assert_eq!(found.unwrap().len(), 6);
            let plan = watched.plans().await.remove(0);
            assert!(plan.is_indexed() && !plan.sorts(), "{filter:?}: {plan:?}");
        }
        watched.stores.dead_letters.causes(&filter, 10).await.unwrap();
        let plan = watched.plans().await.remove(0);
        assert!(plan.is_indexed(), "{plan:?}");
    }
}

#[tokio::test]
async fn every_step_finds_its_letters_by_an_index() {
    let watched = Watched::new().await;
    let consumer = consumer();
    let failures: Vec<_> = (0..20).map(|n| new(&consumer, "A", n)).collect();
    let stores = &watched.stores;
    stores.intake.record(&failures).await.unwrap();
    for kind in [Kind::Replay, Kind::Discard] {
        let mark = Mark {
            operation: id(),
            batch: id(),
            selection: Selection::Filter(of(&consumer)),
            until: at(1000),
            limit: 5,
        };
        let action = Action {
            operation: mark.operation,
            kind,
            actor: "ada".into(),
            reason: "because".into(),
            time: at(2000),
        };
        assert_eq!(stores.batches.mark(&mark).await.unwrap(), 5);
        if kind == Kind::Replay {
            let staging = id();
            stores.batches.stage(mark.batch, staging, &action).await.unwrap();
            let staged = stores.sending.staged(mark.batch, staging, 5).await.unwrap();
            let ids: Vec<_> = staged.iter().map(|(letter, _)| letter.id).collect();
            stores.sending.forwarded(staging, &ids).await.unwrap();
            stores.batches.left(mark.batch).await.unwrap();
        }
        stores.batches.end(mark.batch, kind, &action).await.unwrap();
    }
    stores.work.forget_replayed(at(3000), 10).await.unwrap();
    stores.work.running(10).await.unwrap();
    let page = Page { size: 5, after: None };
    stores.operations.list(page).await.unwrap();
    for plan in watched.plans().await {
        assert!(plan.is_indexed(), "{plan:?}");
    }
}
