//! The failure of a probe or of one of its calls to the host.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ReasonCode;

/// Why the host refused a call. The cases are those of the WIT interface (`wit/`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Refusal {
    /// Not granted: another collection, another method, a stage that writes.
    Denied,
    /// Malformed, or not allowed for any probe.
    Invalid,
    /// The deadline passed.
    Deadline,
    /// A limit was reached.
    Budget,
    /// The database did not answer, or answered with an error.
    Unavailable,
}

/// Why a probe, or one of its calls to the host, ended without a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// What happened, in one sentence.
    pub message: String,
    /// Why the host refused. Absent if the probe itself reported the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// Stable code, `T0203`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// What is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// The setting that raises it: `probes[orders].limits.documents`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting: Option<String>,
}

impl Failure {
    /// A failure that the probe itself reported.
    #[must_use]
    pub fn from_probe(message: impl Into<String>) -> Self {
        Self { message: message.into(), refusal: None, code: None, asked: None, allowed: None, setting: None }
    }

    /// A refusal of the host.
    #[must_use]
    pub fn refused(refusal: Refusal, code: &str, message: impl Into<String>) -> Self {
        Self { refusal: Some(refusal), code: Some(code.to_owned()), ..Self::from_probe(message) }
    }

    /// Adds what was requested.
    #[must_use]
    pub fn asked(mut self, asked: impl fmt::Display) -> Self {
        self.asked = Some(asked.to_string());
        self
    }

    /// Adds what is allowed.
    #[must_use]
    pub fn allowed(mut self, allowed: impl fmt::Display) -> Self {
        self.allowed = Some(allowed.to_string());
        self
    }

    /// Adds the setting that raises the limit.
    #[must_use]
    pub fn setting(mut self, setting: impl fmt::Display) -> Self {
        self.setting = Some(setting.to_string());
        self
    }
}

/// The snapshot's cluster time left the server's history.
pub const SNAPSHOT_LOST: &str = "T0211";
/// The server did not reach the snapshot's cluster time.
pub const SNAPSHOT_NOT_REACHED: &str = "T0219";
/// A probe returned different results for the same data.
pub const NOT_DETERMINISTIC: &str = "T0621";
/// Data were written while they were read.
pub const UNSTABLE: &str = "T0622";
/// It could not be determined whether data were written while they were read.
pub const STABILITY_UNKNOWN: &str = "T0623";

impl Failure {
    /// The reason code of a finding about this failure. `None`: the failure is the probe's own, not the capture's.
    #[must_use]
    pub fn reason(&self) -> Option<ReasonCode> {
        match self.code.as_deref()? {
            SNAPSHOT_LOST => Some(ReasonCode::SnapshotLost),
            SNAPSHOT_NOT_REACHED => Some(ReasonCode::SnapshotNotReached),
            NOT_DETERMINISTIC => Some(ReasonCode::NotDeterministic),
            UNSTABLE | STABILITY_UNKNOWN => Some(ReasonCode::Unstable),
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    /// `T0203: message (asked: …; allowed: …; setting: …)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(code) = &self.code {
            write!(f, "{code}: ")?;
        }
        f.write_str(&self.message)?;
        let parts = [("asked", &self.asked), ("allowed", &self.allowed), ("setting", &self.setting)];
        let mut is_open = false;
        for (name, part) in parts {
            if let Some(text) = part {
                write!(f, "{}{name}: {text}", if is_open { "; " } else { " (" })?;
                is_open = true;
            }
        }
        if is_open { f.write_str(")") } else { Ok(()) }
    }
}
