//! Why a pod is not ready, in the kubelet's and the scheduler's own words, and whether waiting can mend it.

use std::collections::HashMap;

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};

use super::mongod;
use crate::words::{one_line, said};

/// What stands between a pod and being ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Obstacle {
    /// Whether waiting can mend it.
    pub(super) hope: Hope,
    /// What it is: `container mongo: CrashLoopBackOff: …`.
    pub(super) text: String,
}

/// Whether waiting can mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hope {
    /// It may.
    Passing,
    /// It may, and the pod's events say more: while it is set up.
    SettingUp,
    /// It may, and the pod's events say more: while it is probed.
    Probed,
    /// It cannot.
    None,
    /// It cannot, if this claim is really missing: a StatefulSet makes its claims a moment before the scheduler sees them.
    Claim(String),
}

impl Obstacle {
    fn new(hope: Hope, text: String) -> Self {
        Self { hope, text }
    }
}

/// How often each container had been restarted when the waiting began, for those that were ready then: what they lived
/// through before is none of our business. By pod UID and container name.
pub(super) type Restarts = HashMap<(String, String), i32>;

/// Reasons of a waiting container that waiting cannot mend.
///
/// Pulling an image is not among them: a registry may be away, or the image may be pushed a minute later.
const HOPELESS: [&str; 9] = [
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "InvalidImageName",
    "PostStartHookError",
    "PreCreateHookError",
    "PreStartHookError",
    "RunContainerError",
];

/// A runtime that is slow, not a container that is wrong: the kubelet tries again.
const SLOW_RUNTIME: [&str; 3] = ["context deadline exceeded", "DeadlineExceeded", "is reserved for"];

/// What stands between this pod and being ready. `None`: it is.
pub(super) fn obstacle(pod: &Pod, restarts: &Restarts) -> Option<Obstacle> {
    if is_ready(pod) {
        return None;
    }
    let status = pod.status.as_ref();
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    let init = status.iter().flat_map(|s| s.init_container_statuses.iter().flatten()).map(|c| ("init container", c));
    let main = status.iter().flat_map(|s| s.container_statuses.iter().flatten()).map(|c| ("container", c));
    let found: Vec<Obstacle> = init
        .chain(main)
        .filter_map(|(role, status)| {
            let before = restarts.get(&(uid.to_owned(), status.name.clone())).copied().unwrap_or_default();
            let (hope, text) = container(status, before)?;
            Some(Obstacle::new(hope, format!("{role} {}{text}", status.name)))
        })
        .collect();
    // the worst first: a container that waits for a good one to start says less than the one that is broken
    if let Some(worst) = found.iter().find(|o| o.hope == Hope::None) {
        return Some(worst.clone());
    }
    if let Some(waits) = scheduling(pod) {
        return Some(waits);
    }
    if let Some(first) = found.into_iter().next() {
        return Some(first);
    }
    let ready = condition(pod, "Ready").filter(|(status, ..)| *status != "True");
    Some(match ready {
        Some((_, Some(reason), message)) if !reason.is_empty() => {
            Obstacle::new(Hope::Probed, said(Some(reason), message))
        }
        _ => Obstacle::new(Hope::SettingUp, said(status.and_then(|s| s.phase.as_deref()), None)),
    })
}

/// Whether the kubelet calls it ready.
pub(super) fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|(status, ..)| status == "True")
}

/// Whether it failed as a whole: evicted, refused by the kubelet, lost with its node. In its own words.
pub(super) fn failure(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref().filter(|s| s.phase.as_deref() == Some("Failed"))?;
    let last = status.container_statuses.iter().flatten().find_map(|c| {
        let ended = c.state.as_ref()?.terminated.as_ref().filter(|t| t.exit_code != 0)?;
        Some(format!("; container {}: {}", c.name, end(ended)))
    });
    let words = said(status.reason.as_deref().or(Some("Failed")), status.message.as_deref());
    Some(format!("{words}{}", last.unwrap_or_default()))
}

/// Restart counts of the containers that are ready now.
pub(super) fn note_restarts(pod: &Pod, restarts: &mut Restarts) {
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    let ready = pod.status.iter().flat_map(|s| s.container_statuses.iter().flatten()).filter(|c| c.ready);
    restarts.extend(ready.map(|c| ((uid.clone(), c.name.clone()), c.restart_count)));
}

/// What follows the container's name. `before` is how often it had been restarted before we waited.
fn container(status: &ContainerStatus, before: i32) -> Option<(Hope, String)> {
    let state = status.state.as_ref()?;
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref().unwrap_or_default();
        let message = waiting.message.as_deref().map(own_words);
        let message = message.as_deref();
        if matches!(reason, "ContainerCreating" | "PodInitializing" | "") {
            return Some((Hope::SettingUp, format!(": {}", said(Some(reason), message))));
        }
        let slow = message.is_some_and(|m| SLOW_RUNTIME.iter().any(|s| m.contains(s)));
        let hope = if HOPELESS.contains(&reason) && !slow { Hope::None } else { Hope::Passing };
        let ended = status.last_state.as_ref().and_then(|last| last.terminated.as_ref());
        // a container that could not be started "ended" with the very same words
        let last = ended.filter(|ended| ended.message.is_none() || ended.message.as_deref() != message);
        let last = last.map_or_else(String::new, |ended| {
            format!("; {}, it ended last with {}", restarted(status.restart_count), end(ended))
        });
        return Some((hope, format!(": {}{last}", said(Some(reason), message))));
    }
    if let Some(ended) = &state.terminated {
        if ended.exit_code == 0 {
            // an init container that is done; or a main container that the kubelet starts again in a moment
            return None;
        }
        // one crash may be a database that was not there yet; the kubelet backs off after the second
        let hope = if status.restart_count - before >= 2 { Hope::None } else { Hope::Passing };
        return Some((hope, format!(" ended with {}, {}", end(ended), restarted(status.restart_count))));
    }
    let starting =
        if status.started == Some(false) { " runs and has not started up" } else { " runs and is not ready" };
    (state.running.is_some() && !status.ready).then(|| (Hope::Probed, starting.to_owned()))
}

/// What the kubelet says of a container, without the names of container and pod, which stand before it already.
fn own_words(message: &str) -> String {
    message.split_once(" container=").map_or_else(|| message.to_owned(), |(words, _)| format!("{words} container"))
}

fn restarted(times: i32) -> String {
    match times {
        0 => "not restarted yet".to_owned(),
        1 => "restarted once".to_owned(),
        _ => format!("restarted {times} times"),
    }
}

/// `exit code 14 (Error): last words`.
fn end(ended: &ContainerStateTerminated) -> String {
    let signal = ended.signal.filter(|s| *s != 0).map_or_else(String::new, |s| format!(", signal {s}"));
    let log = ended.message.as_deref();
    let words = log.map(|log| one_line(&mongod::last_words(log, ended.exit_code).unwrap_or_else(|| log.to_owned())));
    let words = words.filter(|words| !words.is_empty());
    let words = words.map_or_else(String::new, |m| format!(": {m}"));
    format!("exit code {}{signal} ({}){words}", ended.exit_code, ended.reason.as_deref().unwrap_or("no reason"))
}

fn scheduling(pod: &Pod) -> Option<Obstacle> {
    let (_, reason, message) = condition(pod, "PodScheduled").filter(|(status, ..)| *status == "False")?;
    let text = format!("not scheduled: {}", said(reason, message));
    let hope = message.and_then(missing_claim).map_or(Hope::Passing, |claim| Hope::Claim(claim.to_owned()));
    Some(Obstacle::new(hope, text))
}

/// The claim of `persistentvolumeclaim "x" not found`, as the scheduler says it (`0/1 nodes are available: …` before it).
fn missing_claim(message: &str) -> Option<&str> {
    let rest = message.split_once("persistentvolumeclaim \"")?.1;
    let (claim, rest) = rest.split_once('"')?;
    rest.starts_with(" not found").then_some(claim)
}

/// Status, reason and message of a condition.
fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<(&'a str, Option<&'a str>, Option<&'a str>)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let found = conditions.iter().find(|c| c.type_ == kind)?;
    Some((&found.status, found.reason.as_deref(), found.message.as_deref()))
}

#[cfg(test)]
mod tests;
