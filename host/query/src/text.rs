//! Texts of servers and guests, made short and safe enough for an error message.

use taster_text::escape_hidden;

/// Characters of a server's text that are kept.
const SERVER_TEXT: usize = 400;
/// Characters of a guest's text that are kept.
const GUEST_TEXT: usize = 80;

/// The first [`SERVER_TEXT`] characters of a text, on one line, with hidden characters escaped.
pub(crate) fn one_line(text: &str) -> String {
    escape_hidden(&first(&text.split_whitespace().collect::<Vec<_>>().join(" "), SERVER_TEXT))
}

/// The first [`GUEST_TEXT`] characters of a text that a guest chose, with hidden characters escaped.
pub(crate) fn escaped(text: &str) -> String {
    escape_hidden(&first(text, GUEST_TEXT))
}

/// The first `characters` of a text, and a sign that there are more.
fn first(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
