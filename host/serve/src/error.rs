//! Errors of requests: one kind of body, whose verdict is `unknown`, with a code and what to do.

use std::{any::Any, time::Duration};

use axum::{
    Json,
    http::{
        HeaderName, HeaderValue, StatusCode, Uri,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use taster_flow::FlowError;
use taster_model::{AppName, Diagnostic, RunId};
use taster_store::StoreError;
use taster_text::{escape_hidden, exact_duration, grouped, truncate_chars};

use crate::response::{ErrorDetails, VerdictResponse};

/// Characters of a message: it may quote the request.
const MAX_MESSAGE: usize = 400;
/// Seconds after which the client may retry.
const RETRY_AFTER_SECONDS: &str = "1";

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// The request is malformed.
    #[error("{0}")]
    Bad(String),
    /// The token is missing or invalid.
    #[error("missing or invalid bearer token")]
    Unauthorised,
    /// The path is unknown.
    #[error("no such path: {0}")]
    NoSuchPath(String),
    /// The path does not support the method.
    #[error("method not allowed; the `Allow` header lists the methods of this path")]
    WrongMethod,
    /// The body is too large.
    #[error("the body is larger than {} bytes", grouped(*most as u64))]
    TooLarge {
        /// The limit.
        most: usize,
    },
    /// The address is too long.
    #[error("the address has {} bytes; the limit is {}", grouped(*length as u64), grouped(*most as u64))]
    TooLong {
        /// How many.
        length: usize,
        /// The limit.
        most: usize,
    },
    /// The headers are too long.
    #[error("the headers have {} bytes; the limit is {}", grouped(*length as u64), grouped(*most as u64))]
    LongHeaders {
        /// How many.
        length: usize,
        /// The limit.
        most: usize,
    },
    /// The body has an unsupported type.
    #[error("unsupported content type `{0}`")]
    WrongType(String),
    /// The `Host` is not this machine, and no token is required.
    #[error("this server only answers requests for localhost; the request is for host `{0}`")]
    Misdirected(String),
    /// Too many requests at the same time.
    #[error("too many requests: {} are in progress, the limit of --max-requests", grouped(*most as u64))]
    Busy {
        /// The limit.
        most: usize,
    },
    /// The request took too long.
    #[error("the request took longer than {}, the limit of --request-timeout", exact_duration(*limit))]
    Slow {
        /// The limit.
        limit: Duration,
    },
    /// A handler panicked.
    #[error("internal error; see the log of the server")]
    Panicked,
    /// The store cannot be reached. The cause is only logged, because `/readyz` requires no token.
    #[error("the store cannot be reached")]
    NotReady,
    /// The app has no runs.
    #[error("app `{app}` has no runs in the store")]
    NoApp {
        /// As asked.
        app: AppName,
    },
    /// The run does not exist.
    #[error("app `{app}` has no run `{run}`")]
    NoRun {
        /// The app.
        app: AppName,
        /// As asked.
        run: RunId,
    },
    /// The run has no verdict.
    #[error("run `{run}` of app `{app}` has no verdict")]
    NoVerdict {
        /// The app.
        app: AppName,
        /// The run.
        run: RunId,
    },
    /// The verdict cannot be determined.
    #[error("{0}")]
    Unknown(String),
    /// The store failed, or a stored object is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RequestError {
    /// The status of the response.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorised => StatusCode::UNAUTHORIZED,
            Self::NoSuchPath(_) | Self::NoApp { .. } | Self::NoRun { .. } | Self::NoVerdict { .. } => {
                StatusCode::NOT_FOUND
            }
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::LongHeaders { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::WrongType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Misdirected(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::Busy { .. } | Self::Slow { .. } | Self::NotReady => StatusCode::SERVICE_UNAVAILABLE,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unknown(_) => StatusCode::CONFLICT,
            Self::Store(error) => {
                if is_damage(error) {
                    StatusCode::CONFLICT
                } else {
                    StatusCode::SERVICE_UNAVAILABLE
                }
            }
        }
    }

    /// Headers of the response.
    pub(super) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let header = |name, value| (name, HeaderValue::from_static(value));
        match self.status() {
            // programs use the first scheme, browsers ask for the password of the second
            StatusCode::UNAUTHORIZED => vec![
                header(WWW_AUTHENTICATE, r#"Bearer realm="taster""#),
                header(WWW_AUTHENTICATE, r#"Basic realm="taster", charset="UTF-8""#),
            ],
            StatusCode::SERVICE_UNAVAILABLE => vec![header(RETRY_AFTER, RETRY_AFTER_SECONDS)],
            _ => Vec::new(),
        }
    }

    /// The error on one line, without credentials and control characters.
    pub(super) fn message(&self) -> String {
        truncate_chars(&escape_hidden(&taster_text::redact_credentials(&self.to_string())), MAX_MESSAGE)
    }
}

/// Whether a stored object is damaged or has vanished.
pub(super) fn is_damage(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Damaged { .. }
            | StoreError::Misplaced { .. }
            | StoreError::Missing { .. }
            | StoreError::Unlisted { .. }
            | StoreError::Census { .. }
    )
}

impl Diagnostic for RequestError {
    fn code(&self) -> &'static str {
        match self {
            Self::Bad(_) => "T0643",
            Self::Unauthorised => "T0644",
            Self::NoSuchPath(_) | Self::WrongMethod => "T0645",
            Self::TooLarge { .. } | Self::TooLong { .. } | Self::LongHeaders { .. } => "T0646",
            Self::WrongType(_) => "T0647",
            Self::Misdirected(_) => "T0648",
            Self::Busy { .. } => "T0649",
            Self::Slow { .. } => "T0660",
            Self::Panicked => "T0661",
            Self::NoApp { .. } | Self::NoRun { .. } => "T0662",
            Self::NoVerdict { .. } => "T0663",
            Self::Unknown(_) => "T0664",
            Self::NotReady => "T0665",
            Self::Store(error) => error.code(),
        }
    }

    fn help(&self) -> Option<String> {
        Some(
            match self {
                Self::Bad(_) | Self::NoSuchPath(_) | Self::WrongMethod => "/openapi.json describes the API",
                Self::Unauthorised => "send `Authorization: Bearer TOKEN`, or the token as the password of HTTP Basic",
                Self::TooLarge { .. } | Self::TooLong { .. } | Self::LongHeaders { .. } => {
                    "the limit is fixed; no valid request needs more"
                }
                Self::WrongType(_) => "send `application/json`, a form, or query parameters",
                Self::Misdirected(_) => {
                    "address the server as localhost, or start it with --token-file or --allow-anonymous"
                }
                Self::Busy { .. } => "retry in a moment, or raise --max-requests",
                Self::Slow { .. } => "retry, or raise --request-timeout if the store is slow",
                Self::NotReady => "the log of the server has the cause",
                Self::Panicked => "report it with the log lines",
                Self::NoApp { .. } | Self::NoRun { .. } => "`taster runs` lists the runs; check --store",
                Self::NoVerdict { .. } => "`taster post` judges the run",
                Self::Unknown(_) => "name the run with run=, or run `taster pre` and `taster post` again",
                Self::Store(error) => return error.help(),
            }
            .to_owned(),
        )
    }
}

impl RequestError {
    /// The body of the response.
    pub(super) fn body(&self) -> VerdictResponse {
        VerdictResponse::unknown(ErrorDetails { code: self.code(), message: self.message(), help: self.help() })
    }

    /// A response with this body, and the error's status and headers.
    pub(super) fn respond(&self, body: impl IntoResponse) -> Response {
        let mut response = (self.status(), body).into_response();
        for (name, value) in self.headers() {
            response.headers_mut().append(name, value);
        }
        response
    }
}

impl IntoResponse for RequestError {
    fn into_response(self) -> Response {
        self.respond(Json(self.body()))
    }
}

/// The response of an unknown path.
pub(super) async fn no_such_path(uri: Uri) -> RequestError {
    RequestError::NoSuchPath(uri.path().to_owned())
}

/// The response of an unsupported method. The router adds `Allow`.
pub(super) async fn wrong_method() -> RequestError {
    RequestError::WrongMethod
}

/// A panic ends one request, never the server.
#[expect(clippy::needless_pass_by_value, reason = "the signature that the layer asks for")]
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    let error = FlowError::Panicked { message: escape_hidden(message) };
    tracing::error!(%error, "a request panicked");
    RequestError::Panicked.into_response()
}
