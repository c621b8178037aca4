//! Where the time of a hook goes: what it waits for, what MongoDB takes, and the rest, which is Taster's own and the store's.

use std::{
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use taster_text::duration;

/// When the process began.
static BEGAN: OnceLock<Instant> = OnceLock::new();

/// Starts the clock; the first call counts.
pub fn begin() -> Instant {
    *BEGAN.get_or_init(Instant::now)
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// The lock, workloads that get ready, and the API server that puts them back.
    Cluster,
    /// The database.
    MongoDb,
}

/// The times of one process.
#[derive(Debug)]
pub(super) struct Pace {
    /// Whether it is told without `-v`: in a hook, where nobody can measure again.
    aloud: bool,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    spent: Spent,
    /// Whether a probe has begun.
    tasting: bool,
    /// When a probe ended last, and what was spent until then.
    since: (Instant, Spent),
}

#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    cluster: Duration,
    mongodb: Duration,
}

impl Pace {
    pub(super) fn new(aloud: bool) -> Self {
        let since = (begin(), Spent::default());
        Self { aloud, seen: Mutex::new(Seen { spent: Spent::default(), tasting: false, since }) }
    }

    /// Waits, and counts how long.
    pub(super) fn of<T>(&self, what: For, work: impl Future<Output = T>) -> impl Future<Output = T> {
        let work = Box::pin(work);
        async move {
            let began = Instant::now();
            let done = work.await;
            let mut seen = self.seen();
            let spent = match what {
                For::Cluster => &mut seen.spent.cluster,
                For::MongoDb => &mut seen.spent.mongodb,
            };
            *spent += began.elapsed();
            done
        }
    }

    /// A probe begins. Of the first one it is told how long it took to get there.
    pub(super) fn probe_begins(&self) {
        let mut seen = self.seen();
        if !seen.tasting {
            seen.tasting = true;
            let line = told(seen.since, seen.spent);
            drop(seen);
            self.say(&format!("the first probe began {line}"));
        }
    }

    /// A probe has ended.
    pub(super) fn probe_ended(&self) {
        let mut seen = self.seen();
        seen.since = (Instant::now(), seen.spent);
    }

    /// What the hook is for is written: the capture, or the verdict.
    pub(super) fn written(&self, what: &str) {
        let line = {
            let seen = self.seen();
            told(seen.since, seen.spent)
        };
        let memory =
            peak().map(|bytes| format!("; {} of memory at most", taster_text::size(bytes))).unwrap_or_default();
        self.say(&format!("the {what} was written {line}, counted from the last probe{memory}"));
    }

    fn say(&self, line: &str) {
        if self.aloud {
            tracing::info!("{line}");
        } else {
            tracing::debug!("{line}");
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The most memory that this process had at a time, where the system tells.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn told((since, before): (Instant, Spent), now: Spent) -> String {
    let whole = since.elapsed();
    let cluster = now.cluster.saturating_sub(before.cluster);
    let mongodb = now.mongodb.saturating_sub(before.mongodb);
    let rest = whole.saturating_sub(cluster).saturating_sub(mongodb);
    format!(
        "after {}: {} waiting for the cluster, {} for MongoDB, {} the rest",
        duration(whole),
        duration(cluster),
        duration(mongodb),
        duration(rest)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_waited_for_before_the_last_probe_does_not_count_after_it() {
        let before = Spent { cluster: Duration::from_secs(5), mongodb: Duration::from_secs(2) };
        let now = Spent { cluster: Duration::from_secs(5), mongodb: Duration::from_secs(3) };
        let Some(since) = Instant::now().checked_sub(Duration::from_millis(1_500)) else { return };
        let line = told((since, before), now);
        assert!(line.starts_with("after 1.5 s: 0 ms waiting for the cluster, 1.0 s for MongoDB, 5"), "{line}");
    }
}
