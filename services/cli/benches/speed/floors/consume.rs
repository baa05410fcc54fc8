//! The floor of taking events: consumed from a quorum queue that holds them all, and acknowledged, each by
//! itself or many at once. The bodies are not looked at.

use std::time::Instant;

use futures::{StreamExt, stream};
use lapin::{
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};

use super::{
    Floor,
    publish::{Publisher, QUEUE, connect, declare},
};
use crate::statistics::{Sample, count};

/// Messages on their way to the consumer at a time, as the platform has them.
const PREFETCH: u16 = waybill::topology::DEFAULT_PREFETCH;

/// Messages published at a time, on each of some channels, to fill the queue.
const TOGETHER: usize = 256;
const PUBLISHERS: usize = 4;

/// Consumes all messages, acknowledging `each` at a time; the first tenth does not count.
pub(super) async fn measure(floor: &Floor, each: usize) -> Sample {
    fill(floor).await;
    let connection = connect(&floor.broker).await;
    let channel = connection.create_channel().await.expect("a channel is free");
    let qos = channel.basic_qos(PREFETCH, BasicQosOptions::default());
    qos.await.expect("the broker takes it");
    let options = BasicConsumeOptions::default();
    let consuming = channel.basic_consume(QUEUE.into(), "".into(), options, FieldTable::default());
    let mut deliveries = consuming.await.expect("the queue is there");

    let last = floor.messages;
    let warm_up = last / 10;
    let mut began = None;
    for number in 1..=last {
        let delivery = deliveries.next().await.expect("all messages come");
        let delivery = delivery.expect("the channel stays open");
        if number % each == 0 || number == last {
            let multiple = each > 1;
            let acked = delivery.acker.ack(BasicAckOptions { multiple }).await;
            assert!(acked.expect("it is acknowledged"));
        }
        if number == warm_up {
            began = Some((Instant::now(), floor.watched.now()));
        }
    }
    let ended = (Instant::now(), floor.watched.now());
    let (began, before) = began.expect("there are more than ten messages");

    let measured = count(last - warm_up);
    let took = ended.0.duration_since(began).as_secs_f64();
    let mut sample = Sample::from([("throughput".to_owned(), measured / took)]);
    before.tell(&ended.1, measured, &mut sample);
    sample
}

/// Fills the queue, rounded up to whole batches.
async fn fill(floor: &Floor) {
    declare(&floor.broker).await;
    let connection = connect(&floor.broker).await;
    let publishers = stream::iter(0..PUBLISHERS)
        .then(|_| Publisher::new(&connection))
        .collect::<Vec<_>>();
    let publishers = publishers.await;
    let batches = floor.messages.div_ceil(TOGETHER);
    stream::iter(0..batches)
        .for_each_concurrent(PUBLISHERS, async |batch| {
            publishers[batch % PUBLISHERS].publish(TOGETHER).await;
        })
        .await;
}
