//! `taster man`: man pages made from the command line's own help.

use std::{fs, path::Path};

use taster_diagnostics::{CliError, Exit};

use crate::output;

/// Writes one page per command (`taster.1`, `taster-pre.1`, `taster-probe-run.1`) to `folder`.
pub fn run(tree: clap::Command, folder: &Path) -> Result<Exit, CliError> {
    let written = fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(tree, folder));
    written.map_err(|error| {
        let help = "name a folder that can be written to".to_owned();
        CliError::new("T0602", format!("cannot write man pages to {}: {error}", folder.display()), help)
    })?;
    output::write_text(None, &format!("wrote man pages to {}; read one with `man -l`", folder.display()))?;
    Ok(Exit::Done)
}
