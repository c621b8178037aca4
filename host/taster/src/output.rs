//! Where results go: standard output, or the file of `-o`.

use std::{borrow::Cow, fs, io::Write, path::Path, sync::OnceLock};

use taster_diagnostics::CliError;

/// Checks that the file can be written before the database is read for nothing. The file's contents stay as they are.
pub fn check_writable(file: Option<&Path>) -> Result<(), CliError> {
    let Some(path) = file else { return Ok(()) };
    let opened = fs::OpenOptions::new().append(true).create(true).open(path);
    opened.map(drop).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> CliError {
    let help = "name another file with -o".to_owned();
    CliError::new("T0602", format!("cannot write {}: {error}", path.display()), help)
}

/// Writes a result to the file, or to standard output where there is none.
///
/// A reader that went away (`taster show … | head`) is not an error; a full disk is.
pub fn write(file: Option<&Path>, bytes: &[u8]) -> Result<(), CliError> {
    match file {
        Some(path) => fs::write(path, bytes).map_err(|error| cannot_write(path, &error)),
        None => {
            let mut out = std::io::stdout().lock();
            match out.write_all(bytes).and_then(|()| out.flush()) {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                    Err(CliError::new("T0602", format!("cannot write to standard output: {error}"), None))
                }
                _ => Ok(()),
            }
        }
    }
}

/// Writes a text for people, which ends in one line feed. On a terminal whose character set is not UTF-8 it is plain.
pub fn write_text(file: Option<&Path>, text: &str) -> Result<(), CliError> {
    match file {
        None => write_document(None, &for_terminal(text)),
        Some(_) => write_document(file, text),
    }
}

/// Writes a document of a format whose character set is UTF-8, such as JSON and XML. It ends in one line feed.
pub fn write_document(file: Option<&Path>, text: &str) -> Result<(), CliError> {
    let text = format!("{}\n", text.trim_end());
    write(file, text.as_bytes())
}

/// The signs that Taster writes itself, and what they are in ASCII. Letters in names and values stay as they are.
const SIGNS: [(char, &str); 14] = [
    ('✓', "+"),
    ('✗', "x"),
    ('→', "->"),
    ('…', "..."),
    ('–', "-"),
    ('—', "-"),
    ('−', "-"),
    ('·', "-"),
    ('×', "x"),
    ('“', "\""),
    ('”', "\""),
    ('’', "'"),
    ('\u{a0}', " "),
    ('\u{202f}', " "),
];

/// The text for standard output or standard error: without signs that the locale does not have.
#[must_use]
pub fn for_terminal(text: &str) -> Cow<'_, str> {
    static PLAIN: OnceLock<bool> = OnceLock::new();
    let is_plain = *PLAIN.get_or_init(|| is_plain_locale(|name| std::env::var(name).ok()));
    if is_plain { Cow::Owned(plain(text)) } else { Cow::Borrowed(text) }
}

fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match SIGNS.iter().find(|(sign, _)| *sign == c) {
            Some((_, ascii)) => out.push_str(ascii),
            None => out.push(c),
        }
    }
    out
}

/// Whether the environment asks for a locale whose character set is not UTF-8. Containers and CI jobs often set none at all, and
/// their logs are UTF-8.
fn is_plain_locale(variable: impl Fn(&str) -> Option<String>) -> bool {
    // the first of them that is set counts, as in POSIX
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let Some(locale) = names.iter().filter_map(|name| variable(name)).find(|value| !value.is_empty()) else {
        return false;
    };
    let locale = locale.split('@').next().unwrap_or_default();
    match locale.split_once('.') {
        Some((_, charset)) => !["utf-8", "utf8"].contains(&charset.to_ascii_lowercase().as_str()),
        None => ["C", "POSIX"].contains(&locale),
    }
}

/// Writes a document as JSON, indented.
pub fn write_json(file: Option<&Path>, document: &impl serde::Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(document)
        .map_err(|error| CliError::new("T0603", format!("cannot write the result as JSON: {error}"), None))?;
    write_document(file, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        let plain = |all: &str, ctype: &str, lang: &str| {
            is_plain_locale(|name| {
                let value = match name {
                    "LC_ALL" => all,
                    "LC_CTYPE" => ctype,
                    _ => lang,
                };
                (value != "unset").then(|| value.to_owned())
            })
        };
        assert!(plain("unset", "unset", "C") && plain("POSIX", "unset", "en_US.UTF-8"));
        assert!(plain("", "de_DE.ISO-8859-1", "C.UTF-8") && plain("unset", "unset", "de_DE.ISO-8859-15@euro"));
        assert!(!plain("unset", "unset", "unset") && !plain("C.UTF-8", "C", "C") && !plain("", "", ""));
        assert!(!plain("unset", "unset", "en_US.utf8") && !plain("unset", "unset", "de_DE.UTF-8@euro"));
    }

    #[test]
    fn only_signs_become_plain() {
        assert_eq!(plain("✓ menü 1→0 … “a”"), "+ menü 1->0 ... \"a\"");
        assert_eq!(plain("✗ x–y"), "x x-y");
        assert_eq!(plain("plain"), "plain");
    }
}
