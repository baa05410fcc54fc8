//! Where settings come from, and which source wins.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use figment::{
    Provider,
    providers::{Env, Format, Toml},
    value::Value,
};

use super::{CONFIG, Error, Key};

/// The file that is read when there is one and no other is named.
const DEFAULT_FILE: &str = "waybill.toml";

/// Prefix of our environment variables.
const PREFIX: &str = "WAYBILL_";

/// Prefix, after [`PREFIX`], of variables that are for tests.
const TESTS: &str = "test_";

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// The environment.
    Variable,
    /// The file at this path.
    File(String),
    /// Somewhere of these, or the default.
    Settings,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("command line"),
            Self::Variable => f.write_str("environment"),
            Self::File(path) => f.write_str(path),
            Self::Settings => f.write_str("settings"),
        }
    }
}

/// An environment variable that is not ours, for what has standard names.
#[allow(clippy::disallowed_methods, reason = "this is where the environment is read")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Everything that was said about settings, the winner of each name.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    said: BTreeMap<String, (String, Origin)>,
}

impl Sources {
    /// The command line, the environment, and the file that one of them names.
    pub(super) fn of_this_process(
        flags: Vec<(&'static str, String)>,
        config: Option<String>,
    ) -> Result<Self, Error> {
        let mut variables: BTreeMap<_, _> = Env::prefixed(PREFIX)
            .iter()
            .map(|(name, text)| (name.into_string(), text))
            .filter(|(name, _)| !name.starts_with(TESTS))
            .collect();
        let named = config.or_else(|| variables.remove(CONFIG));
        variables.remove(CONFIG);
        let sources = match named {
            Some(path) => Self::default().file(&path)?,
            None if Path::new(DEFAULT_FILE).exists() => Self::default().file(DEFAULT_FILE)?,
            None => Self::default(),
        };
        Ok(sources.variables(variables).flags(flags))
    }

    /// Adds what the file at `path` says, over what was said before.
    pub fn file(mut self, path: &str) -> Result<Self, Error> {
        let error = |problem: String| Error::File {
            path: path.to_owned(),
            problem,
        };
        let text = fs::read_to_string(path).map_err(|e| error(e.to_string()))?;
        let profiles = Toml::string(&text)
            .data()
            .map_err(|e| error(one_line(&e.to_string())))?;
        let origin = Origin::File(path.to_owned());
        for (name, value) in profiles.into_values().flatten() {
            match text_of(&value) {
                Some(text) => drop(self.said.insert(name, (text, origin.clone()))),
                None if super::KEYS.iter().any(|key| key.name == name) => {
                    return Err(Key::named(&name).refuse("a table or list", origin));
                }
                None => return Err(Error::Unknown { name, origin }),
            }
        }
        Ok(self)
    }

    /// Adds environment variables, by key, over what was said before.
    #[must_use]
    pub fn variables(self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.over(variables, &Origin::Variable)
    }

    /// Adds flags, by key, over what was said before.
    #[must_use]
    pub fn flags(self, flags: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let flags = flags.into_iter().map(|(name, text)| (name.to_owned(), text));
        self.over(flags, &Origin::Flag)
    }

    fn over(mut self, said: impl IntoIterator<Item = (String, String)>, origin: &Origin) -> Self {
        self.said.extend(
            said.into_iter()
                .map(|(name, text)| (name, (text, origin.clone()))),
        );
        self
    }

    pub(super) fn merged(&self) -> impl Iterator<Item = (&str, &(String, Origin))> {
        self.said.iter().map(|(name, said)| (name.as_str(), said))
    }

    /// Who said it; nobody for a default.
    pub(super) fn origin(&self, name: &str) -> Origin {
        self.said
            .get(name)
            .map_or(Origin::Settings, |(_, origin)| origin.clone())
    }

    /// What was said of a key, or its default.
    pub(super) fn text(&self, name: &str) -> String {
        self.said
            .get(name)
            .map_or_else(|| Key::named(name).default.to_owned(), |(text, _)| text.clone())
    }
}

/// A value of the file as the text that a flag would hold.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Bool(_, flag) => Some(flag.to_string()),
        Value::Num(..) => value
            .to_i128()
            .map(|n| n.to_string())
            .or_else(|| value.to_f64().map(|n| n.to_string())),
        _ => None,
    }
}

/// What a TOML error says, without the excerpt of the file between: that may hold a password.
fn one_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    match (lines.next(), lines.next_back()) {
        (Some(place), Some(problem)) => format!("{place}: {problem}"),
        (Some(problem), None) => problem.to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{KEYS, LogFormat, Settings};

    fn variables(said: &[(&str, &str)]) -> Sources {
        Sources::default().variables(said.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())))
    }

    fn file(text: &str) -> Result<Sources, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.toml");
        fs::write(&path, text).unwrap();
        Sources::default().file(path.to_str().unwrap())
    }

    #[test]
    fn every_default_is_taken_and_every_key_has_its_words() {
        let settings = Settings::default();
        assert_eq!(settings.grpc_addr, "127.0.0.1:50051");
        assert_eq!(settings.retry, crate::retry::RetryPolicy::default());
        assert_eq!(settings.prefetch, crate::topology::DEFAULT_PREFETCH);
        assert_eq!(settings.drain_timeout, crate::config::MAX_DRAIN_TIMEOUT);
        for key in KEYS {
            assert!(!key.takes.is_empty() && !key.meaning.is_empty(), "{}", key.name);
        }
    }

    #[test]
    fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
        let all = file("prefetch = 1\nlog_format = \"json\"\nretry_multiplier = 2").unwrap();
        let all = all
            .variables([
                ("prefetch".to_owned(), "2".to_owned()),
                ("log_format".to_owned(), "pretty".to_owned()),
            ])
            .flags([("prefetch", "3".to_owned())]);
        let settings = Settings::from_sources(&all).unwrap();
        assert_eq!(
            (settings.prefetch, settings.log_format, settings.retry.multiplier),
            (3, LogFormat::Pretty, 2)
        );
    }

    #[test]
    fn a_wrong_value_is_told_on_one_line_without_its_password() {
        let error = Settings::from_sources(&variables(&[("broker", "http://u:secret@h\n")])).unwrap_err();
        let line = error.to_string();
        assert_eq!(
            line,
            "environment: broker is \"http://u:***@h\\n\", but takes embedded, \
             amqp://USER:PASSWORD@HOST:PORT/VHOST or amqps://…"
        );
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        let error = Settings::from_sources(&variables(&[("brokr", "embedded")])).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("environment: there is no setting brokr; settings are data_dir,")
        );
        assert!(matches!(
            file("[broker]\nurl = 1"),
            Err(Error::Invalid { key: "broker", .. })
        ));
        assert!(matches!(file("[rabbit]\nurl = 1"), Err(Error::Unknown { .. })));
    }

    #[test]
    fn a_file_that_is_no_toml_is_told_without_what_is_in_it() {
        let error = file("broker = \"amqp://u:secret@h\" oops")
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 1"), "{error}");
        assert!(!error.contains("secret") && !error.contains('\n'), "{error}");
    }

    #[test]
    fn mails_are_remembered_no_shorter_than_events() {
        let shorter = variables(&[("inbox_retention", "90d"), ("notification_retention", "89d")]);
        let error = Settings::from_sources(&shorter).unwrap_err().to_string();
        assert!(
            error.contains("notification_retention") && error.contains("inbox_retention"),
            "{error}"
        );
        let equal = variables(&[("inbox_retention", "500d"), ("notification_retention", "500d")]);
        let retention = Settings::from_sources(&equal).unwrap().retention;
        assert_eq!(retention.inbox, retention.notifications);
    }

    #[test]
    fn waits_that_shrink_are_refused() {
        let error = Settings::from_sources(&variables(&[("retry_first_delay", "20m")])).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Invalid {
                    key: "retry_max_delay",
                    ..
                }
            ),
            "{error}"
        );
    }
}
