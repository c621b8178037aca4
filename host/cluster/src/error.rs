//! What can go wrong with the cluster.

use taster_model::Coded;

use crate::{FreshError, ReadyError};

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
    /// A workload does not get ready.
    #[error(transparent)]
    Ready(#[from] ReadyError),
    /// Nobody can say that the data are fresh.
    #[error(transparent)]
    Fresh(#[from] FreshError),
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
            Self::Ready(error) => error.code(),
            Self::Fresh(error) => error.code(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Ready(error) => error.help(),
            Self::Fresh(error) => error.help(),
            Self::Unreachable { .. } | Self::Forbidden { .. } => None,
        }
    }
}

pub(crate) fn refused(error: kube::Error, verb: &str, resource: &str, namespace: &str) -> ClusterError {
    match error {
        kube::Error::Api(status) if status.code == 403 => ClusterError::Forbidden {
            verb: verb.to_owned(),
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
        },
        other => ClusterError::Unreachable { detail: other.to_string() },
    }
}
