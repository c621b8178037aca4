//! Where results go: standard output, or the file of `-o`.

use std::{fs, io::Write, path::Path};

use crate::cli::Common;
use taster_diagnostics::CliError;

/// Proves that the result can be written, before the database is tasted for nothing. Leaves a file as it is.
pub fn prove(common: &Common) -> Result<(), CliError> {
    let Some(path) = &common.output else { return Ok(()) };
    let opened = fs::OpenOptions::new().append(true).create(true).open(path);
    opened.map(drop).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> CliError {
    let help = "name another file with -o".to_owned();
    CliError::new("T0602", format!("cannot write {}: {error}", path.display()), help)
}

/// Writes a result.
///
/// A reader that went away (`taster show … | head`) is not an error; a full disk is.
pub fn write(common: &Common, bytes: &[u8]) -> Result<(), CliError> {
    match &common.output {
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

/// Writes a text that ends in one line feed.
pub fn write_text(common: &Common, text: &str) -> Result<(), CliError> {
    let text = format!("{}\n", text.trim_end());
    write(common, text.as_bytes())
}

/// Writes a document as JSON, indented.
pub fn write_json(common: &Common, document: &impl serde::Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(document)
        .map_err(|error| CliError::new("T0603", format!("cannot write the result as JSON: {error}"), None))?;
    write_text(common, &text)
}
