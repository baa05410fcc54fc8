use std::{sync::Mutex, time::SystemTime};

use async_trait::async_trait;

use super::*;
use crate::{
    clock::SystemClock, message::Message, outbox::Backlog, pace::ROUND, publisher, store,
    topology::MAX_BODY_BYTES,
};

/// An outbox in which clearing takes as long as it is told to.
struct Slow {
    may_clear: Semaphore,
    /// The keys of each call.
    cleared: Mutex<Vec<Vec<Key>>>,
}

#[async_trait]
impl Outbox for Slow {
    async fn pending(&self, _: SystemTime, _: usize) -> store::Result<Vec<Entry>> {
        Ok(Vec::new())
    }

    async fn clear(&self, entries: &[Key]) -> store::Result<()> {
        self.may_clear.acquire().await.unwrap().forget();
        self.cleared.lock().unwrap().push(entries.to_vec());
        Ok(())
    }

    async fn backlog(&self) -> store::Result<Backlog> {
        Ok(Backlog::default())
    }

    async fn try_lead(&self, _: &str, _: SystemTime, _: Duration) -> store::Result<bool> {
        Ok(false)
    }
}

/// A broker that takes everything, and counts how much at a time.
#[derive(Default)]
struct Counting(Mutex<Vec<usize>>);

#[async_trait]
impl Publisher for Counting {
    async fn publish(&self, batch: Vec<Publication>) -> Vec<Result<(), publisher::Error>> {
        self.0.lock().unwrap().push(batch.len());
        vec![Ok(()); batch.len()]
    }
}

fn entry(owner: usize, body_bytes: usize) -> Entry {
    Entry {
        owner: owner.to_string(),
        message: Message {
            body: vec![0; body_bytes].into(),
            ..Message::default()
        },
    }
}

#[tokio::test]
async fn entries_that_wait_take_no_more_than_their_room() {
    let (handle, mut offered) = RelayHandle::new();
    let entry = entry(0, MAX_BODY_BYTES);
    handle.offer(vec![entry.clone(); 2 * MAX_OFFERED_BYTES / MAX_BODY_BYTES]);
    assert_eq!(offered.len(), MAX_OFFERED_BYTES / MAX_BODY_BYTES);
    drop(offered.recv().await);
    handle.offer([entry.clone(), entry]);
    assert_eq!(offered.len(), MAX_OFFERED_BYTES / MAX_BODY_BYTES);
}

/// A relay at work.
struct Running {
    outbox: Arc<Slow>,
    broker: Arc<Counting>,
    handle: RelayHandle,
    stop: CancellationToken,
    relay: tokio::task::JoinHandle<()>,
}

impl Running {
    /// With an outbox that may be cleared so many times.
    fn start(clears: usize) -> Self {
        let outbox = Arc::new(Slow {
            may_clear: Semaphore::new(clears),
            cleared: Mutex::default(),
        });
        let broker = Arc::new(Counting::default());
        let (relay, handle) = Relay::new(
            Arc::clone(&outbox) as _,
            Arc::clone(&broker) as _,
            Arc::new(SystemClock),
            "i",
        );
        let stop = CancellationToken::new();
        Self {
            outbox,
            broker,
            handle,
            relay: tokio::spawn(relay.run(stop.clone())),
            stop,
        }
    }

    /// Offers so many entries, all new, and answers their keys.
    fn offer(&self, count: usize) -> Vec<Key> {
        let entries: Vec<_> = (0..count).map(|owner| entry(owner, 1)).collect();
        self.handle.offer(entries.clone());
        Key::of(&entries)
    }

    /// How many events each call of the broker had.
    fn published(&self) -> Vec<usize> {
        self.broker.0.lock().unwrap().clone()
    }

    fn cleared(&self) -> Vec<Vec<Key>> {
        self.outbox.cleared.lock().unwrap().clone()
    }

    async fn stop(self) {
        self.stop.cancel();
        self.relay.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_being_cleared_does_not_hold_up_the_next_until_it_is_much() {
    let running = Running::start(0);
    let offered = running.offer(10 * BATCH);
    tokio::time::sleep(Duration::from_mins(1)).await;
    // What is being cleared, what waits for that, and what waits for room to wait.
    let published = running.published().iter().sum::<usize>();
    assert!((BATCH + 1..=3 * BATCH).contains(&published), "{published}");
    assert_eq!(running.cleared().len(), 0);

    running.outbox.may_clear.add_permits(offered.len());
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(running.cleared().concat(), offered);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_published_one_by_one_is_cleared_together() {
    let running = Running::start(usize::MAX >> 3);
    let first = running.offer(1);
    tokio::time::sleep(GATHER / 2).await;
    running.offer(1);
    assert_eq!(running.cleared().len(), 0);
    tokio::time::sleep(GATHER).await;
    assert_eq!(running.cleared(), [[first.clone(), first].concat()]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_first_is_published_at_once_and_what_trickles_in_after_it_together() {
    let running = Running::start(usize::MAX >> 3);
    for _ in 0..10 {
        running.offer(1);
        tokio::time::sleep(ROUND / 20).await;
    }
    assert_eq!(running.published(), [1]);
    tokio::time::sleep(ROUND).await;
    assert_eq!(running.published(), [1, 9]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_its_round_is_published_when_it_stops() {
    let running = Running::start(usize::MAX >> 3);
    running.offer(1);
    tokio::time::sleep(ROUND / 20).await;
    running.offer(1);
    let broker = Arc::clone(&running.broker);
    running.stop().await;
    assert_eq!(*broker.0.lock().unwrap(), [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn enough_are_cleared_at_once() {
    let running = Running::start(usize::MAX >> 3);
    for (offered, cleared) in [(ENOUGH - 1, 0), (1, 1)] {
        running.offer(offered);
        tokio::time::sleep(GATHER / 2).await;
        assert_eq!(running.cleared().len(), cleared);
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn much_is_cleared_at_once_in_few_calls_and_the_rest_when_it_stops() {
    let running = Running::start(usize::MAX >> 3);
    let offered = running.offer(BATCH + 1);
    tokio::time::sleep(GATHER / 2).await;
    let at_once = running.cleared();
    let sizes: Vec<_> = at_once.iter().map(Vec::len).collect();
    assert!(
        sizes.iter().all(|size| (ENOUGH..=BATCH).contains(size)),
        "{sizes:?}"
    );
    assert!(at_once.concat().len() > offered.len() - ENOUGH, "{sizes:?}");
    let outbox = Arc::clone(&running.outbox);
    running.stop().await;
    assert_eq!(outbox.cleared.lock().unwrap().concat(), offered);
}
