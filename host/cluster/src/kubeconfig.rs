//! A client for the cluster that a kubeconfig names.

use std::path::Path;

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use crate::{connection::new_client, error::FreshnessError};

/// A client for the cluster that a kubeconfig names.
pub(crate) async fn client_from_kubeconfig(file: &Path) -> Result<Client, FreshnessError> {
    let unusable =
        |error: &dyn std::fmt::Display| FreshnessError::Kubeconfig { file: file.to_owned(), detail: error.to_string() };
    let kubeconfig = Kubeconfig::read_from(file).map_err(|error| unusable(&error))?;
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| unusable(&error))?;
    new_client(config).map_err(|error| unusable(&error))
}
