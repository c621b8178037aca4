//! The flows behind `pre`, `post` and `restore`: from the configuration to the capture, the verdict and its reports.
//!
//! Start reading at [`pre`] and [`post`]. `cluster` scales workloads up around a flow and restores them after it,
//! `consistency` runs the probes until all of them have read the same data, and `baseline` keeps the state of an app.

mod added_probes;
mod baseline;
mod capture;
mod census;
mod cluster;
pub mod component;
mod connect;
mod consistency;
mod context;
mod determinism;
mod differences;
mod error;
mod expected;
mod freshness;
mod grants;
mod judging;
mod limits;
mod loading;
mod missing_baseline;
mod open_baseline;
mod post;
mod pre;
mod preflight;
mod privileges;
mod probe_check;
mod probe_runner;
pub mod progress;
mod prospects;
mod reload;
mod replacement;
mod restore;
mod rules;
mod run_id;
mod sample;
mod shutdown;
pub mod timing;

pub use added_probes::BaselineCaptures;
pub use baseline::ReplacedBaseline;
pub use census::{CaptureIdentity, CensusSettings, check_censuses_deterministic};
pub use cluster::{FlowOutcome, NotRestored, ReplicaChange, RestoreReport};
pub use connect::connect;
pub use context::{COMPILE_COMMAND, FlowContext, open_engine};
pub use determinism::{ProbeRuns, check_deterministic};
pub use differences::StoredCapture;
pub use error::FlowError;
pub use expected::ExpectationMistake;
pub use grants::{GrantError, resolve as resolve_collections};
pub use judging::{compared_with, judged_against, remedy_for, side_summary, verdict_document, verdict_with_added};
pub use limits::engine_limits;
pub use loading::load_component;
pub use open_baseline::{DropRequest, OpenBaseline, drop_baseline, open_baseline, require_new_run};
pub use post::{Post, PostOutcome, post};
pub use pre::{Pre, PreOutcome, pre};
pub use preflight::{absent_collections, absent_elsewhere, mistaken_expectations, no_collections};
pub use privileges::{NO_ACCESS_CONTROL, missing_optional_privileges, required_privileges, write_privileges};
pub use probe_check::{ProbeCheck, check_probe};
pub use probe_runner::{ProbeEnv, load_probe, probe_run_input};
pub use reload::PartialReload;
pub use restore::{RestoreOutcome, RestoreScope, restore};
pub use rules::Rules;
pub use sample::{SAMPLE, empty_metrics};
pub use shutdown::wait_for_signal;
