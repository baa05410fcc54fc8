//! Puts tables, figures and plots where readers find them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    goals::Goal,
    group::Group,
    machine::Machine,
    plot,
    statistics::{Results, Spread},
};

/// Everything that was measured, for programs.
#[derive(Serialize)]
struct Figures<'a> {
    machine: &'a Machine,
    goals: &'a [Goal],
    measurements: BTreeMap<&'static str, BTreeMap<&'a str, Spread>>,
}

/// Writes docs/performance.md, and in docs/performance figures and plots.
pub(crate) fn write(group: Group, machine: &Machine, results: &Results, goals: &[Goal], text: &str) {
    let docs = docs();
    let folder = docs.join("performance");
    fs::create_dir_all(&folder).expect("the folder can be made");
    let figures = Figures {
        machine,
        goals,
        measurements: results.spreads(),
    };
    let json = serde_json::to_string_pretty(&figures).expect("it is JSON");
    fs::write(folder.join(group.file()), json + "\n").expect("the folder is writable");
    let plots = plot::draw(&folder, results);
    let images = plots
        .iter()
        .map(|(file, title)| format!("![{title}](performance/{file})"));
    let images = images.collect::<Vec<_>>().join("\n\n");
    let path = docs.join("performance.md");
    let before = fs::read_to_string(&path).expect("the document is there");
    let after = replaced(&before, group.name(), &format!("{text}\n\n{images}"));
    fs::write(path, after).expect("the folder is writable");
}

/// `document` with `text` between the marks of that name. Everything else there is written by hand.
fn replaced(document: &str, name: &str, text: &str) -> String {
    let [begin, end] = ["begin", "end"].map(|mark| format!("<!-- {name}:{mark} -->"));
    let (before, rest) = document.split_once(&begin).expect("the begin is marked");
    let (_, after) = rest.split_once(&end).expect("the end is marked");
    format!("{before}{begin}\n{}\n{end}{after}", text.trim_end())
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}
