//! Text from outside, made safe for where it goes.

use std::fmt::Write;

/// One line of text: every control character, line breaks included, becomes a space, and the ends
/// are trimmed. What a user typed can then end neither a header nor a line of a letter.
pub fn one_line(text: &str) -> String {
    let spaced = text.replace(is_break, " ");
    spaced.trim().to_owned()
}

/// Control characters, and the two separators that are no controls but break lines too.
fn is_break(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Text for an HTML element or a quoted attribute.
pub fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '<' | '>' | '"' | '\'' => {
                write!(escaped, "&#{};", u32::from(c)).expect("a string takes any text");
            }
            _ => escaped.push(c),
        }
    }
    escaped
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
    }

    #[test]
    fn markup_becomes_text() {
        assert_eq!(
            escape_html(r#"<a href="x">'&'</a>"#),
            "&#60;a href=&#34;x&#34;&#62;&#39;&#38;&#39;&#60;/a&#62;"
        );
    }
}
