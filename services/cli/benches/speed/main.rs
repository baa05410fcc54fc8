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
mod floors;
mod measure;
mod pace;
mod payload;
mod report;
mod servers;
mod sizes;
mod statistics;

use clap::Parser;

use crate::{child::Role, servers::Servers, sizes::Sizes, statistics::Results};

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
    let mut results = Results::default();
    for round in 1..=arguments.rounds {
        for name in &names {
            let sample = floors::run(name, &servers, &sizes).await;
            eprintln!("round {round}, {name}: {sample:.1?}");
            results.add(name, sample);
        }
    }
    println!("{}", report::tables(&results));
}

/// The measurements to make: all, or those that were named.
fn chosen(only: &[String]) -> Vec<&'static str> {
    let all = || floors::NAMES.into_iter();
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
