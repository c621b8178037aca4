//! What a probe has used of its limits, and the refusals when it exceeds them.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use taster_model::{Failure, Refusal, failure};
use taster_text::grouped;

use crate::limits::Limits;

/// What a probe has read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryUsage {
    /// Documents that were handed out, or recorded in a census.
    pub documents: u64,
    /// Bytes of those documents.
    pub bytes: u64,
    /// Time spent waiting for the server, summed over all cursors, including those of censuses.
    pub server_time: Duration,
    /// Calls of the capability.
    pub calls: u64,
    /// Collections of which documents, options or indexes were read, sorted. Includes those that turned out to be absent.
    pub collections: Vec<String>,
}

/// The usage of one probe, or of one census, against its limits.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: Limits,
    setting: String,
    time: TimeLimit,
    spent: Mutex<Spent>,
}

/// How the server's time is limited.
#[derive(Debug, Clone, Copy)]
enum TimeLimit {
    /// The sum over all cursors, [`Limits::server_time`].
    ServerTime,
    /// A deadline. `allowed` is the time for all censuses of a run.
    Deadline { deadline: Instant, allowed: Duration },
}

#[derive(Debug, Default)]
struct Spent {
    /// Its collections are kept in `collections`.
    usage: QueryUsage,
    collections: BTreeSet<String>,
    /// Collections whose documents were read as they were at the moment of the read, not at a past point in time.
    live: BTreeSet<String>,
    cursors: u32,
    /// The first failure that says that the capture's point in time is no longer available.
    lost_snapshot: Option<Failure>,
    /// What the host read for the probe's censuses. It counts against none of the limits here.
    censuses: QueryUsage,
}

/// What may still be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Remaining {
    pub(crate) documents: u64,
    pub(crate) bytes: u64,
}

/// A limit that was exceeded.
struct LimitExceeded<'a> {
    code: &'static str,
    message: &'static str,
    /// The key below `limits`.
    key: &'static str,
    asked: &'a str,
    allowed: &'a str,
}

impl Budget {
    pub(crate) fn new(limits: Limits, setting: String) -> Self {
        Self { limits, setting, time: TimeLimit::ServerTime, spent: Mutex::default() }
    }

    /// The budget of a census: any number of documents until a deadline. `allowed` is the time that `setting` allows for all
    /// censuses of a run.
    pub(crate) fn for_census(deadline: Instant, allowed: Duration, setting: String) -> Self {
        let unlimited = Limits { documents: u64::MAX, bytes: u64::MAX, cursors: u32::MAX, ..Limits::default() };
        Self { limits: unlimited, setting, time: TimeLimit::Deadline { deadline, allowed }, spent: Mutex::default() }
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        // a panic cannot leave a counter half changed
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn usage(&self) -> QueryUsage {
        let spent = self.spent();
        let QueryUsage { documents, bytes, server_time, calls, .. } = spent.usage;
        QueryUsage {
            documents: documents + spent.censuses.documents,
            bytes: bytes + spent.censuses.bytes,
            server_time: server_time + spent.censuses.server_time,
            calls,
            collections: spent.collections.iter().cloned().collect(),
        }
    }

    /// Adds what was read for a census. It is reported, but takes nothing from the probe's limits.
    pub(crate) fn add_census(&self, used: &QueryUsage) {
        let sum = &mut self.spent().censuses;
        sum.documents += used.documents;
        sum.bytes += used.bytes;
        sum.server_time += used.server_time;
    }

    /// Counts a call of the capability; how many there are now.
    pub(crate) fn count_call(&self) -> u64 {
        let calls = &mut self.spent().usage.calls;
        *calls += 1;
        *calls
    }

    /// Records that a collection was read.
    pub(crate) fn record_read(&self, collection: &str) {
        let collections = &mut self.spent().collections;
        if !collections.contains(collection) {
            collections.insert(collection.to_owned());
        }
    }

    /// Records that documents of a collection are read as they are at this moment.
    pub(crate) fn record_live_read(&self, collection: &str) {
        self.spent().live.insert(collection.to_owned());
    }

    pub(crate) fn was_read_live(&self, collection: &str) -> bool {
        self.spent().live.contains(collection)
    }

    /// Records a failure that is passed on to the probe. If it says that the capture's point in time is no longer available,
    /// the probe's result is not of that time, whatever the probe does about it.
    pub(crate) fn record_failure(&self, failure: &Failure) {
        if failure.code.as_deref() == Some(failure::SNAPSHOT_LOST) {
            self.spent().lost_snapshot.get_or_insert_with(|| failure.clone());
        }
    }

    pub(crate) fn lost_snapshot(&self) -> Option<Failure> {
        self.spent().lost_snapshot.clone()
    }

    pub(crate) fn remaining(&self) -> Remaining {
        let usage = &self.spent().usage;
        Remaining {
            documents: self.limits.documents.saturating_sub(usage.documents),
            bytes: self.limits.bytes.saturating_sub(usage.bytes),
        }
    }

    /// Counts documents that are handed out.
    pub(crate) fn spend_documents(&self, documents: u64, bytes: u64) {
        let usage = &mut self.spent().usage;
        usage.documents += documents;
        usage.bytes += bytes;
    }

    /// Why a document of this size does not fit into the limits.
    pub(crate) fn document_refused(&self, bytes: u64) -> Failure {
        let QueryUsage { documents, bytes: read, .. } = self.spent().usage;
        if documents >= self.limits.documents {
            return self.exceeded(&LimitExceeded {
                code: "T0213",
                message: "the probe has reached its document limit",
                key: "documents",
                asked: &format!("{} documents", grouped(documents.saturating_add(1))),
                allowed: &format!("{} documents", grouped(self.limits.documents)),
            });
        }
        self.exceeded(&LimitExceeded {
            code: "T0214",
            message: "the probe has reached its byte limit",
            key: "bytes",
            asked: &format!("{} bytes", grouped(read.saturating_add(bytes))),
            allowed: &format!("{} bytes", grouped(self.limits.bytes)),
        })
    }

    /// The server's time that is left.
    pub(crate) fn time_left(&self) -> Result<Duration, Failure> {
        let left = match self.time {
            TimeLimit::ServerTime => self.limits.server_time.saturating_sub(self.spent().usage.server_time),
            TimeLimit::Deadline { deadline, .. } => deadline.saturating_duration_since(Instant::now()),
        };
        if left < Duration::from_millis(1) { Err(self.time_exceeded()) } else { Ok(left) }
    }

    /// Counts time that the server took.
    pub(crate) fn spend_time(&self, time: Duration) {
        self.spent().usage.server_time += time;
    }

    pub(crate) fn time_exceeded(&self) -> Failure {
        let failure = match self.time {
            TimeLimit::ServerTime => self.exceeded(&LimitExceeded {
                code: "T0216",
                message: "the probe has used up its server time",
                key: "serverTime",
                asked: "",
                allowed: &format!("{:?} of server time", self.limits.server_time),
            }),
            TimeLimit::Deadline { allowed, .. } => self.exceeded(&LimitExceeded {
                code: "T0250",
                message: "the census took longer than allowed",
                key: "census",
                asked: "",
                allowed: &format!("{allowed:?} for all censuses of a run"),
            }),
        };
        Failure { asked: None, ..failure }
    }

    /// Takes one of the cursors. [`Budget::release_cursor`] returns it.
    pub(crate) fn take_cursor(&self) -> Result<(), Failure> {
        let mut spent = self.spent();
        if spent.cursors < self.limits.cursors {
            spent.cursors += 1;
            return Ok(());
        }
        drop(spent);
        Err(self.exceeded(&LimitExceeded {
            code: "T0215",
            message: "the probe has reached its limit of open cursors",
            key: "cursors",
            asked: &format!("{} cursors", u64::from(self.limits.cursors) + 1),
            allowed: &format!("{} cursors", self.limits.cursors),
        }))
    }

    pub(crate) fn release_cursor(&self) {
        let cursors = &mut self.spent().cursors;
        *cursors = cursors.saturating_sub(1);
    }

    fn exceeded(&self, limit: &LimitExceeded<'_>) -> Failure {
        let LimitExceeded { code, message, key, asked, allowed } = *limit;
        Failure::refused(Refusal::Budget, code, message)
            .asked(asked)
            .allowed(allowed)
            .setting(format!("{}.{key}", self.setting))
    }
}
