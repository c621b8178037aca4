//! `notify`: the receivers of a verdict, and how each is reached.

use std::path::PathBuf;

use reqwest::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use taster_model::Verdict;

use super::{
    documents::Secret,
    error::{ConfigError, inconsistent},
    names::is_object_name,
    units::Period,
};

/// One receiver of the verdict: a webhook, or a commit on GitHub. Exactly one of `webhook` and `github`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NotificationTarget {
    /// The address that gets the verdict by POST: `https://hooks.example.com/taster`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Secret>,
    /// The key of the signature `X-Taster-Signature-256: sha256=…`, the HMAC-SHA-256 of the body in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// Sent as `Authorization: Bearer …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<Secret>,
    /// A commit status, and one comment on each open pull request with the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub github: Option<GitHub>,
    /// The verdicts to notify about. Default: all.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub on: Vec<Verdict>,
    /// How long one request may take. Default `10s`.
    #[serde(default = "timeout")]
    pub timeout: Period,
    /// A PEM file of certificate authorities to trust in addition to the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// A repository on GitHub, or on your own GitHub server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GitHub {
    /// `owner/name`.
    pub repository: String,
    /// A token that may write commit statuses and pull requests: `${GITHUB_TOKEN}`.
    pub token: Secret,
    /// The address of the API. Default `https://api.github.com`; your own server has it at `https://HOST/api/v3`.
    #[serde(default = "api")]
    pub api: String,
    /// Name of the status. Default: `taster/` and the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Whether to comment on pull requests. Default: `true`.
    #[serde(default = "yes")]
    pub comment: bool,
    /// The Application whose sync names the commit, if neither `--revision` nor `TASTER_REVISION` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<Application>,
}

/// An Application of Argo CD.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Its namespace. Default `argocd`.
    #[serde(default = "argocd")]
    pub namespace: String,
    /// Which of several sources, counted from 0. Default: the only one, else the first.
    #[serde(default)]
    pub source: usize,
    /// A kubeconfig of Argo CD's cluster. Default: the cluster that Taster runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<PathBuf>,
}

fn all() -> Vec<Verdict> {
    vec![Verdict::Same, Verdict::Different, Verdict::Unknown]
}

fn is_all(on: &[Verdict]) -> bool {
    *on == all()
}

fn timeout() -> Period {
    Period::from_secs(10)
}

fn api() -> String {
    "https://api.github.com".to_owned()
}

fn argocd() -> String {
    "argocd".to_owned()
}

fn yes() -> bool {
    true
}

/// Checks each entry.
pub(super) fn check(notify: &[NotificationTarget]) -> Result<(), ConfigError> {
    notify.iter().enumerate().try_for_each(|(index, entry)| entry.check(&format!("notify[{index}]")))
}

impl NotificationTarget {
    fn check(&self, at: &str) -> Result<(), ConfigError> {
        let Self { webhook, secret, bearer, github, on, .. } = self;
        if webhook.is_some() == github.is_some() {
            return Err(inconsistent(
                at,
                "an entry needs exactly one of `webhook` and `github`",
                "write two entries for both",
            ));
        }
        if on.is_empty() {
            return Err(inconsistent(
                format!("{at}.on"),
                "the list is empty: no verdict would be sent",
                "leave `on` out for every verdict",
            ));
        }
        for (key, value) in [("webhook", webhook), ("secret", secret), ("bearer", bearer)] {
            if let Some(value) = value {
                value.filled(&format!("{at}.{key}"))?;
            }
        }
        if let Some(webhook) = webhook {
            // the address is not shown: it is a secret, because knowing it is enough to send to it
            web(webhook.expose()).map_err(|what| {
                inconsistent(format!("{at}.webhook"), what, "write it as https://hooks.example.com/taster")
            })?;
        }
        let Some(github) = github else { return Ok(()) };
        if secret.is_some() || bearer.is_some() {
            return Err(inconsistent(at, "`secret` and `bearer` are for a webhook", "GitHub takes `github.token`"));
        }
        github.check(&format!("{at}.github"))
    }
}

impl GitHub {
    fn check(&self, at: &str) -> Result<(), ConfigError> {
        let part = |part: &str| {
            !part.is_empty()
                && part.len() <= 100
                && !part.chars().all(|c| c == '.')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        if !self.repository.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name)) {
            let message = format!("`{}` is no repository", self.repository);
            return Err(inconsistent(format!("{at}.repository"), message, "write it as owner/name"));
        }
        self.token.filled(&format!("{at}.token"))?;
        web(&self.api)
            .map_err(|what| inconsistent(format!("{at}.api"), what, "your own server has it at https://HOST/api/v3"))?;
        if let Some(application) = &self.application {
            for (key, name) in [("name", &application.name), ("namespace", &application.namespace)] {
                if !is_object_name(name) {
                    let message = format!("`{name}` is no name of an object");
                    return Err(inconsistent(
                        format!("{at}.application.{key}"),
                        message,
                        "as `kubectl get applications -A` has it",
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Checks that an address is an HTTP URL with a host. The error is the reason.
fn web(address: &str) -> Result<(), &'static str> {
    let url = Url::parse(address).map_err(|_| "it is no URL")?;
    match url.scheme() {
        "http" | "https" if url.host_str().is_some() => Ok(()),
        _ => Err("it is no address of the web"),
    }
}
