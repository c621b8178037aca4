//! Up, and back to what was there before.
//!
//! The order makes every line a safe one to die at: the record first, then the count; on the way back the count first,
//! then the record. Each write names the version of the object that it is meant for. A record of a count that was not
//! changed holds nobody to it: what is live then is what somebody else decided.

use jiff::Timestamp;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde::{Deserialize, Serialize};
use serde_json::json;
use taster_model::RunId;

use crate::{
    Cluster, ClusterError, Found, Lock, WorkloadRef,
    cluster::{self, MANAGER},
    inspect::{Seen, TRIES},
    step::step,
    workload::Resolved,
};

/// Where the record stands.
pub(crate) const ANNOTATION: &str = "taster.dev/scaled";

/// What is recorded on a workload before it is scaled (annotation `taster.dev/scaled`, JSON).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The app that scaled it.
    pub app: String,
    /// Its run.
    pub run: RunId,
    /// The count that was there before.
    pub found: i32,
    /// The count that it was scaled to.
    pub to: i32,
    /// Since when it is in use by this run, by the API server's clock.
    pub since: Timestamp,
}

impl Record {
    /// Whether the count is another one than was found. Else there is nothing to put back.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.found != self.to
    }
}

/// What a restore did with one workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restored {
    /// Nothing was recorded, or it had that count: it is as it was.
    Untouched(WorkloadRef),
    /// It is back: from the live count to the recorded one.
    Back {
        /// Which.
        workload: WorkloadRef,
        /// The count that was live.
        from: i32,
        /// The count it has again.
        to: i32,
    },
    /// It is gone, or was made anew since: nothing to put back.
    Gone(WorkloadRef),
}

/// What is recorded on a workload.
pub(crate) fn record_of(of: &WorkloadRef, object: &DynamicObject) -> Result<Option<Record>, ClusterError> {
    let Some(text) = object.metadata.annotations.as_ref().and_then(|all| all.get(ANNOTATION)) else { return Ok(None) };
    let bad = |message: String| ClusterError::BadRecord { workload: of.clone(), annotation: ANNOTATION, message };
    let record: Record = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
    if record.found < 0 {
        return Err(bad(format!("{} replicas", record.found)));
    }
    Ok(Some(record))
}

impl Cluster {
    /// Records what was found on the workload, then scales it up. One that has enough replicas is recorded and left.
    ///
    /// The count of a record that stands is kept, for what is live now is what an earlier process left; so is the one that
    /// was recalled ([`Found::recall`]). Conflicts are retried; the lock is checked before.
    pub async fn raise(&self, found: &Found, run: &RunId, lock: &Lock) -> Result<Record, ClusterError> {
        let of = &found.workload.of;
        let resolved = self.resolve(of, &found.workload.setting).await?;
        // what this call wrote is no word of an earlier process
        let mut mine = None;
        for _ in 0..TRIES {
            lock.check().await?;
            let seen = self.look_at(of, &resolved).await?.ok_or_else(|| self.missing(of))?;
            let standing = record_of(of, &seen.object)?;
            let earlier = standing.as_ref().filter(|record| mine.as_ref() != Some(*record));
            let earlier = earlier.or_else(|| found.standing.as_ref().filter(|_| standing.is_none() && found.is(&seen)));
            if let Some(other) = earlier.filter(|record| record.app != self.app.as_str()) {
                let (app, run) = (other.app.clone(), other.run.clone());
                return Err(ClusterError::OtherApp { workload: of.clone(), app, run });
            }
            let earlier = earlier.filter(|record| record.is_change());
            let record = Record {
                app: self.app.to_string(),
                run: run.clone(),
                found: earlier.map_or(seen.live, |record| record.found),
                to: seen.live.max(found.workload.replicas),
                since: self.now().await?,
            };
            let text = serde_json::to_string(&record).expect("a record is plain data");
            // only a record whose count is kept is this call's no more than before
            mine = earlier.is_none().then(|| record.clone());
            let Some(version) = self.annotate(of, &resolved, &seen.version, Some(&text)).await? else { continue };
            step("cluster: recorded");
            if seen.live == record.to || self.set_scale(of, &resolved, &version, record.to).await? {
                return Ok(record);
            }
        }
        Err(ClusterError::Contended { what: of.to_string(), tries: TRIES })
    }

    /// Puts one workload back to what is recorded on it, and takes the record off. `known` is the record that the store
    /// holds, with the UID of the workload it was made of, for a workload whose annotation was taken off.
    ///
    /// Doing it twice does nothing the second time. An API server that is away is an error; the caller retries. So is a
    /// record that another process writes meanwhile: the caller makes sure that it has the lock, and retries.
    pub async fn restore(&self, of: &WorkloadRef, known: Option<(&str, &Record)>) -> Result<Restored, ClusterError> {
        let resolved = self.resolve(of, &of.to_string()).await?;
        let contended = || ClusterError::Contended { what: of.to_string(), tries: TRIES };
        let (mut from, mut meant) = (None, None);
        for _ in 0..TRIES {
            let Some(seen) = self.look_at(of, &resolved).await? else { return Ok(Restored::Gone(of.clone())) };
            let standing = record_of(of, &seen.object)?;
            if let Some(record) = &standing
                && record != meant.get_or_insert_with(|| record.clone())
            {
                return Err(contended());
            }
            // another app's is for that one to put back
            let ours = standing.as_ref().filter(|record| record.app == self.app.as_str());
            let known = known.filter(|_| standing.is_none());
            let Some(record) = ours.or_else(|| still_holds(known, &seen)) else {
                let anew = known.is_some_and(|(uid, _)| uid != seen.uid);
                return Ok(match from {
                    Some((from, to)) => Restored::Back { workload: of.clone(), from, to },
                    None if anew => Restored::Gone(of.clone()),
                    None => Restored::Untouched(of.clone()),
                });
            };
            if record.is_change() && seen.live != record.found {
                if self.set_scale(of, &resolved, &seen.version, record.found).await? {
                    from.get_or_insert((seen.live, record.found));
                    step("cluster: scaled back");
                }
                // read again: the version is another one now
                continue;
            }
            if ours.is_some() && self.annotate(of, &resolved, &seen.version, None).await?.is_none() {
                continue;
            }
            return Ok(match from {
                Some((from, to)) => Restored::Back { workload: of.clone(), from, to },
                None => Restored::Untouched(of.clone()),
            });
        }
        Err(contended())
    }

    /// What is recorded on a workload now.
    pub async fn recorded(&self, of: &WorkloadRef) -> Result<Option<Record>, ClusterError> {
        let resolved = self.resolve(of, &of.to_string()).await?;
        match self.look_at(of, &resolved).await? {
            Some(seen) => record_of(of, &seen.object),
            None => Ok(None),
        }
    }

    fn missing(&self, of: &WorkloadRef) -> ClusterError {
        ClusterError::NotFound { what: of.to_string(), namespace: self.namespace.clone() }
    }

    /// Sets or takes off the annotation. The object's new version, or `None` where somebody else was faster: the object is
    /// another one now, or gone.
    async fn annotate(
        &self,
        of: &WorkloadRef,
        resolved: &Resolved,
        version: &str,
        text: Option<&str>,
    ) -> Result<Option<String>, ClusterError> {
        let patch = json!({"metadata": {"resourceVersion": version, "annotations": {ANNOTATION: text}}});
        let asked = self.asked("patch", &resolved.resource.plural, &of.name);
        let (params, patch) = (PatchParams::apply(MANAGER), Patch::Merge(&patch));
        match cluster::ask(asked, resolved.api.patch(&of.name, &params, &patch)).await {
            Ok(object) => Ok(object.metadata.resource_version),
            Err(ClusterError::Contended { .. } | ClusterError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets the count. Whether that held: somebody else may have been faster.
    async fn set_scale(
        &self,
        of: &WorkloadRef,
        resolved: &Resolved,
        version: &str,
        replicas: i32,
    ) -> Result<bool, ClusterError> {
        let patch = json!({"metadata": {"resourceVersion": version}, "spec": {"replicas": replicas}});
        let asked = self.asked("patch", &resolved.scale, &of.name);
        let (params, patch) = (PatchParams::apply(MANAGER), Patch::Merge(&patch));
        match cluster::ask(asked, resolved.api.patch_scale(&of.name, &params, &patch)).await {
            Ok(_) => Ok(true),
            Err(ClusterError::Contended { .. } | ClusterError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The store's record, where it still speaks of this object: one that was made anew has its own count, and one whose
/// count somebody changed since was decided about.
fn still_holds<'a>(known: Option<(&str, &'a Record)>, seen: &Seen) -> Option<&'a Record> {
    known.filter(|(uid, record)| *uid == seen.uid && record.to == seen.live).map(|(_, record)| record)
}
