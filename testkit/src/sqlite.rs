//! How SQLite finds the rows that statements are about.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use waybill::embedded::{
    Statements,
    rusqlite::{self, Connection},
    watch_statements,
};

/// What statements that read or write rows begin with. All others make tables, or begin and end transactions.
const EXPLAINED: [&str; 5] = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];

/// The step of a plan that puts rows in order after they were found.
const SORT: &str = "USE TEMP B-TREE FOR ORDER BY";

/// A file whose statements are written down. Dropping it fails a test unless every one that was run finds its
/// rows by an index, and in the order in which it wants them.
#[derive(Debug)]
pub struct Watched {
    path: PathBuf,
    statements: Statements,
    small: &'static [&'static str],
    few: &'static [&'static str],
}

impl Watched {
    /// Watches the file at `path`, which nobody has opened yet.
    pub fn new(path: &Path) -> Self {
        Self {
            statements: watch_statements(path),
            path: path.to_owned(),
            small: &[],
            few: &[],
        }
    }

    /// These tables are so small that they may be walked through.
    #[must_use]
    pub fn with_small(mut self, tables: &'static [&'static str]) -> Self {
        self.small = tables;
        self
    }

    /// By these indexes so few rows are found that they may be sorted afterwards.
    #[must_use]
    pub fn with_few_by(mut self, indexes: &'static [&'static str]) -> Self {
        self.few = indexes;
        self
    }

    /// The statements that go through a table or sort, each with its plan.
    fn walking(&self, statements: &BTreeSet<String>) -> Vec<String> {
        let connection = Connection::open(&self.path).expect("the file can be opened");
        let mut walking = Vec::new();
        for sql in statements {
            let plan = plan(&connection, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
            let few = plan
                .iter()
                .any(|step| self.few.iter().any(|index| step.contains(index)));
            let sorts = plan.iter().any(|step| step.starts_with(SORT)) && !few;
            if sorts || plan.iter().any(|step| self.walks(sql, step)) {
                walking.push(format!("{sql}\n    {}", plan.join("\n    ")));
            }
        }
        walking
    }

    /// Whether a step of a statement's plan goes through a table.
    fn walks(&self, sql: &str, step: &str) -> bool {
        let Some(scanned) = step.strip_prefix("SCAN ") else {
            return false;
        };
        let is_table = !scanned.starts_with('(') && !scanned.contains("VIRTUAL TABLE");
        // An index may be read in its order, if there is an end to that.
        let is_bounded = scanned.contains("INDEX") && sql.contains("LIMIT");
        let name = scanned.split(' ').next().unwrap_or_default();
        is_table && scanned != "CONSTANT ROW" && !is_bounded && !self.small.contains(&name)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut statements = self.statements.lock().expect("nobody panics with it").clone();
        statements.retain(|sql| EXPLAINED.iter().any(|verb| sql.trim_start().starts_with(verb)));
        let walking = self.walking(&statements);
        assert!(walking.is_empty(), "not by an index:\n{}", walking.join("\n"));
    }
}

/// Every step of the plan that SQLite makes for `sql`, with its parameters unset.
fn plan(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    statement.raw_query().mapped(|row| row.get("detail")).collect()
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use waybill::embedded::Database;

    use super::*;

    const SCHEMA: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT";

    /// Whether a file passes of which `sql` is asked, with a parameter, as a read and in a write.
    async fn passes(sql: &'static str, small: &'static [&'static str]) -> [bool; 2] {
        let folder = tempfile::tempdir().unwrap();
        let ask = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(sql)?;
            statement.query([1])?.next().map(drop)
        };
        let watched = |name: &str| {
            let path = folder.path().join(name);
            let watched = Watched::new(&path).with_small(small);
            (watched, Database::open(&path, &[SCHEMA]).unwrap())
        };
        let (read, database) = watched("read.db");
        database.read(ask).await.unwrap();
        let (written, database) = watched("written.db");
        database.write(ask).await.unwrap();
        [read, written].map(|watched| catch_unwind(AssertUnwindSafe(|| drop(watched))).is_ok())
    }

    #[tokio::test]
    async fn a_statement_that_goes_through_a_table_is_found_out() {
        let by_key = "SELECT n FROM t WHERE id = ?1";
        let in_order = "SELECT n FROM t WHERE id > ?1 ORDER BY id";
        let walking = "SELECT id FROM t WHERE n = ?1";
        let sorting = "SELECT n FROM t WHERE id > ?1 ORDER BY n";
        assert_eq!(passes(by_key, &[]).await, [true, true]);
        assert_eq!(passes(in_order, &[]).await, [true, true]);
        assert_eq!(passes(walking, &[]).await, [false, false]);
        assert_eq!(passes(walking, &["t"]).await, [true, true]);
        assert_eq!(passes(sorting, &[]).await, [false, false]);
    }
}
