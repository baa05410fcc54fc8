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
mod machine;
mod measure;
mod metrics;
mod pace;
mod payload;
mod platform;
mod plot;
mod proxy;
mod report;
mod scenarios;
mod servers;
mod sizes;
mod statistics;

use std::panic::AssertUnwindSafe;

use clap::Parser;
use futures::FutureExt;

use crate::{
    child::Role,
    machine::Machine,
    scenarios::Setting,
    servers::Servers,
    sizes::Sizes,
    statistics::{Results, Sample},
};

#[derive(Debug, Parser)]
#[command(
    name = "scripts/bench speed",
    about = "Measures the platform beside what wire and disk allow"
)]
struct Arguments {
    /// How often everything is measured
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only these measurements
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    only: Vec<String>,
    /// A tenth of everything, to see that it runs: the figures mean nothing
    #[arg(long)]
    quick: bool,
    /// Writes docs/performance.md and what belongs to it
    #[arg(long)]
    write: bool,
    /// What a process is that the benchmark starts
    #[arg(long, hide = true)]
    child: Option<String>,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    if let Some(role) = &arguments.child {
        let role: Role = serde_json::from_str(role).expect("the parent writes it");
        return role.play().await;
    }
    let sizes = if arguments.quick {
        Sizes::quick()
    } else {
        Sizes::full()
    };
    let names = chosen(&arguments.only);
    let servers = Servers::start().await;
    let setting = Setting {
        servers: &servers,
        sizes: &sizes,
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
                eprintln!("round {round}, {name}: {sample:.1?}");
                results.add(name, sample);
            }
        }
    }
    let machine = Machine::here().await;
    let cores = f64::from(u32::try_from(machine.cores).expect("they can be counted"));
    let goals = goals::goals(&results, cores);
    let text = format!("{}\n\n{}", machine.told(), report::tables(&results, &goals));
    println!("{text}");
    assert!(failed.is_empty(), "failed, and nothing is written: {failed:?}");
    if arguments.write {
        document::write(&machine, &results, &goals, &text);
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
fn chosen(only: &[String]) -> Vec<&'static str> {
    let all = || floors::NAMES.into_iter().chain(scenarios::NAMES);
    for name in only {
        assert!(
            all().any(|known| known == name),
            "no measurement is called {name}"
        );
    }
    all()
        .filter(|name| only.is_empty() || only.iter().any(|chosen| chosen == name))
        .collect()
}
