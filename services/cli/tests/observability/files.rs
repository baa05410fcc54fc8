//! The files of `observability/` and `docs/`, as tests read them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_yaml_ng::Value;

/// A file or folder of the repository.
pub(crate) fn path(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().expect("the repository is there");
    root.join(name)
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Files of a folder whose names end so, sorted. There is at least one.
pub(crate) fn in_folder(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(path(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    paths.retain(|path| path.to_string_lossy().ends_with(ending));
    paths.sort();
    assert!(!paths.is_empty(), "{folder} holds no {ending}");
    paths
}

/// What a path is called without its folder and ending.
pub(crate) fn stem(path: &Path) -> String {
    let stem = path.file_stem().expect("it names a file");
    stem.to_string_lossy().into_owned()
}

/// A YAML file with its merge keys resolved.
pub(crate) fn yaml(path: &Path) -> Value {
    let mut value: Value =
        serde_yaml_ng::from_str(&read(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    value
        .apply_merge()
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    value
}

/// Every rule of Prometheus.
pub(crate) fn rules() -> Vec<Value> {
    let files = in_folder("observability/prometheus/rules", ".yml");
    let groups = files.iter().flat_map(|file| list(&yaml(file)["groups"]));
    groups.flat_map(|group| list(&group["rules"])).collect()
}

/// The items of a YAML list.
pub(crate) fn list(value: &Value) -> Vec<Value> {
    value.as_sequence().cloned().unwrap_or_default()
}
