//! The obstacle that keeps a pod from being ready, as the kubelet or the scheduler reports it, and whether waiting helps.

use std::collections::HashMap;

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};

use super::mongod_log;
use crate::text::{one_line, reason_and_message};

/// What keeps a pod from being ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Obstacle {
    pub(super) recoverability: Recoverability,
    /// `container mongo: CrashLoopBackOff: …`.
    pub(super) text: String,
}

/// Whether waiting helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Recoverability {
    /// It may.
    Possible,
    /// It may. The pod is being set up, and its events give the details.
    SettingUp,
    /// It may. The pod is being probed, and its events give the details.
    Probed,
    /// It does not.
    Impossible,
    /// It does not, if this claim is really missing: the scheduler may see a pod before the claim that its StatefulSet has
    /// just created.
    UnlessClaimMissing(String),
}

impl Obstacle {
    fn new(recoverability: Recoverability, text: String) -> Self {
        Self { recoverability, text }
    }
}

/// Restart counts at the beginning of the wait, of the containers that were ready then: earlier crashes do not count
/// against them. By pod UID and container name.
pub(super) type RestartCounts = HashMap<(String, String), i32>;

/// Reasons of a waiting container for which waiting does not help.
///
/// Failing to pull an image is not one of them: the registry may be down, or the image may be pushed a minute later.
const UNRECOVERABLE_REASONS: [&str; 9] = [
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

/// Messages of a slow container runtime. The kubelet tries again.
const SLOW_RUNTIME_MESSAGES: [&str; 3] = ["context deadline exceeded", "DeadlineExceeded", "is reserved for"];

/// What keeps this pod from being ready. `None` where it is ready.
pub(super) fn find_obstacle(pod: &Pod, restarts: &RestartCounts) -> Option<Obstacle> {
    if is_ready(pod) {
        return None;
    }
    let status = pod.status.as_ref();
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    let init = status.iter().flat_map(|s| s.init_container_statuses.iter().flatten()).map(|c| ("init container", c));
    let main = status.iter().flat_map(|s| s.container_statuses.iter().flatten()).map(|c| ("container", c));
    let obstacles: Vec<Obstacle> = init
        .chain(main)
        .filter_map(|(role, status)| {
            let before = restarts.get(&(uid.to_owned(), status.name.clone())).copied().unwrap_or_default();
            let (recoverability, text) = container_obstacle(status, before)?;
            Some(Obstacle::new(recoverability, format!("{role} {}{text}", status.name)))
        })
        .collect();
    // a broken container first: others may only wait for it
    if let Some(worst) = obstacles.iter().find(|obstacle| obstacle.recoverability == Recoverability::Impossible) {
        return Some(worst.clone());
    }
    if let Some(unscheduled) = scheduling_obstacle(pod) {
        return Some(unscheduled);
    }
    if let Some(first) = obstacles.into_iter().next() {
        return Some(first);
    }
    let ready = condition(pod, "Ready").filter(|(status, ..)| *status != "True");
    Some(match ready {
        Some((_, Some(reason), message)) if !reason.is_empty() => {
            Obstacle::new(Recoverability::Probed, reason_and_message(Some(reason), message))
        }
        _ => {
            Obstacle::new(Recoverability::SettingUp, reason_and_message(status.and_then(|s| s.phase.as_deref()), None))
        }
    })
}

/// Whether the pod is ready, as the kubelet reports it.
pub(super) fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|(status, ..)| status == "True")
}

/// Why the pod failed as a whole: evicted, rejected by the kubelet, lost with its node. `None` where it did not.
pub(super) fn pod_failure(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref().filter(|s| s.phase.as_deref() == Some("Failed"))?;
    let last = status.container_statuses.iter().flatten().find_map(|c| {
        let ended = c.state.as_ref()?.terminated.as_ref().filter(|t| t.exit_code != 0)?;
        Some(format!("; container {}: {}", c.name, describe_end(ended)))
    });
    let reason = reason_and_message(status.reason.as_deref().or(Some("Failed")), status.message.as_deref());
    Some(format!("{reason}{}", last.unwrap_or_default()))
}

/// Adds the restart counts of the containers that are ready now.
pub(super) fn record_restarts(pod: &Pod, restarts: &mut RestartCounts) {
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    let ready = pod.status.iter().flat_map(|s| s.container_statuses.iter().flatten()).filter(|c| c.ready);
    restarts.extend(ready.map(|c| ((uid.clone(), c.name.clone()), c.restart_count)));
}

/// The text that follows the container's name. `before` is its restart count at the beginning of the wait.
fn container_obstacle(status: &ContainerStatus, before: i32) -> Option<(Recoverability, String)> {
    let state = status.state.as_ref()?;
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref().unwrap_or_default();
        let message = waiting.message.as_deref().map(without_names);
        let message = message.as_deref();
        if matches!(reason, "ContainerCreating" | "PodInitializing" | "") {
            return Some((Recoverability::SettingUp, format!(": {}", reason_and_message(Some(reason), message))));
        }
        let slow = message.is_some_and(|m| SLOW_RUNTIME_MESSAGES.iter().any(|s| m.contains(s)));
        let recoverability = if UNRECOVERABLE_REASONS.contains(&reason) && !slow {
            Recoverability::Impossible
        } else {
            Recoverability::Possible
        };
        let ended = status.last_state.as_ref().and_then(|last| last.terminated.as_ref());
        // a container that could not be started "ended" with the same message
        let last = ended.filter(|ended| ended.message.is_none() || ended.message.as_deref() != message);
        let last = last.map_or_else(String::new, |ended| {
            format!("; {}, last ended with {}", restarted(status.restart_count), describe_end(ended))
        });
        return Some((recoverability, format!(": {}{last}", reason_and_message(Some(reason), message))));
    }
    if let Some(ended) = &state.terminated {
        if ended.exit_code == 0 {
            // a completed init container, or a main container that the kubelet restarts in a moment
            return None;
        }
        // the first crash may come from a database that was not up yet; after the second the kubelet backs off
        let recoverability =
            if status.restart_count - before >= 2 { Recoverability::Impossible } else { Recoverability::Possible };
        let text = format!(" ended with {}, {}", describe_end(ended), restarted(status.restart_count));
        return Some((recoverability, text));
    }
    let text = if status.started == Some(false) {
        " runs, but its startup probe has not succeeded"
    } else {
        " runs, but is not ready"
    };
    (state.running.is_some() && !status.ready).then(|| (Recoverability::Probed, text.to_owned()))
}

/// The kubelet's message without the names of container and pod, which the text already has.
fn without_names(message: &str) -> String {
    message.split_once(" container=").map_or_else(|| message.to_owned(), |(text, _)| format!("{text} container"))
}

fn restarted(times: i32) -> String {
    match times {
        0 => "not restarted yet".to_owned(),
        1 => "restarted once".to_owned(),
        _ => format!("restarted {times} times"),
    }
}

/// `exit code 14 (Error): last lines of the log`.
fn describe_end(ended: &ContainerStateTerminated) -> String {
    let signal = ended.signal.filter(|s| *s != 0).map_or_else(String::new, |s| format!(", signal {s}"));
    let log = ended.message.as_deref();
    let cause =
        log.map(|log| one_line(&mongod_log::failure_reason(log, ended.exit_code).unwrap_or_else(|| log.to_owned())));
    let cause = cause.filter(|cause| !cause.is_empty()).map_or_else(String::new, |cause| format!(": {cause}"));
    format!("exit code {}{signal} ({}){cause}", ended.exit_code, ended.reason.as_deref().unwrap_or("no reason"))
}

fn scheduling_obstacle(pod: &Pod) -> Option<Obstacle> {
    let (_, reason, message) = condition(pod, "PodScheduled").filter(|(status, ..)| *status == "False")?;
    let text = format!("not scheduled: {}", reason_and_message(reason, message));
    let claim = message.and_then(missing_claim);
    let recoverability =
        claim.map_or(Recoverability::Possible, |claim| Recoverability::UnlessClaimMissing(claim.to_owned()));
    Some(Obstacle::new(recoverability, text))
}

/// The claim in the scheduler's message `0/1 nodes are available: persistentvolumeclaim "x" not found`.
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
