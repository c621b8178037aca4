//! Failed requests, sorted by what can be done about them.

use std::error::Error;

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

/// Why a request failed.
#[derive(Debug)]
pub(super) enum S3Failure {
    /// The same request may succeed later. Whether the store carried it out is unknown.
    Retryable(String),
    /// The bytes that arrived do not match their checksum.
    Corrupted(String),
    NotFound,
    /// The condition of a write does not hold.
    PreconditionFailed,
    /// The store was carrying out another conditional write of the object, and did nothing.
    ConcurrentWrite,
    /// The same request will fail again.
    Permanent(String),
}

impl S3Failure {
    /// Sorts an error of the SDK. Its texts hold no credentials: those go into signatures, never into messages.
    #[expect(clippy::needless_pass_by_value, reason = "so that it fits `map_err`")]
    pub(super) fn from_sdk<E>(error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let SdkError::ServiceError(answer) = &error else {
            return match &error {
                SdkError::ConstructionFailure(_) => Self::Permanent(error_chain(&error)),
                SdkError::DispatchFailure(failure) if failure.is_user() => Self::Permanent(error_chain(&error)),
                // a broken connection, a timeout, an answer that is not HTTP
                _ => Self::Retryable(error_chain(&error)),
            };
        };
        let status = answer.raw().status().as_u16();
        let code = answer.err().code().unwrap_or_default();
        let message = answer.err().message().unwrap_or_default();
        let text = match (code, message) {
            ("", "") => format!("status {status}"),
            ("", message) => format!("status {status}: {message}"),
            (code, "") => format!("status {status}, {code}"),
            (code, message) => format!("status {status}, {code}: {message}"),
        };
        match (status, code) {
            (_, "NoSuchBucket") => Self::Permanent(text),
            (_, "PreconditionFailed") | (412, _) => Self::PreconditionFailed,
            (_, "ConditionalRequestConflict") => Self::ConcurrentWrite,
            (404, _) => Self::NotFound,
            (408 | 409 | 429 | 500 | 502..=599, _)
            | (_, "RequestTimeout" | "SlowDown" | "InternalError" | "BadDigest") => Self::Retryable(text),
            _ => Self::Permanent(text),
        }
    }
}

/// The texts of an error and its causes. A text that an outer error already contains is left out.
pub(super) fn error_chain(error: &dyn Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !texts.iter().any(|outer| outer.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts.join(": ")
}
