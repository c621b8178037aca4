//! The connection to the API server, and patience with one that is away.

use std::time::{Duration, Instant};

use taster_cluster::{Cluster, ClusterError, ClusterOptions, Me};
use taster_config::Config;
use tokio::time::sleep;

/// Who this process is: as the downward API says; `HOSTNAME` is the pod's name only in a pod.
fn me() -> Me {
    let of = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let in_pod = of("KUBERNETES_SERVICE_HOST").is_some();
    Me {
        pod: of("TASTER_POD").or_else(|| of("HOSTNAME").filter(|_| in_pod)),
        uid: of("TASTER_POD_UID"),
        namespace: of("TASTER_NAMESPACE"),
        job: of("TASTER_JOB"),
    }
}

/// Connects, with the configuration's words.
pub(crate) async fn connect(config: &Config) -> Result<Cluster, ClusterError> {
    let namespace = config.cluster.as_ref().and_then(|cluster| cluster.namespace.clone());
    Cluster::connect(ClusterOptions { namespace, app: config.app.clone(), me: me() }).await
}

/// Asks again while the API server is away, for so long.
pub(crate) async fn patiently<T>(
    patience: Duration,
    mut call: impl AsyncFnMut() -> Result<T, ClusterError>,
) -> Result<T, ClusterError> {
    // from the first failure on: a call may have waited for long before
    let mut since = None;
    loop {
        match call().await {
            Err(error) if error.is_passing() && since.is_none_or(|since: Instant| since.elapsed() < patience) => {
                if since.is_none() {
                    tracing::warn!("{error}; asking again for {} s", patience.as_secs());
                    since = Some(Instant::now());
                }
                sleep(Duration::from_secs(1)).await;
            }
            result => return result,
        }
    }
}
