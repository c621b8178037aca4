//! The S3 client of the settings: endpoint, region, credentials, trusted certificates.

use std::{path::Path, time::Duration};

use aws_config::{
    BehaviorVersion, Region, environment::EnvironmentVariableRegionProvider, meta::region::RegionProviderChain,
    profile::ProfileFileRegionProvider, timeout::TimeoutConfig,
};
use aws_sdk_s3::{
    Client,
    config::{Credentials, ProvideCredentials, SharedCredentialsProvider, retry::RetryConfig},
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};

use super::failure;
use crate::{error::StoreError, settings::Settings};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one attempt of a request may take, the upload of a part included.
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(1);

/// The parts of `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    pub(super) bucket: String,
    /// Empty, or ending in `/`.
    pub(super) prefix: String,
}

impl Location {
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        let invalid = |what: String| StoreError::Settings { what };
        let rest = url.strip_prefix("s3://").unwrap_or_default();
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
        if !(3..=63).contains(&bucket.len()) || !bucket.to_ascii_lowercase().chars().all(is_allowed) {
            return Err(invalid(format!("invalid bucket name `{bucket}`")));
        }
        let prefix = prefix.trim_end_matches('/');
        let is_invalid = |part: &str| part.is_empty() || part.starts_with('.') || part.contains(['?', '#', '\\']);
        if !prefix.is_empty() && prefix.split('/').any(is_invalid) {
            return Err(invalid(format!(
                "invalid prefix `{prefix}`: no part may be empty, begin with a dot or contain `?`, `#` or `\\`"
            )));
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { bucket: bucket.to_owned(), prefix })
    }
}

/// Makes the client of `settings`. It loads the credentials at once, so that missing ones are reported as such and not as a
/// refused request.
pub(super) async fn connect(settings: &Settings) -> Result<Client, StoreError> {
    let s3 = &settings.s3;
    let ca_file = s3.ca_file.clone().or_else(|| std::env::var_os("AWS_CA_BUNDLE").map(Into::into));
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client(ca_file.as_deref())?)
        // `requests::send` retries: it knows what a lost answer to a write means
        .retry_config(RetryConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .build(),
        );
    if let Some(key) = &s3.access_key {
        let credentials = Credentials::new(&key.id, &key.secret, None, None, "settings");
        loader = loader.credentials_provider(SharedCredentialsProvider::new(credentials));
    }
    if let Some(endpoint) = &s3.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    let custom_endpoint =
        s3.endpoint.is_some() || ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].map(std::env::var_os) != [None, None];
    let region = RegionProviderChain::first_try(s3.region.clone().map(Region::new));
    if custom_endpoint {
        // stores other than AWS have one region and mostly ignore its name; there is no instance metadata to ask
        let known = region.or_else(EnvironmentVariableRegionProvider::new()).or_else(ProfileFileRegionProvider::new());
        loader = loader.region(known.or_else("us-east-1"));
    } else if s3.region.is_some() {
        loader = loader.region(region);
    }
    let config = loader.load().await;
    if config.region().is_none() {
        return Err(StoreError::Settings { what: "the region is unknown: set `s3.region` or AWS_REGION".to_owned() });
    }
    let Some(provider) = config.credentials_provider() else {
        return Err(StoreError::NoCredentials { why: "no provider is configured".to_owned() });
    };
    provider
        .provide_credentials()
        .await
        .map_err(|error| StoreError::NoCredentials { why: failure::error_chain(&error) })?;
    let path_style = s3.path_style.unwrap_or(custom_endpoint);
    Ok(Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(path_style).build()))
}

fn http_client(ca_file: Option<&Path>) -> Result<aws_sdk_s3::config::SharedHttpClient, StoreError> {
    let mut trusted = TrustStore::default();
    if let Some(path) = ca_file {
        let invalid = |what: &str| StoreError::Settings { what: format!("{}: {what}", path.display()) };
        let pem = std::fs::read(path).map_err(|error| invalid(&error.to_string()))?;
        if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
            return Err(invalid("the file holds no certificate in PEM format"));
        }
        trusted.add_pem_certificate(pem);
    }
    let context = TlsContext::builder()
        .with_trust_store(trusted)
        .build()
        .map_err(|error| StoreError::Settings { what: failure::error_chain(&error) })?;
    Ok(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context).build_https())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_bucket_and_an_optional_prefix() {
        let parsed = |url: &str| Location::parse(url).map(|l| (l.bucket, l.prefix));
        assert_eq!(parsed("s3://taster-results").unwrap(), ("taster-results".into(), String::new()));
        assert_eq!(parsed("s3://taster-results/").unwrap(), ("taster-results".into(), String::new()));
        assert_eq!(parsed("s3://results/stage/eu/").unwrap(), ("results".into(), "stage/eu/".into()));
        for invalid in
            ["s3://", "s3:///x", "s3://ab", "s3://a b/c", "s3://bucket/a//b", "s3://bucket/../x", "s3://bucket/a?b"]
        {
            assert!(parsed(invalid).is_err(), "{invalid}");
        }
    }
}
