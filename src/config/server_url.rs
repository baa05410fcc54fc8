//! The URL of a server, whose password is shown to nobody but the server.

use std::fmt;

/// A URL. As text it has no password and no query, in which drivers take secrets too.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// A URL of one of these schemes that names a host.
    pub(super) fn parse(text: &str, schemes: &[&str]) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let hosts = authority.rsplit('@').next()?;
        let is_url = schemes.contains(&scheme)
            && !text.contains(|c: char| c.is_whitespace() || c.is_control())
            && hosts
                .split(',')
                .all(|host| !host.is_empty() && !host.starts_with(':'));
        is_url.then(|| Self(text.to_owned()))
    }

    /// The whole URL, for the driver that connects to it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `text`, which may be no URL at all, with whatever could be a password masked.
    pub fn masked(text: &str) -> String {
        let (before, query) = match text.split_once('?') {
            Some((before, _)) if text.contains("://") => (before, "?…"),
            _ => (text, ""),
        };
        let Some((scheme, rest)) = before.split_once("://") else {
            return match text.rsplit_once('@') {
                Some((_, host)) => format!("***@{host}"),
                None => text.to_owned(),
            };
        };
        // A password may hold a raw '/' or '@'; then the URL is wrong, but still a secret.
        match rest.rsplit_once('@') {
            Some((login, hosts)) => {
                let user = login.split(':').next().unwrap_or_default();
                format!("{scheme}://{user}:***@{hosts}{query}")
            }
            None => format!("{scheme}://{rest}{query}"),
        }
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Self::masked(&self.0))
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_never_shown() {
        for (url, shown) in [
            ("amqp://u:secret@h:5672/v", "amqp://u:***@h:5672/v"),
            (
                "mongodb://u:se/cr@et@h1,h2/db?x=secret",
                "mongodb://u:***@h1,h2/db?…",
            ),
            ("mongodb://h/?authSource=a", "mongodb://h/?…"),
            ("smtp://h:25", "smtp://h:25"),
            ("u:secret@h:25", "***@h:25"),
            ("embedded", "embedded"),
        ] {
            assert_eq!(ServerUrl::masked(url), shown);
            assert!(!format!("{:?}", ServerUrl(url.to_owned())).contains("secret"));
        }
    }

    #[test]
    fn a_url_has_a_known_scheme_and_a_host() {
        let schemes = ["mongodb", "mongodb+srv"];
        for good in [
            "mongodb://h",
            "mongodb+srv://u:p@h/db",
            "mongodb://h1:1,h2:2/?replicaSet=r",
        ] {
            assert!(ServerUrl::parse(good, &schemes).is_some(), "{good}");
        }
        for bad in [
            "",
            "h:27017",
            "amqp://h",
            "mongodb://",
            "mongodb://u:p@",
            "mongodb://:1",
            "mongodb://a b",
        ] {
            assert!(ServerUrl::parse(bad, &schemes).is_none(), "{bad}");
        }
    }
}
