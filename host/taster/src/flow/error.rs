//! What can go wrong between the rooms.

use taster_model::{Coded, RunId};

/// What can go wrong between the rooms.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// The process was asked to stop.
    #[error("stopped by {signal} before the {what} was committed; nothing of this attempt counts")]
    Interrupted {
        /// Which signal.
        signal: &'static str,
        /// What was not finished.
        what: &'static str,
    },
    /// There is nothing to judge.
    #[error("run `{run}` has no capture after the sync")]
    NoPost {
        /// The run.
        run: RunId,
    },
    /// There is no such run.
    #[error("there is no run `{run}` of app `{app}` in {store}")]
    NoRun {
        /// The run.
        run: RunId,
        /// The app.
        app: String,
        /// The store.
        store: String,
    },
    /// The app has no run at all.
    #[error("app `{app}` has no run in {store}")]
    NoRuns {
        /// The app.
        app: String,
        /// The store.
        store: String,
    },
    /// A capture file cannot be used.
    #[error("cannot use the capture {path}: {message}")]
    BadCapture {
        /// The file.
        path: String,
        /// Why not.
        message: String,
    },
    /// A run without a verdict cannot be accepted.
    #[error("run `{run}` has no verdict that could be accepted")]
    NoVerdict {
        /// The run.
        run: RunId,
    },
    /// A run that is over cannot begin again.
    #[error("run `{run}` is over: it passed or was accepted")]
    RunClosed {
        /// The run.
        run: RunId,
    },
    /// The run was tasted before the copy was replaced.
    #[error("run `{run}` was tasted already, on a copy of the data that was replaced since")]
    AnotherCopy {
        /// The run.
        run: RunId,
    },
    /// `same` needs nobody to take responsibility.
    #[error("run `{run}` is `same`: there is nothing to accept")]
    NothingToAccept {
        /// The run.
        run: RunId,
    },
}

impl Coded for FlowError {
    fn code(&self) -> &'static str {
        match self {
            Self::Interrupted { .. } => "T0604",
            Self::NoPost { .. } => "T0605",
            Self::NoRun { .. } => "T0606",
            Self::NoRuns { .. } => "T0607",
            Self::BadCapture { .. } => "T0608",
            Self::NoVerdict { .. } => "T0609",
            Self::NothingToAccept { .. } => "T0610",
            Self::RunClosed { .. } => "T0617",
            Self::AnotherCopy { .. } => "T0624",
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Interrupted { .. } => "run the same command again; it starts over".to_owned(),
            Self::NoPost { run } => format!("`taster post --run {run}` makes one"),
            Self::NoRun { .. } => "`taster runs` lists them".to_owned(),
            Self::NoRuns { .. } => "`taster pre` begins one; or --store names another place".to_owned(),
            Self::BadCapture { .. } => "give a capture.json that Taster wrote, unaltered".to_owned(),
            Self::NoVerdict { run } => format!("`taster post --run {run}` gives it one"),
            Self::NothingToAccept { .. } => "the baseline is closed already".to_owned(),
            Self::AnotherCopy { .. } => {
                "choose another --run, or none: the new copy gets a baseline of its own".to_owned()
            }
            Self::RunClosed { .. } => "each sync is a run of its own: choose another --run, or none".to_owned(),
        })
    }
}
