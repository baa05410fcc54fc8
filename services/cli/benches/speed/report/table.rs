//! A table in Markdown, and how numbers are written in it.

use std::fmt::Write;

use crate::statistics::Spread;

/// A table under a heading.
pub(crate) struct Table {
    text: String,
    is_empty: bool,
}

impl Table {
    pub(crate) fn new(heading: &str, columns: &[&str]) -> Self {
        let rule = "---|".repeat(columns.len());
        Self {
            text: format!("### {heading}\n\n| {} |\n|{rule}\n", columns.join(" | ")),
            is_empty: true,
        }
    }

    /// A row: what it is about, and what was measured. Without any of that there is no row.
    pub(crate) fn row<const N: usize>(&mut self, about: &[&str], cells: [Option<String>; N]) {
        if cells.iter().all(Option::is_none) {
            return;
        }
        let cells = cells.map(|cell| cell.unwrap_or_else(|| "–".to_owned()));
        let about = about.join(" | ");
        let _ = writeln!(self.text, "| {about} | {} |", cells.join(" | "));
        self.is_empty = false;
    }

    /// Its text, with a note below; nothing when it has no row.
    pub(crate) fn noting(self, note: &str) -> String {
        match (self.is_empty, note) {
            (true, _) => String::new(),
            (false, "") => self.text + "\n",
            (false, note) => format!("{}\n{note}\n\n", self.text),
        }
    }
}

/// A median, with the least and the most.
pub(crate) fn spread(spread: Spread) -> String {
    let Spread { median, min, max, .. } = spread;
    format!("{} ({}–{})", number(median), number(min), number(max))
}

/// A number with as many digits as mean something, thousands apart.
pub(crate) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.find('.').map_or((text.as_str(), ""), |at| text.split_at(at));
    let digits = whole.trim_start_matches('-').len();
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        let left = whole.len() - at;
        if digit.is_ascii_digit() && left.is_multiple_of(3) && left < digits {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}
