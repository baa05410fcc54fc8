//! How a topic exchange matches a routing key: words between dots, `*` for one, `#` for any number.

/// Whether `pattern` takes `routing_key`.
pub(super) fn matches(pattern: &str, routing_key: &str) -> bool {
    if !pattern.contains(['*', '#']) {
        return pattern == routing_key;
    }
    let pattern: Vec<_> = pattern.split('.').collect();
    let key: Vec<_> = routing_key.split('.').collect();
    matches_words(&pattern, &key)
}

fn matches_words(pattern: &[&str], key: &[&str]) -> bool {
    match (pattern, key) {
        ([], []) => true,
        (["#", rest @ ..], _) => (0..=key.len()).any(|taken| matches_words(rest, &key[taken..])),
        (["*", pattern @ ..], [_, key @ ..]) => matches_words(pattern, key),
        ([word, pattern @ ..], [same, key @ ..]) if word == same => matches_words(pattern, key),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_amqp_says() {
        for (pattern, key, expected) in [
            ("order.created.v1", "order.created.v1", true),
            ("order.created.v1", "order.created.v2", false),
            ("order.*.v1", "order.created.v1", true),
            ("order.*", "order.created.v1", false),
            ("order.*", "order", false),
            ("order.#", "order.created.v1", true),
            ("order.#", "order", true),
            ("#", "anything.at.all", true),
            ("#.v1", "order.created.v1", true),
            ("#.v1", "order.created.v2", false),
            ("*.#.v1", "v1", false),
        ] {
            assert_eq!(matches(pattern, key), expected, "{pattern} on {key}");
        }
    }
}
