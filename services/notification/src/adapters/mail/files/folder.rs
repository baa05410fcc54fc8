//! Files that come into a folder together, and are all on disk when that is said.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::PathBuf,
};

/// A folder to write into.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

/// A file to be written.
#[derive(Debug)]
pub(super) struct NewFile {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

impl Folder {
    /// The folder at `path`, which is made if need be.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        Ok(Self { path })
    }

    /// Writes files: one answer each. What is answered with `Ok` is on disk, under its name. Nobody sees
    /// half a file under its name, for each is written beside and then renamed.
    pub(super) fn write(&self, files: &[NewFile]) -> Vec<io::Result<()>> {
        // All are on their way to the disk before the first is waited for, so that the file system's journal
        // can take them together. To sync the whole file system would be one flush, but would wait for
        // whatever others write meanwhile.
        let written: Vec<_> = files.iter().map(|file| self.write_beside(file)).collect();
        written.iter().flatten().for_each(begin_to_write_out);
        let named = files.iter().zip(written).map(|(file, written)| {
            written?.sync_all()?;
            fs::rename(self.beside(file), self.path.join(&file.name))
        });
        let named: Vec<_> = named.collect();
        // Names are on disk only when the folder is.
        let synced = File::open(&self.path).and_then(|folder| folder.sync_all());
        let all = named.into_iter().map(|named| named.and_then(|()| same(&synced)));
        all.collect()
    }

    fn beside(&self, file: &NewFile) -> PathBuf {
        self.path.join(format!(".{}.part", file.name))
    }

    fn write_beside(&self, file: &NewFile) -> io::Result<File> {
        let mut beside = File::create(self.beside(file))?;
        beside.write_all(&file.bytes)?;
        Ok(beside)
    }
}

/// Tells the kernel that the file's pages are not needed in memory, upon which Linux begins to write those out
/// that are not on disk, and does not wait for that (posix_fadvise). That it may not do so costs time, and no more.
#[cfg(target_os = "linux")]
fn begin_to_write_out(file: &File) {
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

/// Other systems begin when they are told to sync.
#[cfg(not(target_os = "linux"))]
fn begin_to_write_out(_: &File) {}

/// What happened to all, as the answer to one.
fn same(all: &io::Result<()>) -> io::Result<()> {
    match all {
        Ok(()) => Ok(()),
        Err(error) => Err(error.kind().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: &[u8]) -> NewFile {
        NewFile {
            name: name.to_owned(),
            bytes: bytes.to_vec(),
        }
    }

    #[test]
    fn few_files_and_many_are_there_whole_and_nothing_beside_them() {
        for count in [1, 100] {
            let home = tempfile::tempdir().unwrap();
            let folder = Folder::open(home.path().join("a/b")).unwrap();
            let files: Vec<_> = (0..count)
                .map(|n| file(&format!("{n}.eml"), &[7; 5000]))
                .collect();
            assert!(folder.write(&files).iter().all(Result::is_ok));
            let there = fs::read_dir(home.path().join("a/b")).unwrap();
            assert_eq!(there.count(), count);
            for file in files {
                assert_eq!(fs::read(folder.path.join(file.name)).unwrap(), file.bytes);
            }
        }
    }

    #[test]
    fn one_that_cannot_be_written_fails_alone() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::open(home.path().to_owned()).unwrap();
        let files = ["1", "nowhere/2", "3", "4", "5", "6"].map(|name| file(name, b"text"));
        let failed = folder
            .write(&files)
            .iter()
            .map(Result::is_err)
            .collect::<Vec<_>>();
        assert_eq!(failed, [false, true, false, false, false, false]);
        assert_eq!(fs::read(home.path().join("3")).unwrap(), b"text");
    }
}
