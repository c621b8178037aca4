//! What a probe has used of its limits, and the refusals past them.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use taster_model::{Failure, Refusal, failure};

use crate::Limits;

/// What a probe has read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryUsage {
    /// Documents that were handed out, or recorded in a census.
    pub documents: u64,
    /// Bytes of those documents.
    pub bytes: u64,
    /// Time spent waiting for the server, summed over all cursors, those of censuses included.
    pub server_time: Duration,
    /// Calls of the capability.
    pub calls: u64,
    /// Collections that were read, sorted: their documents, options or indexes, and be it to hear that there are none.
    pub collections: Vec<String>,
}

/// The running account of one probe, or of one census.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: Limits,
    setting: String,
    time: Time,
    spent: Mutex<Spent>,
}

/// What bounds the time that the server may take.
#[derive(Debug, Clone, Copy)]
enum Time {
    /// The sum over all cursors, [`Limits::server_time`].
    Summed,
    /// A deadline, of a census that may take so long in all.
    Until { deadline: Instant, allowed: Duration },
}

#[derive(Debug, Default)]
struct Spent {
    /// Without its collections.
    usage: QueryUsage,
    collections: BTreeSet<String>,
    /// Those whose documents were read as they were, at no moment that has passed.
    live: BTreeSet<String>,
    cursors: u32,
    lost: Option<Failure>,
    /// What the host read for the probe's censuses, which counts against none of the limits here.
    censuses: QueryUsage,
}

/// What still fits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) documents: u64,
    pub(crate) bytes: u64,
}

impl Budget {
    pub(crate) fn new(limits: Limits, setting: String) -> Self {
        Self { limits, setting, time: Time::Summed, spent: Mutex::default() }
    }

    /// Of a census: as many documents as there are, until a deadline. `allowed` is what `setting` allows for all
    /// censuses of a run.
    pub(crate) fn of_census(deadline: Instant, allowed: Duration, setting: String) -> Self {
        let endless = Limits { documents: u64::MAX, bytes: u64::MAX, cursors: u32::MAX, ..Limits::default() };
        Self { limits: endless, setting, time: Time::Until { deadline, allowed }, spent: Mutex::default() }
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        // counters are never left half changed
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

    /// Books what was read for a census: it is told of, and takes nothing from the probe.
    pub(crate) fn add_census(&self, used: &QueryUsage) {
        let sum = &mut self.spent().censuses;
        sum.documents += used.documents;
        sum.bytes += used.bytes;
        sum.server_time += used.server_time;
    }

    pub(crate) fn call(&self) {
        self.spent().usage.calls += 1;
    }

    /// Notes that a collection was read.
    pub(crate) fn read(&self, collection: &str) {
        let collections = &mut self.spent().collections;
        if !collections.contains(collection) {
            collections.insert(collection.to_owned());
        }
    }

    /// Notes that documents of a collection are read as they are.
    pub(crate) fn read_live(&self, collection: &str) {
        self.spent().live.insert(collection.to_owned());
    }

    pub(crate) fn was_read_live(&self, collection: &str) -> bool {
        self.spent().live.contains(collection)
    }

    /// Notes a failure that the probe is told. When it says that the moment of the capture is lost, the probe's result is
    /// not of that moment, whatever the probe makes of it.
    pub(crate) fn note(&self, failure: &Failure) {
        if failure.code.as_deref() == Some(failure::SNAPSHOT_LOST) {
            self.spent().lost.get_or_insert_with(|| failure.clone());
        }
    }

    pub(crate) fn lost(&self) -> Option<Failure> {
        self.spent().lost.clone()
    }

    pub(crate) fn room(&self) -> Room {
        let usage = &self.spent().usage;
        Room {
            documents: self.limits.documents.saturating_sub(usage.documents),
            bytes: self.limits.bytes.saturating_sub(usage.bytes),
        }
    }

    /// Books documents that are handed out.
    pub(crate) fn hand_out(&self, documents: u64, bytes: u64) {
        let usage = &mut self.spent().usage;
        usage.documents += documents;
        usage.bytes += bytes;
    }

    /// Why a document of this size does not fit.
    pub(crate) fn no_room(&self, bytes: u64) -> Failure {
        let QueryUsage { documents, bytes: read, .. } = self.spent().usage;
        if documents >= self.limits.documents {
            let asked = format!("{} documents", documents.saturating_add(1));
            let allowed = format!("{} documents", self.limits.documents);
            return self.refuse("T0213", "the probe has read all documents it may", "documents", &asked, &allowed);
        }
        let asked = format!("{} bytes", read.saturating_add(bytes));
        let allowed = format!("{} bytes", self.limits.bytes);
        self.refuse("T0214", "the probe has read all bytes it may", "bytes", &asked, &allowed)
    }

    /// Time that is left.
    pub(crate) fn time_left(&self) -> Result<Duration, Failure> {
        let left = match self.time {
            Time::Summed => self.limits.server_time.saturating_sub(self.spent().usage.server_time),
            Time::Until { deadline, .. } => deadline.saturating_duration_since(Instant::now()),
        };
        if left < Duration::from_millis(1) { Err(self.out_of_time()) } else { Ok(left) }
    }

    /// Books time that the server took.
    pub(crate) fn spend_time(&self, time: Duration) {
        self.spent().usage.server_time += time;
    }

    pub(crate) fn out_of_time(&self) -> Failure {
        let failure = match self.time {
            Time::Summed => {
                let allowed = format!("{:?} of the server's time", self.limits.server_time);
                self.refuse("T0216", "the server needs longer than the probe may use it", "serverTime", "", &allowed)
            }
            Time::Until { allowed, .. } => {
                let allowed = format!("{allowed:?} for all censuses of a run");
                self.refuse("T0250", "the census takes longer than it may", "census", "", &allowed)
            }
        };
        Failure { asked: None, ..failure }
    }

    /// Takes one of the cursors. [`Budget::give_back`] returns it.
    pub(crate) fn take_cursor(&self) -> Result<(), Failure> {
        let mut spent = self.spent();
        if spent.cursors < self.limits.cursors {
            spent.cursors += 1;
            return Ok(());
        }
        drop(spent);
        let asked = format!("{} cursors", u64::from(self.limits.cursors) + 1);
        let allowed = format!("{} cursors", self.limits.cursors);
        Err(self.refuse("T0215", "the probe has as many cursors open as it may", "cursors", &asked, &allowed))
    }

    pub(crate) fn give_back(&self) {
        let cursors = &mut self.spent().cursors;
        *cursors = cursors.saturating_sub(1);
    }

    fn refuse(&self, code: &str, message: &str, key: &str, asked: &str, allowed: &str) -> Failure {
        Failure::refused(Refusal::Budget, code, message)
            .asked(asked)
            .allowed(allowed)
            .setting(format!("{}.{key}", self.setting))
    }
}
