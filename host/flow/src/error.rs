//! Errors of the `pre`, `post` and `restore` flows, and of commands that read stored runs.

use taster_model::{Diagnostic, RunId};

/// An error of a flow, or of a command that reads stored runs.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// A signal stopped the process before anything was committed.
    #[error("stopped by {signal} before the {what} was committed; nothing of this attempt counts")]
    Interrupted {
        /// Which signal.
        signal: &'static str,
        /// What was not finished.
        what: &'static str,
    },
    /// A signal stopped the process after the commit.
    #[error("stopped by {signal} while {doing}")]
    InterruptedLater {
        /// Which signal.
        signal: &'static str,
        /// What was being done.
        doing: &'static str,
    },
    /// The Job is about to reach its deadline.
    #[error("Job {job} is about to reach `activeDeadlineSeconds`; stopped before the end: {what}")]
    OutOfTime {
        /// Its name.
        job: String,
        /// What was not finished.
        what: &'static str,
    },
    /// None of the configured workloads exists any more.
    #[error("none of the configured workloads was found: {absent} in namespace {namespace}")]
    AllAbsent {
        /// `StatefulSet mongo, Deployment web`.
        absent: String,
        /// Where.
        namespace: String,
    },
    /// Some of the configured workloads do not exist.
    #[error("configured workloads not found: {absent} in namespace {namespace}")]
    PartlyAbsent {
        /// `Deployment web`.
        absent: String,
        /// Where.
        namespace: String,
    },
    /// `restore` without a `cluster` in the configuration.
    #[error("the configuration has no `cluster`: there is nothing to restore")]
    NoCluster,
    /// A panic.
    #[error("taster itself failed: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// The database does not answer in time although its pods are ready.
    #[error(
        "MongoDB did not answer in time, although its workload is ready: {last}; the limit is `readyTimeout` of {setting}"
    )]
    DatabaseNotReady {
        /// `cluster.data[mongo]`.
        setting: String,
        /// The last error.
        last: String,
    },
    /// The age of the data is unknown.
    #[error("no document of `{collection}` has a time in `{field}`: the age of the data is unknown")]
    NoNewest {
        /// The collection.
        collection: String,
        /// The field.
        field: String,
    },
    /// The newest document cannot be found.
    #[error("cannot find the newest document of `{collection}` by `{field}`: {failure}")]
    NewestFailed {
        /// The collection.
        collection: String,
        /// The field.
        field: String,
        /// Why not.
        failure: String,
    },
    /// The configuration cannot lead to the verdict `same`, whatever the data are.
    #[error("with this configuration the verdict after the sync could not be same: {}", reasons.join("; "))]
    NoVerdictPossible {
        /// Why not, each with its setting.
        reasons: Vec<String>,
    },
    /// There is nothing to compare.
    #[error("{message}")]
    EmptyDatabase {
        /// The database, and those that exist.
        message: String,
    },
    /// Workloads were not restored.
    #[error("{count} could not be restored: {why}")]
    NotRestored {
        /// `1 workload`.
        count: String,
        /// Why not, each.
        why: String,
    },
    /// The run has no capture to compare.
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
    /// The app has no run.
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
    /// A run that has passed, was accepted, or whose baseline was dropped, cannot be captured again.
    #[error("run `{run}` is closed: it passed, was accepted, or its baseline was dropped")]
    RunClosed {
        /// The run.
        run: RunId,
    },
    /// A new baseline is a new capture, and a run has one.
    #[error("run `{run}` has a capture already, and a capture is never taken again: nothing was dropped")]
    RunCaptured {
        /// The run.
        run: RunId,
    },
    /// The run has a capture of a copy that was replaced since.
    #[error("run `{run}` has a capture already, of a copy of the data that was replaced since")]
    AnotherCopy {
        /// The run.
        run: RunId,
    },
    /// The open baseline is of another database.
    #[error(
        "app `{app}` has an open baseline of database `{recorded}` (run {run}), and the configuration names `{configured}`: they \
         cannot be compared"
    )]
    OtherDatabase {
        /// The app.
        app: String,
        /// The run of the baseline.
        run: RunId,
        /// The database of the baseline.
        recorded: String,
        /// The database of the configuration.
        configured: String,
    },
    /// There is no baseline to drop.
    #[error("app `{app}` has no open baseline in {store}")]
    NoOpenBaseline {
        /// The app.
        app: String,
        /// The store.
        store: String,
    },
    /// `same` needs no acceptance.
    #[error("run `{run}` is `same`: there is nothing to accept")]
    NothingToAccept {
        /// The run.
        run: RunId,
    },
}

impl Diagnostic for FlowError {
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
            Self::RunCaptured { .. } => "T0658",
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
            Self::NoOpenBaseline { .. } => "T0635",
            Self::OtherDatabase { .. } => "T0636",
            Self::NoVerdictPossible { .. } => "T0637",
            Self::EmptyDatabase { .. } => "T0638",
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Interrupted { .. } => "run the same command again; it starts over".to_owned(),
            Self::InterruptedLater { .. } => "run the same command again; what was committed is kept".to_owned(),
            Self::OutOfTime { .. } => {
                "raise `activeDeadlineSeconds` of the Job: it covers the lock, every `readyTimeout`, the capture and the grace period"
                    .to_owned()
            }
            Self::AllAbsent { .. } => {
                "check `cluster.namespace`; or, if the app starts anew, empty its folder in the store".to_owned()
            }
            Self::PartlyAbsent { .. } => {
                "check the names under `cluster`; a workload that the sync creates cannot be scaled before it".to_owned()
            }
            Self::NoCluster => "name the configuration that has a `cluster` with --config".to_owned(),
            Self::Panicked { .. } => "report this bug with the log lines above".to_owned(),
            Self::DatabaseNotReady { setting, .. } => format!(
                "fix what the last error says, or raise `readyTimeout` of {setting}; `mongodb.uri` must name that workload's service"
            ),
            Self::NoNewest { .. } => {
                "name a field with dates, timestamps or ObjectIds; or set `severity: warn`".to_owned()
            }
            Self::NewestFailed { .. } => "fix what the failure says; or set `severity: warn`".to_owned(),
            Self::EmptyDatabase { .. } => {
                "correct `mongodb.database`, or declare what the upgrade creates: changes: [{addedCollection: NAME}]"
                    .to_owned()
            }
            Self::NoVerdictPossible { .. } => {
                "nothing was scaled or stored: correct the configuration, which `taster config check --live` tests as a whole"
                    .to_owned()
            }
            Self::NotRestored { .. } => {
                "run `taster restore` to try again: the original counts are recorded on the workloads".to_owned()
            }
            Self::NoPost { run } | Self::NoVerdict { run } => format!("run `taster post --run {run}` first"),
            Self::NoRun { .. } => "`taster runs` lists them".to_owned(),
            Self::NoRuns { .. } => "`taster pre` begins one; or --store names another place".to_owned(),
            Self::BadCapture { .. } => "give a capture.json that Taster wrote, unaltered".to_owned(),
            Self::OtherDatabase { recorded, .. } => format!(
                "each database is an app of its own: set another `app`, or name `{recorded}` again; if the app has moved for good, \
                 `taster baseline drop --reason \"…\"`"
            ),
            Self::NoOpenBaseline { .. } => {
                "nothing needs to be dropped: the next `taster pre` takes a baseline; or --store names another place".to_owned()
            }
            Self::NothingToAccept { .. } => "the baseline is closed already".to_owned(),
            Self::AnotherCopy { .. } => {
                "choose another --run, or none: the new copy gets its own baseline".to_owned()
            }
            Self::RunCaptured { .. } => "choose another --run for the new baseline, or none".to_owned(),
            Self::RunClosed { .. } => "each sync needs its own run: choose another --run, or none".to_owned(),
        })
    }
}
