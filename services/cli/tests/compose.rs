//! Holds docker-compose.yml and Dockerfile to what they promise, to what the binary takes and to what
//! Docker Compose takes, since no Docker engine runs them here.

#[path = "compose/observability.rs"]
mod observability;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_yaml_ng::{Mapping, Value};
use waybill::config::{Broker, Database, Error, Mail, Settings, Sources};
use waybill_testkit::tools;

/// What the whole stack may use.
const MAX_MEMORY_MIB: u64 = 2048;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

fn read(name: &str) -> String {
    let path = path(name);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The file with its anchors and merge keys resolved.
fn compose() -> Value {
    let mut file: Value = serde_yaml_ng::from_str(&read("docker-compose.yml")).unwrap();
    file.apply_merge().unwrap();
    file
}

fn services(compose: &Value) -> impl Iterator<Item = (&str, &Mapping)> {
    let services = compose["services"].as_mapping().unwrap();
    services
        .iter()
        .map(|(name, service)| (name.as_str().unwrap(), service.as_mapping().unwrap()))
}

/// What Docker Compose, which needs no engine for that, makes of a file. Services of every profile count.
fn docker_compose_config(file: &Path, arguments: &[&str]) -> Output {
    Command::new(tools::installed("docker-compose"))
        .args(["--profile", "*", "--file"])
        .arg(file)
        .arg("config")
        .args(arguments)
        .output()
        .unwrap()
}

/// The services that run our image.
fn ours(compose: &Value) -> impl Iterator<Item = (&str, &Mapping)> {
    services(compose).filter(|(_, service)| service.contains_key("build"))
}

/// The words of a YAML list.
fn words(list: &Value) -> Vec<&str> {
    let list = list
        .as_sequence()
        .unwrap_or_else(|| panic!("a list is expected: {list:?}"));
    list.iter().map(|word| word.as_str().unwrap()).collect()
}

/// Names and values of a service's environment.
fn environment(service: &Mapping) -> Vec<(&str, &str)> {
    let variables = service.get("environment").and_then(Value::as_mapping);
    variables
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            (
                name.as_str().unwrap(),
                value.as_str().expect("quoted, so that it is text"),
            )
        })
        .collect()
}

/// The settings that variables come to, as a process in a container would read them.
fn settings<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Settings, Error> {
    let ours = variables.into_iter().filter_map(|(name, value)| {
        let key = name.strip_prefix("WAYBILL_")?;
        Some((key.to_lowercase(), value.to_owned()))
    });
    Settings::from_sources(&Sources::default().variables(ours))
}

/// Whether an image reference names one release: a tag with at least major and minor number.
fn is_pinned(image: &str) -> bool {
    let after_registry = image.rsplit('/').next().unwrap();
    after_registry.split_once(':').is_some_and(|(_, tag)| {
        let version: String = tag
            .trim_start_matches('v')
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        version.split('.').filter(|number| !number.is_empty()).count() >= 2
    })
}

/// Whether the binary takes these words as a command. Nothing is started: it is asked for help.
fn is_command(words: &[&str]) -> bool {
    let output = Command::new(env!("CARGO_BIN_EXE_waybill"))
        .args(words)
        .arg("--help")
        .output()
        .unwrap();
    output.status.success() && String::from_utf8_lossy(&output.stdout).contains("Usage:")
}

fn mebibytes(limit: &str) -> u64 {
    let number = limit
        .strip_suffix('m')
        .unwrap_or_else(|| panic!("a limit is in m: {limit}"));
    number.parse().unwrap()
}

#[test]
fn every_image_is_pinned() {
    for (name, service) in services(&compose()) {
        let image = service["image"].as_str().unwrap();
        assert!(is_pinned(image), "{name}: {image}");
    }
    for line in read("Dockerfile").lines() {
        if let Some(from) = line.strip_prefix("FROM ") {
            let image = from.split_whitespace().next().unwrap();
            assert!(is_pinned(image), "Dockerfile: {image}");
        }
    }
    for loose in [
        "mongo",
        "mongo:latest",
        "mongo:8",
        "localhost:5000/mongo",
        "distroless/cc:nonroot",
    ] {
        assert!(!is_pinned(loose), "{loose}");
    }
}

#[test]
fn every_variable_is_a_setting_that_takes_its_value() {
    let refused = settings([("WAYBILL_BROKR", "embedded")]).unwrap_err();
    assert!(refused.to_string().contains("brokr"), "{refused}");

    let compose = compose();
    for (name, service) in ours(&compose) {
        let settings = settings(environment(service)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(matches!(settings.broker, Broker::Amqp(_)), "{name}");
        assert!(matches!(settings.database, Database::Mongo(_)), "{name}");
        let sends_mail = matches!(settings.mail, Mail::Smtp(_));
        assert_eq!(sends_mail, name == "notification", "{name}");
    }
    let dockerfile = read("Dockerfile");
    let words = dockerfile
        .split_whitespace()
        .filter_map(|word| word.split_once('='));
    let variables: Vec<_> = words.filter(|(name, _)| name.starts_with("WAYBILL_")).collect();
    assert_eq!(variables.len(), 3, "{variables:?}");
    settings(variables).unwrap_or_else(|e| panic!("Dockerfile: {e}"));
}

#[test]
fn every_command_is_one_that_the_binary_takes() {
    assert!(!is_command(&["serve", "parcels"]) && !is_command(&["no-such-command"]));
    let compose = compose();
    let mut roles = BTreeSet::new();
    for (name, service) in ours(&compose) {
        let command = words(&service["command"]);
        assert!(is_command(&command), "{name}: {command:?}");
        roles.insert(command.join(" "));
    }
    assert_eq!(
        Vec::from_iter(roles),
        [
            "serve notification",
            "serve operations",
            "serve order",
            "serve user"
        ]
    );

    for (name, service) in services(&compose) {
        let test = words(&service["healthcheck"]["test"]);
        if let ["CMD", "waybill", command @ ..] = test.as_slice() {
            assert!(is_command(command), "{name}: {test:?}");
        }
    }
}

#[test]
fn docker_compose_takes_the_file_and_reads_in_it_what_we_read() {
    if tools::without_go("docker compose config") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("docker-compose.yml");
    fs::write(&wrong, "services: {order: {imagee: waybill}}").unwrap();
    let refused = docker_compose_config(&wrong, &["--quiet"]);
    assert!(!refused.status.success(), "{refused:?}");
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("imagee"),
        "{refused:?}"
    );

    let file = path("docker-compose.yml");
    let taken = docker_compose_config(&file, &["--quiet"]);
    let warnings = String::from_utf8_lossy(&taken.stderr);
    assert!(taken.status.success() && warnings.is_empty(), "{warnings}");

    let resolved = docker_compose_config(&file, &["--format", "json"]);
    let resolved: Value = serde_yaml_ng::from_slice(&resolved.stdout).unwrap();
    let compose = compose();
    let names = |file| services(file).map(|(name, _)| name.to_owned()).collect();
    let (theirs, all): (BTreeSet<String>, BTreeSet<String>) = (names(&resolved), names(&compose));
    assert_eq!(theirs, all);
    for (name, service) in ours(&compose) {
        let theirs = resolved["services"][name].as_mapping().unwrap();
        assert_eq!(words(&theirs["command"]), words(&service["command"]), "{name}");
        let sorted = |service| BTreeSet::from_iter(environment(service));
        assert_eq!(sorted(theirs), sorted(service), "{name}");
    }
}

#[test]
fn the_stack_stays_within_its_memory() {
    let compose = compose();
    let limits: u64 = services(&compose)
        .map(|(name, service)| {
            let limit = service
                .get("mem_limit")
                .unwrap_or_else(|| panic!("{name} has no mem_limit"));
            mebibytes(limit.as_str().unwrap())
        })
        .sum();
    assert!(limits <= MAX_MEMORY_MIB, "{limits} MiB");
}

#[test]
fn a_service_starts_when_what_it_needs_is_healthy() {
    let compose = compose();
    for (name, service) in services(&compose) {
        assert!(service.contains_key("healthcheck"), "{name} has no healthcheck");
    }
    for (name, service) in ours(&compose) {
        let needed = service["depends_on"].as_mapping().unwrap();
        for (part, how) in needed {
            let part = part.as_str().unwrap();
            assert!(
                compose["services"].get(part).is_some(),
                "{name} needs {part}, which is not there"
            );
            assert_eq!(how["condition"], "service_healthy", "{name} needs {part}");
        }
        // A URL that names another container needs that container. No order waits for whoever traces it.
        let variables = environment(service).into_iter();
        for (variable, value) in variables.filter(|(name, _)| !name.starts_with("OTEL_")) {
            for (other, _) in services(&compose) {
                let names_it = value.split(['/', '@', ':', ',']).any(|word| word == other);
                assert!(
                    !names_it || needed.contains_key(other),
                    "{name}: {variable} needs {other}"
                );
            }
        }
    }
}

#[test]
fn ports_are_open_to_this_machine_only_and_once() {
    let mut seen = BTreeSet::new();
    for (name, service) in services(&compose()) {
        for port in service.get("ports").map(words).unwrap_or_default() {
            let (host, _) = port.rsplit_once(':').unwrap();
            assert!(host.starts_with("127.0.0.1:"), "{name}: {port}");
            assert!(seen.insert(host.to_owned()), "{name}: {port} is taken");
        }
    }
}

#[test]
fn the_image_runs_as_nobody_special_and_knows_its_health() {
    let dockerfile = read("Dockerfile");
    let (_, last) = dockerfile.rsplit_once("\nFROM ").unwrap();
    let user = last
        .lines()
        .find_map(|line| line.strip_prefix("USER "))
        .expect("USER in the last stage");
    let uid: u32 = user
        .split(':')
        .next()
        .unwrap()
        .parse()
        .expect("a number says that it is not root");
    assert_ne!(uid, 0);
    assert!(last.contains("ENTRYPOINT [\"waybill\"]"), "{last}");

    let lines = last.lines().map(|line| line.rsplit_once("CMD ["));
    let commands: Vec<_> = lines
        .flatten()
        .map(|(_, list)| list.trim_end_matches(']'))
        .collect();
    assert_eq!(commands.len(), 2, "a health check and a default command");
    for command in commands {
        let words: Vec<_> = command
            .split(',')
            .map(|word| word.trim().trim_matches('"'))
            .collect();
        let words = words.strip_prefix(&["waybill"]).unwrap_or(&words);
        assert!(is_command(words), "{words:?}");
    }
}
