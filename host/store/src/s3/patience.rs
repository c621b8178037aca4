//! Requests that are made again: how often, how long apart, and when it is enough.

use std::time::{Duration, Instant};

use super::words::Trouble;
use crate::StoreError;

/// So often an object may come garbled: the way to us is noisy once or twice, what lies there wrong comes wrong each time.
const GARBLED: u32 = 2;

/// How patient to be with a store.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// The pause before the second try is random and at most this long; each later one may be twice as long.
    pub(super) first: Duration,
    /// But no longer than this.
    pub(super) most: Duration,
    /// No new try is begun later than this after the first.
    pub(super) total: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { first: Duration::from_millis(100), most: Duration::from_secs(10), total: Duration::from_mins(2) }
    }
}

/// What is done, for the error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doing<'a> {
    pub(super) action: &'static str,
    /// The object's URL.
    pub(super) url: &'a str,
}

/// How a request ended that the store understood.
#[derive(Debug)]
pub(super) enum Ended<T> {
    /// It was done.
    Done(T),
    /// There is no such object.
    Absent,
    /// The condition does not hold. `lost` says that the answer to an earlier try never came, so that it may be one's own
    /// write that stands in the way.
    Condition { lost: bool },
}

impl Patience {
    /// The usual one, for another time.
    pub(super) fn of(total: Duration) -> Self {
        Self { total, ..Self::default() }
    }

    /// Makes a request until it is answered.
    pub(super) async fn with<T, F: Future<Output = Result<T, Trouble>> + Send>(
        &self,
        doing: Doing<'_>,
        mut request: impl FnMut() -> F,
    ) -> Result<Ended<T>, StoreError> {
        let begun = Instant::now();
        let (mut lost, mut garbled) = (false, 0);
        for tries in 1_u32.. {
            let why = match request().await {
                Ok(value) => return Ok(Ended::Done(value)),
                Err(Trouble::Absent) => return Ok(Ended::Absent),
                Err(Trouble::Condition) => return Ok(Ended::Condition { lost }),
                Err(Trouble::No(why)) => return Err(refused(doing, why)),
                Err(Trouble::Garbled(what)) if garbled == GARBLED => {
                    return Err(StoreError::Damaged { key: doing.url.to_owned(), what });
                }
                Err(Trouble::Garbled(what)) => {
                    garbled += 1;
                    what
                }
                Err(Trouble::Busy) => "another write of it was under way".to_owned(),
                Err(Trouble::Again(why)) => {
                    lost = true;
                    why
                }
            };
            let pause = self.pause(tries);
            if begun.elapsed() + pause > self.total {
                let (action, url) = (doing.action, doing.url.to_owned());
                return Err(StoreError::Away { action, url, tries, seconds: begun.elapsed().as_secs(), why });
            }
            tokio::time::sleep(pause).await;
        }
        unreachable!("tries are not counted to the end of an u32 within minutes")
    }

    /// Anything up to a limit that doubles: many that failed at the same moment come back one by one.
    fn pause(&self, tries: u32) -> Duration {
        let limit = self.first.saturating_mul(1 << (tries - 1).min(16)).min(self.most);
        // without entropy all pauses are long, and nothing else is lost
        let share = getrandom::u32().map_or(1.0, |number| f64::from(number) / f64::from(u32::MAX));
        limit.mul_f64(share)
    }
}

pub(super) fn refused(doing: Doing<'_>, why: String) -> StoreError {
    StoreError::Refused { action: doing.action, url: doing.url.to_owned(), why }
}
