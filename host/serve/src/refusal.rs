//! Every answer that is none: one kind of body, which says `unknown`, with a code and a way out.

use std::{any::Any, time::Duration};

use axum::{
    http::{
        HeaderName, HeaderValue, StatusCode, Uri,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use taster_flow::FlowError;
use taster_model::{AppName, Diagnostic, RunId};
use taster_store::StoreError;
use taster_text::{escape_hidden, truncate_chars};

use super::answer::Answer;

/// Characters of a message: what was asked stands in it, and may be long.
const LONGEST: usize = 400;
/// Seconds after which it is worth while to ask again.
const RETRY: &str = "1";

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// It cannot be understood.
    #[error("{0}")]
    Bad(String),
    /// No token, or none that is known.
    #[error("this server wants a token, and the request has none that it knows")]
    Unauthorised,
    /// Nothing is there.
    #[error("nothing is served at {0}")]
    NoSuchPath(String),
    /// Something is there, and cannot be asked that way.
    #[error("this path is not asked with that method; `Allow` says with which")]
    WrongMethod,
    /// The body is larger than anybody needs.
    #[error("the body has more than {most} bytes")]
    TooLarge {
        /// The limit.
        most: usize,
    },
    /// The address is longer than anybody needs.
    #[error("the address has {length} bytes, more than {most}")]
    TooLong {
        /// How many.
        length: usize,
        /// The limit.
        most: usize,
    },
    /// The headers are longer than anybody needs.
    #[error("the headers have {length} bytes, more than {most}")]
    LongHeaders {
        /// How many.
        length: usize,
        /// The limit.
        most: usize,
    },
    /// A body of another kind.
    #[error("a body of type `{0}` is not understood")]
    WrongType(String),
    /// The request was meant for a host of another name.
    #[error("this server answers to this machine alone, and was asked for host `{0}`")]
    Misdirected(String),
    /// Too many at a time.
    #[error("{most} requests are being answered, which is the limit --max-requests")]
    Busy {
        /// The limit.
        most: usize,
    },
    /// It took too long.
    #[error("the request was not answered in {limit:?}, which is the limit --request-timeout")]
    Slow {
        /// The limit.
        limit: Duration,
    },
    /// It must not happen.
    #[error("taster itself failed; its log says more")]
    Panicked,
    /// The store cannot be reached. Why stands in the log: who asks has shown no token.
    #[error("the store cannot be reached")]
    NotReady,
    /// The app has no results.
    #[error("there is no app `{app}` with runs in the store")]
    NoApp {
        /// As asked.
        app: AppName,
    },
    /// The run is not there.
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
    /// Nobody can say what the verdict is.
    #[error("{0}")]
    Unknown(String),
    /// What is stored cannot be had, or cannot be believed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refused {
    /// What the response says first.
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

    /// Headers that belong to it.
    pub(super) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let header = |name, value| (name, HeaderValue::from_static(value));
        match self.status() {
            // a program takes the first one that it knows, a browser asks for the password of the second
            StatusCode::UNAUTHORIZED => vec![
                header(WWW_AUTHENTICATE, r#"Bearer realm="taster""#),
                header(WWW_AUTHENTICATE, r#"Basic realm="taster", charset="UTF-8""#),
            ],
            StatusCode::SERVICE_UNAVAILABLE => vec![header(RETRY_AFTER, RETRY)],
            _ => Vec::new(),
        }
    }

    /// What happened, in one line that shows nothing secret and obeys nobody.
    pub(super) fn message(&self) -> String {
        truncate_chars(&escape_hidden(&taster_text::redact_credentials(&self.to_string())), LONGEST)
    }
}

/// Whether an object is there, or was, and is not what was written.
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

impl Diagnostic for Refused {
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
                Self::Bad(_) | Self::NoSuchPath(_) | Self::WrongMethod => "/openapi.json says what is asked how",
                Self::Unauthorised => "send `Authorization: Bearer TOKEN`, or the token as the password of HTTP Basic",
                Self::TooLarge { .. } | Self::TooLong { .. } | Self::LongHeaders { .. } => {
                    "no request needs that much; the limit is fixed"
                }
                Self::WrongType(_) => "send `application/json`, a form, or everything in the query",
                Self::Misdirected(_) => "call it localhost; or start it with --token-file, or with --allow-anonymous",
                Self::Busy { .. } => "ask again in a moment; or raise --max-requests",
                Self::Slow { .. } => "is the store slow? ask again; or raise --request-timeout",
                Self::NotReady => "the log says why",
                Self::Panicked => "report it, with the lines of the log",
                Self::NoApp { .. } | Self::NoRun { .. } => {
                    "`taster runs` lists what there is; does --store name that store?"
                }
                Self::NoVerdict { .. } => "`taster post` judges the run",
                Self::Unknown(_) => "name the run that is meant; or taste and judge again",
                Self::Store(error) => return error.help(),
            }
            .to_owned(),
        )
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        Answer::refused(&self).into_response_of(&self)
    }
}

/// For whatever nobody serves.
pub(super) async fn no_such_path(uri: Uri) -> Refused {
    Refused::NoSuchPath(uri.path().to_owned())
}

/// For what is served, and not that way. The list of the ways is added by the router.
pub(super) async fn wrong_method() -> Refused {
    Refused::WrongMethod
}

/// A panic ends one request, never the server.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over like this")]
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    tracing::error!("{}", FlowError::Panicked { message: escape_hidden(message) });
    Refused::Panicked.into_response()
}
