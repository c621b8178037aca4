//! The rules of names and units that guests give.

use crate::log::{printable, shorten};

/// What [`is_dashed`] allows.
pub(crate) const DASHED: &str = "a letter, then letters, digits and `-`, all in lower case, at most 128 bytes";
/// What [`is_dotted`] allows.
pub(crate) const DOTTED: &str = "a letter, then letters, digits, `_` and `.`, all in lower case, at most 128 bytes";

const LONGEST: usize = 128;
const LONGEST_UNIT: usize = 63;

/// `[a-z][a-z0-9-]*`: probes and roles.
pub(crate) fn is_dashed(name: &str) -> bool {
    fits(name, |byte| byte == b'-')
}

/// `[a-z][a-z0-9_.]*`: metrics and labels.
pub(crate) fn is_dotted(name: &str) -> bool {
    fits(name, |byte| byte == b'_' || byte == b'.')
}

fn fits(name: &str, also: fn(u8) -> bool) -> bool {
    name.len() <= LONGEST
        && name.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || also(byte))
}

/// Units are short text without spaces, as OpenTelemetry has them.
pub(crate) fn unit(unit: &str) -> Result<(), String> {
    if (1..=LONGEST_UNIT).contains(&unit.len()) && unit.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(format!(
        "{} is not a unit: 1 to {LONGEST_UNIT} printable characters without spaces, such as `1`, `By`, `{{order}}`",
        quoted(unit)
    ))
}

/// What a guest gave, fit for a message.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", shorten(&printable(text), 80))
}
