//! Where results go: standard output, or the file of `-o`.

use std::{fs, io::Write, path::Path};

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

/// Writes a text that ends in one line feed.
pub fn write_text(file: Option<&Path>, text: &str) -> Result<(), CliError> {
    let text = format!("{}\n", text.trim_end());
    write(file, text.as_bytes())
}

/// Writes a document as JSON, indented.
pub fn write_json(file: Option<&Path>, document: &impl serde::Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(document)
        .map_err(|error| CliError::new("T0603", format!("cannot write the result as JSON: {error}"), None))?;
    write_text(file, &text)
}
