//! HTTP requests, with retries after a timeout, a reset, or an answer of a busy or broken server, and after nothing else.

use std::time::Duration;

use reqwest::{Certificate, Method, RequestBuilder, Response, StatusCode, Url, header::RETRY_AFTER, redirect::Policy};
use serde_json::Value;
use taster_config::NotificationTarget;
use taster_retry::{Decision, RetryError, RetryPolicy, retry};
use taster_text::{escape_hidden, truncate_chars};

use super::NotifyError;

/// Up to four attempts, with pauses of at most 0.5 s, 1 s and 2 s.
const POLICY: RetryPolicy =
    RetryPolicy::new(Duration::from_millis(500), Duration::from_secs(4)).with_max_attempts(MAX_ATTEMPTS);
/// How often a request is made.
const MAX_ATTEMPTS: u32 = 4;
/// The longest pause that a server may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(20);
/// The most bytes of an answer.
const MAX_ANSWER_BYTES: usize = 4 << 20;
/// The most characters of a message in an answer.
const MAX_MESSAGE_CHARS: usize = 200;

/// An HTTP client for one entry of `notify`.
pub(super) struct Client {
    http: reqwest::Client,
    /// Secrets that are sent. They are redacted in answers, which may quote them.
    secrets: Vec<String>,
}

/// A request that failed.
pub(super) struct RequestFailure {
    why: String,
    /// The status, if there was an answer.
    status: Option<StatusCode>,
    /// The message of the answer, as `: Bad credentials`, or empty.
    message: String,
    /// How long to wait at least before another attempt; `None` if it would fail the same way.
    retry_after: Option<Duration>,
}

impl Client {
    pub(super) fn new(entry: &NotificationTarget) -> Result<Self, NotifyError> {
        // the same provider as everywhere; an error means that it is installed already
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("taster/", env!("CARGO_PKG_VERSION")))
            .timeout(entry.timeout.get())
            .connect_timeout(entry.timeout.get())
            // a redirect would send the token to another server
            .redirect(Policy::none())
            .referer(false);
        if let Some(path) = &entry.ca_file {
            let pem = std::fs::read(path).map_err(|error| NotifyError::certificates(path, &error))?;
            let bundle = Certificate::from_pem_bundle(&pem).map_err(|error| NotifyError::certificates(path, &error))?;
            if bundle.is_empty() {
                return Err(NotifyError::certificates(path, &"the file has no certificate"));
            }
            builder = builder.tls_certs_merge(bundle);
        }
        let http = builder.build().map_err(|error| NotifyError::Client {
            what: "no request can be sent".to_owned(),
            why: root_cause(&error),
        })?;
        let github = entry.github.as_ref().map(|github| &github.token);
        let secrets = [entry.webhook.as_ref(), entry.secret.as_ref(), entry.bearer.as_ref(), github];
        Ok(Self { http, secrets: secrets.into_iter().flatten().map(|secret| secret.expose().to_owned()).collect() })
    }

    /// Sends a request. Any answer but success is a failure.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, RequestFailure> {
        let response = request.send().await.map_err(send_error)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let asked = asked.map(|seconds: u64| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
        // GitHub answers 403 to too many requests, with the time to wait
        let busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
            || status.is_server_error()
            || (status == StatusCode::FORBIDDEN && asked.is_some());
        let message = match json(response).await {
            Ok(Value::Object(answer)) => answer.get("message").and_then(Value::as_str).map(str::to_owned),
            _ => None,
        };
        Err(RequestFailure {
            why: status.to_string(),
            status: Some(status),
            message: message
                .map(|text| format!(": {}", truncate_chars(&escape_hidden(&self.redact(text)), MAX_MESSAGE_CHARS)))
                .unwrap_or_default(),
            retry_after: busy.then(|| asked.unwrap_or_default()),
        })
    }

    fn redact(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| text.replace(secret, "***"))
    }

    pub(super) fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.http.request(method, url)
    }
}

/// The answer as JSON. It may have at most [`MAX_ANSWER_BYTES`].
pub(super) async fn json(mut response: Response) -> Result<Value, RequestFailure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(send_error)? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(unreadable("the answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|_| unreadable("the answer is not JSON"))
}

fn unreadable(why: &str) -> RequestFailure {
    RequestFailure { why: why.to_owned(), status: None, message: String::new(), retry_after: None }
}

#[expect(clippy::needless_pass_by_value, reason = "so that it fits `map_err`")]
fn send_error(error: reqwest::Error) -> RequestFailure {
    let why = if error.is_timeout() { "no answer in time".to_owned() } else { root_cause(&error) };
    RequestFailure {
        why,
        status: None,
        message: String::new(),
        retry_after: (!error.is_builder()).then_some(Duration::ZERO),
    }
}

/// The innermost cause: the outer errors show the address, which may be secret.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    if cause.downcast_ref::<reqwest::Error>().is_some() {
        return "the request cannot be made".to_owned();
    }
    truncate_chars(&escape_hidden(&cause.to_string()), MAX_MESSAGE_CHARS)
}

/// Repeats a request while its failure may pass by itself, up to [`MAX_ATTEMPTS`] times.
pub(super) async fn with_retries<T>(
    action: &'static str,
    request: impl AsyncFnMut() -> Result<T, RequestFailure>,
) -> Result<T, NotifyError> {
    let mut attempts = 0;
    let decide = |failure: &RequestFailure| {
        attempts += 1;
        match failure.retry_after {
            Some(at_least) => {
                tracing::debug!(action, attempts, why = failure.why, "a request failed; retrying");
                Decision::RetryAfter(at_least)
            }
            None => Decision::Fail,
        }
    };
    let RetryError { error, exhausted } = match retry(POLICY, request, decide).await {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    match (exhausted, error.status) {
        (None, Some(status)) => {
            Err(NotifyError::Refused { action, status: status.to_string(), message: error.message })
        }
        _ => {
            let why = format!("{}{}", error.why, error.message);
            Err(NotifyError::Unreachable { action, tries: attempts, why })
        }
    }
}

impl RequestFailure {
    /// Whether the server denied the request: forbidden or not found.
    pub(super) fn is_denied(&self) -> bool {
        self.retry_after.is_none() && matches!(self.status, Some(StatusCode::FORBIDDEN | StatusCode::NOT_FOUND))
    }
}

/// `webhook hooks.example.com`: the rest of an address may be secret.
pub(super) fn host_of(address: &str) -> String {
    let host = Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned));
    format!("webhook {}", host.unwrap_or_else(|| "?".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_of_a_webhook_is_shown() {
        assert_eq!(host_of("https://joe:pw@hooks.example.com:8443/T0/B0/secret?token=x"), "webhook hooks.example.com");
        assert_eq!(host_of("nonsense"), "webhook ?");
    }
}
