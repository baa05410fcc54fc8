//! Collects an example of each event: the JSON that stands beside its golden bytes.

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

/// The Rust source of the table of examples: for every `TYPE.json` in `folder` its name and text.
pub(crate) fn table(folder: &Path) -> io::Result<String> {
    let mut files = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<PathBuf>>>()?;
    files.retain(|path| path.extension().is_some_and(|e| e == "json"));
    files.sort();
    let mut out = String::from(
        "/// An example of each event as JSON, by type name.\npub(crate) const EXAMPLES: &[(&str, &str)] = &[\n",
    );
    for file in files {
        let type_name = file.file_stem().expect("a file has a name").to_string_lossy();
        let text = fs::read_to_string(&file)?;
        writeln!(out, "    ({type_name:?}, {text:?}),").expect("a String takes every write");
    }
    out.push_str("];\n");
    Ok(out)
}
