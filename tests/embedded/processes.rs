//! Several processes on one broker file, and what is left when one is killed.

use waybill::broker::Broker;
use waybill_testkit::wait;

use crate::{
    broker::{QUEUE, event, fixture, ids, open, publish, receive, subscription},
    peer::Peer,
};

#[tokio::test]
async fn nothing_confirmed_is_lost_when_the_publisher_is_killed() {
    let (folder, broker) = fixture().await;
    drop(broker);
    let mut publisher = Peer::start("publish", folder.path());
    let confirmed: Vec<_> = (0..500).map(|_| publisher.next_word()).collect();
    publisher.kill();
    let broker = open(folder.path()).await;
    let mut deliveries = broker.subscribe(&subscription()).await.unwrap();
    let mut stored = Vec::new();
    while stored.len() < confirmed.len() {
        let batch = receive(deliveries.as_mut()).await;
        stored.extend(ids(&batch).into_iter().map(str::to_owned));
        batch.acknowledgement.ack().await.unwrap();
    }
    assert_eq!(stored[..confirmed.len()], confirmed);
}

#[tokio::test]
async fn what_a_killed_process_had_in_hand_comes_back() {
    let (folder, broker) = fixture().await;
    publish(&broker, (0..3).map(event).collect()).await;
    let mut holder = Peer::start("hold", folder.path());
    assert_eq!(holder.next_word(), "3");
    let mut deliveries = broker.subscribe(&subscription()).await.unwrap();
    assert!(futures::poll!(deliveries.next(10)).is_pending());
    holder.kill();
    let batch = receive(deliveries.as_mut()).await;
    assert_eq!(ids(&batch), ["0", "1", "2"]);
}

#[tokio::test]
async fn processes_share_a_queue() {
    let (folder, broker) = fixture().await;
    let mut peers = [
        Peer::start("consume", folder.path()),
        Peer::start("consume", folder.path()),
    ];
    for peer in &mut peers {
        assert_eq!(peer.next_word(), "ready");
    }
    let count = 2000;
    for start in (0..count).step_by(100) {
        publish(&broker, (start..start + 100).map(event).collect()).await;
    }
    wait::until("every message is consumed", async || {
        (broker.depth(QUEUE).await.unwrap() == Some(0)).then_some(())
    })
    .await;
    let mut seen: Vec<usize> = peers
        .iter_mut()
        .flat_map(Peer::kill)
        .map(|word| word.parse().unwrap())
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..count).collect::<Vec<_>>());
    drop(broker);
    let reopened = open(folder.path()).await;
    assert_eq!(reopened.depth(QUEUE).await.unwrap(), Some(0));
}
