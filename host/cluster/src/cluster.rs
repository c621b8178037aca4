//! The connection to the API server, and who this process is in the cluster.

use jiff::Timestamp;
use taster_model::AppName;

use crate::ClusterError;

/// How to find the cluster.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Namespace of the workloads. Default: the pod's own, or that of the kubeconfig's context.
    pub namespace: Option<String>,
    /// The app: names the lock and stands in what is recorded.
    pub app: AppName,
    /// Who this process is.
    pub me: Me,
}

/// Who this process is in the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Me {
    /// Name of the pod (`TASTER_POD`, by the downward API; else `HOSTNAME`). Absent outside a cluster.
    pub pod: Option<String>,
    /// UID of the pod (`TASTER_POD_UID`). Absent outside a cluster: then the lock's holder is a ULID of this process.
    pub uid: Option<String>,
    /// Namespace of the pod.
    pub namespace: Option<String>,
    /// Name of the Job (`TASTER_JOB`, from the label `batch.kubernetes.io/job-name`).
    pub job: Option<String>,
}

/// The connection to the API server. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) client: kube::Client,
    pub(crate) namespace: String,
    pub(crate) app: AppName,
    pub(crate) me: Me,
}

impl Cluster {
    /// Connects with the pod's ServiceAccount, else with `$KUBECONFIG` or `~/.kube/config`.
    pub async fn connect(_options: ClusterOptions) -> Result<Self, ClusterError> {
        todo!()
    }

    /// Namespace of the workloads.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What time it is by the API server's clock (the `Date` of its answer; whole seconds).
    pub async fn now(&self) -> Result<Timestamp, ClusterError> {
        todo!()
    }
}
