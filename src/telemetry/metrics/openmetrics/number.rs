//! Floating point numbers in their canonical form, in which equal numbers are equal text.

/// The shortest text that means exactly `value`, as the specification wants it: at least one digit
/// behind the point, and an exponent of two digits from a million on and below a ten-thousandth.
pub(super) fn float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific
        .split_once('e')
        .expect("scientific notation has an exponent");
    let exponent: i32 = exponent.parse().expect("an exponent is a number");
    if (-4..6).contains(&exponent) {
        return format!("{value:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_the_specification_shows_them() {
        let shown = "0.0 0.001 0.002 0.01 0.1 0.9 0.95 0.99 0.999 1.0 1.7 10.0 \
            1e-10 1e-09 1e-05 0.0001 100000.0 1e+06 1e+10 1e+23 1.1e+23 +Inf 0.00011 14400.0 \
            1.234567e+06 123456.789 -0.5 -Inf NaN 1.7976931348623157e+308 5e-324";
        for text in shown.split_whitespace() {
            let value: f64 = text.parse().unwrap();
            assert_eq!(float(value), text);
        }
    }
}
