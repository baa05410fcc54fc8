//! What is measured together, and written to one part of the document.

use clap::ValueEnum;

use crate::{
    floors,
    goals::{self, Goal},
    report, scenarios,
    statistics::Results,
};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Group {
    /// How fast everything is, beside what wire and disk allow.
    Speed,
    /// What more instances and more stored orders do to that.
    Growth,
}

impl Group {
    /// Its name: `scripts/bench` and the marks in the document have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Speed => "speed",
            Self::Growth => "growth",
        }
    }

    /// The file of its figures.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Speed => "results.json",
            Self::Growth => "growth.json",
        }
    }

    /// Its measurements, by name.
    pub(crate) fn measurements(self) -> Vec<&'static str> {
        match self {
            Self::Speed => floors::NAMES.into_iter().chain(scenarios::NAMES).collect(),
            Self::Growth => scenarios::GROWTH.to_vec(),
        }
    }

    pub(crate) fn goals(self, results: &Results, cores: f64) -> Vec<Goal> {
        match self {
            Self::Speed => goals::goals(results, cores),
            Self::Growth => goals::growth::goals(results),
        }
    }

    /// Tables of what was measured.
    pub(crate) fn tables(self, results: &Results, goals: &[Goal]) -> String {
        match self {
            Self::Speed => report::tables(results, goals),
            Self::Growth => report::growth::tables(results, goals),
        }
    }
}
