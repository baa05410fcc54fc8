//! The table of what is kept, as the documentation has it.

use std::{collections::BTreeSet, time::Duration};

use waybill_testkit::stated::PERFORMANCE;

/// What begins the table.
const HEADER: &str = "| what | one for each | in MongoDB | in SQLite | kept for |";

/// What stands where a service removes something itself on every database.
const REMOVED: &str = "removed by the service";

/// One row.
#[derive(Debug)]
pub(super) struct Row {
    /// What is kept.
    pub(super) what: String,
    /// The collections that it is in, by service: `service.collection`.
    pub(super) mongodb: Vec<String>,
    /// The tables that it is in, by file: `file.table`.
    pub(super) sqlite: Vec<String>,
    /// For how long, in words.
    pub(super) kept: String,
}

impl Row {
    /// For how long, when that is a time.
    pub(super) fn period(&self) -> Option<Duration> {
        let (number, rest) = self.kept.split_once(' ')?;
        let number = number.parse::<u64>().ok()?;
        let hours = match rest.split(' ').next() {
            Some("days") => 24 * number,
            Some("hours") => number,
            _ => panic!("no unit of time: {self:?}"),
        };
        Some(Duration::from_hours(hours))
    }

    /// For how long after it was stored, when the database's adapter sees to that.
    pub(super) fn lifetime(&self) -> Option<Duration> {
        self.period().filter(|_| !self.kept.contains(REMOVED))
    }
}

/// All rows.
pub(super) fn rows() -> Vec<Row> {
    let (_, below) = PERFORMANCE.split_once(HEADER).expect("the table is there");
    let lines = below.lines().skip(2).take_while(|line| line.starts_with('|'));
    let rows: Vec<_> = lines.map(row).collect();
    assert!(!rows.is_empty(), "the table has rows");
    rows
}

fn row(line: &str) -> Row {
    let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [what, _, mongodb, sqlite, kept] = cells[..] else {
        panic!("five cells: {line}");
    };
    Row {
        what: what.to_owned(),
        mongodb: names(mongodb),
        sqlite: names(sqlite),
        kept: kept.to_owned(),
    }
}

/// What stands in a cell between backticks.
fn names(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Every name of a column.
pub(super) fn all(names: impl Fn(&Row) -> &Vec<String>) -> BTreeSet<String> {
    rows().iter().flat_map(names).cloned().collect()
}

/// The lifetimes of what is in `name`.
pub(super) fn lifetimes(name: &str, names: impl Fn(&Row) -> &Vec<String>) -> BTreeSet<Duration> {
    let rows = rows();
    let here = rows.iter().filter(|row| names(row).iter().any(|n| n == name));
    here.filter_map(Row::lifetime).collect()
}
