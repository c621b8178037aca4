//! Requests that are tried again: after a time-out, a reset, a server that is busy or broken, and after nothing else.

use std::time::Duration;

use reqwest::{Certificate, Method, RequestBuilder, Response, StatusCode, Url, header::RETRY_AFTER, redirect::Policy};
use serde_json::Value;
use taster_config::Notify;
use taster_text::{escape_hidden, truncate_chars};

use super::NotifyError;

/// How often something is tried.
const TRIES: u32 = 4;
/// The pause before the second try is random and at most this long; each later one may be twice as long.
const FIRST: Duration = Duration::from_millis(500);
/// A pause that the server asks for is kept up to this.
const LONGEST: Duration = Duration::from_secs(20);
/// Bytes of an answer.
const ANSWER: usize = 4 << 20;
/// Characters of what an answer says.
const SAID: usize = 200;

/// What sends.
pub(super) struct Client {
    http: reqwest::Client,
    /// What is sent and never shown: an answer may quote it.
    hidden: Vec<String>,
}

/// One try that failed.
pub(super) struct Failed {
    why: String,
    /// What is known once an answer came.
    status: Option<StatusCode>,
    /// What the answer said, if it said something that may be shown.
    said: String,
    /// When to try again, if there is any sense in it.
    again: Option<Duration>,
}

impl Client {
    pub(super) fn new(entry: &Notify) -> Result<Self, NotifyError> {
        // the one of everything else; whoever was first has installed it
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("taster/", env!("CARGO_PKG_VERSION")))
            .timeout(entry.timeout.get())
            .connect_timeout(entry.timeout.get())
            // what was meant for one is not for whoever it names: a token would go along
            .redirect(Policy::none())
            .referer(false);
        if let Some(path) = &entry.ca_file {
            let pem = std::fs::read(path).map_err(|error| NotifyError::certificates(path, &error))?;
            let bundle = Certificate::from_pem_bundle(&pem).map_err(|error| NotifyError::certificates(path, &error))?;
            if bundle.is_empty() {
                return Err(NotifyError::certificates(path, &"there is none in it"));
            }
            builder = builder.tls_certs_merge(bundle);
        }
        let http = builder
            .build()
            .map_err(|error| NotifyError::Client { what: "nothing can be sent".to_owned(), why: innermost(&error) })?;
        let github = entry.github.as_ref().map(|github| &github.token);
        let hidden = [entry.webhook.as_ref(), entry.secret.as_ref(), entry.bearer.as_ref(), github];
        Ok(Self { http, hidden: hidden.into_iter().flatten().map(|secret| secret.expose().to_owned()).collect() })
    }

    /// Sends, and takes any answer that is none of success for a failure.
    pub(super) async fn sent(&self, request: RequestBuilder) -> Result<Response, Failed> {
        let response = request.send().await.map_err(unsent)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let asked = asked.map(|seconds: u64| Duration::from_secs(seconds).min(LONGEST));
        // GitHub answers 403 to whoever asks too often, and says when to come back
        let busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
            || status.is_server_error()
            || (status == StatusCode::FORBIDDEN && asked.is_some());
        let said = match json(response).await {
            Ok(Value::Object(answer)) => answer.get("message").and_then(Value::as_str).map(str::to_owned),
            _ => None,
        };
        Err(Failed {
            why: status.to_string(),
            status: Some(status),
            said: said
                .map(|said| format!(": {}", truncate_chars(&escape_hidden(&self.discreet(said)), SAID)))
                .unwrap_or_default(),
            again: busy.then(|| asked.unwrap_or_default()),
        })
    }

    fn discreet(&self, said: String) -> String {
        self.hidden.iter().fold(said, |said, hidden| said.replace(hidden, "***"))
    }

    pub(super) fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.http.request(method, url)
    }
}

/// The answer, as far as anybody would read it.
pub(super) async fn json(mut response: Response) -> Result<Value, Failed> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unsent)? {
        if body.len() + chunk.len() > ANSWER {
            return Err(unreadable("the answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|_| unreadable("the answer is no JSON"))
}

fn unreadable(why: &str) -> Failed {
    Failed { why: why.to_owned(), status: None, said: String::new(), again: None }
}

#[expect(clippy::needless_pass_by_value, reason = "so that it fits `map_err`")]
fn unsent(error: reqwest::Error) -> Failed {
    let why = if error.is_timeout() { "no answer in time".to_owned() } else { innermost(&error) };
    Failed { why, status: None, said: String::new(), again: (!error.is_builder()).then_some(Duration::ZERO) }
}

/// The cause, without the address that the outer errors show.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    if cause.downcast_ref::<reqwest::Error>().is_some() {
        return "the request cannot be made".to_owned();
    }
    truncate_chars(&escape_hidden(&cause.to_string()), SAID)
}

/// Tries until it is done, makes no sense, or was tried often enough.
pub(super) async fn patiently<T>(
    action: &'static str,
    mut attempt: impl AsyncFnMut() -> Result<T, Failed>,
) -> Result<T, NotifyError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let failed = match attempt().await {
            Ok(done) => return Ok(done),
            Err(failed) => failed,
        };
        match (failed.again, failed.status) {
            (Some(asked), _) if tries < TRIES => {
                let pause = asked.max(jitter(FIRST * 2_u32.pow(tries - 1)));
                tracing::debug!("{action}: {}; again in {} ms", failed.why, pause.as_millis());
                tokio::time::sleep(pause).await;
            }
            (None, Some(status)) => {
                return Err(NotifyError::Refused { action, status: status.to_string(), said: failed.said });
            }
            _ => return Err(NotifyError::Away { action, tries, why: format!("{}{}", failed.why, failed.said) }),
        }
    }
}

impl Failed {
    /// Whether it was refused as something that must not be, or is not there.
    pub(super) fn is_denied(&self) -> bool {
        self.again.is_none() && matches!(self.status, Some(StatusCode::FORBIDDEN | StatusCode::NOT_FOUND))
    }
}

/// Anything up to a limit: many that failed at the same moment come back one by one.
fn jitter(limit: Duration) -> Duration {
    // without entropy all pauses are long, and nothing else is lost
    let share = getrandom::u32().map_or(1.0, |number| f64::from(number) / f64::from(u32::MAX));
    limit.mul_f64(share)
}

/// `webhook hooks.example.com`: of the rest of an address anything may be secret.
pub(super) fn host_of(address: &str) -> String {
    let host = Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned));
    format!("webhook {}", host.unwrap_or_else(|| "?".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_webhook_only_the_host_is_said() {
        assert_eq!(host_of("https://joe:pw@hooks.example.com:8443/T0/B0/secret?token=x"), "webhook hooks.example.com");
        assert_eq!(host_of("nonsense"), "webhook ?");
    }
}
