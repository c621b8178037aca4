//! Checks the age of the data before they are captured: yesterday's copy proves nothing about today's upgrade.

use jiff::Timestamp;
use taster_cluster::{Cluster, ClusterError, young_enough};
use taster_config::{Config, Fresh, Newest, Source};
use taster_diagnostics::CliError;
use taster_model::{Coded, Severity};
use taster_query::Session;

use crate::{cluster::retry_while_unreachable, error::FlowError};

/// How long to retry while the API server is unreachable.
const API_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// Checks the age of every copy that `freshness` names. Returns their identities; none if one of them is unknown, because a
/// part of them would look like another copy.
pub(crate) async fn check_copies(config: &Config, cluster: &Cluster) -> Result<Vec<String>, CliError> {
    let mut identities = Some(Vec::new());
    for fresh in &config.fresh {
        let Source::Copy(source) = &fresh.source else { continue };
        let copied =
            retry_while_unreachable(API_TIMEOUT, async || cluster.copied(source, fresh.kubeconfig.as_ref()).await)
                .await;
        let young = copied.and_then(|copied| {
            let age = copied.age(fresh.max_age.get(), &setting(fresh)).map_err(ClusterError::from)?;
            Ok((copied, age))
        });
        match young {
            Ok((copied, age)) => {
                let notes = copied.notes.iter().fold(String::new(), |all, note| all + "; " + note);
                tracing::info!("data are {} old: {}{notes}", taster_text::duration(age), copied.identity);
                identities = identities.map(|mut all| {
                    all.push(copied.identity);
                    all
                });
            }
            Err(error) => {
                fail_or_warn(fresh, error)?;
                identities = None;
            }
        }
    }
    Ok(identities.unwrap_or_default())
}

/// The identities of the copies as they are now. Their age was checked before the sync.
pub(crate) async fn copy_identities(config: &Config, cluster: &Cluster) -> Vec<String> {
    let mut identities = Vec::new();
    for fresh in &config.fresh {
        let Source::Copy(source) = &fresh.source else { continue };
        match cluster.copied(source, fresh.kubeconfig.as_ref()).await {
            Ok(copied) => identities.push(copied.identity),
            Err(error) => {
                tracing::warn!("it is unknown which copy the data are: {error}");
                return Vec::new();
            }
        }
    }
    identities
}

/// Whether a `freshness` entry needs access to a cluster.
pub(crate) fn needs_cluster(config: &Config) -> bool {
    config.fresh.iter().any(|fresh| matches!(fresh.source, Source::Copy(_)))
}

/// Checks the age of the newest documents, by the API server's clock if there is a cluster, else by this machine's.
pub(crate) async fn check_newest_documents(
    config: &Config,
    session: &Session,
    cluster: Option<&Cluster>,
) -> Result<(), CliError> {
    for fresh in &config.fresh {
        let Source::Newest(newest) = &fresh.source else { continue };
        let now = match cluster {
            Some(cluster) => retry_while_unreachable(API_TIMEOUT, async || cluster.now().await).await?,
            None => Timestamp::now(),
        };
        match newest_time(newest, session).await {
            Ok(at) => match young_enough(at, now, fresh.max_age.get(), &setting(fresh), &fresh.source.to_string()) {
                Ok(age) => tracing::info!("data are {} old: {}", taster_text::duration(age), fresh.source),
                Err(error) => fail_or_warn(fresh, error)?,
            },
            Err(error) => fail_or_warn(fresh, error)?,
        }
    }
    Ok(())
}

async fn newest_time(newest: &Newest, session: &Session) -> Result<Timestamp, FlowError> {
    let Newest { collection, field } = newest;
    let (collection, field) = (collection.clone(), field.clone());
    match session.newest(&collection, &field).await {
        Ok(Some(found)) => {
            if !found.indexed {
                tracing::warn!("no index of `{collection}` is in the order of `{field}`: every document was read");
            }
            let none = |_| FlowError::NoNewest { collection, field };
            Timestamp::from_millisecond(found.millis).map_err(none)
        }
        Ok(None) => Err(FlowError::NoNewest { collection, field }),
        Err(failure) => Err(FlowError::NewestFailed { collection, field, failure: failure.to_string() }),
    }
}

fn setting(fresh: &Fresh) -> String {
    format!("fresh[{}].maxAge", fresh.source)
}

/// Fails or logs a warning, as `severity` says.
fn fail_or_warn<E: Coded + 'static>(fresh: &Fresh, error: E) -> Result<(), CliError> {
    match fresh.severity {
        Severity::Fail => Err(error.into()),
        Severity::Warn => {
            tracing::warn!("not fresh: {error}");
            Ok(())
        }
    }
}
