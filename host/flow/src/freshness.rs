//! Checks the age of the data before they are captured: yesterday's copy proves nothing about today's upgrade.

use jiff::Timestamp;
use taster_cluster::{AgeLimit, Cluster, ClusterError, check_age};
use taster_config::{Config, FreshnessRule, FreshnessSource, Newest};
use taster_diagnostics::CliError;
use taster_model::{Diagnostic, Severity};
use taster_query::{Connection, Snapshot};

use crate::{cluster::retry_while_unreachable, error::FlowError};

/// How long to retry while the API server is unreachable.
const API_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// Checks the age of every copy that `freshness` names. Returns their identities; none if one of them is unknown, because a
/// part of them would look like another copy.
pub(crate) async fn check_copies(config: &Config, cluster: &Cluster) -> Result<Vec<String>, CliError> {
    let mut identities = Some(Vec::new());
    for rule in &config.freshness {
        let FreshnessSource::Copy(source) = &rule.source else { continue };
        let copied =
            retry_while_unreachable(API_TIMEOUT, async || cluster.last_copy(source, rule.kubeconfig.as_ref()).await)
                .await;
        let young = copied.and_then(|copied| {
            let setting = setting(rule);
            let limit = AgeLimit { max_age: rule.max_age.get(), setting: &setting };
            let age = copied.age(&limit).map_err(ClusterError::from)?;
            Ok((copied, age))
        });
        match young {
            Ok((copied, age)) => {
                let notes = (!copied.notes.is_empty()).then(|| copied.notes.join("; "));
                tracing::info!(age_s = age.as_secs(), copy = copied.identity, notes, "the data are fresh");
                identities = identities.map(|mut all| {
                    all.push(copied.identity);
                    all
                });
            }
            Err(error) => {
                fail_or_warn(rule, error)?;
                identities = None;
            }
        }
    }
    Ok(identities.unwrap_or_default())
}

/// The identities of the copies as they are now. Their age was checked before the sync.
pub(crate) async fn copy_identities(config: &Config, cluster: &Cluster) -> Vec<String> {
    let mut identities = Vec::new();
    for rule in &config.freshness {
        let FreshnessSource::Copy(source) = &rule.source else { continue };
        match cluster.last_copy(source, rule.kubeconfig.as_ref()).await {
            Ok(copied) => identities.push(copied.identity),
            Err(error) => {
                tracing::warn!(%error, "it is unknown which copy the data are");
                return Vec::new();
            }
        }
    }
    identities
}

/// Whether a `freshness` entry needs access to a cluster.
pub(crate) fn needs_cluster(config: &Config) -> bool {
    config.freshness.iter().any(|rule| matches!(rule.source, FreshnessSource::Copy(_)))
}

/// Checks the age of the newest documents, by the API server's clock if there is a cluster, else by this machine's.
pub(crate) async fn check_newest_documents(
    config: &Config,
    connection: &Connection,
    cluster: Option<&Cluster>,
) -> Result<(), CliError> {
    let snapshot = connection.initial_snapshot();
    for rule in &config.freshness {
        let FreshnessSource::Newest(newest) = &rule.source else { continue };
        let now = match cluster {
            Some(cluster) => retry_while_unreachable(API_TIMEOUT, async || cluster.server_time().await).await?,
            None => Timestamp::now(),
        };
        let setting = setting(rule);
        let limit = AgeLimit { max_age: rule.max_age.get(), setting: &setting };
        match newest_time(newest, &snapshot).await {
            Ok(at) => match check_age(at, now, &limit, &rule.source.to_string()) {
                Ok(age) => tracing::info!(age_s = age.as_secs(), source = %rule.source, "the data are fresh"),
                Err(error) => fail_or_warn(rule, error)?,
            },
            Err(error) => fail_or_warn(rule, error)?,
        }
    }
    Ok(())
}

async fn newest_time(newest: &Newest, snapshot: &Snapshot) -> Result<Timestamp, FlowError> {
    let Newest { collection, field } = newest;
    let (collection, field) = (collection.clone(), field.clone());
    match snapshot.newest_document(&collection, &field).await {
        Ok(Some(found)) => {
            if !found.indexed {
                tracing::warn!(collection, field, "no index starts with the field: every document was read");
            }
            let none = |_| FlowError::NoNewest { collection, field };
            Timestamp::from_millisecond(found.millis).map_err(none)
        }
        Ok(None) => Err(FlowError::NoNewest { collection, field }),
        Err(failure) => Err(FlowError::NewestFailed { collection, field, failure: failure.to_string() }),
    }
}

fn setting(rule: &FreshnessRule) -> String {
    format!("freshness[{}].maxAge", rule.source)
}

/// Fails or logs a warning, as `severity` says.
fn fail_or_warn<E: Diagnostic + 'static>(rule: &FreshnessRule, error: E) -> Result<(), CliError> {
    match rule.severity {
        Severity::Fail => Err(error.into()),
        Severity::Warn => {
            tracing::warn!(%error, "the data are not fresh");
            Ok(())
        }
    }
}
