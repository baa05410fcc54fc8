//! Reads the values that settings take. `None` is whatever they do not.

use std::{ops::RangeInclusive, str::FromStr, time::Duration};

use crate::retry::MAX_DELAY;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

pub(super) fn not_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// `HOST:PORT`; an IPv6 address stands in brackets.
pub(super) fn host_port(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let is_name_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let is_host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(ipv6) => ipv6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(is_name_byte),
    };
    (is_host && port.parse::<u16>().is_ok()).then(|| text.to_owned())
}

pub(super) fn number<N: FromStr + PartialOrd>(text: &str, range: RangeInclusive<N>) -> Option<N> {
    text.parse().ok().filter(|number| range.contains(number))
}

/// A whole number of `ms`, `s`, `m`, `h` or `d`.
pub fn time(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let amount: u64 = text[..unit].parse().ok()?;
    let millis = match &text[unit..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    amount.checked_mul(millis).map(Duration::from_millis)
}

/// A time that a message may wait.
pub(super) fn delay(text: &str) -> Option<Duration> {
    time(text).filter(|delay| !delay.is_zero() && *delay <= MAX_DELAY)
}

/// `ADDRESS` or `NAME <ADDRESS>`; whoever sends the mail looks closer.
pub(super) fn mailbox(text: &str) -> Option<String> {
    let address = match text.split_once('<') {
        Some((_, rest)) => rest.strip_suffix('>')?,
        None => text,
    };
    let (local, domain) = address.split_once('@')?;
    let is_part = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c))
    };
    let fits = is_part(local) && is_part(domain) && !text.contains(char::is_control);
    fits.then(|| text.to_owned())
}

/// `LEVEL` and `TARGET=LEVEL`, joined by commas. A target is the path of a module.
pub(super) fn log_filter(text: &str) -> Option<String> {
    let is_target = |target: &str| {
        let is_path_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':');
        !target.is_empty() && target.bytes().all(is_path_byte)
    };
    let is_directive = |directive: &str| match directive.split_once('=') {
        Some((target, level)) => is_target(target) && LEVELS.contains(&level),
        None => LEVELS.contains(&directive),
    };
    text.split(',').all(is_directive).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_a_port() {
        for good in ["127.0.0.1:0", "localhost:50051", "[::1]:80", "0.0.0.0:65535"] {
            assert_eq!(host_port(good).as_deref(), Some(good));
        }
        for bad in [
            "",
            "localhost",
            ":80",
            "h:65536",
            "::1:80",
            "a b:1",
            "http://h:80",
            "[x]:1",
        ] {
            assert_eq!(host_port(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(time("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(time("2m"), Some(Duration::from_mins(2)));
        assert_eq!(time("90d"), Some(Duration::from_hours(90 * 24)));
        for bad in [
            "",
            "5",
            "s",
            "1.5s",
            "-1s",
            "1w",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }

    #[test]
    fn senders_are_addresses() {
        for good in ["a@b.example", "Shop & Co. <a+b@b.example>"] {
            assert_eq!(mailbox(good).as_deref(), Some(good));
        }
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            "Shop <a@b",
            "a@b@c",
            "a b@c",
            "x\r\nBcc: y <a@b>",
        ] {
            assert_eq!(mailbox(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn log_filters_name_levels() {
        assert!(log_filter("info,waybill::relay=debug").is_some());
        for bad in [
            "",
            "loud",
            "info,",
            "waybill=loud",
            "=info",
            "a=b=info",
            "[x=info",
            "x[{]=info",
        ] {
            assert_eq!(log_filter(bad), None, "{bad}");
        }
    }
}
