//! Settings of a store: its URL and how to reach it.

use std::{fmt, path::PathBuf, time::Duration};

/// A store's URL and how to reach it. A URL alone is enough: `Settings::from("file:///var/lib/taster")`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// `s3://bucket/prefix`, `file:///absolute`, `file://./relative` or a plain path.
    pub url: String,
    /// Only for `s3://`.
    pub s3: S3Settings,
}

impl<T: Into<String>> From<T> for Settings {
    fn from(url: T) -> Self {
        Self { url: url.into(), s3: S3Settings::default() }
    }
}

/// How to reach an S3 store. What is not set here comes from where the AWS tools take it: the environment, the profile, the
/// instance. So do credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Settings {
    /// `https://minio.example:9000`. Default: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, the profile's, else AWS itself.
    pub endpoint: Option<String>,
    /// Default: `AWS_REGION`, the profile's, the instance's; with an endpoint, `us-east-1`.
    pub region: Option<String>,
    /// Puts the bucket into the path, not into the host name. Default: true with an endpoint.
    pub path_style: Option<bool>,
    /// Trusted certificate authorities in PEM, in addition to the system's. Default: `AWS_CA_BUNDLE`.
    pub ca_file: Option<PathBuf>,
    /// How objects are encrypted. Default: the bucket's setting.
    pub encryption: Option<Encryption>,
    /// Whether the store must check the conditions of writes.
    pub conditional_writes: ConditionalWrites,
    /// How long to retry while the store is unreachable or answers with server errors. Default 2 min.
    pub retry_timeout: Option<Duration>,
    /// Fixed credentials. Default: those of the environment, the profile or the instance.
    pub access_key: Option<AccessKey>,
}

/// An access key. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How the server encrypts objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// With the server's own key: `AES256`.
    Aes256,
    /// With a key of the key management service.
    Kms {
        /// Id of the key. Default: the service's.
        key: Option<String>,
    },
}

/// Whether the store must refuse writes whose condition does not hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConditionalWrites {
    /// It must, and [`crate::Store::open_verified`] checks it.
    #[default]
    Required,
    /// It need not: Taster checks the condition before it writes, and two processes at once may overwrite each other.
    NotRequired,
}
