//! Why something did not happen: one record for the host's refusals and a probe's own failures.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ReasonCode;

/// What the host refused. The cases are those of the interface (`wit/`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Refusal {
    /// Not granted: another collection, another method, a stage that writes.
    Denied,
    /// Not understood, or not allowed for anybody.
    Invalid,
    /// The time is over.
    Deadline,
    /// A budget is spent.
    Budget,
    /// The database did not answer, or could not.
    Unavailable,
}

/// Why a call of the host or a whole probe ended without a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// One sentence: what happened.
    pub message: String,
    /// Set by the host; absent: the probe itself gave up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// Stable code, `T0203`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What was asked.
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
    /// A failure of the probe's own, with nothing but its message.
    #[must_use]
    pub fn own(message: impl Into<String>) -> Self {
        Self { message: message.into(), refusal: None, code: None, asked: None, allowed: None, setting: None }
    }

    /// A refusal of the host.
    #[must_use]
    pub fn refused(refusal: Refusal, code: &str, message: impl Into<String>) -> Self {
        Self { refusal: Some(refusal), code: Some(code.to_owned()), ..Self::own(message) }
    }

    /// With what was asked.
    #[must_use]
    pub fn asked(mut self, asked: impl fmt::Display) -> Self {
        self.asked = Some(asked.to_string());
        self
    }

    /// With what is allowed.
    #[must_use]
    pub fn allowed(mut self, allowed: impl fmt::Display) -> Self {
        self.allowed = Some(allowed.to_string());
        self
    }

    /// With the setting that raises the limit.
    #[must_use]
    pub fn setting(mut self, setting: impl fmt::Display) -> Self {
        self.setting = Some(setting.to_string());
        self
    }
}

/// The server forgot the moment that everything was to be read at.
pub const SNAPSHOT_LOST: &str = "T0211";
/// The server did not get as far as that moment in time.
pub const SNAPSHOT_NOT_REACHED: &str = "T0219";
/// A probe gave two answers about the same data.
pub const NOT_DETERMINISTIC: &str = "T0621";
/// Something was written while it was read.
pub const UNSTABLE: &str = "T0622";
/// Nobody can tell whether something was written while it was read.
pub const UNWITNESSED: &str = "T0623";

impl Failure {
    /// The reason that a finding about this failure carries, where it is one of the capture rather than of the probe.
    #[must_use]
    pub fn reason(&self) -> Option<ReasonCode> {
        match self.code.as_deref()? {
            SNAPSHOT_LOST => Some(ReasonCode::SnapshotLost),
            SNAPSHOT_NOT_REACHED => Some(ReasonCode::SnapshotNotReached),
            NOT_DETERMINISTIC => Some(ReasonCode::NotDeterministic),
            UNSTABLE | UNWITNESSED => Some(ReasonCode::Unstable),
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
        let mut open = false;
        for (name, part) in parts {
            if let Some(text) = part {
                write!(f, "{}{name}: {text}", if open { "; " } else { " (" })?;
                open = true;
            }
        }
        if open { f.write_str(")") } else { Ok(()) }
    }
}
