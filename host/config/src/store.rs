//! Settings of the store that its URL does not contain.

use std::{num::NonZeroU32, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use taster_store::{ConditionalWrites, Encryption, S3Settings, Settings};

use super::{
    error::{ConfigError, inconsistent},
    units::Period,
};

/// Settings of an S3 store, for `store: s3://bucket/prefix`. Credentials come from where the AWS tools take them: the
/// environment, a profile, web identity, the instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct S3Section {
    /// The address of the server, `https://minio.example:9000`. Default: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, the
    /// profile's, else AWS itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The region. Default: `AWS_REGION`, the profile's, the instance's; with an `endpoint`, `us-east-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whether the bucket is part of the path instead of the host name. Default: `true` with an `endpoint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,
    /// A PEM file of certificate authorities to trust in addition to the system's. Default: `AWS_CA_BUNDLE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// How the server encrypts objects. Default: the bucket's own setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_side_encryption: Option<ServerSideEncryption>,
    /// The key for `aws:kms`. Default: the service's own key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// How long to retry while the store is unreachable or answers with server errors. Default `2m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_timeout: Option<Period>,
    /// Whether the store must refuse writes whose condition does not hold (`If-None-Match`, `If-Match`).
    #[serde(default)]
    pub conditional_writes: ConditionalWritesRule,
}

/// How the server encrypts objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ServerSideEncryption {
    /// With the server's own key.
    #[serde(rename = "AES256")]
    Aes256,
    /// With a key of the key management service.
    #[serde(rename = "aws:kms")]
    Kms,
}

/// What is asked of the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConditionalWritesRule {
    /// It must refuse. Taster tests that before it scales or reads anything.
    #[default]
    Required,
    /// It need not. Taster checks before it writes, which does not protect against two writers at the same time.
    IAcceptThatResultsCanBeOverwritten,
}

/// Which runs `taster gc` may remove. With both limits a run is removed when it is beyond both. Never removed are the open
/// baseline, the newest complete run, what a kept run was compared with, and what is younger than an hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RetentionSection {
    /// How many of the newest runs are kept, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<NonZeroU32>,
    /// Younger runs are kept: `90d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Period>,
}

impl S3Section {
    /// The settings of the store at `url`.
    pub(super) fn settings(&self, url: &str) -> Settings {
        let S3Section {
            endpoint,
            region,
            path_style,
            ca_file,
            server_side_encryption,
            kms_key_id,
            retry_timeout,
            conditional_writes,
        } = self.clone();
        let retry_timeout = retry_timeout.map(Period::get);
        let encryption = server_side_encryption.map(|kind| match kind {
            ServerSideEncryption::Aes256 => Encryption::Aes256,
            ServerSideEncryption::Kms => Encryption::Kms { key: kms_key_id },
        });
        let conditional_writes = match conditional_writes {
            ConditionalWritesRule::Required => ConditionalWrites::Required,
            ConditionalWritesRule::IAcceptThatResultsCanBeOverwritten => ConditionalWrites::NotRequired,
        };
        let s3 = S3Settings {
            endpoint,
            region,
            path_style,
            ca_file,
            encryption,
            conditional_writes,
            retry_timeout,
            access_key: None,
        };
        Settings { url: url.to_owned(), s3 }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let S3Section { endpoint, server_side_encryption, kms_key_id, .. } = self;
        if let Some(endpoint) = endpoint
            && !["http://", "https://"].iter().any(|scheme| endpoint.starts_with(scheme))
        {
            return Err(inconsistent("s3.endpoint", format!("`{endpoint}` is no URL"), "https://host:port"));
        }
        if kms_key_id.is_some() && *server_side_encryption != Some(ServerSideEncryption::Kms) {
            let help = "add `serverSideEncryption: aws:kms`, or leave the key out";
            return Err(inconsistent("s3.kmsKeyId", "the key is for `aws:kms`, which is not asked for", help));
        }
        Ok(())
    }
}
