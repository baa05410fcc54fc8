//! How fast the platform is, beside what wire and disk allow, in one run on one machine.
//!
//! Each round measures everything once, so that whatever else the machine does hits all alike; what
//! counts is how medians stand to each other. A floor is the least that any program must do for one
//! step, by the drivers alone. Whoever makes calls does so in a process of its own, so that its
//! processor time is nobody else's.

#[path = "../../tests/flow/support/client.rs"]
#[allow(dead_code, reason = "shared with the flow tests, which use more of it")]
mod client;
#[path = "../tracing_cost/mail.rs"]
mod mail;
#[path = "../../tests/flow/support/process.rs"]
#[allow(dead_code, reason = "shared with the flow tests, which use more of it")]
mod process;
#[path = "../../tests/flow/support/stack.rs"]
#[allow(dead_code, reason = "shared with the flow tests, which use more of it")]
mod stack;

mod child;
mod document;
mod floors;
mod goals;
mod group;
mod machine;
mod measure;
mod metrics;
mod pace;
mod payload;
mod platform;
mod plot;
mod proxy;
mod quota;
mod report;
mod scenarios;
mod servers;
mod sizes;
mod statistics;
mod stores;

use std::panic::AssertUnwindSafe;

use clap::Parser;
use futures::FutureExt;

use crate::{
    child::Role,
    group::Group,
    machine::Machine,
    scenarios::Setting,
    servers::Servers,
    sizes::Sizes,
    statistics::{Results, Sample},
    stores::Stores,
};

/// As the binary's, so that an allocator is in floors and platform alike.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Debug, Parser)]
#[command(name = "scripts/bench", about = "Measures the platform")]
#[allow(clippy::struct_excessive_bools, reason = "they are flags of a command line")]
struct Arguments {
    /// What is measured
    #[arg(long, value_enum, default_value_t = Group::Speed)]
    group: Group,
    /// How often everything is measured
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only these measurements
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    only: Vec<String>,
    /// A tenth of everything, to see that it runs: the figures mean nothing
    #[arg(long)]
    quick: bool,
    /// How many stored orders are many
    #[arg(long)]
    orders: Option<usize>,
    /// Writes docs/performance.md and what belongs to it
    #[arg(long)]
    write: bool,
    /// A process that the benchmark starts: it is told what to be
    #[arg(long, hide = true)]
    child: bool,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    if arguments.child {
        return Role::told().play().await;
    }
    let mut sizes = if arguments.quick {
        Sizes::quick()
    } else {
        Sizes::full()
    };
    sizes.many = arguments.orders.unwrap_or(sizes.many);
    let group = arguments.group;
    let names = chosen(group, &arguments.only);
    let (servers, stores) = (Servers::start().await, Stores::default());
    let setting = Setting {
        servers: &servers,
        sizes: &sizes,
        stores: &stores,
    };
    let mut results = Results::default();
    let mut failed = Vec::new();
    for round in 1..=arguments.rounds {
        for name in &names {
            // One that fails is told, and does not take with it what the others have measured.
            let Ok(samples) = AssertUnwindSafe(measure(name, setting)).catch_unwind().await else {
                eprintln!("round {round}, {name}: failed");
                failed.push(format!("{name} in round {round}"));
                continue;
            };
            for (name, sample) in samples {
                eprintln!("round {round}, {name}: {sample:.3?}");
                results.add(name, sample);
            }
        }
    }
    platform::clear_away();
    let machine = Machine::here(group).await;
    let cores = f64::from(u32::try_from(machine.cores).expect("they can be counted"));
    let goals = group.goals(&results, cores);
    let text = format!("{}\n\n{}", machine.told(), group.tables(&results, &goals));
    println!("{text}");
    assert!(failed.is_empty(), "failed, and nothing is written: {failed:?}");
    if arguments.write {
        document::write(group, &machine, &results, &goals, &text);
    }
}

/// Makes one measurement, which may measure more than one thing.
async fn measure(name: &'static str, setting: Setting<'_>) -> Vec<(&'static str, Sample)> {
    if floors::NAMES.contains(&name) {
        vec![(name, floors::run(name, setting).await)]
    } else {
        scenarios::run(name, setting).await
    }
}

/// The measurements to make: all, or those that were named.
fn chosen(group: Group, only: &[String]) -> Vec<&'static str> {
    let mut all = group.measurements();
    for name in only {
        assert!(
            all.iter().any(|known| known == name),
            "no measurement is called {name}"
        );
    }
    all.retain(|name| only.is_empty() || only.iter().any(|chosen| chosen == name));
    all
}
