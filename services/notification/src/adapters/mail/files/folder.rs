//! A folder into which files are written, and which is synced as a whole.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::PathBuf,
};

use crate::adapters::sqlite::SpooledFile;

/// A folder to write into.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Open since before anything was written: what the file system then fails to write is told to those who
    /// had it open (syncfs(2)).
    handle: File,
}

impl Folder {
    /// The folder at `path`, which is made if need be.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        let handle = File::open(&path)?;
        Ok(Self { path, handle })
    }

    /// Writes a file. Nobody sees half of it under its name, for it is written beside and then renamed. It is on
    /// disk after the next [`sync`](Self::sync).
    pub(super) fn write(&self, file: &SpooledFile) -> io::Result<()> {
        let beside = self.path.join(format!(".{}.part", file.name));
        let mut part = File::create(&beside)?;
        part.write_all(&file.bytes)?;
        // Elsewhere the folder is all that can be synced at once.
        #[cfg(not(target_os = "linux"))]
        part.sync_all()?;
        fs::rename(beside, self.path.join(&file.name))
    }

    /// Waits until all that was written is on disk. After a failure it must be written again: what could not
    /// be written is forgotten by the file system.
    #[cfg(target_os = "linux")]
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.handle)?)
    }

    /// Waits until all that was written is on disk.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_and_nothing_beside_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b");
        let folder = Folder::open(path.clone()).unwrap();
        for bytes in [&[7; 5000][..], b"again"] {
            let name = "1.eml".to_owned();
            let bytes = bytes.to_vec();
            folder
                .write(&SpooledFile {
                    name,
                    bytes: bytes.clone(),
                })
                .unwrap();
            assert_eq!(fs::read(path.join("1.eml")).unwrap(), bytes);
        }
        folder.sync().unwrap();
        assert_eq!(fs::read_dir(path).unwrap().count(), 1);
    }
}
