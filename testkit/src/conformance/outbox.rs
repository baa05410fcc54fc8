//! What every outbox must do.
//!
//! Each check wants an outbox that is empty, and `put`, which stores entries of one owner in one
//! write, as a repository does.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::future::join_all;
use uuid::Uuid;
use waybill::{
    clock::{Clock, IdGenerator, SystemClock, UuidV7Generator, from_unix_millis, unix_millis},
    context::Context,
    contract::order::v1::OrderCreated,
    envelope::Envelope,
    message::{HeaderValue, Headers},
    outbox::{Backlog, Entry, Key, Outbox},
};

const LONG: Duration = Duration::from_hours(1);
const LEASE: Duration = Duration::from_secs(5);

/// Entries come oldest first, as they were stored, and no more than were asked for.
pub async fn oldest_first(outbox: &dyn Outbox, put: impl AsyncFn(Vec<Entry>)) {
    let now = now();
    let stored: Vec<_> = (0..5).map(|n| entry(now + Duration::from_millis(n))).collect();
    for entry in &stored {
        put(vec![entry.clone()]).await;
    }
    assert_eq!(outbox.pending(now + LONG, 10).await.unwrap(), stored);
    assert_eq!(outbox.pending(now + LONG, 2).await.unwrap(), stored[..2]);
}

/// Entries of one write come in its order.
pub async fn one_writes_order(outbox: &dyn Outbox, put: impl AsyncFn(Vec<Entry>)) {
    let stored = of_one_owner(3);
    put(stored.clone()).await;
    assert_eq!(outbox.pending(now() + LONG, 10).await.unwrap(), stored);
}

/// What was stored at `before` or later is left to whoever stored it.
pub async fn only_what_is_old_enough(outbox: &dyn Outbox, put: impl AsyncFn(Vec<Entry>)) {
    let now = now();
    put(vec![entry(now)]).await;
    assert_eq!(outbox.pending(now, 10).await.unwrap(), []);
    assert_eq!(outbox.pending(now + LONG, 10).await.unwrap().len(), 1);
}

/// A message keeps every property, every kind of header, and its body.
pub async fn nothing_is_lost_of_a_message(outbox: &dyn Outbox, put: impl AsyncFn(Vec<Entry>)) {
    let mut entry = entry(now());
    let properties = &mut entry.message.properties;
    properties.content_encoding = Some("identity".into());
    properties.reply_to = Some("somewhere".into());
    properties.priority = Some(9);
    entry.message.headers.extend(every_kind_of_header());
    entry.message.body = Bytes::from((0..=255).collect::<Vec<u8>>());
    put(vec![entry.clone()]).await;
    assert_eq!(outbox.pending(now() + LONG, 10).await.unwrap(), [entry]);
}

/// Clearing removes what it is given and nothing else, and passes over what is gone.
pub async fn clearing(outbox: &dyn Outbox, put: impl AsyncFn(Vec<Entry>)) {
    let mine = of_one_owner(3);
    let other = entry(now());
    put(mine.clone()).await;
    put(vec![other.clone()]).await;
    let published = [mine[0].clone(), mine[2].clone()];
    outbox.clear(&Key::of(&published)).await.unwrap();
    let mut left = outbox.pending(now() + LONG, 10).await.unwrap();
    left.sort_by_key(|entry| entry.owner == other.owner);
    assert_eq!(left, [mine[1].clone(), other.clone()]);

    outbox.clear(&Key::of(&published)).await.unwrap();
    outbox
        .clear(&[mine[0].key(), mine[1].key(), other.key()])
        .await
        .unwrap();
    assert_eq!(outbox.pending(now() + LONG, 10).await.unwrap(), []);
    outbox.clear(&[]).await.unwrap();
}

/// Two versions of one event, under one id in one write, are two entries: clearing one leaves the other.
pub async fn two_versions_of_one_event(outbox: &dyn Outbox, put: impl AsyncFn(Vec<Entry>)) {
    let first = entry(now());
    let mut second = first.clone();
    second.message.routing_key = "order.created.v2".into();
    let type_name = "waybill.order.v2.OrderCreated";
    second.message.properties.type_name = Some(type_name.into());
    let headers = &mut second.message.headers;
    headers.insert("cloudEvents_type".into(), type_name.into());
    put(vec![first.clone(), second.clone()]).await;
    let both = outbox.pending(now() + LONG, 10).await.unwrap();
    assert_eq!(both, [first.clone(), second.clone()]);
    outbox.clear(&[first.key()]).await.unwrap();
    assert_eq!(outbox.pending(now() + LONG, 10).await.unwrap(), [second]);
}

/// The backlog tells how many entries wait, and since when the oldest does.
pub async fn backlog(outbox: &dyn Outbox, put: impl AsyncFn(Vec<Entry>)) {
    assert_eq!(outbox.backlog().await.unwrap(), Backlog::default());
    let entries = of_one_owner(3);
    let before = now() - Duration::from_secs(1);
    put(entries.clone()).await;
    let backlog = outbox.backlog().await.unwrap();
    assert_eq!(backlog.depth, 3);
    assert!(
        backlog
            .oldest
            .is_some_and(|oldest| before <= oldest && oldest <= now())
    );
    outbox.clear(&Key::of(&entries)).await.unwrap();
    assert_eq!(outbox.backlog().await.unwrap(), Backlog::default());
}

/// The lease has one holder, who can renew it, until it runs out.
pub async fn one_leads(outbox: &dyn Outbox) {
    let start = now();
    let lead = async |holder, after| outbox.try_lead(holder, start + after, LEASE).await.unwrap();
    assert!(lead("a", Duration::ZERO).await);
    assert!(!lead("b", Duration::ZERO).await);
    assert!(lead("a", LEASE / 2).await);
    assert!(!lead("b", LEASE).await, "the lease was renewed");
    assert!(lead("b", LEASE * 2).await);
    assert!(!lead("a", LEASE * 2).await);
}

/// Of many that ask for the lease at the same moment, one has it.
pub async fn one_of_many_leads(outbox: &dyn Outbox) {
    let now = now();
    let holders: Vec<_> = (0..8).map(|n| format!("holder-{n}")).collect();
    let asked = holders.iter().map(|holder| outbox.try_lead(holder, now, LEASE));
    let answers = join_all(asked).await;
    let leaders = answers.into_iter().filter(|answer| *answer.as_ref().unwrap());
    assert_eq!(leaders.count(), 1);
}

/// An entry with an owner of its own, whose event happens at `time`.
pub fn entry(time: SystemTime) -> Entry {
    let ids = UuidV7Generator::default();
    entry_of(&ids.next_id().to_string(), ids.next_id(), time)
}

/// `n` entries of one owner, of one write.
pub fn of_one_owner(n: usize) -> Vec<Entry> {
    let ids = UuidV7Generator::default();
    let owner = ids.next_id().to_string();
    let now = now();
    (0..n).map(|_| entry_of(&owner, ids.next_id(), now)).collect()
}

fn entry_of(owner: &str, event_id: Uuid, time: SystemTime) -> Entry {
    let event = OrderCreated {
        order_id: owner.to_owned(),
        version: 1,
        ..OrderCreated::default()
    };
    let context = Context::new("correlation");
    Entry {
        owner: owner.to_owned(),
        message: Envelope::new(event_id, time, "waybill.test", &context, &event).into_message(),
    }
}

fn every_kind_of_header() -> Headers {
    let list = vec![HeaderValue::Void, HeaderValue::Integer(i64::MIN)];
    let table = Headers::from([("inner".to_owned(), HeaderValue::Timestamp(1_700_000_000))]);
    [
        ("void", HeaderValue::Void),
        ("bool", HeaderValue::Bool(true)),
        ("integer", HeaderValue::Integer(i64::MAX)),
        ("double", HeaderValue::Double(0.1 + 0.2)),
        ("infinite", HeaderValue::Double(f64::NEG_INFINITY)),
        ("text", HeaderValue::Text("grüße \" \\ \u{0}".to_owned())),
        ("bytes", HeaderValue::Bytes(vec![0, 255, 128])),
        ("list", HeaderValue::List(list)),
        ("table", HeaderValue::Table(table)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// The time in whole milliseconds, as events carry it.
fn now() -> SystemTime {
    from_unix_millis(unix_millis(SystemClock.now()))
}
