//! Medians and spreads of all rounds, as a table in Markdown.

use std::fmt;

use crate::round::Round;

/// Rounds by mode, in the order in which modes first came.
#[derive(Default)]
pub(crate) struct Report(Vec<(&'static str, Vec<Round>)>);

impl Report {
    pub(crate) fn add(&mut self, mode: &'static str, round: Round) {
        match self.0.iter_mut().find(|(name, _)| *name == mode) {
            Some((_, rounds)) => rounds.push(round),
            None => self.0.push((mode, vec![round])),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| traces kept | order | user | notification | together (least to most) | against off | spans | dropped |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        let mut off = None;
        for (name, rounds) in &self.0 {
            let of_service = |at: usize| median(rounds.iter().map(|round| round.cpu_us[at]));
            let sums = || rounds.iter().map(|round| round.cpu_us.iter().sum::<f64>());
            let together = median(sums());
            let (least, most) = (sums().fold(f64::MAX, f64::min), sums().fold(0.0, f64::max));
            let against = together / *off.get_or_insert(together) * 100.0 - 100.0;
            let spans = median(rounds.iter().map(|round| round.spans));
            let dropped: u64 = rounds.iter().map(|round| round.dropped).sum();
            writeln!(
                f,
                "| {name} | {:.0} | {:.0} | {:.0} | {together:.0} ({least:.0} to {most:.0}) | {against:+.1} % | {spans:.2} | {dropped} |",
                of_service(0),
                of_service(1),
                of_service(2),
            )?;
        }
        Ok(())
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
