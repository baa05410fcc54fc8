//! The rules of this repository that no compiler holds. Each failure names file, line and rule.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Longest source file. A file is one idea: most are far shorter.
const MAX_LINES: usize = 400;

/// A name that only some files may use: those whose path starts with one of `allowed`, where a `*`
/// stands for one folder. Tests and the testkit may name anything.
struct Confined {
    name: &'static str,
    allowed: &'static [&'static str],
    why: &'static str,
}

/// What the drivers alone can do, for a benchmark to hold the platform against.
const FLOORS: &str = "services/cli/benches/speed/floors";

const CONFINED: &[Confined] = &[
    Confined {
        name: "lapin",
        allowed: &["src/amqp", FLOORS],
        why: "the broker's driver stays in its adapter",
    },
    Confined {
        name: "mongodb",
        allowed: &["src/mongo", "services/*/src/adapters/mongo", FLOORS],
        why: "the database's driver stays in its adapters",
    },
    Confined {
        name: "bson",
        allowed: &["src/mongo", "services/*/src/adapters/mongo", FLOORS],
        why: "the database's documents stay in its adapters",
    },
    Confined {
        name: "rusqlite",
        allowed: &["src/embedded", "services/*/src/adapters/sqlite"],
        why: "the embedded database's driver stays in its adapters",
    },
];

/// What a domain may not name: how it is run, called, stored or sent is not its business.
const BANNED_IN_DOMAINS: &[&str] = &[
    "tokio", "tonic", "mongodb", "bson", "rusqlite", "lapin", "prost", "contract",
];

/// What unfinished work looks like. In two halves each, so that this file does not find itself.
const UNFINISHED: &[(&str, &str)] = &[
    ("tod", "o!"),
    ("unimpl", "emented!"),
    ("#[ign", "ore"),
    ("FIX", "ME"),
];

/// A source file: its path from the repository's root, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Lines that hold code, numbered from 1. Comments are left out: they may explain any name.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines.map(|(n, line)| (n + 1, line.split("//").next().unwrap_or_default()))
    }

    /// Lines whose code names the crate or module `name`: in a `use`, or in front of `::`. As text, a
    /// URL's scheme for instance, it may stand anywhere.
    fn naming(&self, name: &str) -> impl Iterator<Item = usize> {
        let is_word_byte = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let names_it = move |line: &str| {
            let import = line.trim_start().trim_start_matches("pub ").starts_with("use ");
            line.match_indices(name).any(|(start, _)| {
                let (before, after) = (&line[..start], &line[start + name.len()..]);
                !before.bytes().next_back().is_some_and(is_word_byte)
                    && !after.bytes().next().is_some_and(is_word_byte)
                    && (import || after.starts_with("::"))
            })
        };
        self.code()
            .filter(move |(_, line)| names_it(line))
            .map(|(n, _)| n)
    }

    fn is_test(&self) -> bool {
        let folders = ["testkit/", "tests/", "instructions/"];
        folders.iter().any(|folder| self.path.starts_with(folder))
            || self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` that `wanted` says yes to.
fn walk(folder: &Path, wanted: &dyn Fn(&Path) -> bool, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, wanted, found);
        } else if wanted(&path) {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let mut paths = vec![root().join("build.rs")];
    for folder in ["build", "instructions", "src", "services", "testkit", "tests"] {
        let is_rust = |path: &Path| path.extension().is_some_and(|e| e == "rs");
        walk(&root().join(folder), &is_rust, &mut paths);
    }
    paths.sort();
    let read = |path: PathBuf| Source {
        path: path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned(),
        text: fs::read_to_string(&path).unwrap(),
    };
    paths.into_iter().map(read).collect()
}

/// Names of the services: every folder in `services/` but the binary that runs them.
fn services() -> Vec<String> {
    fs::read_dir(root().join("services"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "cli")
        .collect()
}

/// Whether `path` starts with `pattern`, whose `*` stands for one folder.
fn is_below(path: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => path.starts_with(pattern),
        Some((before, after)) => path
            .strip_prefix(before)
            .and_then(|rest| rest.find('/').map(|end| &rest[end..]))
            .is_some_and(|rest| rest.starts_with(after)),
    }
}

fn assert_none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn a_driver_is_named_in_its_adapters_only() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|s| !s.is_test()) {
        for rule in CONFINED {
            if rule.allowed.iter().any(|pattern| is_below(&source.path, pattern)) {
                continue;
            }
            for line in source.naming(rule.name) {
                broken.push(format!("{}:{line}: {}: {}", source.path, rule.name, rule.why));
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn a_domain_names_no_driver_runtime_or_generated_type() {
    let mut broken = Vec::new();
    for source in sources()
        .iter()
        .filter(|s| is_below(&s.path, "services/*/src/domain"))
    {
        for name in BANNED_IN_DOMAINS {
            for line in source.naming(name) {
                broken.push(format!("{}:{line}: a domain names no {name}", source.path));
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn services_never_depend_on_each_other() {
    let mut broken = Vec::new();
    let services = services();
    for service in &services {
        let path = format!("services/{service}/Cargo.toml");
        let manifest = fs::read_to_string(root().join(&path)).unwrap();
        for other in services.iter().filter(|other| *other != service) {
            if manifest.contains(&format!("waybill-{other}")) {
                broken.push(format!(
                    "{path}: services depend on the backbone only, not on {other}"
                ));
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn the_backbone_does_not_know_the_services() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, package) = manifest.split_once("\n[package]").unwrap();
    for service in services().iter().map(String::as_str).chain(["cli"]) {
        assert!(
            !package.contains(&format!("waybill-{service}")),
            "waybill depends on {service}"
        );
    }
}

#[test]
fn a_file_says_what_it_is_and_is_one_idea() {
    let mut broken = Vec::new();
    for Source { path, text } in sources() {
        let lines = text.lines().count();
        // A `tests.rs` is the tests of the module it belongs to, which its path says.
        let says = text.starts_with("//! ") || path.ends_with("/tests.rs");
        if lines > 1 && !says {
            broken.push(format!("{path}:1: a file starts with //! and what it is"));
        }
        if lines > MAX_LINES {
            broken.push(format!("{path}: {lines} lines, at most {MAX_LINES}"));
        }
        if path.ends_with("/mod.rs") && !path.contains("/tests/") {
            broken.push(format!("{path}: modules are foo.rs and foo/, never mod.rs"));
        }
    }
    assert_none(&broken);
}

/// Where a service wraps events itself although its list of published events is elsewhere.
const WRAPS_EVENTS_OF_OTHERS: &[(&str, &str)] = &[(
    "services/notification/src/adapters/events/released.rs",
    "a test module: events as others once published them",
)];

#[test]
fn a_service_publishes_only_what_it_lists() {
    let mut broken = Vec::new();
    for source in sources()
        .iter()
        .filter(|s| is_below(&s.path, "services/*/src/") && !s.is_test())
        .filter(|s| WRAPS_EVENTS_OF_OTHERS.iter().all(|(path, _)| *path != s.path))
    {
        let tests_begin = source.text.lines().position(|line| line.trim() == "mod tests {");
        for (n, line) in source.code().take(tests_begin.unwrap_or(usize::MAX)) {
            let mut paths = line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
            if paths.any(|path| path == "Envelope::new") {
                broken.push(format!(
                    "{}:{n}: events leave through Envelope::published_by, which knows the catalogue",
                    source.path
                ));
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn nothing_is_left_unfinished() {
    let mut broken = Vec::new();
    for source in sources() {
        for (n, line) in source.text.lines().enumerate() {
            for mark in UNFINISHED.iter().map(|(a, b)| format!("{a}{b}")) {
                if line.contains(&mark) {
                    broken.push(format!("{}:{}: {mark}", source.path, n + 1));
                }
            }
        }
    }
    assert_none(&broken);
}

#[cfg(unix)]
#[test]
fn scripts_can_be_run() {
    use std::os::unix::fs::PermissionsExt;

    let mut scripts = vec![root().join(".ci/run")];
    walk(&root().join("scripts"), &|_| true, &mut scripts);
    for script in scripts {
        let mode = fs::metadata(&script).unwrap().permissions().mode();
        let text = fs::read_to_string(&script).unwrap();
        assert!(mode & 0o111 != 0, "{} is not executable", script.display());
        assert!(text.starts_with("#!"), "{} has no #! line", script.display());
    }
}

#[test]
fn the_rules_find_what_they_look_for() {
    let source = Source {
        path: "services/order/src/app.rs".into(),
        text: "pub use lapin; // use lapin\n// lapin::x\nlet a = lapin::b();\nlapin_c::d(\"lapin://e\");\n"
            .into(),
    };
    assert_eq!(source.naming("lapin").collect::<Vec<_>>(), [1, 3]);
    assert!(is_below(
        "services/order/src/adapters/mongo/orders.rs",
        "services/*/src/adapters/mongo"
    ));
    assert!(!is_below(
        "services/order/src/app/mongo.rs",
        "services/*/src/adapters/mongo"
    ));
    assert!(!is_below(
        "services/order/deep/src/domain.rs",
        "services/*/src/domain"
    ));
}
