//! A probe's own failures. Failures of the host are passed on with `?`.

use std::fmt;

use crate::{Failure, Malformed};

impl Failure {
    /// A failure of the probe itself.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), refusal: None, code: None, asked: None, allowed: None, setting: None }
    }

    /// A limit of the probe itself: what was reached, what is allowed, and the key of the configuration that raises it.
    pub fn limit(
        message: impl Into<String>,
        asked: impl fmt::Display,
        allowed: impl fmt::Display,
        key: impl fmt::Display,
    ) -> Self {
        Self {
            asked: Some(asked.to_string()),
            allowed: Some(allowed.to_string()),
            setting: Some(format!("probes[…].config.{key}")),
            ..Self::new(message)
        }
    }
}

impl From<Malformed> for Failure {
    fn from(error: Malformed) -> Self {
        Self::new(error.to_string())
    }
}
