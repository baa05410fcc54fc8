//! Connections to one server, kept and used again.

use std::time::{Duration, Instant};

use deadpool::managed::{Manager, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult};
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

/// A connection in use. One that is not [kept](Self::keep) is closed.
pub(super) struct Connection {
    pub(super) session: Session,
    /// Mails went over it before, and the server may have closed it since.
    pub(super) is_used: bool,
    place: Object<Dialler>,
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

    /// A connection, new if none is kept.
    pub(super) async fn get(&self) -> Result<Connection, Trouble> {
        let mut place = self.pool.get().await.map_err(trouble)?;
        Ok(Connection {
            session: place.vacate().expect("a place is filled when it is lent"),
            is_used: Object::metrics(&place).recycle_count > 0,
            place,
        })
    }

    /// Puts a new connection into the place of one that proved dead.
    pub(super) async fn renew(&self, connection: &mut Connection) -> Result<(), Trouble> {
        connection.session = self.pool.manager().dial().await?;
        connection.is_used = false;
        Ok(())
    }
}

impl Connection {
    /// Keeps it, to be used again.
    pub(super) fn keep(self) {
        let Self {
            session, mut place, ..
        } = self;
        place.fill(session);
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
