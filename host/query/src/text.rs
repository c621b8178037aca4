//! Texts of servers and guests, made short and safe enough for an error message.

/// Characters of a server's text that are kept.
const SERVER_TEXT: usize = 400;
/// Characters of a guest's text that are kept.
const GUEST_TEXT: usize = 80;

/// The first [`SERVER_TEXT`] characters of a text, on one line.
pub(crate) fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SERVER_TEXT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The first [`GUEST_TEXT`] characters of a text that a guest chose, with control characters escaped.
pub(crate) fn escaped(text: &str) -> String {
    let mut out: String =
        text.chars().take(GUEST_TEXT).flat_map(char::escape_debug).collect::<String>().replace("\\\"", "\"");
    if text.chars().nth(GUEST_TEXT).is_some() {
        out.push('…');
    }
    out
}
