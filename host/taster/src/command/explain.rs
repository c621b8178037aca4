//! `taster explain`: prints the cause and the remedy of a code, from the page of errors in the book.

use std::fmt::Write;

use clap::Args;
use taster_diagnostics::{CliError, Exit};
use taster_report::layout::{TextTable, wrap, wrap_labeled};

use crate::output;

/// The page of the book that lists every code. It is part of the binary, so that both say the same.
const PAGE: &str = include_str!("../../../../docs/src/reference/errors.md");

/// Shown by `--help`.
pub const EXAMPLES: &str = "\
Examples:
  # What does this error mean?
  taster explain T0113

  # And these reasons of findings?
  taster explain zero-against-zero only-after";

/// Arguments of `explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// Codes of errors, such as T0113, and reasons of findings, such as zero-against-zero
    #[arg(value_name = "CODE", required_unless_present = "list")]
    codes: Vec<String>,
    /// List every code with its meaning
    #[arg(long, conflicts_with = "codes")]
    list: bool,
}

/// A row of the page.
struct Entry {
    code: &'static str,
    meaning: String,
    remedy: String,
}

/// Every code with its meaning.
pub fn meanings() -> impl Iterator<Item = (&'static str, String)> {
    entries().into_iter().map(|entry| (entry.code, entry.meaning))
}

/// Prints each code with its meaning and its remedy. An unknown code is wrong usage, after the known ones were printed.
pub fn run(args: &ExplainArgs) -> Result<Exit, CliError> {
    let entries = entries();
    if args.list {
        let mut table = TextTable::default();
        for entry in &entries {
            table.add_row([entry.code.to_owned(), entry.meaning.clone()]);
        }
        output::write_text(None, &table.render())?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    let mut unknown = None;
    for given in &args.codes {
        match entries.iter().find(|entry| entry.code.eq_ignore_ascii_case(given.trim())) {
            Some(Entry { code, meaning, remedy }) => {
                let _ = write!(text, "{}{}", wrap(&format!("{code}: {meaning}")), wrap_labeled("  help: ", remedy));
            }
            None => unknown = unknown.or(Some(given)),
        }
    }
    if !text.is_empty() {
        output::write_text(None, &text)?;
    }
    match unknown {
        None => Ok(Exit::Done),
        Some(given) => {
            let codes: Vec<&str> = entries.iter().map(|entry| entry.code).collect();
            let near = taster_config::closest_match(given, &codes).map(|near| format!("did you mean {near}? "));
            let help = format!("{}`taster explain --list` prints all codes", near.unwrap_or_default());
            let message = format!("there is no code `{given}`");
            Err(CliError::new("T0639", message, help).with_exit(Exit::Usage))
        }
    }
}

/// The rows of the page whose first cell is a code.
fn entries() -> Vec<Entry> {
    PAGE.lines().filter_map(entry).collect()
}

fn entry(line: &'static str) -> Option<Entry> {
    let mut cells = line.strip_prefix("| `")?.trim_end().strip_suffix(" |")?.splitn(3, " | ");
    let code = cells.next()?.strip_suffix('`')?;
    Some(Entry { code, meaning: plain(cells.next()?), remedy: plain(cells.next()?) })
}

/// Markdown as plain text: of a link only its text is left.
fn plain(markdown: &str) -> String {
    let mut text = String::new();
    let mut rest = markdown;
    while let Some((before, after)) = rest.split_once('[') {
        let link = after.split_once("](").and_then(|(label, target)| Some((label, target.split_once(')')?.1)));
        match link {
            Some((label, after)) if !label.contains('[') => {
                text.push_str(before);
                text.push_str(label);
                rest = after;
            }
            _ => {
                text.push_str(before);
                text.push('[');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_page_is_read() {
        let rows = PAGE.lines().filter(|line| line.starts_with("| `")).count();
        let entries = entries();
        assert!(rows > 200 && entries.len() == rows, "{} of {rows}", entries.len());
        assert!(entries.iter().all(|entry| !entry.meaning.is_empty() && !entry.remedy.is_empty()));
        assert!(entries.iter().all(|entry| !entry.remedy.contains("](")), "links are plain text");
    }

    #[test]
    fn links_become_their_text() {
        assert_eq!(plain("see [The lock](a/b.md#c), and `a[0]`"), "see The lock, and `a[0]`");
        assert_eq!(plain("[a](b) [c](d)"), "a c");
        assert_eq!(plain("`changes[].most` and [x](y)"), "`changes[].most` and x");
    }
}
