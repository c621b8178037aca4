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
    /// The process was asked to stop when what counts was committed already.
    #[error("stopped by {signal} while {doing}")]
    InterruptedLater {
        /// Which signal.
        signal: &'static str,
        /// What was being done.
        doing: &'static str,
    },
    /// The Job has no time left.
    #[error("`activeDeadlineSeconds` of Job {job} is nearly over, and this was not: {what}")]
    OutOfTime {
        /// Its name.
        job: String,
        /// What was not finished.
        what: &'static str,
    },
    /// There is nothing to taste where there was something before.
    #[error("none of the workloads is there any more: {absent} in namespace {namespace}")]
    AllAbsent {
        /// `StatefulSet mongo, Deployment web`.
        absent: String,
        /// Where.
        namespace: String,
    },
    /// Some workloads are there and some are not.
    #[error("of the workloads these are not there: {absent} in namespace {namespace}")]
    PartlyAbsent {
        /// `Deployment web`.
        absent: String,
        /// Where.
        namespace: String,
    },
    /// There is nothing to restore, and nobody says what that would be.
    #[error("no `cluster` is configured: nothing was ever scaled")]
    NoCluster,
    /// Something went wrong that must not.
    #[error("taster itself failed: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// The database does not answer although its pods are ready.
    #[error(
        "MongoDB does not answer in time, although its workload is ready: {last}; the limit is `ready` of {setting}"
    )]
    DatabaseNotReady {
        /// `cluster.data[mongo]`.
        setting: String,
        /// What it was waited for last.
        last: String,
    },
    /// Nobody can say that the data are fresh.
    #[error("no document of `{collection}` has a time in `{field}`: nobody can tell how old the data are")]
    NoNewest {
        /// The collection.
        collection: String,
        /// The field.
        field: String,
    },
    /// The newest document cannot be asked for.
    #[error("cannot find the newest document of `{collection}` by `{field}`: {failure}")]
    NewestFailed {
        /// The collection.
        collection: String,
        /// The field.
        field: String,
        /// Why not.
        failure: String,
    },
    /// A workload could not be put back.
    #[error("{count} could not be put back: {why}")]
    NotRestored {
        /// `1 workload`.
        count: String,
        /// Why not, each.
        why: String,
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
            Self::Interrupted { .. } | Self::InterruptedLater { .. } => "T0604",
            Self::NoPost { .. } => "T0605",
            Self::NoRun { .. } => "T0606",
            Self::NoRuns { .. } => "T0607",
            Self::BadCapture { .. } => "T0608",
            Self::NoVerdict { .. } => "T0609",
            Self::NothingToAccept { .. } => "T0610",
            Self::RunClosed { .. } => "T0617",
            Self::AnotherCopy { .. } => "T0624",
            Self::OutOfTime { .. } => "T0625",
            Self::AllAbsent { .. } => "T0626",
            Self::PartlyAbsent { .. } => "T0627",
            Self::NoCluster => "T0628",
            Self::Panicked { .. } => "T0629",
            Self::DatabaseNotReady { .. } => "T0630",
            Self::NoNewest { .. } => "T0631",
            Self::NewestFailed { .. } => "T0632",
            Self::NotRestored { .. } => "T0633",
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Interrupted { .. } => "run the same command again; it starts over".to_owned(),
            Self::InterruptedLater { .. } => "run the same command again; what was committed stands".to_owned(),
            Self::OutOfTime { .. } => {
                "raise `activeDeadlineSeconds` of the Job: in it are the lock, every `ready`, the capture and the grace \
                 period"
                    .to_owned()
            }
            Self::AllAbsent { .. } => {
                "check `cluster.namespace`; or, if the app begins anew there, empty its folder in the store".to_owned()
            }
            Self::PartlyAbsent { .. } => {
                "check the names under `cluster`; what the sync is only going to make cannot be tasted before it".to_owned()
            }
            Self::NoCluster => "name the configuration that has a `cluster`".to_owned(),
            Self::Panicked { .. } => "report it, with the lines above".to_owned(),
            Self::DatabaseNotReady { setting, .. } => format!(
                "mend what it waits for, or raise `ready` of {setting}; `mongodb.uri` must name what that workload serves"
            ),
            Self::NoNewest { .. } => {
                "name a field with dates, timestamps or ObjectIds; or `severity: warn`".to_owned()
            }
            Self::NewestFailed { .. } => "see the failure in the text; or `severity: warn`".to_owned(),
            Self::NotRestored { .. } => {
                "`taster restore` tries again: what was recorded stands on the workloads".to_owned()
            }
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
