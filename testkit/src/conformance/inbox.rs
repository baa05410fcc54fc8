//! What every inbox must do.
//!
//! Each check wants inboxes whose effects are applied as [`Count`] says, and `counted`, which reads
//! a counter (0 when there is none). Counters of one check have names of their own.

use futures::join;
use uuid::Uuid;
use waybill::{
    clock::{IdGenerator, UuidV7Generator},
    inbox::{Entry, Inbox},
    store::Error,
};

use crate::stated::PERFORMANCE;

/// An effect: one counter goes up by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// Name of the counter.
    pub counter: String,
    /// Whether applying it fails instead, in the transaction and after its neighbours.
    pub fails: bool,
}

/// A message that is delivered five times counts once.
pub async fn five_deliveries_count_once(inbox: &dyn Inbox<Count>, counted: impl AsyncFn(&str) -> u64) {
    let entries = [entry("five")];
    assert_eq!(inbox.commit(&entries).await.unwrap(), 1);
    for _ in 0..4 {
        assert_eq!(inbox.commit(&entries).await.unwrap(), 0);
    }
    assert_eq!(counted("five").await, 1);
}

/// An event that stands twice in a batch counts once; old and new ones mix.
pub async fn duplicates_in_a_batch_count_once(inbox: &dyn Inbox<Count>, counted: impl AsyncFn(&str) -> u64) {
    let (old, new, other) = (entry("old"), entry("new"), entry("other"));
    assert_eq!(inbox.commit(std::slice::from_ref(&old)).await.unwrap(), 1);
    let batch = [new.clone(), old.clone(), new.clone(), other, new, old];
    assert_eq!(inbox.commit(&batch).await.unwrap(), 2);
    for counter in ["old", "new", "other"] {
        assert_eq!(counted(counter).await, 1, "{counter}");
    }
}

/// Different events may have effects on the same thing, in one batch and in several.
pub async fn different_events_add_up(inbox: &dyn Inbox<Count>, counted: impl AsyncFn(&str) -> u64) {
    assert_eq!(inbox.commit(&[entry("sum"), entry("sum")]).await.unwrap(), 2);
    assert_eq!(inbox.commit(&[entry("sum")]).await.unwrap(), 1);
    assert_eq!(counted("sum").await, 3);
}

/// Two instances of one consumer commit overlapping batches at the same time: each event counts once.
pub async fn two_instances_share_the_work(
    one: &dyn Inbox<Count>,
    two: &dyn Inbox<Count>,
    counted: impl AsyncFn(&str) -> u64,
) {
    for round in 0..10 {
        let counters: Vec<_> = (0..30).map(|n| format!("shared-{round}-{n}")).collect();
        let entries: Vec<_> = counters.iter().map(|counter| entry(counter)).collect();
        let (a, b) = join!(
            commit_in_the_end(one, &entries[..20]),
            commit_in_the_end(two, &entries[10..])
        );
        assert_eq!(a + b, entries.len());
        for counter in &counters {
            assert_eq!(counted(counter).await, 1, "{counter}");
        }
    }
}

/// A batch with an effect that fails leaves nothing behind, and can be handled later.
pub async fn a_failure_leaves_no_trace(inbox: &dyn Inbox<Count>, counted: impl AsyncFn(&str) -> u64) {
    let mut batch = [entry("before"), entry("failing")];
    batch[1].effect.fails = true;
    inbox.commit(&batch).await.unwrap_err();
    assert_eq!((counted("before").await, counted("failing").await), (0, 0));
    batch[1].effect.fails = false;
    assert_eq!(inbox.commit(&batch).await.unwrap(), 2);
    assert_eq!((counted("before").await, counted("failing").await), (1, 1));
}

/// Two consumers on one database handle the same event, each once.
pub async fn consumers_do_not_hide_events_from_each_other(
    one: &dyn Inbox<Count>,
    other: &dyn Inbox<Count>,
    counted: impl AsyncFn(&str) -> u64,
) {
    let entries = [entry("both")];
    assert_eq!(one.commit(&entries).await.unwrap(), 1);
    assert_eq!(other.commit(&entries).await.unwrap(), 1);
    assert_eq!(counted("both").await, 2);
}

/// Commits again while another transaction is in the way, as a consumer does.
async fn commit_in_the_end(inbox: &dyn Inbox<Count>, entries: &[Entry<Count>]) -> usize {
    loop {
        match inbox.commit(entries).await {
            Ok(new) => return new,
            Err(Error::Unavailable(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

fn entry(counter: &str) -> Entry<Count> {
    Entry {
        event_id: event_id(),
        effect: Count {
            counter: counter.to_owned(),
            fails: false,
        },
    }
}

fn event_id() -> Uuid {
    UuidV7Generator::default().next_id()
}

/// The consumer whose inbox the platform fills.
pub const USUAL_NAME: &str = "waybill.user.order-stats";

/// A consumer with the longest name that AMQP has for a queue.
pub fn longest_name() -> String {
    "c".repeat(255)
}

/// Fails unless `docs/performance.md` states, in a row that begins with `database`, how many bytes an
/// entry takes with the usual name and at most with the longest one: not less, and not much more either.
pub fn takes_as_much_as_is_stated(database: &str, usual: u64, most: u64) {
    println!("{database}: an inbox entry takes {usual} bytes, {most} at most");
    let (_, below) = PERFORMANCE
        .split_once("| an inbox entry in |")
        .expect("there is a table of inbox entries");
    let row = below
        .lines()
        .find(|line| line.starts_with(&format!("| {database}")));
    let row = row.unwrap_or_else(|| panic!("no row of {database}"));
    let stated: Vec<u64> = row
        .split('|')
        .filter_map(|cell| cell.trim().parse().ok())
        .collect();
    for (measured, stated) in [usual, most].into_iter().zip(&stated) {
        assert!(
            measured <= *stated && stated * 9 <= measured * 10,
            "{database}: {measured} bytes, stated are {stated}"
        );
    }
    assert_eq!(stated.len(), 2, "{row}");
}
