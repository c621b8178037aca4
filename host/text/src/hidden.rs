//! Characters that a terminal, a log or a page must not be sent as they are.

/// Whether a character would be shown as something else than itself: it moves the cursor, breaks the line, turns the direction
/// of writing, has no width, or cannot stand in XML.
///
/// This is the one list. Every text from a database, a probe or a store that is shown to a person goes through it.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with every hidden character written as its escape, `\u{202e}`.
#[must_use]
pub fn plain(text: &str) -> String {
    plain_except(text, |_| false)
}

/// As [`plain`], but the characters for which `kept` says so stay as they are: line feeds of a log line of several lines.
#[must_use]
pub fn plain_except(text: &str, kept: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) && !kept(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{plain, plain_except};

    #[test]
    fn what_steers_a_terminal_or_hides_is_escaped() {
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
            assert_eq!(plain(&format!("a{c}b")), format!("a{}b", c.escape_default()));
        }
    }

    #[test]
    fn what_people_write_stays() {
        for text in ["Ünïcode", "日本語", "emoji 🍖", "a b", "é"] {
            assert_eq!(plain(text), text);
        }
        assert_eq!(plain_except("a\nb\u{202e}", |c| c == '\n'), "a\nb\\u{202e}");
    }
}
