//! Counts the instructions of hot paths under valgrind, and holds them against those that are recorded.
//!
//! A count hardly depends on what else a machine does, so a path that became slower is seen where a
//! clock sees noise. One round of a path is what `2n` rounds take more than `n`, by `n`: starting and
//! ending is in neither.

mod count;
mod paths;
mod placement;
mod recorded;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::recorded::Recorded;

/// As in the binary whose paths these are.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const USAGE: &str = "usage: waybill-instructions check FILE | update FILE | run PATH ROUNDS";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<()> {
    match arguments {
        ["run", name, rounds] => {
            let (_, path) = paths::ALL
                .iter()
                .find(|(known, _)| known == name)
                .with_context(|| format!("no path {name}"))?;
            path(rounds.parse()?);
            Ok(())
        }
        ["check", file] => Recorded::read(file)?.check(&counted()?),
        ["update", file] => Recorded::of(counted()?).write(file),
        _ => bail!(USAGE),
    }
}

/// Every path and how many instructions one round of it takes.
fn counted() -> Result<Vec<(String, u64)>> {
    paths::ALL
        .iter()
        .map(|(name, _)| Ok(((*name).to_owned(), count::of_a_round(name)?)))
        .collect()
}
