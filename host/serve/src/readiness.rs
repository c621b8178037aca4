//! Whether the store can be reached.

use std::time::{Duration, Instant};

use taster_store::Store;
use tokio::sync::Mutex;

/// How long a result is reused.
const CACHE_TIME: Duration = Duration::from_secs(1);
/// How long the store may take to answer.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// The last check of the store.
#[derive(Default)]
pub(super) struct Readiness {
    last: Mutex<Option<(Instant, Result<(), String>)>>,
}

impl Readiness {
    /// Checks that the store can be reached: at most once a second, and one check at a time, however many requests ask.
    pub(super) async fn check(&self, store: &Store) -> Result<(), String> {
        let mut last = self.last.lock().await;
        if let Some((at, result)) = last.as_ref()
            && at.elapsed() < CACHE_TIME
        {
            return result.clone();
        }
        let result = match tokio::time::timeout(STORE_TIMEOUT, store.apps()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the store did not answer within {}", taster_text::exact_duration(STORE_TIMEOUT))),
        };
        *last = Some((Instant::now(), result.clone()));
        result
    }
}
