//! The mail server that a URL names, and how to get through to it.

use std::sync::Arc;

use lettre::transport::smtp::{
    SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT,
    authentication::{Credentials, DEFAULT_MECHANISMS},
    client::{AsyncSmtpConnection, AsyncTokioStream, TlsParameters},
    extension::ClientId,
};
use percent_encoding::percent_decode_str;
use tokio_rustls::rustls::ClientConfig;
use url::Url;

use super::{
    gathered::Gathered,
    session::Session,
    stream::{self, Encrypted},
    trouble::{Trouble, in_time},
};

/// A mail server.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    security: Security,
    hello_name: ClientId,
    credentials: Option<Credentials>,
}

/// How a connection is secured.
enum Security {
    None,
    /// By STARTTLS, if the server offers it.
    Opportunistic(TlsParameters),
    /// By STARTTLS, or not used.
    Required(TlsParameters),
    /// From the first byte.
    Wrapped(Arc<ClientConfig>),
}

impl Server {
    /// The server at `url`, which means what it means to lettre's `from_url`. `None` when it means nothing.
    pub(super) fn at(url: &Url) -> Option<Self> {
        let host = url.host_str()?;
        // An IPv6 address stands in brackets.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let starttls = || TlsParameters::new(host.clone()).ok();
        let tls = url.query_pairs().find(|(key, _)| key == "tls");
        let (security, default_port) = match (url.scheme(), tls.as_ref().map(|(_, value)| value.as_ref())) {
            ("smtp", None) => (Security::None, SMTP_PORT),
            ("smtp", Some("required")) => (Security::Required(starttls()?), SUBMISSION_PORT),
            ("smtp", Some("opportunistic")) => (Security::Opportunistic(starttls()?), SUBMISSION_PORT),
            ("smtps", _) => {
                let config = stream::trusting(stream::public_roots());
                (Security::Wrapped(config), SUBMISSIONS_PORT)
            }
            _ => return None,
        };
        let hello_name = match url.path() {
            "" | "/" => ClientId::default(),
            path => ClientId::Domain(path.trim_matches('/').to_owned()),
        };
        let credentials = match url.password() {
            Some(password) => Some(Credentials::new(decoded(url.username())?, decoded(password)?)),
            None => None,
        };
        Some(Self {
            host,
            port: url.port().unwrap_or(default_port),
            security,
            hello_name,
            credentials,
        })
    }

    /// A new session in which mail can be sent.
    pub(super) async fn connect(&self) -> Result<Session, Trouble> {
        let stream = stream::connect(&self.host, self.port).await?;
        let stream: Box<dyn AsyncTokioStream> = match &self.security {
            Security::Wrapped(config) => {
                let encrypted = Encrypted::over(stream, &self.host, Arc::clone(config)).await?;
                Box::new(Gathered::new(encrypted))
            }
            _ => Box::new(Gathered::new(stream)),
        };
        let name = &self.hello_name;
        let mut connection = in_time(AsyncSmtpConnection::connect_with_transport(stream, name)).await?;
        match &self.security {
            Security::Required(tls) => in_time(connection.starttls(tls.clone(), name)).await?,
            Security::Opportunistic(tls) if connection.can_starttls() => {
                in_time(connection.starttls(tls.clone(), name)).await?;
            }
            _ => {}
        }
        if let Some(credentials) = &self.credentials {
            in_time(connection.auth(DEFAULT_MECHANISMS, credentials)).await?;
        }
        Session::over(connection, name).await
    }
}

fn decoded(text: &str) -> Option<String> {
    Some(percent_decode_str(text).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use lettre::{AsyncSmtpTransport, Tokio1Executor, transport::smtp::client::Certificate};
    use tokio_rustls::rustls::RootCertStore;
    use waybill_testkit::smtp::{Behaviour, SmtpServer, Tls};

    use super::{super::trouble::refusal, *};
    use crate::ports::mailer::Error;

    impl Server {
        /// Trusts who shows this certificate, and nobody else.
        fn trusting(mut self, certificate: &[u8]) -> Self {
            let host = self.host.clone();
            let starttls = || {
                let certificate = Certificate::from_der(certificate.to_vec()).unwrap();
                let parameters = TlsParameters::builder(host).add_root_certificate(certificate);
                parameters.build().unwrap()
            };
            self.security = match self.security {
                Security::None => Security::None,
                Security::Opportunistic(_) => Security::Opportunistic(starttls()),
                Security::Required(_) => Security::Required(starttls()),
                Security::Wrapped(_) => {
                    let mut roots = RootCertStore::empty();
                    roots.add(certificate.to_vec().into()).unwrap();
                    Security::Wrapped(stream::trusting(roots))
                }
            };
            self
        }
    }

    fn at(url: &str) -> Option<Server> {
        Server::at(&url.parse().unwrap())
    }

    /// As lettre shows what it makes of a URL.
    fn shown(server: &Server) -> String {
        format!(
            "hello_name: {:?}, server: {:?}, port: {}, tls: {}, authentication: {DEFAULT_MECHANISMS:?}, \
             credentials: {:?}",
            server.hello_name,
            server.host,
            server.port,
            match server.security {
                Security::None => "None",
                Security::Opportunistic(_) => "Opportunistic",
                Security::Required(_) => "Required",
                Security::Wrapped(_) => "Wrapper",
            },
            server.credentials,
        )
    }

    #[test]
    fn a_url_means_what_it_means_to_lettre() {
        for url in [
            "smtp://mail.example",
            "smtp://mail.example/",
            "smtp://mail.example:2525",
            "smtp://127.0.0.1:1025",
            "smtp://mail.example/shop.example",
            "smtp://mail.example//shop.example/",
            "smtp://mail.example?tls=required",
            "smtp://mail.example:25?tls=required",
            "smtp://mail.example?tls=opportunistic",
            "smtp://mail.example?a=b&tls=required&tls=opportunistic",
            "smtp://mail.example?tls=",
            "smtp://mail.example?tls=none",
            "smtp://mail.example?TLS=required",
            "smtps://mail.example",
            "smtps://mail.example:587/shop.example?tls=anything",
            "smtps://user:pass@mail.example",
            "smtp://user@mail.example",
            "smtp://:pass@mail.example",
            "smtp://user:@mail.example",
            "smtp://user:%ff@mail.example",
            "smtp://",
            "smtp:mail.example",
            "smtp:///mail.example",
            "http://mail.example",
        ] {
            match (at(url), AsyncSmtpTransport::<Tokio1Executor>::from_url(url)) {
                (None, Err(_)) => {}
                (Some(ours), Ok(theirs)) => {
                    let (ours, theirs) = (shown(&ours), format!("{theirs:?}"));
                    assert!(theirs.contains(&ours), "{url}: {ours} is not {theirs}");
                }
                (ours, _) => panic!("{url}: taken by us: {}", ours.is_some()),
            }
        }
    }

    #[test]
    fn user_and_password_are_decoded_and_an_ipv6_address_is_an_address() {
        let server = at("smtp://ada%40example.com:%2Fp%C3%A4+ss%3A@[::1]").unwrap();
        let login = ("ada@example.com".to_owned(), "/p\u{e4}+ss:".to_owned());
        assert_eq!(server.credentials, Some(login.into()));
        assert_eq!(server.host, "::1");
    }

    #[tokio::test]
    async fn a_server_gets_the_password_when_it_proves_who_it_is() {
        for tls in [Tls::Starttls, Tls::Wrapped] {
            let peer = SmtpServer::behaving(Behaviour {
                tls: Some(tls),
                login: Some(("ada@example.com".to_owned(), "pass:w\u{f6}rd".to_owned())),
                ..Behaviour::default()
            })
            .await;
            let login = |login: &str| at(&peer.url().replace("//", &format!("//{login}@"))).unwrap();
            let right = "ada%40example.com:pass%3Aw%C3%B6rd";

            let trouble = login(right).connect().await.err().unwrap();
            let expected = Error::Unavailable("no TLS connection to the server".to_owned());
            assert_eq!(refusal(&trouble, true), expected, "{tls:?}: {trouble:?}");

            let trusted = |server: Server| server.trusting(peer.certificate());
            let connection = trusted(login(right)).connect().await;
            assert!(connection.unwrap().stands().await, "{tls:?}");

            let trouble = trusted(login("eve:wrong")).connect().await.err().unwrap();
            let expected = Error::NotAccepted("the server replied 535".to_owned());
            assert_eq!(refusal(&trouble, true), expected, "{tls:?}: {trouble:?}");
        }
    }

    #[tokio::test]
    async fn starttls_is_used_when_it_is_offered_or_required() {
        let plain = SmtpServer::start().await;
        let opportunistic = format!("{}?tls=opportunistic", plain.url());
        let connection = at(&opportunistic).unwrap().connect().await;
        assert!(!connection.unwrap().is_encrypted());
        let required = format!("{}?tls=required", plain.url());
        let trouble = at(&required).unwrap().connect().await.err().unwrap();
        let expected = Error::Unavailable("the server does not speak SMTP as expected".to_owned());
        assert_eq!(refusal(&trouble, false), expected, "{trouble:?}");

        let tls = Some(Tls::Starttls);
        let secured = SmtpServer::behaving(Behaviour {
            tls,
            ..Behaviour::default()
        })
        .await;
        let opportunistic = secured.url().replace("required", "opportunistic");
        let server = at(&opportunistic).unwrap().trusting(secured.certificate());
        assert!(server.connect().await.unwrap().is_encrypted());
    }
}
