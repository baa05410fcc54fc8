//! Text from outside, made safe for where it goes.

use std::{borrow::Cow, fmt::Write};

/// One line of text: every control character, line breaks included, becomes a space, and the ends
/// are trimmed. What a user typed can then end neither a header nor a line of a letter.
pub fn one_line(text: &str) -> Cow<'_, str> {
    // Nearly all that is told is printable ASCII, which is seen a byte at a time.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text.trim_matches(' '));
    }
    Cow::Owned(text.replace(is_break, " ").trim().to_owned())
}

/// Control characters, and the two separators that are no controls but break lines too.
fn is_break(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Text for an HTML element or a quoted attribute.
pub fn escape_html(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(is_markup) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if u8::try_from(c).is_ok_and(is_markup) {
            write!(escaped, "&#{};", u32::from(c)).expect("a string takes any text");
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Bytes that stand for themselves in no character of more than one byte.
fn is_markup(byte: u8) -> bool {
    matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(
            one_line(" Ada\r\nBcc: x@example.com\u{2028}\0 "),
            "Ada  Bcc: x@example.com"
        );
        assert_eq!(one_line(" \u{a0}\u{e9}\u{85}"), "\u{e9}");
        assert_eq!(one_line("  "), "");
    }

    #[test]
    fn markup_becomes_text() {
        assert_eq!(
            escape_html(r#"<a href="x">'&'</a>"#),
            "&#60;a href=&#34;x&#34;&#62;&#39;&#38;&#39;&#60;/a&#62;"
        );
        assert_eq!(escape_html("\u{e9}\u{a9}<"), "\u{e9}\u{a9}&#60;");
    }
}
