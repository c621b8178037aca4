//! What a look means: ready, hopeless, or to be waited for.

use std::collections::{HashMap, HashSet};

use k8s_openapi::api::{core::v1::Pod, events::v1::Event};

use super::{
    ReadyError,
    look::Seen,
    reasons::{Hope, Obstacle, Restarts, failure, note_restarts, obstacle},
    status::is_refusal,
};
use crate::{Workload, words::one_line};

/// How many pods one line speaks of.
const NAMED: usize = 3;

/// What was there when the waiting began: it does not count against the workload.
#[derive(Debug, Default)]
pub(super) struct Before {
    begun: bool,
    restarts: Restarts,
    /// Pods that had failed as a whole.
    failed: HashSet<String>,
    /// Events that speak of pods that could not be made: UID and resource version, which moves when it happens again.
    refused: Option<HashSet<(String, String)>>,
    /// Pods that failed as a whole since, and why.
    failures: HashMap<String, String>,
}

/// What a look means.
#[derive(Debug)]
pub(super) enum State {
    /// It is ready.
    Ready,
    /// Not yet: the counts, the pods that are not ready, and what else is worth saying.
    Waiting(Waiting),
}

/// What is waited for.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// `0 of 1 ready`.
    pub(super) counts: String,
    /// Name, UID and obstacle of the first pods that are not ready.
    pub(super) pods: Vec<(String, String, Obstacle)>,
    /// What else is worth saying.
    pub(super) remarks: Vec<String>,
    /// Whether pods are missing, and events of the workload may say why.
    pub(super) missing: bool,
}

impl Waiting {
    /// On one line: `StatefulSet mongo: 0 of 1 ready; pod mongo-0: …`.
    pub(super) fn show(&self, workload: &Workload) -> String {
        let pods = self.pods.iter().map(|(name, _, obstacle)| format!("pod {name}: {}", obstacle.text));
        let parts = std::iter::once(self.counts.clone()).chain(pods).chain(self.remarks.iter().cloned());
        format!("{}: {}", workload.of, parts.collect::<Vec<_>>().join("; "))
    }
}

impl Before {
    /// What a look means.
    ///
    /// # Errors
    /// What waiting cannot mend.
    pub(super) fn judge(&mut self, workload: &Workload, seen: &Seen) -> Result<State, ReadyError> {
        let wanted = workload.replicas;
        let name = || workload.of.to_string();
        if seen.asked < wanted {
            let by = seen.object.scaled_by().map_or_else(String::new, |by| format!("; {by} set it last"));
            return Err(ReadyError::ScaledDown { workload: name(), now: seen.asked, wanted, by });
        }
        let pods = seen.pods.as_ref();
        let current = pods.map_or(&[][..], |pods| &pods.current);
        self.begin(current);
        if is_ready(seen, wanted) {
            return Ok(State::Ready);
        }
        let mut found = Vec::new();
        for pod in current {
            if seen.object.is_observed() {
                self.failed_as_a_whole(workload, pod)?;
            }
            let Some(mut obstacle) = obstacle(pod, &self.restarts) else { continue };
            // until its controller has seen the specification, these may be the very pods that it is about to replace
            if !seen.object.is_observed() {
                obstacle.hope = Hope::Passing;
            }
            let pod_name = pod.metadata.name.clone().unwrap_or_default();
            if obstacle.hope == Hope::None {
                let reason = format!("pod {pod_name}: {}", obstacle.text);
                return Err(ReadyError::Hopeless { workload: name(), reason });
            }
            found.push((pod_name, pod.metadata.uid.clone().unwrap_or_default(), obstacle));
        }
        // a condition of the specification before says nothing of this one
        let failure = seen.object.replica_failure().filter(|_| seen.object.is_observed());
        if let Some(reason) = failure.filter(|message| is_refusal(message)) {
            return Err(ReadyError::Refused { workload: name(), reason: one_line(reason) });
        }
        let mut remarks: Vec<String> = failure.map(one_line).into_iter().collect();
        if found.len() > NAMED {
            remarks.push(format!("and {} more", found.len() - NAMED));
            found.truncate(NAMED);
        }
        remarks.extend(other_pods(seen));
        remarks.extend(seen.object.remarks());
        let ready = pods.map_or(seen.replicas, super::pods::Pods::ready);
        Ok(State::Waiting(Waiting {
            counts: format!("{ready} of {wanted} ready"),
            pods: found,
            remarks,
            missing: pods.is_some() && i32::try_from(current.len()).is_ok_and(|n| n < wanted),
        }))
    }

    /// What the workload's events say of pods that could not be made.
    ///
    /// # Errors
    /// The API server refused one since the waiting began.
    pub(super) fn hear(&mut self, workload: &Workload, events: &[Event]) -> Result<Option<String>, ReadyError> {
        let failed = || events.iter().filter(|event| event.reason.as_deref() == Some("FailedCreate"));
        let key = |event: &Event| {
            let metadata = event.metadata.clone();
            (metadata.uid.unwrap_or_default(), metadata.resource_version.unwrap_or_default())
        };
        // the controller tries again and again, and each time moves the event: one that stands still is of another day
        let old = self.refused.get_or_insert_with(|| failed().map(key).collect());
        let note = |event: &Event| one_line(event.note.as_deref().unwrap_or("FailedCreate"));
        let fresh = failed().filter(|event| !old.contains(&key(event))).map(note);
        if let Some(reason) = fresh.into_iter().find(|note| is_refusal(note)) {
            return Err(ReadyError::Refused { workload: workload.of.to_string(), reason });
        }
        Ok(failed().next_back().map(note))
    }

    fn begin(&mut self, pods: &[Pod]) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        for pod in pods {
            note_restarts(pod, &mut self.restarts);
            if failure(pod).is_some() {
                self.failed.extend(pod.metadata.uid.clone());
            }
        }
    }

    /// One pod may be evicted, and its successor may find room. The second one that fails settles it.
    fn failed_as_a_whole(&mut self, workload: &Workload, pod: &Pod) -> Result<(), ReadyError> {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let Some(words) = failure(pod).filter(|_| !self.failed.contains(&uid)) else { return Ok(()) };
        self.failures.insert(uid, words.clone());
        if self.failures.len() < 2 {
            return Ok(());
        }
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let reason = format!("pod {name} failed, and another one before it: {words}");
        Err(ReadyError::Hopeless { workload: workload.of.to_string(), reason })
    }
}

fn is_ready(seen: &Seen, wanted: i32) -> bool {
    let enough = |count: Option<i32>| count.is_none_or(|count| count >= wanted);
    seen.object.is_observed()
        && seen.replicas >= wanted
        && enough(seen.ready)
        && enough(seen.updated)
        && enough(seen.pods.as_ref().map(super::pods::Pods::ready))
        && seen.pods.as_ref().is_none_or(|pods| pods.older.is_empty())
}

fn other_pods(seen: &Seen) -> Vec<String> {
    let Some(pods) = &seen.pods else {
        return vec!["its scale names no selector, so its pods are not looked at".to_owned()];
    };
    let say = |pods: &[Pod], what: &str| {
        let names: Vec<&str> = pods.iter().filter_map(|pod| pod.metadata.name.as_deref()).take(NAMED).collect();
        (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
    };
    let older = say(&pods.older, "of the revision before");
    [older, say(&pods.ending, "still ending")].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
