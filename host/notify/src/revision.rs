//! The commit that a verdict is about.

use taster_cluster::{Cluster, ClusterOptions, ProcessIdentity};
use taster_config::{Application, Config, GitHub};

use super::NotifyError;

/// The commit that the Application is syncing. Without a commit there is nothing to set a status on.
pub(super) async fn synced_commit(config: &Config, github: &GitHub) -> Result<String, NotifyError> {
    let Some(application) = &github.application else {
        let what = "no commit is known; set --revision, TASTER_REVISION or `github.application`";
        return Err(NotifyError::Skipped { what: what.to_owned() });
    };
    let Application { name, namespace, source, kubeconfig } = application;
    let options = ClusterOptions {
        namespace: Some(namespace.clone()),
        app: config.app.clone(),
        identity: ProcessIdentity::default(),
    };
    let cluster = Cluster::connect(options).await?;
    let revision = cluster.synced_revision(namespace, name, *source, kubeconfig.as_deref()).await?;
    match revision {
        Some(revision) if is_commit(&revision) => Ok(revision),
        Some(other) => Err(NotifyError::Skipped {
            what: format!("Application {namespace}/{name} syncs `{other}`, which is not a commit"),
        }),
        None => Err(NotifyError::Skipped {
            what: format!("Application {namespace}/{name} has no operation with a revision"),
        }),
    }
}

/// Whether the text is the full hash of a commit, and not a branch or the version of a chart.
#[must_use]
pub fn is_commit(revision: &str) -> bool {
    [40, 64].contains(&revision.len()) && revision.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
