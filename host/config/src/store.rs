//! How the store is reached, where a URL does not say it all.

use std::{num::NonZeroU32, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use taster_store::{ConditionalWrites, Encryption, S3Settings, Settings};

use super::{
    error::{ConfigError, inconsistent},
    units::Period,
};

/// How an S3 store is reached: for `store: s3://bucket/prefix`. Credentials come from where the AWS tools take them: the
/// environment, a profile, web identity, the instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct S3Section {
    /// `https://minio.example:9000`. Default: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, the profile's, else AWS itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Default: `AWS_REGION`, the profile's, the instance's; `us-east-1` where there is an endpoint and none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whether the bucket stands in the path, not in the host's name. Default: where an endpoint is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,
    /// Certificates of the authorities that are trusted, beside the system's, in PEM. Default: `AWS_CA_BUNDLE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// How the server encrypts objects. Default: as the bucket does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_side_encryption: Option<ServerSideEncryption>,
    /// The key of `aws:kms`. Default: the service's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// How long the store may be away, or answer with errors of its own, before that is the answer. Default `2m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_timeout: Option<Period>,
    /// Whether the store has to refuse writes whose condition does not hold (`If-None-Match`, `If-Match`).
    #[serde(default)]
    pub conditional_writes: ConditionalWritesRule,
}

/// How the server encrypts objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ServerSideEncryption {
    /// With a key of the server's own.
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
    /// It must refuse, and is asked to prove it before anything is scaled or read.
    #[default]
    Required,
    /// It need not. Taster looks before it writes, which is no guard against two at once.
    IAcceptThatResultsCanBeOverwritten,
}

/// Which runs `taster gc` may remove. With both limits a run goes when it is beyond both. Never removed are the standing
/// baseline, the newest complete run, what a kept run was judged against, and what is younger than an hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RetentionSection {
    /// So many of the newest runs stay, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<NonZeroU32>,
    /// Runs that are younger stay: `90d`.
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
