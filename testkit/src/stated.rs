//! What the documentation states, for tests that hold it against what they find.

/// The page on performance and growth.
pub const PERFORMANCE: &str = include_str!("../../docs/performance.md");

/// Fails unless a table of the [page](PERFORMANCE) has a cell with just this in it.
pub fn in_a_table(cell: &str) {
    assert!(
        PERFORMANCE.contains(&format!("| {cell} |")),
        "no table says {cell}"
    );
}

/// A count as documents write it, such as 196,000.
pub fn count(n: usize) -> String {
    match n {
        0..1000 => n.to_string(),
        _ => format!("{},{:03}", count(n / 1000), n % 1000),
    }
}

#[test]
fn counts_have_commas() {
    assert_eq!([7, 46_007, 10_000_000].map(count), ["7", "46,007", "10,000,000"]);
}
