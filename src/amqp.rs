//! Adapter for RabbitMQ: the broker port over AMQP 0-9-1, for RabbitMQ 3.10 and later.
//!
//! There is a connection for each direction, because a broker that is short of memory stops reading
//! from connections that publish, and acknowledgements must get through then. Connections come back
//! by themselves; channels do not: a publisher opens another, and a subscription that broke says so
//! and is made anew by whoever holds it.

mod connection;
mod deliveries;
mod error;
mod message;
mod publisher;
mod taps;
mod topology;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use lapin::uri::AMQPUri;
use url::Url;

use self::{connection::Link, deliveries::AmqpDeliveries, error::within, publisher::AmqpPublisher};
pub use self::{message::properties, taps::AmqpTaps};
use crate::{
    broker::{Broker, Deliveries, Endpoint, Error},
    publisher::Publisher,
    topology::Subscription,
};

/// Seconds between heartbeats, unless the URL says otherwise: a peer that is gone without a word is
/// noticed within twice that.
const HEARTBEAT_S: u16 = 10;

/// Largest frame, in bytes, if the URL says no other: what RabbitMQ offers, and what headers of one message
/// must fit in. lapin's buffers hold 32 of them. To be told their size when they are made, and not by the
/// broker afterwards, spares 16 MiB that it would write zeros to.
const FRAME_MAX: u32 = 131_072;

/// A log directive for what no filter may let through: the driver tells of a returned message with
/// all of it, and so with names and addresses. Whoever published it is told by an error anyway.
pub const UNLOGGED: &str = "lapin::returned_messages=off";

/// How long declaring a subscription may take. A new one is some 25 quorum queues, each a consensus
/// group that elects its leader.
const DECLARE_TIMEOUT: Duration = Duration::from_mins(1);

/// How long it may take until a subscription receives.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(10);

/// The text is no URL of an AMQP broker. It is not repeated here, for it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a URL of the form amqp://user:password@host:5672/virtual-host, or amqps://")]
pub struct InvalidUrl;

/// A RabbitMQ server or cluster.
pub struct AmqpBroker {
    publisher: Arc<AmqpPublisher>,
    consuming: Link,
    endpoint: Endpoint,
}

impl AmqpBroker {
    /// The broker at `url`, which need not be up: connecting begins in the background, and so this
    /// must be called within a tokio runtime. The broker shows `connection_name` to its operators.
    pub fn new(url: &str, connection_name: &str) -> Result<Self, InvalidUrl> {
        let uri = parse(url)?;
        let endpoint = Endpoint {
            system: "rabbitmq",
            server: Some((uri.authority.host.clone(), uri.authority.port)),
        };
        let publishing = Link::open(uri.clone(), format!("{connection_name} publishing"));
        let consuming = Link::open(uri, format!("{connection_name} consuming"));
        Ok(Self {
            publisher: Arc::new(AmqpPublisher::new(publishing)),
            consuming,
            endpoint,
        })
    }
}

impl fmt::Debug for AmqpBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpBroker").finish_non_exhaustive()
    }
}

#[async_trait]
impl Broker for AmqpBroker {
    async fn declare(&self, subscription: &Subscription) -> Result<(), Error> {
        let declaring = async {
            let channel = self.consuming.channel().await?;
            topology::declare(&channel, subscription).await
        };
        within(DECLARE_TIMEOUT, declaring).await
    }

    async fn subscribe(&self, subscription: &Subscription) -> Result<Box<dyn Deliveries>, Error> {
        let subscribing = async {
            let channel = self.consuming.channel().await?;
            AmqpDeliveries::start(channel, subscription).await
        };
        Ok(Box::new(within(SUBSCRIBE_TIMEOUT, subscribing).await?))
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::clone(&self.publisher) as Arc<dyn Publisher>
    }

    async fn check(&self) -> Result<(), Error> {
        self.publisher.check()?;
        self.consuming.check()
    }

    fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }
}

fn parse(text: &str) -> Result<AMQPUri, InvalidUrl> {
    let url = Url::parse(text).map_err(|_| InvalidUrl)?;
    let mut uri: AMQPUri = text.parse().map_err(|_| InvalidUrl)?;
    // The parser takes an IPv6 address for no host at all, and would go to localhost.
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(InvalidUrl)?;
    uri.authority.host = host.trim_matches(['[', ']']).into();
    if uri.vhost.is_empty() {
        // A lone slash at the end names the virtual host "", which nobody has; "/" is what they mean.
        uri.vhost = "/".into();
    }
    uri.query.heartbeat.get_or_insert(HEARTBEAT_S);
    uri.query.frame_max.get_or_insert(FRAME_MAX);
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_their_writers_mean_them() {
        let cases = [
            ("amqp://127.0.0.1:5673", "127.0.0.1", 5673, "/"),
            ("amqp://u:p@broker/", "broker", 5672, "/"),
            ("amqps://u:p@broker/%2Fshop", "broker", 5671, "/shop"),
            ("amqp://[::1]:5673/shop", "::1", 5673, "shop"),
        ];
        for (text, host, port, vhost) in cases {
            let uri = parse(text).unwrap();
            let authority = &uri.authority;
            assert_eq!(
                (authority.host.as_str(), authority.port, uri.vhost.as_str()),
                (host, port, vhost)
            );
            assert_eq!(uri.query.heartbeat, Some(HEARTBEAT_S));
            assert_eq!(uri.query.frame_max, Some(FRAME_MAX));
        }
        assert_eq!(
            parse("amqp://broker?heartbeat=3").unwrap().query.heartbeat,
            Some(3)
        );
    }

    #[test]
    fn what_is_no_url_is_refused_and_its_password_not_repeated() {
        for text in [
            "",
            "broker",
            "http://u:secret@broker",
            "amqp:secret",
            "amqp://u:secret@",
            "amqp://u:secret@h:x",
        ] {
            let error = parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"));
        }
    }
}
