//! Text on one line, and truncation of text to a number of characters or bytes.

use crate::{escape_hidden, grouped};

/// The text on one line: white space becomes single blanks, other hidden characters become escapes.
#[must_use]
pub fn one_line(text: &str) -> String {
    escape_hidden(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Truncates to at most `limit` characters. A truncated text ends with `…`.
#[must_use]
pub fn truncate_chars(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let head: String = text.chars().take(limit.saturating_sub(1)).collect();
    format!("{head}…")
}

/// Truncates to at most `bytes` bytes without splitting a character. A truncated text ends with `…` if there is room for it.
#[must_use]
pub fn truncate_bytes(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let mut end = bytes.saturating_sub('…'.len_utf8()).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut short = text[..end].to_owned();
    if bytes >= '…'.len_utf8() {
        short.push('…');
    }
    short
}

/// The limit of names in [`listed`].
const MAX_LISTED: usize = 20;

/// Names joined by commas; of many, the first ones and how many more there are.
#[must_use]
pub fn listed(names: &[impl AsRef<str>]) -> String {
    let first: Vec<&str> = names.iter().take(MAX_LISTED).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(MAX_LISTED) {
        0 => first.join(", "),
        more => format!("{} and {} more", first.join(", "), grouped(more as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_breaks_and_no_hidden_characters() {
        assert_eq!(one_line(" low\r\n on\tmemory\u{2028}"), "low on memory");
        assert_eq!(one_line("red\u{1b}[31m\u{202e}"), r"red\u{1b}[31m\u{202e}");
        assert_eq!(one_line("\n"), "");
    }

    #[test]
    fn no_character_is_split() {
        assert_eq!(truncate_chars("grüße", 4), "grü…");
        assert_eq!(truncate_bytes("üüü", 5), "ü…");
        assert_eq!(truncate_bytes("üü", 4), "üü");
        assert_eq!(truncate_bytes("abc", 2), "");
    }
}
