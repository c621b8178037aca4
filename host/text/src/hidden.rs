//! Escaping of characters that are invisible or that control a terminal, a log or a page.

/// Whether a character is not shown as itself: it moves the cursor, breaks the line, changes the direction of writing, has no
/// width, or is not allowed in XML.
///
/// This is the only list of such characters. Every text from a database, a probe or a store passes through it before it is
/// shown to a person.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

/// Replaces every hidden character by its escape, such as `\u{202e}`.
#[must_use]
pub fn escape_hidden(text: &str) -> String {
    escape_hidden_except(text, |_| false)
}

/// As [`escape_hidden`], but keeps the characters for which `kept` returns true, such as the line feeds of a log entry of
/// several lines.
#[must_use]
pub fn escape_hidden_except(text: &str, kept: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) && !kept(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{escape_hidden, escape_hidden_except};

    #[test]
    fn control_and_invisible_characters_are_escaped() {
        for c in [
            '\0',
            '\n',
            '\r',
            '\t',
            '\u{1b}',
            '\u{7f}',
            '\u{9b}',
            '\u{ad}',
            '\u{61c}',
            '\u{180e}',
            '\u{200b}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{feff}',
            '\u{fffe}',
            '\u{ffff}',
            '\u{e0041}',
        ] {
            assert_eq!(escape_hidden(&format!("a{c}b")), format!("a{}b", c.escape_default()));
        }
    }

    #[test]
    fn visible_text_is_unchanged() {
        for text in ["Ünïcode", "日本語", "emoji 🍖", "a b", "é"] {
            assert_eq!(escape_hidden(text), text);
        }
        assert_eq!(escape_hidden_except("a\nb\u{202e}", |c| c == '\n'), "a\nb\\u{202e}");
    }
}
