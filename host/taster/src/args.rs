//! Groups of arguments that several commands share. A command takes only the groups that it uses.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use taster_model::RunId;

/// Which configuration.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// The configuration file [default: taster.yaml]
    #[arg(short, long, value_name = "FILE", env = "TASTER_CONFIG")]
    pub config: Option<PathBuf>,
}

impl ConfigArgs {
    /// The file's path: as given, else `taster.yaml`.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.config.as_deref().unwrap_or(Path::new("taster.yaml"))
    }

    /// Whether a configuration was named, or `taster.yaml` is there.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.config.is_some() || self.path().exists()
    }
}

/// Which store.
#[derive(Debug, Clone, Args)]
pub struct StoreArgs {
    /// Where results are stored; overrides `store` of the configuration
    #[arg(long, value_name = "URL", env = "TASTER_STORE")]
    pub store: Option<String>,
}

/// Which run.
#[derive(Debug, Clone, Args)]
pub struct RunArg {
    /// The run's id [default: taken from the hook Job, or from the store]
    #[arg(long, value_name = "ID", env = "TASTER_RUN")]
    pub run: Option<RunId>,
}

/// How `pre` and `post` read the database.
#[derive(Debug, Clone, Args)]
pub struct DatabaseArgs {
    /// Compare this database without a configuration: every collection, the standard probes
    #[arg(long, value_name = "URI", conflicts_with = "config")]
    pub mongodb: Option<String>,
    /// Run every probe twice on the same data; if the results differ, the verdict is `unknown`
    #[arg(long)]
    pub twice: bool,
    /// The commit that is synced; stored, and named by notifications [default there: the revision of Argo CD's Application]
    #[arg(long, value_name = "COMMIT", env = "TASTER_REVISION", value_parser = commit)]
    pub revision: Option<String>,
}

impl DatabaseArgs {
    /// The commit; an empty variable counts as not set.
    #[must_use]
    pub fn revision(&self) -> Option<&str> {
        self.revision.as_deref().filter(|revision| !revision.is_empty())
    }
}

/// A full hash, or nothing.
fn commit(text: &str) -> Result<String, String> {
    let text = text.trim().to_ascii_lowercase();
    if text.is_empty() || taster_notify::is_commit(&text) {
        return Ok(text);
    }
    Err("not a full commit hash of 40 or 64 hexadecimal digits".to_owned())
}

/// How a verdict is written.
#[derive(Debug, Clone, Args)]
pub struct VerdictOutput {
    /// Format of the result
    #[arg(long, value_enum, default_value_t)]
    pub format: VerdictFormat,
    /// Write the result to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Formats of a verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum VerdictFormat {
    /// Text for a terminal.
    #[default]
    Human,
    /// The stored document.
    Json,
    /// For a comment on a pull request.
    Markdown,
    /// For a CI system that reads test results.
    Junit,
    /// One self-contained file for a browser.
    Html,
}

/// How any other result is written.
#[derive(Debug, Clone, Args)]
pub struct TextOutput {
    /// Format of the result
    #[arg(long, value_enum, default_value_t)]
    pub format: TextFormat,
    /// Write the result to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Formats of a result that is no verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TextFormat {
    /// Text for a terminal.
    #[default]
    Human,
    /// One JSON document.
    Json,
}
