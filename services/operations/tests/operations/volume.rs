//! A hundred thousand letters: read page by page, each page as cheap as the first.

use std::time::{Duration, Instant};

use waybill::{
    clock::unix_millis,
    grpc::page::{Cursor, MAX_SIZE, Page},
};
use waybill_operations::{
    domain::{
        dead_letter::Phase,
        filter::{Filter, MAX_COUNTED},
    },
    ports::Stores,
};

use crate::support::{
    letters::{consumer, new, of},
    stores::Stored,
};

const LETTERS: usize = 100_000;

/// Far above what a page takes (2 ms), far below what reading all of them would (a second and more).
const MAX_PAGE: Duration = Duration::from_millis(500);

async fn fill(stores: &Stores, consumer: &str) {
    const TOGETHER: usize = 1000;
    let mut at = 0;
    for _ in 0..LETTERS / TOGETHER {
        let failures: Vec<_> = (0..TOGETHER)
            .map(|_| {
                at += 1;
                new(consumer, if at % 10 == 0 { "RARE" } else { "OFTEN" }, at)
            })
            .collect();
        stores.intake.record(&failures).await.unwrap();
    }
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = status.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_are_read_by_pages() {
    let kept_in = Stored::sqlite();
    let (stores, consumer) = (&kept_in.stores, consumer());
    fill(stores, &consumer).await;
    let rare = Filter {
        reason: Some("RARE".into()),
        ..of(&consumer)
    };
    let before = resident();
    for (filter, count) in [(of(&consumer), LETTERS), (rare, LETTERS / 10)] {
        let (mut seen, mut slowest) = (0, Duration::ZERO);
        let mut page = Page {
            size: MAX_SIZE,
            after: None,
        };
        let started = Instant::now();
        loop {
            let asked = Instant::now();
            let found = stores
                .dead_letters
                .list(Phase::Open, &filter, page)
                .await
                .unwrap();
            slowest = slowest.max(asked.elapsed());
            assert!(found.len() <= MAX_SIZE + 1);
            seen += found.len().min(MAX_SIZE);
            if found.len() <= MAX_SIZE {
                break;
            }
            let last = &found[MAX_SIZE - 1];
            page.after = Some(Cursor {
                time_ms: unix_millis(last.last_failure),
                id: last.id,
            });
        }
        assert_eq!(seen, count);
        assert!(slowest < MAX_PAGE, "{slowest:?}");
        println!(
            "{seen} letters by {MAX_SIZE} in {:?}, the slowest page {slowest:?}",
            started.elapsed()
        );
    }
    let grown = resident().saturating_sub(before);
    println!("resident memory grew by {} KiB", grown / 1024);
    assert!(grown < 32 * 1024 * 1024, "{grown} bytes");

    let started = Instant::now();
    let causes = stores
        .dead_letters
        .causes(&of(&consumer), MAX_COUNTED)
        .await
        .unwrap();
    println!("causes of {LETTERS} in {:?}", started.elapsed());
    let mut counts: Vec<_> = causes.iter().map(|cause| cause.count).collect();
    counts.sort_unstable();
    assert_eq!(counts, [10_000, 90_000]);
}
