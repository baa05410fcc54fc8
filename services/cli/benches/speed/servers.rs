//! The servers that everything is measured on, and their processes.

use tonic::transport::Uri;

use crate::{
    child::{Role, Server},
    measure::{Watched, listener},
    stack::Stack,
};

/// Servers of the benchmark's own, for all measurements.
pub(crate) struct Servers {
    pub(crate) echo: Server,
    pub(crate) mail: Server,
}

impl Servers {
    pub(crate) async fn start() -> Self {
        Self {
            echo: Server::start(Role::EchoServer).await,
            mail: Server::start(Role::MailSink).await,
        }
    }

    /// Their processes, and those of a stack's broker and database as far as they run on this machine.
    pub(crate) fn watched(&self, stack: &Stack) -> Watched {
        let watched = Watched::default()
            .and("echo server", self.echo.pid)
            .and("mail server", self.mail.pid);
        let broker = stack.virtual_host.as_ref().map(|host| ("broker", host.url()));
        let database = broker.is_some().then(|| ("database", stack.database()));
        let urls = broker.into_iter().chain(database);
        urls.fold(watched, |watched, (name, url)| match listener(port(url)) {
            Some(pid) => watched.and(name, pid),
            None => watched,
        })
    }
}

/// The port in a URL that names one.
pub(crate) fn port(url: &str) -> u16 {
    let uri: Uri = url.parse().expect("it is a URL");
    uri.port_u16().expect("test servers have ports of their own")
}

/// Host and port in a URL.
pub(crate) fn address(url: &str) -> (String, u16) {
    let uri: Uri = url.parse().expect("it is a URL");
    (uri.host().unwrap_or("127.0.0.1").to_owned(), port(url))
}
