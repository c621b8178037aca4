//! The connection to the API server, and who this process is in the cluster.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};
use kube::{Client, Config, client::Body};
use taster_model::AppName;

use crate::{ClusterError, error::refused};

/// Who writes, in `managedFields` and Events.
pub(crate) const MANAGER: &str = "taster";
/// How long one request may take. A server that hangs is one that is away.
const REQUEST: Duration = Duration::from_secs(10);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

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
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) app: AppName,
    pub(crate) me: Me,
}

/// A request, spelled as a Role spells it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) verb: &'static str,
    /// `statefulsets/scale`.
    pub(crate) resource: &'a str,
    /// Empty where the request names none.
    pub(crate) name: &'a str,
    pub(crate) namespace: &'a str,
}

impl Asked<'_> {
    fn what(&self) -> String {
        if self.name.is_empty() { self.resource.to_owned() } else { format!("{} {}", self.resource, self.name) }
    }
}

impl Cluster {
    /// Connects with the pod's ServiceAccount, else with `$KUBECONFIG` or `~/.kube/config`. Nothing is asked yet.
    pub async fn connect(options: ClusterOptions) -> Result<Self, ClusterError> {
        let config = match Config::infer().await {
            Ok(config) => config,
            Err(error) => return Err(ClusterError::NoConfig { detail: error.to_string() }),
        };
        let ClusterOptions { namespace, app, me } = options;
        let namespace = namespace.or_else(|| me.namespace.clone()).unwrap_or_else(|| config.default_namespace.clone());
        Ok(Self { client: client(config)?, namespace, app, me })
    }

    /// With a client that is there already.
    #[must_use]
    pub fn with_client(client: Client, namespace: &str, app: AppName, me: Me) -> Self {
        Self { client, namespace: namespace.to_owned(), app, me }
    }

    /// Namespace of the workloads.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What time it is by the API server's clock (the `Date` of its answer; whole seconds).
    pub async fn now(&self) -> Result<Timestamp, ClusterError> {
        let asked = Asked { verb: "get", resource: "/version", name: "", namespace: "" };
        let request = http::Request::get("/version").body(Body::empty()).expect("a constant request is one");
        let answer = ask(asked, self.client.send(request)).await?;
        let date = answer.headers().get(http::header::DATE).and_then(|date| date.to_str().ok()).unwrap_or_default();
        rfc2822::parse(date).map(|date| date.timestamp()).map_err(|error| ClusterError::Refused {
            verb: "get".to_owned(),
            resource: "the time".to_owned(),
            message: format!("its answer is dated `{date}`: {error}"),
        })
    }

    pub(crate) fn asked<'a>(&'a self, verb: &'static str, resource: &'a str, name: &'a str) -> Asked<'a> {
        Asked { verb, resource, name, namespace: &self.namespace }
    }
}

pub(crate) fn client(mut config: Config) -> Result<Client, ClusterError> {
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(REQUEST);
    config.write_timeout = Some(REQUEST);
    // an idle connection's time counts otherwise
    config.reset_reader_on_write = true;
    // retries are decided here: whoever holds a lock must know how long a request takes
    config.default_retry = false;
    Client::try_from(config).map_err(|error| ClusterError::NoConfig { detail: error.to_string() })
}

/// Makes one request, within [`REQUEST`].
pub(crate) async fn ask<T>(
    asked: Asked<'_>,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ClusterError> {
    match tokio::time::timeout(REQUEST, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(refused(error, asked.verb, &asked.what(), asked.namespace)),
        Err(_) => Err(ClusterError::Unreachable { detail: format!("no answer within {} s", REQUEST.as_secs()) }),
    }
}

/// As [`ask`]; what is not there is `None`.
pub(crate) async fn ask_for<T>(
    asked: Asked<'_>,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<Option<T>, ClusterError> {
    match ask(asked, request).await {
        Ok(answer) => Ok(Some(answer)),
        Err(ClusterError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
