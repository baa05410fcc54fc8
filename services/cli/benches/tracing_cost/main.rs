//! What tracing costs: processor time of each service per placed order, with tracing off, at 1 % and
//! at 100 % of traces, side by side in one run.
//!
//! Each round runs every mode once, on fresh databases and a fresh virtual host, so that whatever
//! else the machine does hits all modes alike; what counts is the ratio of medians. Spans go to a
//! receiver that only counts them: what a receiver costs is not ours. A run in which spans were
//! dropped would flatter itself, so drops are told.

#[path = "../../tests/flow/support/client.rs"]
#[allow(dead_code, reason = "shared with the flow tests, which use more of it")]
mod client;
#[path = "../../tests/flow/support/process.rs"]
#[allow(dead_code, reason = "shared with the flow tests, which use more of it")]
mod process;
#[path = "../../tests/flow/support/stack.rs"]
#[allow(dead_code, reason = "shared with the flow tests, which use more of it")]
mod stack;

mod mail;
mod receiver;
mod report;
mod round;

use receiver::Receiver;
use report::Report;
use round::{Mode, Round};

/// Rounds, unless the command line says otherwise.
const ROUNDS: usize = 3;

const MODES: [Mode; 3] = [
    Mode {
        name: "off",
        ratio: None,
    },
    Mode {
        name: "1 %",
        ratio: Some("0.01"),
    },
    Mode {
        name: "100 %",
        ratio: Some("1"),
    },
];

#[tokio::main]
async fn main() {
    // `cargo bench` passes flags of its own.
    let rounds = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok());
    let receiver = Receiver::start().await;
    let smtp = mail::start().await;
    let mut report = Report::default();
    for number in 1..=rounds.unwrap_or(ROUNDS) {
        for mode in &MODES {
            let round = Round::run(mode, &receiver, &smtp).await;
            eprintln!("round {number}, {}: {round}", mode.name);
            report.add(mode.name, round);
        }
    }
    println!("{report}");
}
