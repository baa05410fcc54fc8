//! Runs the commands of README.md and of docs/dead-letters.md as written, in order, in an empty folder,
//! and compares what they show with what it says.
//!
//! Blocks that run are marked (see [`document`]); ids and times may differ (see [`output`]); ports are
//! the test's own (see [`shell`]). A step may show a failure: what counts is what it shows.

mod document;
mod output;
mod shell;

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use document::Step;
use output::Ids;
use shell::Shell;
use waybill_testkit::{tools::without_go, wait::PATIENCE};

/// Pause between two looks at what takes a moment to become true.
const AGAIN: Duration = Duration::from_millis(100);

/// Runs one step, again if it may take a moment. What differs, if anything does.
fn run(step: &Step, shell: &mut Shell, ids: &mut Ids) -> Result<(), String> {
    let command = ids.translate(&step.command);
    let start = Instant::now();
    loop {
        let (code, seen) = shell.run(&command);
        if ids.matches(&step.output, &seen) {
            return Ok(());
        }
        if !step.eventually || start.elapsed() > PATIENCE {
            return Err(format!(
                "line {}: $ {command}\n--- it says\n{}\n--- but with exit code {code} came\n{}\n",
                step.line,
                step.output.join("\n"),
                seen.join("\n")
            ));
        }
        thread::sleep(AGAIN);
    }
}

/// Runs every marked step of `document` with `binary`.
fn check(document: &str, binary: &str) -> Result<usize, String> {
    let steps = document::steps(document);
    let mut shell = Shell::start(binary);
    let mut ids = Ids::default();
    for step in &steps {
        run(step, &mut shell, &mut ids)?;
    }
    Ok(steps.len())
}

/// The binary that `WAYBILL_TEST_BINARY` names, which `scripts/test` sets to the one that the README's
/// own command builds; otherwise that of the tests.
fn binary() -> String {
    #[allow(clippy::disallowed_methods, reason = "tests are told by variables")]
    let named = std::env::var("WAYBILL_TEST_BINARY");
    named.unwrap_or_else(|_| env!("CARGO_BIN_EXE_waybill").to_owned())
}

#[test]
fn the_readme_does_what_it_says() {
    if without_go("the_readme_does_what_it_says, which calls grpcurl") {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(path).expect("README.md is there");
    let tools = shell::Shell::start("true").run("command -v grpcurl");
    assert_eq!(
        tools.0, 0,
        "grpcurl is not in PATH: scripts/install says how to get it"
    );
    let ran = check(&readme, &binary()).unwrap_or_else(|e| panic!("README.md: {e}"));
    assert!(ran > 0, "README.md has no block under <!-- test -->");
}

#[test]
fn the_page_on_dead_letters_does_what_it_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dead-letters.md");
    let page = fs::read_to_string(path).expect("the page is there");
    let ran = check(&page, &binary()).unwrap_or_else(|e| panic!("docs/dead-letters.md: {e}"));
    assert!(ran > 0, "docs/dead-letters.md has no block under <!-- test -->");
}

#[test]
fn a_document_that_tells_the_truth_passes_and_one_that_does_not_fails() {
    let truth = "<!-- test -->\n```console\n$ echo 01990000-0000-7000-8000-00000000000a | tr a b\n\
                 01990000-0000-7000-8000-000000000000\n$ cargo run --release -- user list\n\
                 --server http://127.0.0.1:50051 user list\n```\n";
    assert_eq!(check(truth, "/bin/echo"), Ok(2));
    let error = check(&truth.replace("user list\n`", "user lost\n`"), "/bin/echo").unwrap_err();
    assert!(
        error.starts_with("line 5: $ cargo run --release -- user list\n"),
        "{error}"
    );
}

#[test]
fn what_takes_a_moment_is_asked_for_again() {
    let document = "<!-- test -->\n```console\n$ (sleep 0.3; echo done >file) &\n```\n\
                    <!-- test: eventually -->\n```console\n$ cat file\ndone\n```\n";
    assert_eq!(check(document, "/bin/echo"), Ok(2));
}
