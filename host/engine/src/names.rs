//! The rules for names and units from guests.

use taster_text::truncate_chars;

use crate::log::printable;

/// The rule of [`is_dashed`], for errors.
pub(crate) const DASHED: &str = "a letter, then letters, digits and `-`, all in lower case, at most 128 bytes";
/// The rule of [`is_dotted`], for errors.
pub(crate) const DOTTED: &str = "a letter, then letters, digits, `_` and `.`, all in lower case, at most 128 bytes";

const MAX_NAME_BYTES: usize = 128;
const MAX_UNIT_BYTES: usize = 63;

/// `[a-z][a-z0-9-]*`: names of probes and roles.
pub(crate) fn is_dashed(name: &str) -> bool {
    is_name(name, |byte| byte == b'-')
}

/// `[a-z][a-z0-9_.]*`: names of metrics and labels.
pub(crate) fn is_dotted(name: &str) -> bool {
    is_name(name, |byte| byte == b'_' || byte == b'.')
}

fn is_name(name: &str, also: fn(u8) -> bool) -> bool {
    name.len() <= MAX_NAME_BYTES
        && name.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || also(byte))
}

/// Checks a unit: a short text without spaces, as in OpenTelemetry.
pub(crate) fn check_unit(unit: &str) -> Result<(), String> {
    if (1..=MAX_UNIT_BYTES).contains(&unit.len()) && unit.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(format!(
        "{} is not a unit: 1 to {MAX_UNIT_BYTES} printable characters without spaces, such as `1`, `By`, `{{order}}`",
        quoted(unit)
    ))
}

/// A text from a guest, quoted for an error.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", truncate_chars(&printable(text), 80))
}
