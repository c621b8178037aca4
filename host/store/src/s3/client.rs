//! From settings to a client: where the bucket is, who asks, whom is trusted.

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

use super::words;
use crate::{Settings, StoreError};

/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a request may take to be answered. A part of an upload goes out in it.
const ATTEMPT: Duration = Duration::from_mins(1);

/// `s3://bucket/prefix`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) bucket: String,
    /// Empty, or ending in `/`.
    pub(super) prefix: String,
}

impl Location {
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let wrong = |what: String| StoreError::Settings { what };
        let rest = url.strip_prefix("s3://").unwrap_or_default();
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
        if !(3..=63).contains(&bucket.len()) || !bucket.to_ascii_lowercase().chars().all(fits) {
            return Err(wrong(format!("`{bucket}` is no name of a bucket")));
        }
        let prefix = prefix.trim_end_matches('/');
        let broken = |part: &str| part.is_empty() || part.starts_with('.') || part.contains(['?', '#', '\\']);
        if !prefix.is_empty() && prefix.split('/').any(broken) {
            return Err(wrong(format!(
                "`{prefix}` is no prefix: its parts are names, without `?`, `#` and leading dots"
            )));
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { bucket: bucket.to_owned(), prefix })
    }
}

/// The client of `settings`. Credentials are asked for now, so that their lack is told as what it is.
pub(super) async fn connect(settings: &Settings) -> Result<Client, StoreError> {
    let s3 = &settings.s3;
    let ca_file = s3.ca_file.clone().or_else(|| std::env::var_os("AWS_CA_BUNDLE").map(Into::into));
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client(ca_file.as_deref())?)
        // what is tried again, and how often, is decided where it is known what a lost answer means
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build());
    if let Some(keys) = &s3.keys {
        let keys = Credentials::new(&keys.id, &keys.secret, None, None, "settings");
        loader = loader.credentials_provider(SharedCredentialsProvider::new(keys));
    }
    if let Some(endpoint) = &s3.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    let elsewhere =
        s3.endpoint.is_some() || ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].map(std::env::var_os) != [None, None];
    let region = RegionProviderChain::first_try(s3.region.clone().map(Region::new));
    if elsewhere {
        // others than AWS have one region, mostly do not care what it is called, and there is no instance to be asked
        let known = region.or_else(EnvironmentVariableRegionProvider::new()).or_else(ProfileFileRegionProvider::new());
        loader = loader.region(known.or_else("us-east-1"));
    } else if s3.region.is_some() {
        loader = loader.region(region);
    }
    let config = loader.load().await;
    if config.region().is_none() {
        return Err(StoreError::Settings { what: "no region is known: set `s3.region` or AWS_REGION".to_owned() });
    }
    let Some(provider) = config.credentials_provider() else {
        return Err(StoreError::NoCredentials { why: "nothing provides them".to_owned() });
    };
    provider.provide_credentials().await.map_err(|error| StoreError::NoCredentials { why: words::chain(&error) })?;
    let path_style = s3.path_style.unwrap_or(elsewhere);
    Ok(Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(path_style).build()))
}

fn http_client(ca_file: Option<&Path>) -> Result<aws_sdk_s3::config::SharedHttpClient, StoreError> {
    let mut trusted = TrustStore::default();
    if let Some(path) = ca_file {
        let wrong = |what: &str| StoreError::Settings { what: format!("{}: {what}", path.display()) };
        let pem = std::fs::read(path).map_err(|error| wrong(&error.to_string()))?;
        if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
            return Err(wrong("there is no certificate in it; PEM is expected"));
        }
        trusted.add_pem_certificate(pem);
    }
    let context = TlsContext::builder()
        .with_trust_store(trusted)
        .build()
        .map_err(|error| StoreError::Settings { what: words::chain(&error) })?;
    Ok(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context).build_https())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_bucket_and_perhaps_a_prefix() {
        let of = |url: &str| Location::parse(url).map(|l| (l.bucket, l.prefix));
        assert_eq!(of("s3://taster-results").unwrap(), ("taster-results".into(), String::new()));
        assert_eq!(of("s3://taster-results/").unwrap(), ("taster-results".into(), String::new()));
        assert_eq!(of("s3://results/stage/eu/").unwrap(), ("results".into(), "stage/eu/".into()));
        for wrong in
            ["s3://", "s3:///x", "s3://ab", "s3://a b/c", "s3://bucket/a//b", "s3://bucket/../x", "s3://bucket/a?b"]
        {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
