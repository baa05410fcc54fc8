//! The recorded counts: a file with a path and a number a line.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result, ensure};

/// How far a count may be from the recorded one, in percent. Between machines and between runs (hash
/// seeds) counts differ by less than that.
const TOLERANCE_PERCENT: u64 = 5;

const HEAD: &str = "# Instructions of one round of each hot path, by callgrind, with the release build.\n\
    # Written by `scripts/bench instructions --update`; held by `scripts/bench instructions`.\n";

/// What is recorded for each path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Recorded(BTreeMap<String, u64>);

impl Recorded {
    pub(crate) fn of(counts: Vec<(String, u64)>) -> Self {
        Self(counts.into_iter().collect())
    }

    pub(crate) fn read(file: &str) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| file.to_owned())?;
        Self::parse(&text).with_context(|| format!("{file} is not as it was written"))
    }

    pub(crate) fn write(&self, file: &str) -> Result<()> {
        let lines = self.0.iter().map(|(name, count)| format!("{name} {count}\n"));
        let lines: String = lines.collect();
        print!("{lines}");
        fs::write(file, format!("{HEAD}{lines}")).with_context(|| file.to_owned())
    }

    fn parse(text: &str) -> Option<Self> {
        let line = |line: &str| {
            let (name, count) = line.split_once(' ')?;
            Some((name.to_owned(), count.parse().ok()?))
        };
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(line).collect::<Option<_>>().map(Self)
    }

    /// Fails when a path takes more than is recorded, or when the two do not have the same paths. Tells
    /// when one takes less: then the record is to be renewed, so that what was gained is held.
    pub(crate) fn check(&self, counts: &[(String, u64)]) -> Result<()> {
        let mut wrong = Vec::new();
        for (name, now) in counts {
            let Some(&then) = self.0.get(name) else {
                wrong.push(format!("{name}: not recorded"));
                continue;
            };
            let verdict = verdict(then, *now);
            println!("{name}: {now}, recorded {then}: {verdict:?}");
            if verdict == Verdict::More {
                wrong.push(format!("{name}: {now} instructions, recorded are {then}"));
            }
        }
        let gone = |name: &&String| !counts.iter().any(|(counted, _)| counted == *name);
        let gone = self.0.keys().filter(gone);
        wrong.extend(gone.map(|name| format!("{name}: recorded, but there is no such path")));
        ensure!(
            wrong.is_empty(),
            "{}\nIf that is meant to be: scripts/bench instructions --update",
            wrong.join("\n")
        );
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Same,
    More,
    /// Renew the record: `scripts/bench instructions --update`.
    LessSoUpdate,
}

fn verdict(then: u64, now: u64) -> Verdict {
    let margin = then * TOLERANCE_PERCENT / 100;
    if now > then + margin {
        Verdict::More
    } else if now + margin < then {
        Verdict::LessSoUpdate
    } else {
        Verdict::Same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, u64)]) -> Vec<(String, u64)> {
        of.iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    }

    #[test]
    fn more_fails_and_less_does_not() {
        let recorded = Recorded::parse("# head\na 1000\n").unwrap();
        for passes in [0, 949, 950, 1000, 1050] {
            recorded.check(&counts(&[("a", passes)])).unwrap();
        }
        let error = recorded.check(&counts(&[("a", 1051)])).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("a: 1051 instructions, recorded are 1000")
        );
        assert_eq!(verdict(1000, 949), Verdict::LessSoUpdate);
    }

    #[test]
    fn a_path_without_a_record_and_a_record_without_a_path_fail() {
        let recorded = Recorded::parse("a 1000\n").unwrap();
        let error = recorded.check(&counts(&[("b", 1)])).unwrap_err().to_string();
        assert!(
            error.contains("b: not recorded") && error.contains("a: recorded"),
            "{error}"
        );
    }

    #[test]
    fn what_is_written_can_be_read() {
        let folder = std::env::temp_dir().join(format!("waybill-instructions-{}", std::process::id()));
        let file = folder.to_str().unwrap();
        let recorded = Recorded::of(counts(&[("a", 1), ("b", 2)]));
        recorded.write(file).unwrap();
        assert_eq!(Recorded::read(file).unwrap(), recorded);
        fs::remove_file(file).unwrap();
        assert_eq!(Recorded::parse("a"), None);
    }
}
