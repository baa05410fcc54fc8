//! How long a call may take: what its client says, and no longer than the server gives.

use std::time::Duration;

use http::HeaderMap;

use super::MAX_CALL_TIME;

/// Header in which a client says how long it waits.
const GRPC_TIMEOUT: &str = "grpc-timeout";

/// Most digits of a timeout, as gRPC over HTTP/2 says.
const MAX_DIGITS: usize = 8;

/// The time that a call has; `None` for a stream whose client set none.
pub(super) fn time_for(headers: &HeaderMap, streaming: bool) -> Option<Duration> {
    let client = headers
        .get(GRPC_TIMEOUT)
        .and_then(|value| parse(value.to_str().ok()?));
    if streaming {
        client
    } else {
        Some(client.unwrap_or(MAX_CALL_TIME).min(MAX_CALL_TIME))
    }
}

/// Reads `{1 to 8 digits}{H|M|S|m|u|n}`. What is malformed counts as not set.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(timeout: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(GRPC_TIMEOUT, timeout.parse().unwrap());
        headers
    }

    #[test]
    fn a_unary_call_has_the_shorter_of_both_times() {
        assert_eq!(
            time_for(&headers("200m"), false),
            Some(Duration::from_millis(200))
        );
        assert_eq!(time_for(&headers("99999999H"), false), Some(MAX_CALL_TIME));
        assert_eq!(time_for(&HeaderMap::new(), false), Some(MAX_CALL_TIME));
    }

    #[test]
    fn a_stream_lives_as_long_as_its_client_says() {
        assert_eq!(time_for(&headers("2H"), true), Some(Duration::from_hours(2)));
        assert_eq!(time_for(&HeaderMap::new(), true), None);
    }

    #[test]
    fn a_malformed_timeout_is_as_none() {
        for text in ["", "S", "1", "1x", "-1S", "+1S", "123456789S", "1 S", "1ü"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
