//! Bytes on the broker's wire for each event: counted between each service and the broker, by a proxy that
//! passes everything on. Its own run, for the proxy costs time, which is not looked at.

use waybill::contract::order::v1::OrderCreated;

use super::{
    Setting,
    orders::{Orders, Placed},
};
use crate::{
    child::{self, Role},
    platform::{MAIL, Platform, SERVICES, STATISTICS},
    proxy::Proxy,
    servers::port,
    statistics::{Sample, count},
};

/// Calls under way at a time.
const IN_FLIGHT: usize = 32;

pub(super) async fn measure(setting: Setting<'_>) -> Sample {
    let mut platform = Platform::stopped(setting.servers).await;
    let host = platform.stack.virtual_host.as_ref().expect("it is RabbitMQ");
    let broker = host.url().to_owned();
    let mut proxies = Vec::new();
    for service in SERVICES {
        let proxy = Proxy::start(port(&broker)).await;
        let through = broker.replace(&format!(":{}/", port(&broker)), &format!(":{}/", proxy.port));
        platform.stack.set("WAYBILL_BROKER", &through);
        platform.start(service);
        proxies.push((service, proxy));
    }
    let platform = platform.ready().await;
    let number = setting.sizes.on_the_wire;
    let orders = Orders {
        urls: platform.urls("order"),
        users: platform.users(setting.sizes.users).await,
        count: number,
        in_flight: IN_FLIGHT,
    };
    let before: Vec<_> = proxies.iter().map(|(_, proxy)| proxy.bytes()).collect();
    child::result::<Placed>(&Role::Orders(orders)).await;
    for (service, queue) in [("user", STATISTICS), ("notification", MAIL)] {
        platform
            .until_handled::<OrderCreated>(service, queue, number)
            .await;
    }
    let mut sample = Sample::new();
    for ((service, proxy), (sent, received)) in proxies.iter().zip(before) {
        let (sent_now, received_now) = proxy.bytes();
        let each = |bytes: usize| count(bytes) / count(number);
        sample.insert(format!("bytes_sent.{service}"), each(sent_now - sent));
        sample.insert(format!("bytes_received.{service}"), each(received_now - received));
    }
    platform.end().await;
    sample
}
