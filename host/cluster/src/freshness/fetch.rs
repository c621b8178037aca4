//! Reads the last copy from the API server of this cluster or of another one.

use std::{path::PathBuf, time::Duration};

use jiff::Timestamp;
use kube::{Api, core::DynamicObject};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    age::{AgeLimit, check_age},
    source::{CopySource, CopySourceKind},
    status::CopyStatus,
    stork, volsync, volume_snapshot,
};
use crate::{
    connection::Cluster,
    error::{ClusterError, FreshnessError},
    kubeconfig::client_from_kubeconfig,
    request::ApiRequest,
};

/// The last copy that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastCopy {
    /// The time of the data: when copying them began.
    pub data_time: Timestamp,
    /// When it was read, by the clock of the API server that was asked: the controllers that wrote `data_time` run in the
    /// same cluster.
    pub read_at: Timestamp,
    /// Identifies the copy: `MigrationSchedule portworx/pxbbq Interval pxbbq-interval-2026…`.
    pub identity: String,
    /// What else the source reports: a running copy, that it is suspended.
    pub notes: Vec<String>,
}

impl LastCopy {
    /// The age of the data, by the clock of the cluster that was asked.
    ///
    /// # Errors
    /// The data are older than the limit, or from the future.
    pub fn age(&self, limit: &AgeLimit<'_>) -> Result<Duration, FreshnessError> {
        let found = std::iter::once(&self.identity).chain(&self.notes).map(String::as_str).collect::<Vec<_>>();
        check_age(self.data_time, self.read_at, limit, &found.join("; "))
    }
}

impl Cluster {
    /// Reads the last copy of a source. `kubeconfig` names the cluster of the source, where that is another one.
    ///
    /// # Errors
    /// The source does not exist, has never succeeded, or its last copy failed. Errors of another cluster name the
    /// kubeconfig.
    pub async fn last_copy(&self, source: &CopySource, kubeconfig: Option<&PathBuf>) -> Result<LastCopy, ClusterError> {
        let Some(file) = kubeconfig else { return self.last_copy_here(source).await };
        let client = client_from_kubeconfig(file).await?;
        let other = Self { client, namespace: source.namespace.clone(), ..self.clone() };
        other
            .last_copy_here(source)
            .await
            .map_err(|cause| ClusterError::OtherCluster { kubeconfig: file.clone(), cause: Box::new(cause) })
    }

    async fn last_copy_here(&self, source: &CopySource) -> Result<LastCopy, ClusterError> {
        let object = self.source_object(source).await?;
        let CopyStatus { data_time, copy_id, notes } = copy_status(object, source)?;
        let read_at = self.server_time().await?;
        Ok(LastCopy { data_time, read_at, identity: format!("{source} {copy_id}"), notes })
    }

    async fn source_object(&self, source: &CopySource) -> Result<Value, ClusterError> {
        let CopySource { kind, namespace, name } = source;
        let resource = kind.resource();
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &resource);
        match api.get(name).await {
            Ok(object) => serde_json::to_value(object).map_err(|error| invalid_object(source, &error).into()),
            // the response for an unknown path is plain text; for an object that does not exist it is a Status
            Err(kube::Error::Api(status)) if status.is_not_found() && status.details.is_some() => {
                Err(FreshnessError::SourceNotFound { source_name: source.to_string() }.into())
            }
            Err(kube::Error::Api(status)) if status.code == 404 => Err(FreshnessError::UnknownKind {
                kind: kind.as_str(),
                api_version: kind.api_version(),
                source_name: source.to_string(),
            }
            .into()),
            Err(error) => Err(ApiRequest { verb: "get", resource: &resource.plural, name, namespace }.error(error)),
        }
    }
}

fn copy_status(object: Value, source: &CopySource) -> Result<CopyStatus, FreshnessError> {
    let name = source.to_string();
    match source.kind {
        CopySourceKind::MigrationSchedule => stork::copy_status(&parse(object, source)?, &name),
        CopySourceKind::ReplicationDestination | CopySourceKind::ReplicationSource => {
            volsync::copy_status(&parse(object, source)?, &name)
        }
        CopySourceKind::VolumeSnapshot => volume_snapshot::copy_status(&parse(object, source)?, &name),
    }
}

fn parse<T: DeserializeOwned>(object: Value, source: &CopySource) -> Result<T, FreshnessError> {
    serde_json::from_value(object).map_err(|error| invalid_object(source, &error))
}

fn invalid_object(source: &CopySource, error: &serde_json::Error) -> FreshnessError {
    FreshnessError::InvalidObject { source_name: source.to_string(), detail: error.to_string() }
}
