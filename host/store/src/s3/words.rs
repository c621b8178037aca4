//! What a request came to, in the words of a person: what may be tried again, and what will not get better.

use std::error::Error;

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

/// What is wrong with an answer, or that there was none.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The same request may do better later. Whether it was carried out is not known.
    Again(String),
    /// What came is not what the store says it is.
    Garbled(String),
    /// There is no such object.
    Absent,
    /// The condition of a write does not hold.
    Condition,
    /// Another conditional write was under way: nothing was done.
    Busy,
    /// It will not get better.
    No(String),
}

/// What an error of the SDK means. Its texts hold no credentials: those go into signatures, never into messages.
#[expect(clippy::needless_pass_by_value, reason = "so that it fits `map_err`")]
pub(super) fn trouble<E>(error: SdkError<E, HttpResponse>) -> Trouble
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let SdkError::ServiceError(answer) = &error else {
        return match &error {
            SdkError::ConstructionFailure(_) => Trouble::No(chain(&error)),
            SdkError::DispatchFailure(failure) if failure.is_user() => Trouble::No(chain(&error)),
            // a connection that broke, a time-out, an answer that is none
            _ => Trouble::Again(chain(&error)),
        };
    };
    let status = answer.raw().status().as_u16();
    let code = answer.err().code().unwrap_or_default();
    let message = answer.err().message().unwrap_or_default();
    let said = match (code, message) {
        ("", "") => format!("status {status}"),
        ("", message) => format!("status {status}: {message}"),
        (code, "") => format!("status {status}, {code}"),
        (code, message) => format!("status {status}, {code}: {message}"),
    };
    match (status, code) {
        (_, "NoSuchBucket") => Trouble::No(said),
        (_, "PreconditionFailed") | (412, _) => Trouble::Condition,
        (_, "ConditionalRequestConflict") => Trouble::Busy,
        (404, _) => Trouble::Absent,
        (408 | 409 | 429 | 500 | 502..=599, _) | (_, "RequestTimeout" | "SlowDown" | "InternalError" | "BadDigest") => {
            Trouble::Again(said)
        }
        _ => Trouble::No(said),
    }
}

/// An error with its causes, each said once.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
        next = error.source();
    }
    said.join(": ")
}
