//! A probe that was added to the configuration while a baseline was open.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AttemptId, RunId};

/// A probe that was added to the configuration while a baseline was open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddedProbe {
    /// Its name in the configuration.
    pub probe: String,
    /// The run whose `pre` is its baseline.
    pub run: RunId,
    /// The attempt that recorded it.
    pub attempt: AttemptId,
}
