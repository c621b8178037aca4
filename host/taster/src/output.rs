//! Where results go: standard output, or the file of `-o`.

use std::{fs, io::Write, path::Path};

use crate::cli::Common;
use taster_diagnostics::Problem;

/// Proves that the result can be written, before the database is tasted for nothing. Leaves a file as it is.
pub fn prove(common: &Common) -> Result<(), Problem> {
    let Some(path) = &common.output else { return Ok(()) };
    let opened = fs::OpenOptions::new().append(true).create(true).open(path);
    opened.map(drop).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Problem {
    let help = "name another file with -o".to_owned();
    Problem::new("T0602", format!("cannot write {}: {error}", path.display()), help)
}

/// Writes a result.
///
/// A reader that went away (`taster show … | head`) is not an error; a full disk is.
pub fn write(common: &Common, bytes: &[u8]) -> Result<(), Problem> {
    match &common.output {
        Some(path) => fs::write(path, bytes).map_err(|error| cannot_write(path, &error)),
        None => {
            let mut out = std::io::stdout().lock();
            match out.write_all(bytes).and_then(|()| out.flush()) {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                    Err(Problem::new("T0602", format!("cannot write to standard output: {error}"), None))
                }
                _ => Ok(()),
            }
        }
    }
}

/// Writes a text that ends in one line feed.
pub fn write_text(common: &Common, text: &str) -> Result<(), Problem> {
    let text = format!("{}\n", text.trim_end());
    write(common, text.as_bytes())
}

/// Writes a document as JSON, indented.
pub fn write_json(common: &Common, document: &impl serde::Serialize) -> Result<(), Problem> {
    let text = serde_json::to_string_pretty(document)
        .map_err(|error| Problem::new("T0603", format!("cannot write the result as JSON: {error}"), None))?;
    write_text(common, &text)
}
