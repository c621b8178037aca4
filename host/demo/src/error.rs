//! Errors of the demo's mongod, of loading the shop and of its upgrades.

use std::{path::PathBuf, time::Duration};

use taster_model::Diagnostic;

/// An error of the demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No mongod program was found.
    #[error("no mongod found: not in $TASTER_MONGOD, not on PATH, not at {}", cached.display())]
    NoMongod {
        /// Where `make mongod` installs it.
        cached: PathBuf,
    },
    /// `$TASTER_MONGOD` does not name a file.
    #[error("$TASTER_MONGOD is `{}`, which is not a file", path.display())]
    NotAMongod {
        /// The value of the variable.
        path: PathBuf,
    },
    /// mongod exited before it answered.
    #[error("mongod {} exited with status {status} before it answered; the end of its log:\n{log_tail}", binary.display())]
    Exited {
        /// The program.
        binary: PathBuf,
        /// The exit status, as the shell reports it.
        status: String,
        /// The last lines of its log.
        log_tail: String,
    },
    /// mongod did not answer in time.
    #[error(
        "mongod {} did not answer within {}; the end of its log:\n{log_tail}",
        binary.display(),
        taster_text::exact_duration(*waited)
    )]
    Timeout {
        /// The program.
        binary: PathBuf,
        /// The timeout.
        waited: Duration,
        /// The last lines of its log.
        log_tail: String,
    },
    /// The temporary folder or the process could not be created.
    #[error("cannot {action}: {source}")]
    Io {
        /// The operation that failed.
        action: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The demo's mongod refused a command.
    #[error("cannot {action}: {source}")]
    Database {
        /// The operation that failed.
        action: &'static str,
        /// The driver's error.
        source: Box<mongodb::error::Error>,
    },
    /// There is no upgrade with this name.
    #[error("unknown upgrade `{given}`")]
    UnknownUpgrade {
        /// The requested name.
        given: String,
        /// The names of all upgrades.
        known: Vec<&'static str>,
    },
}

impl DemoError {
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }

    pub(crate) fn database(action: &'static str) -> impl FnOnce(mongodb::error::Error) -> Self {
        move |source| Self::Database { action, source: Box::new(source) }
    }
}

impl Diagnostic for DemoError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoMongod { .. } => "T0650",
            Self::NotAMongod { .. } => "T0651",
            Self::Exited { .. } => "T0652",
            Self::Timeout { .. } => "T0653",
            Self::Io { .. } => "T0654",
            Self::Database { .. } => "T0655",
            Self::UnknownUpgrade { .. } => "T0656",
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::NoMongod { .. } => Some(
                "run `make mongod`, or install MongoDB so that `mongod` is on PATH, or name the program: \
                 `TASTER_MONGOD=/path/to/mongod taster demo`"
                    .to_owned(),
            ),
            Self::NotAMongod { .. } => {
                Some("set it to the path of the mongod program, or unset it to use the one on PATH or the one of `make mongod`".to_owned())
            }
            Self::Exited { log_tail, .. } if log_tail.contains("error while loading shared libraries") => {
                Some("install the missing libraries: `apt-get install libcurl4 libssl3`".to_owned())
            }
            Self::Exited { .. } => Some("use another mongod: `TASTER_MONGOD=/path/to/mongod`".to_owned()),
            Self::Timeout { .. } => Some("check the load of the machine and the space on the disk, then try again".to_owned()),
            Self::Io { .. } => Some("the temporary folder is created under $TMPDIR and needs about 1 GiB".to_owned()),
            Self::Database { .. } => None,
            Self::UnknownUpgrade { given, known } => {
                let nearest = known
                    .iter()
                    .map(|name| (strsim::jaro_winkler(given, name), name))
                    .max_by(|a, b| a.0.total_cmp(&b.0));
                match nearest {
                    Some((score, name)) if score > 0.75 => Some(format!("did you mean `{name}`?")),
                    _ => Some(format!("use one of: {}", known.join(", "))),
                }
            }
        }
    }
}
