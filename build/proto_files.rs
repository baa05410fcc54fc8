//! Finds the `.proto` files of a source tree.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Every `.proto` file below `root`, sorted, as paths relative to `root`.
pub(crate) fn under(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "proto") {
                let relative = path.strip_prefix(root).expect("found below root");
                files.push(relative.to_path_buf());
            }
        }
    }
    files.sort();
    Ok(files)
}
