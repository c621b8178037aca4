//! Texts that have to fit.

/// At most `limit` characters.
#[must_use]
pub fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let head: String = text.chars().take(limit.saturating_sub(1)).collect();
    format!("{head}…")
}

/// At most so many bytes, no half character, and a sign that something is missing.
#[must_use]
pub fn cut(text: &str, bytes: usize) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_cut_in_two() {
        assert_eq!(shorten("grüße", 4), "grü…");
        assert_eq!(cut("üüü", 5), "ü…");
        assert_eq!(cut("üü", 4), "üü");
        assert_eq!(cut("abc", 2), "");
    }
}
