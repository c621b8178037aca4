//! What can keep a demo from happening.

use std::{path::PathBuf, time::Duration};

use taster_model::Diagnostic;

/// What can keep a demo from happening.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No mongod where one is looked for.
    #[error("no mongod found: not in $TASTER_MONGOD, not on PATH, not at {}", cached.display())]
    NoMongod {
        /// Where `make mongod` puts one.
        cached: PathBuf,
    },
    /// `$TASTER_MONGOD` names nothing that can be run.
    #[error("$TASTER_MONGOD is `{}`, which is no file", path.display())]
    NotAMongod {
        /// What it names.
        path: PathBuf,
    },
    /// mongod ended before it answered.
    #[error("mongod {} ended at once with status {status}; its last words:\n{words}", binary.display())]
    Died {
        /// The program.
        binary: PathBuf,
        /// Exit status, as the shell tells it.
        status: String,
        /// The last lines of its log.
        words: String,
    },
    /// mongod does not answer in time.
    #[error("mongod {} did not answer within {waited:?}; its last words:\n{words}", binary.display())]
    Slow {
        /// The program.
        binary: PathBuf,
        /// How long it was waited for.
        waited: Duration,
        /// The last lines of its log.
        words: String,
    },
    /// The scratch folder or the process cannot be had.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The demo's own mongod refused something.
    #[error("cannot {action}: {source}")]
    Database {
        /// What was tried.
        action: &'static str,
        /// What the server said.
        source: Box<mongodb::error::Error>,
    },
    /// No upgrade of that name.
    #[error("there is no upgrade `{given}`")]
    NoUpgrade {
        /// The name.
        given: String,
    },
}

impl DemoError {
    pub(super) fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }

    pub(super) fn database(action: &'static str) -> impl FnOnce(mongodb::error::Error) -> Self {
        move |source| Self::Database { action, source: Box::new(source) }
    }
}

impl Diagnostic for DemoError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoMongod { .. } => "T0650",
            Self::NotAMongod { .. } => "T0651",
            Self::Died { .. } => "T0652",
            Self::Slow { .. } => "T0653",
            Self::Io { .. } => "T0654",
            Self::Database { .. } => "T0655",
            Self::NoUpgrade { .. } => "T0656",
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::NoMongod { .. } => Some(
                "fetch one with `make mongod`, or install MongoDB so that `mongod` is on PATH, or name one: \
                 `TASTER_MONGOD=/path/to/mongod taster demo`"
                    .to_owned(),
            ),
            Self::NotAMongod { .. } => {
                Some("name the program itself, or unset it to look on PATH and where `make mongod` puts one".to_owned())
            }
            Self::Died { words, .. } if words.contains("error while loading shared libraries") => {
                Some("install what it lacks: `apt-get install libcurl4 libssl3`".to_owned())
            }
            Self::Died { .. } => Some("try another one with `TASTER_MONGOD=/path/to/mongod`".to_owned()),
            Self::Slow { .. } => Some("is the machine busy, or the disk full? try again".to_owned()),
            Self::Io { .. } => Some("the scratch folder is made under $TMPDIR; it needs about 1 GiB".to_owned()),
            Self::Database { .. } => None,
            Self::NoUpgrade { given } => {
                let near = super::upgrade::ALL
                    .iter()
                    .map(|known| (strsim::jaro_winkler(given, known.name), known.name))
                    .max_by(|a, b| a.0.total_cmp(&b.0));
                let names: Vec<_> = super::upgrade::ALL.iter().map(|known| known.name).collect();
                match near {
                    Some((score, name)) if score > 0.75 => Some(format!("did you mean `{name}`?")),
                    _ => Some(format!("there are {}", names.join(", "))),
                }
            }
        }
    }
}
