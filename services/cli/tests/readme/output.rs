//! Compares what a document shows with what came out, where ids and times differ from run to run.
//!
//! An id in the document is a name for the one that came out in its place: it stands for that same
//! id in every later command and output.

use std::{collections::HashMap, sync::LazyLock};

use regex::{Captures, Regex};

/// What is made anew in every run: UUIDs, page tokens, hashes of 16 digits or more, and the 8 digits that
/// make a mail address one of its own.
static ID: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
        r"|\b[0-9a-f]{16,64}\b|\+[0-9a-f]{8}@",
        r#"|(?P<before>[pP]age_?[tT]oken": ")(?P<token>[^"]+)"#,
    ))
    .unwrap()
});

/// Times, as JSON, logs and mail write them.
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z| ?UTC|[+-]\d\d:?\d\d)?",
        r"|\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}",
    ))
    .unwrap()
});

/// A line that stands for any number of lines.
const ANY_LINES: [&str; 2] = ["…", "..."];

/// Ids of the document, and those of this run in their place.
#[derive(Debug, Default, Clone)]
pub(crate) struct Ids(HashMap<String, String>);

impl Ids {
    /// `text` of the document with the ids of this run.
    pub(crate) fn translate(&self, text: &str) -> String {
        let known = |id: &str| self.0.get(id).cloned().unwrap_or_else(|| id.to_owned());
        ID.replace_all(text, |found: &Captures<'_>| match found.name("token") {
            Some(token) => format!("{}{}", &found["before"], known(token.as_str())),
            None => known(&found[0]),
        })
        .into_owned()
    }

    /// Whether `seen` is what `shown` says. If so, ids that `shown` names first are known from now on.
    pub(crate) fn matches(&mut self, shown: &[String], seen: &[String]) -> bool {
        let mut ids = self.clone();
        let equal = ids.lines_match(trimmed(shown), trimmed(seen));
        if equal {
            *self = ids;
        }
        equal
    }

    fn lines_match(&mut self, shown: &[String], seen: &[String]) -> bool {
        match shown.split_first() {
            None => seen.is_empty(),
            Some((first, rest)) if ANY_LINES.contains(&first.trim()) => (0..=seen.len()).any(|skipped| {
                let mut ids = self.clone();
                let equal = ids.lines_match(rest, &seen[skipped..]);
                if equal {
                    *self = ids;
                }
                equal
            }),
            Some((first, rest)) => {
                !seen.is_empty() && self.line_matches(first, &seen[0]) && self.lines_match(rest, &seen[1..])
            }
        }
    }

    fn line_matches(&mut self, shown: &str, seen: &str) -> bool {
        let (shown, shown_ids) = split(shown);
        let (seen, seen_ids) = split(seen);
        shown == seen
            && shown_ids
                .into_iter()
                .zip(seen_ids)
                .all(|(name, id)| *self.0.entry(name).or_insert_with(|| id.clone()) == id)
    }
}

/// The line with a mark in place of each time and id, and the ids.
fn split(line: &str) -> (String, Vec<String>) {
    let mut ids = Vec::new();
    let line = TIME.replace_all(line.trim_end(), "<time>");
    let line = ID.replace_all(&line, |found: &Captures<'_>| {
        let token = found.name("token").map_or(&found[0], |token| token.as_str());
        ids.push(token.to_owned());
        format!(
            "{}<id>",
            found.name("before").map_or("", |before| before.as_str())
        )
    });
    (line.into_owned(), ids)
}

/// Without blank lines at the end: they separate a command from the next.
fn trimmed(lines: &[String]) -> &[String] {
    let end = lines.iter().rposition(|line| !line.trim().is_empty());
    &lines[..end.map_or(0, |last| last + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "01990000-0000-7000-8000-00000000000a";
    const B: &str = "01990000-0000-7000-8000-00000000000b";
    const C: &str = "01990000-0000-7000-8000-00000000000c";

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    fn matches(ids: &mut Ids, shown: &str, seen: &str) -> bool {
        ids.matches(&lines(shown), &lines(seen))
    }

    #[test]
    fn an_id_stands_for_the_one_in_its_place_from_then_on() {
        let mut ids = Ids::default();
        assert!(matches(&mut ids, &format!("order {A}"), &format!("order {B}")));
        assert_eq!(ids.translate(&format!("get {A}")), format!("get {B}"));
        assert!(matches(&mut ids, A, B));
        assert!(!matches(&mut ids, A, C), "another id than before");
        assert!(!matches(&mut ids, &format!("user {C}"), "user"), "no id at all");
    }

    #[test]
    fn a_page_token_is_an_id_whatever_it_looks_like() {
        let mut ids = Ids::default();
        assert!(matches(
            &mut ids,
            r#"  "nextPageToken": "abc""#,
            r#"  "nextPageToken": "x_Y""#
        ));
        assert_eq!(
            ids.translate(r#"{"page_token": "abc"}"#),
            r#"{"page_token": "x_Y"}"#
        );
    }

    #[test]
    fn times_are_equal_and_amounts_are_not() {
        let mut ids = Ids::default();
        let shown = "at 2026-01-02T03:04:05.678Z, Date: Fri, 2 Jan 2026 03:04:05 +0000";
        let seen = "at 2027-11-12T13:14:15Z, Date: Sat, 12 Dec 2026 13:14:15 +0000";
        assert!(matches(&mut ids, shown, seen));
        assert!(!matches(&mut ids, "total 12.34", "total 12.35"));
    }

    #[test]
    fn dots_stand_for_any_lines_and_nothing_else_does() {
        let mut ids = Ids::default();
        assert!(matches(&mut ids, "a\n…\nd\n", "a\nb\nc\nd"));
        assert!(matches(&mut ids, "a\n...\n", "a"));
        assert!(!matches(&mut ids, "a\n…\nd", "a\nb"));
        assert!(!matches(&mut ids, "a", "a\nb"));
        assert!(!matches(&mut ids, "a\nb", "a"));
    }
}
