//! Requests to the bucket, made again until they are answered or the retry timeout is over.

use std::time::Duration;

use taster_retry::RetryPolicy;

use super::failure::S3Failure;
use crate::error::StoreError;

/// How often the bytes of one object may arrive corrupted. The network corrupts them once or twice; an object that is stored
/// corrupted arrives corrupted each time.
const MAX_CORRUPTED: u32 = 2;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// The default of `s3.retryTimeout`.
const RETRY_TIMEOUT: Duration = Duration::from_mins(2);

/// The policy for all requests. `timeout` is `s3.retryTimeout`.
pub(super) fn retry_policy(timeout: Option<Duration>) -> RetryPolicy {
    RetryPolicy::new(FIRST_PAUSE, MAX_PAUSE).with_timeout(timeout.unwrap_or(RETRY_TIMEOUT))
}

/// What a request does, for its error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation<'a> {
    /// `read`, `write`, `list`, `remove`.
    pub(super) action: &'static str,
    /// The object's URL.
    pub(super) url: &'a str,
}

impl Operation<'_> {
    /// The error of a request that the store refuses.
    pub(super) fn refused(self, why: impl Into<String>) -> StoreError {
        StoreError::Refused { action: self.action, url: self.url.to_owned(), why: why.into() }
    }
}

/// How a request ended that the store answered.
#[derive(Debug)]
pub(super) enum RequestOutcome<T> {
    Done(T),
    NotFound,
    /// The condition of a write does not hold. With `answer_lost`, no answer came to an earlier attempt, so the object that
    /// is in the way may be this process's own write.
    PreconditionFailed {
        answer_lost: bool,
    },
}

/// Makes a request until it is answered.
pub(super) async fn send<T, F: Future<Output = Result<T, S3Failure>> + Send>(
    policy: RetryPolicy,
    operation: Operation<'_>,
    mut request: impl FnMut() -> F,
) -> Result<RequestOutcome<T>, StoreError> {
    let mut backoff = policy.start();
    let (mut answer_lost, mut corrupted) = (false, 0);
    loop {
        let why = match request().await {
            Ok(value) => return Ok(RequestOutcome::Done(value)),
            Err(S3Failure::NotFound) => return Ok(RequestOutcome::NotFound),
            Err(S3Failure::PreconditionFailed) => return Ok(RequestOutcome::PreconditionFailed { answer_lost }),
            Err(S3Failure::Permanent(why)) => return Err(operation.refused(why)),
            Err(S3Failure::Corrupted(what)) if corrupted == MAX_CORRUPTED => {
                return Err(StoreError::Damaged { key: operation.url.to_owned(), what });
            }
            Err(S3Failure::Corrupted(what)) => {
                corrupted += 1;
                what
            }
            Err(S3Failure::ConcurrentWrite) => "another process was writing it".to_owned(),
            Err(S3Failure::Retryable(why)) => {
                answer_lost = true;
                why
            }
        };
        if let Err(exhausted) = backoff.wait(Duration::ZERO).await {
            return Err(StoreError::Unavailable {
                action: operation.action,
                url: operation.url.to_owned(),
                tries: exhausted.attempts,
                elapsed: exhausted.elapsed,
                why,
            });
        }
    }
}
