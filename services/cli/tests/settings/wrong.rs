//! Wrong settings: exit code 78, and one line that names the key, the value and what it takes.

use std::{fs, path::Path};

use waybill::config::{EXIT_CODE, KEYS};

use crate::process::run;

/// The one line that a process with wrong settings says.
fn refusal(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(folder, arguments, variables);
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(EXIT_CODE.into()), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(output.stdout.is_empty(), "{:?}", output.stdout);
    line
}

/// A value that each key refuses.
const WRONG: [(&str, &str); 18] = [
    ("data_dir", ""),
    ("grpc_addr", "50051"),
    ("http_addr", "localhost:http"),
    ("broker", "rabbit"),
    ("database", "postgres://h/db"),
    ("smtp", "h:25"),
    ("mail_from", "nobody"),
    ("log_format", "xml"),
    ("log_filter", "loud"),
    ("retry_max_attempts", "0"),
    ("retry_first_delay", "1"),
    ("retry_multiplier", "0.5"),
    ("retry_max_delay", "2h"),
    ("prefetch", "2001"),
    ("inbox_retention", "30d"),
    ("notification_retention", "3651d"),
    ("consumer_trace", "follow"),
    ("drain_timeout", "11s"),
];

#[test]
fn every_key_refuses_what_it_does_not_take_whoever_says_it() {
    let folder = tempfile::tempdir().unwrap();
    for key in KEYS {
        let (_, wrong) = WRONG.iter().find(|(name, _)| *name == key.name).unwrap();
        let expected = format!("{} is {wrong:?}, but takes {}", key.name, key.takes);

        let flag = format!("--{}={wrong}", key.flag());
        let by_flag = refusal(folder.path(), &["up", &flag], &[]);
        assert_eq!(by_flag, format!("waybill: command line: {expected}\n"));

        let by_variable = refusal(folder.path(), &["serve", "order"], &[(&key.variable(), wrong)]);
        assert_eq!(by_variable, format!("waybill: environment: {expected}\n"));
    }
}

#[test]
fn what_looks_right_and_cannot_be_used_is_told_too() {
    let folder = tempfile::tempdir().unwrap();
    for (flag, wrong, shown) in [
        ("broker", "amqp://u:secret@h:99999", "amqp://u:***@h:99999"),
        (
            "database",
            "mongodb://u:secret@h:99999",
            "mongodb://u:***@h:99999",
        ),
        ("smtp", "smtp://u:secret@h?tls=maybe", "smtp://u:***@h?…"),
        ("smtp", "smtp://u:secret@h:99999", "smtp://u:***@h:99999"),
    ] {
        let arguments = [
            "up",
            "--grpc-addr=127.0.0.1:0",
            "--http-addr=127.0.0.1:0",
            &format!("--{flag}={wrong}"),
        ];
        let line = refusal(folder.path(), &arguments, &[]);
        let expected = format!("waybill: settings: {flag} is {shown:?}, but takes ");
        assert!(line.starts_with(&expected), "{line}");
    }
}

#[test]
fn a_wrong_file_is_told_too() {
    let folder = tempfile::tempdir().unwrap();
    let missing = refusal(folder.path(), &["up", "--config", "no.toml"], &[]);
    assert!(
        missing.starts_with("waybill: config is \"no.toml\", but takes"),
        "{missing}"
    );

    fs::write(folder.path().join("waybill.toml"), "prefetch = -1").unwrap();
    let found = refusal(folder.path(), &["up"], &[]);
    assert!(
        found.starts_with("waybill: waybill.toml: prefetch is \"-1\""),
        "{found}"
    );

    fs::write(folder.path().join("other.toml"), "broker = [").unwrap();
    let named = refusal(folder.path(), &["up"], &[("WAYBILL_CONFIG", "other.toml")]);
    assert!(named.starts_with("waybill: config is \"other.toml\""), "{named}");
}

#[test]
fn names_that_are_no_setting_are_told_too() {
    let folder = tempfile::tempdir().unwrap();
    let variable = refusal(folder.path(), &["up"], &[("WAYBILL_BROKR", "embedded")]);
    assert!(
        variable.starts_with("waybill: environment: there is no setting brokr;"),
        "{variable}"
    );

    fs::write(folder.path().join("waybill.toml"), "grpc-addr = \"h:1\"").unwrap();
    let key = refusal(folder.path(), &["up"], &[]);
    assert!(
        key.starts_with("waybill: waybill.toml: there is no setting grpc-addr;"),
        "{key}"
    );
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("waybill.toml"), "broker = \"file\"").unwrap();
    let by_file = refusal(folder.path(), &["up"], &[]);
    assert!(by_file.contains("waybill.toml: broker is \"file\""), "{by_file}");
    let variables = [("WAYBILL_BROKER", "variable")];
    let by_variable = refusal(folder.path(), &["up"], &variables);
    assert!(
        by_variable.contains("environment: broker is \"variable\""),
        "{by_variable}"
    );
    let by_flag = refusal(folder.path(), &["up", "--broker", "flag"], &variables);
    assert!(by_flag.contains("command line: broker is \"flag\""), "{by_flag}");
}

#[test]
fn a_password_is_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    for wrong in ["http://u:secret@h", "amqp://u:secret@", "amqp:u:secret@h"] {
        let line = refusal(folder.path(), &["up", "--broker", wrong], &[]);
        assert!(!line.contains("secret"), "{line}");
    }
}
