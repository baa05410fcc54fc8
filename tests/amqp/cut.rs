//! A connection that breaks at any moment, or falls silent, as seen through a proxy that does that to it.

use std::{future::pending, time::Duration};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;
use url::Url;
use waybill::{amqp::AmqpBroker, broker::Broker, publisher};
use waybill_testkit::rabbitmq::VirtualHost;

use crate::fixture::{connected, publish, subscription};

/// Connections that are cut. A driver that forgets to answer does so within a millisecond or so around the
/// cut, and not each time.
const CUTS: usize = 40;

/// Acknowledgements around each cut, each a little later than the one before.
const ACKNOWLEDGEMENTS: usize = 100;

/// Far above what an answer takes. Without one it never comes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Passes bytes on to a server until it is aborted. From `silence` on it holds connections, but passes nothing on.
async fn proxy(server: &Url, silence: CancellationToken) -> (Url, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut url = server.clone();
    url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    let server = server.socket_addrs(|| None).unwrap()[0];
    let passing = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let silence = silence.clone();
            connections.spawn(async move {
                let mut server = TcpStream::connect(server).await.unwrap();
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut server) => {}
                    () = silence.cancelled() => pending().await,
                }
            });
        }
    });
    (url, passing)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_is_answered_though_the_connection_is_cut() {
    let host = VirtualHost::fresh().await;
    let direct = connected(&host).await;
    direct.declare(&subscription()).await.unwrap();
    let published = publish(direct.as_ref(), CUTS * ACKNOWLEDGEMENTS).await;
    assert!(published.iter().all(|(_, result)| result.is_ok()));
    for _ in 0..CUTS {
        let (url, passing) = proxy(&Url::parse(host.url()).unwrap(), CancellationToken::new()).await;
        let broker = AmqpBroker::new(url.as_str(), "cut").unwrap();
        let mut deliveries = broker.subscribe(&subscription()).await.unwrap();
        let mut acknowledging = JoinSet::new();
        for index in 0..ACKNOWLEDGEMENTS {
            let batch = deliveries.next(1).await.unwrap();
            acknowledging.spawn(async move {
                for _ in 0..20 * index {
                    tokio::task::yield_now().await;
                }
                tokio::time::timeout(PATIENCE, batch.acknowledgement.ack()).await
            });
        }
        passing.abort();
        while let Some(answered) = acknowledging.join_next().await {
            let _ = answered.unwrap().expect("an answer");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_falls_silent_leaves_no_message_without_an_answer() {
    let host = VirtualHost::fresh().await;
    let silence = CancellationToken::new();
    let (url, passing) = proxy(&Url::parse(host.url()).unwrap(), silence.clone()).await;
    let broker = AmqpBroker::new(url.as_str(), "silent").unwrap();
    assert_eq!(publish(&broker, 1).await[0].1, Ok(()));
    silence.cancel();
    let waiting = tokio::time::timeout(PATIENCE, publish(&broker, 3));
    let unanswered = publisher::Error::Unavailable("no confirm within 5s".to_owned());
    for (_, result) in waiting.await.expect("an answer") {
        assert_eq!(result, Err(unanswered.clone()));
    }
    passing.abort();
}
