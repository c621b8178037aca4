//! Which store, and how it is reached.

use std::{fmt, path::PathBuf, time::Duration};

/// Which store, and how it is reached. A URL alone is enough: `Settings::from("file:///var/lib/taster")`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// `s3://bucket/prefix`, `file:///absolute`, `file://./relative` or a plain path.
    pub url: String,
    /// For `s3://` alone.
    pub s3: S3Settings,
}

impl<T: Into<String>> From<T> for Settings {
    fn from(url: T) -> Self {
        Self { url: url.into(), s3: S3Settings::default() }
    }
}

/// How an S3 store is reached. What is not said comes from where the AWS tools take it: the environment, the profile, the
/// instance. Credentials come from there alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Settings {
    /// `https://minio.example:9000`. Default: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, the profile's, else AWS itself.
    pub endpoint: Option<String>,
    /// Default: `AWS_REGION`, the profile's, the instance's; `us-east-1` where there is an endpoint and none is named.
    pub region: Option<String>,
    /// The bucket in the path, not in the host's name. Default: where an endpoint is named.
    pub path_style: Option<bool>,
    /// Certificates of the authorities that are trusted, beside the system's, in PEM. Default: `AWS_CA_BUNDLE`.
    pub ca_file: Option<PathBuf>,
    /// How objects are encrypted. Default: as the bucket does it.
    pub encryption: Option<Encryption>,
    /// What is asked of the store.
    pub conditional_writes: ConditionalWrites,
    /// How long it may be away, or answer with errors of its own, before that is the answer. Default 2 min.
    pub patience: Option<Duration>,
    /// Who asks. Default: whoever the environment, the profile or the instance says.
    pub keys: Option<Keys>,
}

/// An access key. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// Which one.
    pub id: String,
    /// What proves it.
    pub secret: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How the server encrypts objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// With a key of the server's own: `AES256`.
    Aes256,
    /// With a key of the key management service.
    Kms {
        /// Which one. Default: the service's.
        key: Option<String>,
    },
}

/// Whether the store has to refuse writes whose condition does not hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConditionalWrites {
    /// It must, and is asked to prove it.
    #[default]
    Required,
    /// It need not: Taster looks before it writes, and two at once may overwrite each other.
    Unproven,
}
