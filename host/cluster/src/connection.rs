//! The connection to the API server, and the identity of this process in the cluster.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};
use kube::{Client, Config, client::Body};
use taster_model::AppName;

use crate::{
    error::ClusterError,
    request::{ApiRequest, REQUEST_TIMEOUT},
};

/// The field manager of all writes, in `managedFields` and Events.
pub(crate) const FIELD_MANAGER: &str = "taster";
/// How long opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How to find the cluster.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Namespace of the workloads. Default: the pod's own, or that of the kubeconfig's context.
    pub namespace: Option<String>,
    /// The app: part of the lock's name and of every scale record.
    pub app: AppName,
    /// The pod and Job of this process.
    pub identity: ProcessIdentity,
}

/// The pod and Job that this process runs in. All fields are absent outside a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessIdentity {
    /// Name of the pod (`TASTER_POD`, by the downward API; else `HOSTNAME`).
    pub pod: Option<String>,
    /// UID of the pod (`TASTER_POD_UID`). Without it, the holder of the lock is identified by a ULID of this process.
    pub uid: Option<String>,
    /// Namespace of the pod.
    pub namespace: Option<String>,
    /// Name of the Job (`TASTER_JOB`, from the label `batch.kubernetes.io/job-name`).
    pub job: Option<String>,
}

/// The connection to the API server. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) app: AppName,
    pub(crate) identity: ProcessIdentity,
}

impl Cluster {
    /// Connects with the pod's ServiceAccount, else with `$KUBECONFIG` or `~/.kube/config`. Makes no request yet.
    pub async fn connect(options: ClusterOptions) -> Result<Self, ClusterError> {
        let config = match Config::infer().await {
            Ok(config) => config,
            Err(error) => return Err(ClusterError::NoConfig { detail: error.to_string() }),
        };
        let ClusterOptions { namespace, app, identity } = options;
        let namespace =
            namespace.or_else(|| identity.namespace.clone()).unwrap_or_else(|| config.default_namespace.clone());
        Ok(Self { client: new_client(config)?, namespace, app, identity })
    }

    /// Uses an existing client.
    #[must_use]
    pub fn with_client(client: Client, namespace: &str, app: AppName, identity: ProcessIdentity) -> Self {
        Self { client, namespace: namespace.to_owned(), app, identity }
    }

    /// Namespace of the workloads.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The time of the API server's clock (the `Date` header of a response; whole seconds).
    pub async fn server_time(&self) -> Result<Timestamp, ClusterError> {
        let request = ApiRequest { verb: "get", resource: "/version", name: "", namespace: "" };
        let version = http::Request::get("/version").body(Body::empty()).expect("a constant request is valid");
        let response = request.send(self.client.send(version)).await?;
        let date = response.headers().get(http::header::DATE).and_then(|date| date.to_str().ok()).unwrap_or_default();
        rfc2822::parse(date).map(|date| date.timestamp()).map_err(|error| ClusterError::Rejected {
            verb: "get".to_owned(),
            resource: "the time".to_owned(),
            message: format!("invalid `Date` header `{date}`: {error}"),
        })
    }

    /// Namespace of this process's own pod, which may differ from that of the workloads.
    pub(crate) fn own_namespace(&self) -> &str {
        self.identity.namespace.as_deref().unwrap_or(&self.namespace)
    }

    /// Describes a request in the namespace of the workloads.
    pub(crate) fn request<'a>(&'a self, verb: &'static str, resource: &'a str, name: &'a str) -> ApiRequest<'a> {
        ApiRequest { verb, resource, name, namespace: &self.namespace }
    }
}

pub(crate) fn new_client(mut config: Config) -> Result<Client, ClusterError> {
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(REQUEST_TIMEOUT);
    config.write_timeout = Some(REQUEST_TIMEOUT);
    // otherwise the time that a connection was idle counts as reading
    config.reset_reader_on_write = true;
    // the caller retries: the holder of a lock must know how long a request takes at most
    config.default_retry = false;
    Client::try_from(config).map_err(|error| ClusterError::NoConfig { detail: error.to_string() })
}
