//! What can go wrong with the cluster.

use taster_model::Coded;

/// What can go wrong with the cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The API server cannot be reached.
    #[error("the Kubernetes API server does not answer: {detail}")]
    Unreachable {
        /// What the client said.
        detail: String,
    },
    /// A right is missing.
    #[error("the ServiceAccount may not {verb} {resource} in namespace {namespace}")]
    Forbidden {
        /// `patch`.
        verb: String,
        /// `statefulsets/scale mongo`.
        resource: String,
        /// Where.
        namespace: String,
    },
}

impl ClusterError {
    /// Whether the same request may work in a moment: the API server is away, overloaded or starting.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

impl Coded for ClusterError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "T0701",
            Self::Forbidden { .. } => "T0702",
        }
    }
}
