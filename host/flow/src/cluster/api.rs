//! Connecting to the Kubernetes API server, and retries while it is unreachable.

use std::time::{Duration, Instant};

use taster_cluster::{Cluster, ClusterError, ClusterOptions, ProcessIdentity};
use taster_config::Config;
use taster_retry::RetryPolicy;

/// The pod and Job that this process runs in, from the downward API. `HOSTNAME` is the pod's name only inside a pod.
fn own_identity() -> ProcessIdentity {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let in_pod = variable("KUBERNETES_SERVICE_HOST").is_some();
    ProcessIdentity {
        pod: variable("TASTER_POD").or_else(|| variable("HOSTNAME").filter(|_| in_pod)),
        uid: variable("TASTER_POD_UID"),
        namespace: variable("TASTER_NAMESPACE"),
        job: variable("TASTER_JOB"),
    }
}

/// Connects with the settings of the configuration.
pub(crate) async fn connect(config: &Config) -> Result<Cluster, ClusterError> {
    let namespace = config.cluster.as_ref().and_then(|cluster| cluster.namespace.clone());
    Cluster::connect(ClusterOptions { namespace, app: config.app.clone(), identity: own_identity() }).await
}

/// The pause between two attempts is random, and at most this long.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Repeats `request` while the API server is unreachable, for `timeout` after the first failure.
pub(crate) async fn retry_while_unreachable<T>(
    timeout: Duration,
    mut request: impl AsyncFnMut() -> Result<T, ClusterError>,
) -> Result<T, ClusterError> {
    let mut backoff = RetryPolicy::new(Duration::from_millis(500), MAX_PAUSE).start();
    loop {
        let error = match request().await {
            Err(error) if error.is_transient() => error,
            result => return result,
        };
        if backoff.failed_attempts() == 0 {
            // not counted from the start: a request such as that of the lock may have waited for long before it failed
            backoff.set_deadline(Instant::now() + timeout);
            tracing::warn!(timeout_s = timeout.as_secs(), %error, "the API server is unreachable; retrying");
        }
        if backoff.wait(Duration::ZERO).await.is_err() {
            return Err(error);
        }
    }
}
