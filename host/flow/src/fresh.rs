//! How old the data are, asked before they are tasted: a copy of yesterday proves nothing about today's upgrade.

use jiff::Timestamp;
use taster_cluster::{Cluster, ClusterError, young_enough};
use taster_config::{Config, Fresh, Newest, Source};
use taster_diagnostics::CliError;
use taster_model::{Coded, Severity};
use taster_query::Session;

use super::{FlowError, cluster::patiently};

/// How long an API server may be away before anything is changed.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Asks everybody who copies the data. Which copies they name; nothing where one of them cannot say, for a part would be
/// taken for another copy.
pub(super) async fn copies(config: &Config, cluster: &Cluster) -> Result<Vec<String>, CliError> {
    let mut identities = Some(Vec::new());
    for fresh in &config.fresh {
        let Source::Copy(source) = &fresh.source else { continue };
        let copied = patiently(PATIENCE, async || cluster.copied(source, fresh.kubeconfig.as_ref()).await).await;
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
                tell(fresh, error)?;
                identities = None;
            }
        }
    }
    Ok(identities.unwrap_or_default())
}

/// Which copies those who copy the data name now. Nobody is refused for their age: that was asked before the sync.
pub(super) async fn identities(config: &Config, cluster: &Cluster) -> Vec<String> {
    let mut identities = Vec::new();
    for fresh in &config.fresh {
        let Source::Copy(source) = &fresh.source else { continue };
        match cluster.copied(source, fresh.kubeconfig.as_ref()).await {
            Ok(copied) => identities.push(copied.identity),
            Err(error) => {
                tracing::warn!("nobody can say which copy the data are: {error}");
                return Vec::new();
            }
        }
    }
    identities
}

/// Whether anybody on a cluster is asked.
pub(super) fn asks_a_cluster(config: &Config) -> bool {
    config.fresh.iter().any(|fresh| matches!(fresh.source, Source::Copy(_)))
}

/// Asks for the newest documents. The clock is the API server's where there is one, else this machine's.
pub(super) async fn newest(config: &Config, session: &Session, cluster: Option<&Cluster>) -> Result<(), CliError> {
    for fresh in &config.fresh {
        let Source::Newest(newest) = &fresh.source else { continue };
        let now = match cluster {
            Some(cluster) => patiently(PATIENCE, async || cluster.now().await).await?,
            None => Timestamp::now(),
        };
        match of(newest, session).await {
            Ok(at) => match young_enough(at, now, fresh.max_age.get(), &setting(fresh), &fresh.source.to_string()) {
                Ok(age) => tracing::info!("data are {} old: {}", taster_text::duration(age), fresh.source),
                Err(error) => tell(fresh, error)?,
            },
            Err(error) => tell(fresh, error)?,
        }
    }
    Ok(())
}

async fn of(newest: &Newest, session: &Session) -> Result<Timestamp, FlowError> {
    let Newest { collection, field } = newest;
    let (collection, field) = (collection.clone(), field.clone());
    match session.newest(&collection, &field).await {
        Ok(Some(found)) => {
            if !found.indexed {
                tracing::warn!("no index of `{collection}` is in the order of `{field}`: every document was looked at");
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

/// Ends the command, or says so and goes on.
fn tell<E: Coded + 'static>(fresh: &Fresh, error: E) -> Result<(), CliError> {
    match fresh.severity {
        Severity::Fail => Err(error.into()),
        Severity::Warn => {
            tracing::warn!("not fresh: {error}");
            Ok(())
        }
    }
}
