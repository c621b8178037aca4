//! Texts of servers and guests, made short and safe enough for an error message.

use taster_text::{escape_hidden, truncate_chars};

/// Characters of a server's text that are kept.
const SERVER_TEXT: usize = 400;
/// Characters of a guest's text that are kept.
const GUEST_TEXT: usize = 80;

/// A server's text on one line, with hidden characters escaped, truncated to [`SERVER_TEXT`] characters.
pub(crate) fn one_line(text: &str) -> String {
    truncate_chars(&taster_text::one_line(text), SERVER_TEXT)
}

/// A text that a guest chose, truncated to [`GUEST_TEXT`] characters, with hidden characters escaped.
pub(crate) fn escaped(text: &str) -> String {
    escape_hidden(&truncate_chars(text, GUEST_TEXT))
}
