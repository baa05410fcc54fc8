//! One connection to the broker, kept up in the background.

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use lapin::{Channel, Connection, ConnectionProperties, Event, uri::AMQPUri};
use tokio::sync::watch;
use tracing::{info, warn};

use super::error::unavailable;
use crate::{backoff::Backoff, broker::Error, telemetry::metrics};

/// How long connecting and logging in may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long whoever needs a connection waits for one: a reconnection that goes well is not noticed,
/// one that does not is told within seconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a connection is looked at that says nothing. What ends one mostly says so at once.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Clone)]
enum State {
    Up(Arc<Connection>),
    Away(Error),
}

/// A connection that comes back by itself, with backoff. It ends when this is dropped.
pub(super) struct Link {
    state: watch::Receiver<State>,
}

impl Link {
    /// Begins to connect in the background of the current tokio runtime.
    pub(super) fn open(uri: AMQPUri, name: String) -> Self {
        let away = Error::Unavailable("not connected yet".to_owned());
        let (sender, state) = watch::channel(State::Away(away));
        tokio::spawn(keep_connected(uri, name, sender));
        Self { state }
    }

    /// A new channel. While the connection is away it waits a little for it.
    pub(super) async fn channel(&self) -> Result<Channel, Error> {
        let mut state = self.state.clone();
        let up = state.wait_for(|state| matches!(state, State::Up(_)));
        // Whether it came in time or not, what is there now is the answer.
        let _ = tokio::time::timeout(PATIENCE, up).await;
        let connection = self.connection()?;
        connection.create_channel().await.map_err(unavailable)
    }

    /// `Ok` while the connection is up and the broker takes what is published.
    pub(super) fn check(&self) -> Result<(), Error> {
        let connection = self.connection()?;
        let blocked = connection.status().blocked();
        let trouble = || Error::Unavailable("broker is short of memory or disk".to_owned());
        if blocked { Err(trouble()) } else { Ok(()) }
    }

    fn connection(&self) -> Result<Arc<Connection>, Error> {
        match &*self.state.borrow() {
            State::Up(connection) => Ok(Arc::clone(connection)),
            State::Away(error) => Err(error.clone()),
        }
    }
}

async fn keep_connected(uri: AMQPUri, name: String, state: watch::Sender<State>) {
    let mut backoff = Backoff::default();
    let reconnects = metrics::broker::reconnects(&name);
    let mut was_up = false;
    loop {
        let error = match connect(&uri, &name).await {
            Ok(connection) => {
                info!(connection = name, "connected to the broker");
                backoff.reset();
                reconnects.add(was_up.into());
                was_up = true;
                let events = connection.events_listener();
                let connection = Arc::new(connection);
                state.send_replace(State::Up(Arc::clone(&connection)));
                tokio::select! {
                    error = lost(&connection, events) => error,
                    () = state.closed() => return,
                }
            }
            Err(error) => error,
        };
        warn!(connection = name, %error, "no connection to the broker");
        state.send_replace(State::Away(error));
        tokio::select! {
            () = backoff.wait() => {}
            () = state.closed() => return,
        }
    }
}

async fn connect(uri: &AMQPUri, name: &str) -> Result<Connection, Error> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connecting = async {
        Connection::connect_uri(uri.clone(), properties)
            .await
            .map_err(unavailable)
    };
    super::error::within(CONNECT_TIMEOUT, connecting).await
}

/// Waits for the connection to end, and answers why.
async fn lost(connection: &Connection, events: impl Stream<Item = Event>) -> Error {
    let mut events = std::pin::pin!(events);
    loop {
        let event = tokio::time::timeout(LOOK, events.next()).await;
        match event {
            Ok(Some(Event::Error(error))) if !connection.status().connected() => return unavailable(error),
            Ok(Some(Event::ConnectionBlocked(reason))) => warn!(reason, "broker blocks publishing"),
            _ if !connection.status().connected() => {
                return Error::Unavailable("connection closed".to_owned());
            }
            _ => {}
        }
    }
}
