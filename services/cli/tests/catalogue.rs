//! The catalogue of events: the documents that are generated from it say what the code says, and
//! AsyncAPI's own parser takes the one that is for programs.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use waybill::contract::EVENTS;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What `waybill events catalogue` prints in this format.
fn catalogue(format: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_waybill"))
        .args(["events", "catalogue"])
        .args(format)
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("it is text")
}

/// Insists that `file` holds what `format` prints, and names the first line that differs.
fn assert_is_what_the_code_says(file: &str, format: &str) {
    let told = fs::read_to_string(root().join(file)).expect("the document is there");
    let is = catalogue(&[format]);
    let mut lines = told.lines().zip(is.lines()).zip(1..);
    let differs = lines.find(|((told, is), _)| told != is);
    assert!(
        told == is,
        "{file} is not what the code says, first here: {differs:?}; run scripts/catalogue and commit what it writes"
    );
}

#[test]
fn the_page_is_what_the_code_says() {
    assert_is_what_the_code_says("docs/events.md", "--markdown");
}

#[test]
fn the_asyncapi_document_is_what_the_code_says() {
    assert_is_what_the_code_says("docs/asyncapi.yaml", "--asyncapi");
}

#[test]
fn every_event_has_a_publisher_and_its_consumers_from_the_services_own_code() {
    let lines = catalogue(&["--json"]);
    let events: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect();
    assert_eq!(events.len(), EVENTS.len());
    let queues = |event: &Value| {
        let consumers = event["consumers"].as_array().expect("a list").iter();
        let queues = consumers.map(|consumer| format!("{}", consumer["queue"]));
        queues.collect::<Vec<_>>().join(" ").replace('"', "")
    };
    let told: BTreeMap<_, _> = events
        .iter()
        .map(|event| {
            let publisher = event["publishers"][0].as_str().unwrap_or("nobody");
            let key = event["routing_key"].as_str().expect("text");
            (key, (publisher, queues(event)))
        })
        .collect();
    let orders = "waybill.user.order-stats waybill.notification.mail";
    let users = "waybill.notification.contacts";
    let expected = BTreeMap::from([
        ("order.cancelled.v1", ("order", orders.to_owned())),
        ("order.created.v1", ("order", orders.to_owned())),
        ("user.contact_changed.v1", ("user", users.to_owned())),
        ("user.registered.v1", ("user", users.to_owned())),
    ]);
    assert_eq!(told, expected);
}

#[test]
fn every_event_and_every_field_says_what_it_means_and_shows_an_example() {
    for line in catalogue(&["--json"]).lines() {
        let event: Value = serde_json::from_str(line).expect("a line is JSON");
        let name = &event["type"];
        assert_ne!(event["meaning"], "", "{name}");
        let example = event["example"].as_object().expect("an object");
        assert!(!example.is_empty(), "{name} has no example");
        for field in event["fields"].as_array().expect("a list") {
            assert_ne!(field["meaning"], "", "{} of {name}", field["name"]);
        }
    }
}

/// Has AsyncAPI's parser look at a document.
fn parsed(document: &Path) -> Output {
    Command::new("node")
        .arg(root().join("tools/asyncapi.cjs"))
        .arg(document)
        .output()
        .expect("node is there: scripts/install brings it, scripts/tools-path says where")
}

#[test]
fn asyncapis_own_parser_takes_the_document() {
    let output = parsed(&root().join("docs/asyncapi.yaml"));
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn asyncapis_own_parser_refuses_a_document_that_is_wrong() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let right = catalogue(&["--asyncapi"]);
    let wrong = [
        ("action: send", "action: shout", "action"),
        ("version: '1'", "version: 1", "version"),
        (
            "$ref: '#/components/schemas/google.type.Money'",
            "$ref: '#/components/schemas/Nothing'",
            "Nothing",
        ),
    ];
    for (part, instead, named) in wrong {
        assert!(right.contains(part), "the document holds no {part}");
        let document = folder.path().join("wrong.yaml");
        fs::write(&document, right.replacen(part, instead, 1)).expect("the folder can be written");
        let output = parsed(&document);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success(), "it takes {instead}");
        assert!(said.contains(named), "{named} is not in {said}");
    }
}
