//! A folder for a broker's file, whose statements are watched.

use std::path::Path;

use tempfile::TempDir;
use waybill_testkit::sqlite::Watched;

/// What may be walked through, because it cannot grow: queues and their bindings, which subscriptions make;
/// batches under way, of which a subscriber has few; taps, one for each who watches; what has passed, which
/// is cut at [`MAX_HELD`](waybill::tap::MAX_HELD); SQLite's own row for that table.
const SMALL: &[&str] = &["queue", "binding", "batch", "tap", "passed", "sqlite_sequence"];

/// A folder that is removed with this, after what was run on its `broker.db` has been looked at.
pub(crate) struct Folder {
    _watched: Watched,
    folder: TempDir,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            _watched: Watched::new(&folder.path().join("broker.db")).with_small(SMALL),
            folder,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}
