//! Asks the API server, this cluster's or another one's, for the object.

use std::path::{Path, PathBuf};

use kube::{
    Api, Client, Config,
    api::ApiResource,
    config::{KubeConfigOptions, Kubeconfig},
    core::{DynamicObject, GroupVersionKind},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Copied, CopySource, FreshError, Told, snapshot, stork, volsync};
use crate::{Cluster, ClusterError, error::refused};

impl Cluster {
    /// Asks a source. `kubeconfig` names the cluster it is in, where that is another one.
    ///
    /// # Errors
    /// The source is missing, has never succeeded, or its last try failed; the other cluster's errors name the file.
    pub async fn copied(&self, source: &CopySource, kubeconfig: Option<&PathBuf>) -> Result<Copied, ClusterError> {
        let Some(file) = kubeconfig else { return self.copied_here(source).await };
        let client = connect(file).await?;
        let other = Self { client, namespace: source.place().0.to_owned(), ..self.clone() };
        other
            .copied_here(source)
            .await
            .map_err(|cause| ClusterError::Fresh(FreshError::Elsewhere { file: file.clone(), cause: Box::new(cause) }))
    }

    async fn copied_here(&self, source: &CopySource) -> Result<Copied, ClusterError> {
        let object = self.source_object(source).await?;
        let told = told(object, source)?;
        let asked = self.now().await?;
        Ok(Copied { at: told.at, asked, identity: format!("{source} {}", told.which), notes: told.notes })
    }

    async fn source_object(&self, source: &CopySource) -> Result<Value, ClusterError> {
        let (resource, api_version) = resource(source);
        let (namespace, name) = source.place();
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &resource);
        match api.get(name).await {
            Ok(object) => serde_json::to_value(object).map_err(|error| unreadable(source, &error).into()),
            // the answer for a path that leads nowhere is plain text; that for an object that is not there is a Status
            Err(kube::Error::Api(status)) if status.is_not_found() && status.details.is_some() => {
                Err(FreshError::Missing { source_name: source.to_string() }.into())
            }
            Err(kube::Error::Api(status)) if status.code == 404 => {
                Err(FreshError::UnknownKind { kind: source.kind(), api_version, source_name: source.to_string() }
                    .into())
            }
            Err(error) => Err(refused(error, "get", &format!("{} {name}", resource.plural), namespace)),
        }
    }
}

fn told(object: Value, source: &CopySource) -> Result<Told, FreshError> {
    let name = source.to_string();
    match source {
        CopySource::MigrationSchedule { .. } => stork::told(&parse(object, source)?, &name),
        CopySource::ReplicationDestination { .. } | CopySource::ReplicationSource { .. } => {
            volsync::told(&parse(object, source)?, &name)
        }
        CopySource::VolumeSnapshot { .. } => snapshot::told(&parse(object, source)?, &name),
    }
}

fn parse<T: DeserializeOwned>(object: Value, source: &CopySource) -> Result<T, FreshError> {
    serde_json::from_value(object).map_err(|error| unreadable(source, &error))
}

fn unreadable(source: &CopySource, error: &serde_json::Error) -> FreshError {
    FreshError::Unreadable { source_name: source.to_string(), detail: error.to_string() }
}

fn resource(source: &CopySource) -> (ApiResource, &'static str) {
    let (group, version, plural, api_version) = match source {
        CopySource::MigrationSchedule { .. } => {
            ("stork.libopenstorage.org", "v1alpha1", "migrationschedules", "stork.libopenstorage.org/v1alpha1")
        }
        CopySource::ReplicationDestination { .. } => {
            ("volsync.backube", "v1alpha1", "replicationdestinations", "volsync.backube/v1alpha1")
        }
        CopySource::ReplicationSource { .. } => {
            ("volsync.backube", "v1alpha1", "replicationsources", "volsync.backube/v1alpha1")
        }
        CopySource::VolumeSnapshot { .. } => {
            ("snapshot.storage.k8s.io", "v1", "volumesnapshots", "snapshot.storage.k8s.io/v1")
        }
    };
    let kind = GroupVersionKind::gvk(group, version, source.kind());
    (ApiResource::from_gvk_with_plural(&kind, plural), api_version)
}

/// A client of the cluster that a kubeconfig names.
pub(crate) async fn connect(file: &Path) -> Result<Client, FreshError> {
    let unusable =
        |error: &dyn std::fmt::Display| FreshError::Kubeconfig { file: file.to_owned(), detail: error.to_string() };
    let kubeconfig = Kubeconfig::read_from(file).map_err(|error| unusable(&error))?;
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| unusable(&error))?;
    crate::cluster::client(config).map_err(|error| unusable(&error))
}
