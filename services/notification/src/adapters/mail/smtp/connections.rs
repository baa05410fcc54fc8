//! Connections to one server, kept and used again.

use std::time::{Duration, Instant};

use deadpool::managed::{Manager, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult};
use lettre::address::Envelope;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{MAX_CONNECTIONS, server::Server, session::Session, trouble::Trouble};

/// How long a connection may take to prove that it stands. A new one takes less.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// For how long a connection may be unused.
#[derive(Clone, Copy)]
pub(super) struct Unused {
    /// So that it is used again without asking whether it still stands. Asking costs a round trip, and a
    /// server that hangs up between two mails of a batch is met when the next is announced.
    pub(super) without_asking: Duration,
    /// So that it is kept.
    pub(super) at_most: Duration,
}

/// At most [`MAX_CONNECTIONS`] connections to one server.
pub(super) struct Connections {
    pool: Pool<Dialler>,
    _idle_are_closed: AbortOnDropHandle<()>,
}

/// Connects to the server, and tells which connections can be used again.
struct Dialler {
    server: Server,
    unused: Unused,
}

/// A place for a connection. It is empty while the connection is in use, so that one whose use ended
/// early, its reply still to come, is closed and never used again.
struct Place(Option<Idle>);

struct Idle {
    session: Session,
    since: Instant,
}

impl Connections {
    /// Connections to `server`. None is made yet.
    pub(super) fn new(server: Server, unused: Unused) -> Self {
        // The last one used is used next, so that those which are not needed grow idle.
        let pool = Pool::builder(Dialler { server, unused })
            .max_size(MAX_CONNECTIONS)
            .queue_mode(QueueMode::Lifo)
            .build()
            .expect("a pool without timeouts needs no runtime");
        let closing = close_idle(pool.clone(), unused.at_most);
        Self {
            pool,
            _idle_are_closed: AbortOnDropHandle::new(tokio::spawn(closing)),
        }
    }

    /// Hands `message` to the server. It goes out once at most: a connection that proves dead is replaced
    /// only while the server has nothing of the mail.
    pub(super) async fn send(&self, envelope: &Envelope, message: &[u8]) -> Result<(), Trouble> {
        let mut place = self.pool.get().await.map_err(trouble)?;
        let is_used = Object::metrics(&place).recycle_count > 0;
        let mut session = place.vacate().expect("a place is filled when it is lent");
        let mut sent = session.announce(envelope, message).await;
        if is_used && sent.as_ref().is_err_and(Trouble::is_hang_up) {
            session = self.pool.manager().dial().await?;
            sent = session.announce(envelope, message).await;
        }
        if sent.is_ok() {
            sent = session.hand_over(message).await;
        }
        let is_usable = match &sent {
            Ok(()) => true,
            Err(trouble) => trouble.is_refusal() && session.reset().await,
        };
        if is_usable {
            place.fill(session);
        }
        sent
    }
}

impl Dialler {
    /// A new connection. Boxed: making one, TLS and all, takes far more room than sending over one.
    async fn dial(&self) -> Result<Session, Trouble> {
        Box::pin(self.server.connect()).await
    }
}

impl Place {
    fn fill(&mut self, session: Session) {
        let since = Instant::now();
        self.0 = Some(Idle { session, since });
    }

    fn vacate(&mut self) -> Option<Session> {
        self.0.take().map(|idle| idle.session)
    }

    fn is_idle_for(&self, time: Duration) -> bool {
        self.0.as_ref().is_some_and(|idle| idle.since.elapsed() >= time)
    }
}

impl Manager for Dialler {
    type Type = Place;
    type Error = Trouble;

    async fn create(&self) -> Result<Place, Trouble> {
        let mut place = Place(None);
        place.fill(self.dial().await?);
        Ok(place)
    }

    async fn recycle(&self, place: &mut Place, _: &Metrics) -> RecycleResult<Trouble> {
        let is_fresh = !place.is_idle_for(self.unused.without_asking);
        let mut session = place.vacate().ok_or(RecycleError::message("it was given up"))?;
        let mut stands = is_fresh;
        if !stands {
            let probe = timeout(PROBE_TIMEOUT, session.stands());
            stands = probe.await.unwrap_or(false);
        }
        if stands {
            place.fill(session);
            Ok(())
        } else {
            Err(RecycleError::message("it does not stand any more"))
        }
    }
}

fn trouble(error: PoolError<Trouble>) -> Trouble {
    match error {
        PoolError::Backend(trouble) => trouble,
        // The pool has no timeout, no hook, and is never closed.
        _ => Trouble::TimedOut,
    }
}

/// Closes, time and again, what nobody used for so long.
async fn close_idle(pool: Pool<Dialler>, at_most: Duration) {
    loop {
        sleep(at_most / 4).await;
        let closed = pool.retain(|place, _| !place.is_idle_for(at_most)).removed;
        for session in closed.into_iter().filter_map(|mut place| place.vacate()) {
            session.quit().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{
        super::peer::{Does, Peer},
        *,
    };

    const LONG: Unused = Unused {
        without_asking: Duration::from_hours(1),
        at_most: Duration::from_hours(1),
    };

    async fn send(connections: &Connections) -> Result<(), Trouble> {
        let address = |text: &str| text.parse().unwrap();
        let envelope = Envelope::new(Some(address("orders@x")), vec![address("ada@x")]).unwrap();
        connections.send(&envelope, b"Subject: s\r\n\r\nhello\r\n").await
    }

    /// Over which connections whole mails came.
    fn mails(peer: &Peer) -> Vec<String> {
        let heard = peer.heard().into_iter();
        heard
            .filter_map(|heard| Some(heard.strip_suffix(" .")?.to_owned()))
            .collect()
    }

    #[tokio::test]
    async fn a_fresh_connection_is_used_at_once() {
        let peer = Peer::start(|_, _| Does::Take).await;
        let connections = Connections::new(peer.server(), LONG);
        send(&connections).await.unwrap();
        send(&connections).await.unwrap();
        let mail = ["1 MAIL", "1 RCPT", "1 DATA", "1 ."];
        assert_eq!(peer.heard(), [&["1 EHLO", "1 EHLO"][..], &mail, &mail].concat());
    }

    #[tokio::test]
    async fn a_connection_that_may_have_been_closed_is_asked_whether_it_stands() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let peer = Peer::start(|_, line| match line {
            "NOOP" if ASKED.fetch_add(1, Ordering::Relaxed) == 1 => Does::HangUp,
            _ => Does::Take,
        });
        let peer = peer.await;
        let connections = Connections::new(
            peer.server(),
            Unused {
                without_asking: Duration::ZERO,
                ..LONG
            },
        );
        for _ in 0..3 {
            send(&connections).await.unwrap();
        }
        assert_eq!(mails(&peer), ["1", "1", "2"]);
        let asked = peer.heard().into_iter().filter(|heard| heard.ends_with("NOOP"));
        assert_eq!(asked.collect::<Vec<_>>(), ["1 NOOP", "1 NOOP"]);
    }

    #[tokio::test]
    async fn a_used_connection_is_replaced_while_the_server_has_nothing_of_the_mail() {
        static ANNOUNCED: AtomicUsize = AtomicUsize::new(0);
        let hangs_up = |_, line: &str| match line.get(..4) {
            Some("MAIL") => match ANNOUNCED.fetch_add(1, Ordering::Relaxed) {
                1 => Does::HangUp,
                3 => Does::Reply("421 later"),
                _ => Does::Take,
            },
            _ => Does::Take,
        };
        let peer = Peer::start(hangs_up).await;
        let connections = Connections::new(peer.server(), LONG);
        for _ in 0..3 {
            send(&connections).await.unwrap();
        }
        assert_eq!(mails(&peer), ["1", "2", "3"]);
    }

    #[tokio::test]
    async fn a_new_connection_is_not_replaced() {
        let peer = Peer::start(|_, line| match line.get(..4) {
            Some("MAIL") => Does::HangUp,
            _ => Does::Take,
        });
        let peer = peer.await;
        let connections = Connections::new(peer.server(), LONG);
        assert!(send(&connections).await.unwrap_err().is_hang_up());
        assert!(!peer.heard().contains(&"2 EHLO".to_owned()));
    }

    #[tokio::test]
    async fn a_mail_that_the_server_may_have_is_not_sent_again() {
        static MAILS: AtomicUsize = AtomicUsize::new(0);
        let hangs_up = |_, line: &str| match line {
            "." if MAILS.fetch_add(1, Ordering::Relaxed) == 1 => Does::HangUp,
            _ => Does::Take,
        };
        let peer = Peer::start(hangs_up).await;
        let connections = Connections::new(peer.server(), LONG);
        send(&connections).await.unwrap();
        assert!(send(&connections).await.unwrap_err().is_hang_up());
        assert_eq!(mails(&peer), ["1", "1"]);
        send(&connections).await.unwrap();
        assert_eq!(mails(&peer), ["1", "1", "2"]);
    }

    #[tokio::test]
    async fn a_refusal_leaves_the_connection_usable() {
        static MAILS: AtomicUsize = AtomicUsize::new(0);
        let refuses_one = |_, line: &str| match line.get(..4) {
            Some("RCPT") if MAILS.fetch_add(1, Ordering::Relaxed) == 0 => Does::Reply("550 nobody"),
            _ => Does::Take,
        };
        let peer = Peer::start(refuses_one).await;
        let connections = Connections::new(peer.server(), LONG);
        assert!(send(&connections).await.unwrap_err().is_refusal());
        send(&connections).await.unwrap();
        assert_eq!(peer.heard()[2..6], ["1 MAIL", "1 RCPT", "1 RSET", "1 MAIL"]);
        assert_eq!(mails(&peer), ["1"]);
    }

    #[tokio::test]
    async fn a_connection_that_owes_a_reply_is_never_used_again() {
        let peer = Peer::start(|number, line| match (number, line) {
            (1 | 2, "DATA") => Does::Nothing,
            _ => Does::Take,
        });
        let peer = peer.await;
        let connections = Connections::new(peer.server(), LONG);
        let stopped = async {
            tokio::select! {
                _ = send(&connections) => panic!("there is no reply to DATA"),
                () = peer.hears("1 DATA") => {}
            }
        };
        stopped.await;
        peer.hears("1 (closed)").await;

        let late = async {
            peer.hears("2 DATA").await;
            // From here on, time flies while nothing happens.
            tokio::time::pause();
        };
        let (sent, ()) = tokio::join!(send(&connections), late);
        assert!(matches!(sent, Err(Trouble::TimedOut)), "{sent:?}");
        tokio::time::resume();
        send(&connections).await.unwrap();
        assert_eq!(mails(&peer), ["3"]);
    }

    #[tokio::test]
    async fn a_connection_that_nobody_uses_is_ended() {
        let peer = Peer::start(|_, _| Does::Take).await;
        let connections = Connections::new(
            peer.server(),
            Unused {
                at_most: Duration::from_millis(200),
                ..LONG
            },
        );
        send(&connections).await.unwrap();
        peer.hears("1 (closed)").await;
        assert_eq!(peer.heard()[5..], ["1 .", "1 QUIT", "1 (closed)"]);
        send(&connections).await.unwrap();
        assert_eq!(mails(&peer), ["1", "2"]);
    }
}
