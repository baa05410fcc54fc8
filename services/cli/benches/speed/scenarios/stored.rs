//! What a call costs where few orders are stored and where many are: in turn, on the same machine and in
//! the same round, so that nothing else differs.

use waybill_testkit::wait;

use super::{
    Setting,
    calls::{Calls, Kind, Pace},
};
use crate::{
    child::{self, Role},
    measure::Watched,
    statistics::{Sample, count},
    stores::{self, Pair, Store},
};

/// What is measured, in words.
pub(crate) const CALLS: [(&str, &str); 8] = [
    ("stored_place", "place and publish"),
    ("stored_get", "get"),
    ("stored_list", "list"),
    ("stored_sweep", "sweep"),
    ("embedded_stored_place", "embedded: place and publish"),
    ("embedded_stored_get", "embedded: get"),
    ("embedded_stored_list", "embedded: list"),
    ("embedded_stored_sweep", "embedded: sweep"),
];

/// Calls under way at a time.
const IN_FLIGHT: usize = 32;

/// Users whose orders are got: as many orders as a run has time for, without any twice.
const USERS_TO_GET: usize = 500;

/// What is asked of both, and what of a sample is compared.
const RATIOS: [&str; 3] = ["cpu_us", "p50_us", "p99_us"];

pub(super) async fn measure(what: &str, pair: &Pair, setting: Setting<'_>) -> Sample {
    let mut sample = Sample::new();
    let mut stores = [("few", &pair.few), ("many", &pair.many)];
    // Over the rounds none gains by being the second, which finds the machine awake.
    fastrand::shuffle(&mut stores);
    for (which, store) in stores {
        let watched = store.platform.watched(setting.servers);
        let mut of_store = match what {
            "place" => call(Kind::Place, store, setting, watched).await,
            "get" => call(Kind::Get, store, setting, watched).await,
            "list" => call(Kind::List, store, setting, watched).await,
            "sweep" => sweep(store, setting, &watched).await,
            other => panic!("{other} is not measured"),
        };
        of_store.insert("cpu_us".into(), everywhere(&of_store));
        of_store.insert("orders".into(), count(store.orders));
        of_store.insert("fill_s".into(), store.fill_s);
        of_store.insert("mib".into(), store.mib);
        sample.extend(
            of_store
                .into_iter()
                .map(|(name, value)| (format!("{which}.{name}"), value)),
        );
    }
    for name in RATIOS {
        let of = |which: &str| sample.get(&format!("{which}.{name}")).copied();
        if let (Some(few), Some(many)) = (of("few"), of("many")) {
            sample.insert(format!("ratio.{name}"), many / few);
        }
    }
    sample
}

/// Processor time of all processes but the client's.
fn everywhere(sample: &Sample) -> f64 {
    let used = sample.iter().filter(|(name, _)| name.starts_with("cpu_us."));
    used.filter(|(name, _)| *name != "cpu_us.driver")
        .map(|(_, us)| us)
        .sum()
}

/// Calls of one kind, for random users.
async fn call(kind: Kind, store: &Store, setting: Setting<'_>, watched: Watched) -> Sample {
    let users = match kind {
        Kind::Place => &store.buyers,
        Kind::Get | Kind::List => &store.readers,
    };
    let mut users = users.clone();
    fastrand::shuffle(&mut users);
    if kind == Kind::Get {
        users.truncate(USERS_TO_GET);
    }
    let calls = Calls {
        url: store.platform.process("order").grpc.clone(),
        kind,
        users,
        pace: Pace::InFlight(IN_FLIGHT),
        times: setting.sizes.stored_times,
        watched,
    };
    let sample = child::result(&Role::Calls(calls)).await;
    // What was placed is published before anything else is measured.
    until_cleared(store).await;
    sample
}

/// Has the relay find and publish events that were left in the store, as after a crash.
async fn sweep(store: &Store, setting: Setting<'_>, watched: &Watched) -> Sample {
    let number = setting.sizes.left_behind;
    let published = stores::published(&store.platform).await;
    let users = store.buyers.iter().cycle().take(number);
    store.inside.place(users).await;
    let before = watched.now();
    assert_eq!(
        stores::published(&store.platform).await,
        published,
        "they are stored before the relay looks for them"
    );
    stores::until_published(&store.platform, published + number).await;
    let after = watched.now();
    until_cleared(store).await;
    assert_eq!(
        stores::published(&store.platform).await,
        published + number,
        "each is published once"
    );
    let mut sample = Sample::new();
    before.tell(&after, count(number), &mut sample);
    sample
}

/// Waits until nothing waits to be published.
async fn until_cleared(store: &Store) {
    wait::until("the outbox is empty", async || {
        (store.inside.waiting().await == 0).then_some(())
    })
    .await;
}
