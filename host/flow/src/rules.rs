//! [`Rules`]: what the operator says about changes and about the age of a baseline.

use std::time::Duration;

use taster_config::{Config, Period, Report};
use taster_model::{DeclaredChange, Expectation};

/// What the operator says about changes and about the age of a baseline.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Which metrics may change, from `expect`.
    pub expectations: &'a [Expectation],
    /// What the migration is meant to do, from `changes`.
    pub changes: &'a [DeclaredChange],
    /// How many ids are named for each kind of difference between documents.
    pub max_ids: usize,
    /// The greatest age of a baseline.
    pub max_baseline_age: Option<Duration>,
    /// Collections of which a whole census must decide.
    pub required_censuses: &'a [String],
}

fn max_ids(report: &Report) -> usize {
    usize::try_from(report.max_ids).unwrap_or(usize::MAX)
}

impl Default for Rules<'_> {
    fn default() -> Self {
        Self {
            expectations: &[],
            changes: &[],
            max_ids: max_ids(&Report::default()),
            max_baseline_age: None,
            required_censuses: &[],
        }
    }
}

impl<'a> From<&'a Config> for Rules<'a> {
    fn from(config: &'a Config) -> Self {
        Self {
            expectations: &config.expect,
            changes: &config.changes,
            max_ids: max_ids(&config.report),
            max_baseline_age: config.max_baseline_age.map(Period::get),
            required_censuses: &config.require.census,
        }
    }
}
