//! The Job and the pod that this process runs in.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{batch::v1::Job, core::v1::Pod},
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::Api;

use crate::{Cluster, ClusterError, error::refused};

/// What a pod has that names no grace period.
const DEFAULT_GRACE: Duration = Duration::from_secs(30);

/// The Job that this pod belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnJob {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// How long until `activeDeadlineSeconds`, less the pod's grace period. `None` where the Job has no deadline.
    pub left: Option<Duration>,
    /// The pod's grace period.
    pub grace: Duration,
}

impl Cluster {
    /// The Job that this pod belongs to. `None` outside a Job.
    ///
    /// A Job that is being deleted under us is still ours; one that is gone is not there to be annotated any more.
    pub async fn own_job(&self) -> Result<Option<OwnJob>, ClusterError> {
        let Some(pod) = self.own_pod().await? else { return Ok(None) };
        let Some(name) = self.me.job.clone().or_else(|| owning_job(&pod)) else { return Ok(None) };
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), self.own_namespace());
        let job = jobs.get_opt(&name).await;
        let Some(job) = job.map_err(|error| refused(error, "get", &format!("jobs {name}"), self.own_namespace()))?
        else {
            return Ok(None);
        };
        let now = if deadline(&job, &pod).is_some() { Some(self.now().await?) } else { None };
        Ok(Some(own(&job, &pod, now)))
    }

    /// Namespace of this process's own pod, which need not be that of the workloads.
    pub(crate) fn own_namespace(&self) -> &str {
        self.me.namespace.as_deref().unwrap_or(&self.namespace)
    }

    /// `HOSTNAME` is set outside a cluster too, so a pod that is not there, or is another one, is no error.
    async fn own_pod(&self) -> Result<Option<Pod>, ClusterError> {
        let Some(name) = &self.me.pod else { return Ok(None) };
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), self.own_namespace());
        let pod = pods.get_opt(name).await;
        let pod = pod.map_err(|error| refused(error, "get", &format!("pods {name}"), self.own_namespace()))?;
        Ok(pod.filter(|pod| self.me.uid.is_none() || self.me.uid == pod.metadata.uid))
    }
}

fn owning_job(pod: &Pod) -> Option<String> {
    let owner =
        pod.metadata.owner_references.iter().flatten().find(|o| o.kind == "Job" && o.controller == Some(true))?;
    Some(owner.name.clone())
}

fn own(job: &Job, pod: &Pod, now: Option<Timestamp>) -> OwnJob {
    let grace = pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
    let grace = grace.and_then(|s| u64::try_from(s).ok()).map_or(DEFAULT_GRACE, Duration::from_secs);
    let left = deadline(job, pod).zip(now).map(|(deadline, now)| {
        // a deadline that is over leaves nothing
        Duration::try_from(deadline.duration_since(now)).unwrap_or_default().saturating_sub(grace)
    });
    let metadata = &job.metadata;
    OwnJob {
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        left,
        grace,
    }
}

/// When Kubernetes ends the pod: the Job's deadline or the pod's own, whichever comes first.
fn deadline(job: &Job, pod: &Pod) -> Option<Timestamp> {
    let after = |start: Option<&Time>, seconds: Option<i64>| {
        let start = Timestamp::from_second(start?.0.as_second()).ok()?;
        start.checked_add(SignedDuration::from_secs(seconds?)).ok()
    };
    let of_job = after(
        job.status.as_ref().and_then(|s| s.start_time.as_ref()),
        job.spec.as_ref().and_then(|s| s.active_deadline_seconds),
    );
    let of_pod = after(
        pod.status.as_ref().and_then(|s| s.start_time.as_ref()),
        pod.spec.as_ref().and_then(|s| s.active_deadline_seconds),
    );
    of_job.into_iter().chain(of_pod).min()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn job(deadline: Option<i64>) -> Job {
        let value = json!({"metadata": {"name": "pre", "uid": "j"}, "spec": {"activeDeadlineSeconds": deadline,
            "template": {}}, "status": {"startTime": "2026-11-25T01:00:00Z"}});
        serde_json::from_value(value).expect("a job")
    }

    fn pod(spec: &Value) -> Pod {
        let mut spec = spec.clone();
        spec["containers"] = json!([]);
        serde_json::from_value(json!({"spec": spec, "status": {"startTime": "2026-11-25T01:00:10Z"},
            "metadata": {"ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "pre", "uid": "j", "controller": true}]}}))
        .expect("a pod")
    }

    fn left(job: &Job, pod: &Pod, now: &str) -> Option<u64> {
        own(job, pod, Some(now.parse().expect("a time"))).left.map(|left| left.as_secs())
    }

    #[test]
    fn what_is_left_is_the_deadline_less_the_grace_period() {
        let grace = pod(&json!({"terminationGracePeriodSeconds": 120}));
        assert_eq!(left(&job(Some(3600)), &grace, "2026-11-25T01:10:00Z"), Some(3600 - 600 - 120));
        assert_eq!(left(&job(Some(3600)), &grace, "2026-11-25T01:59:00Z"), Some(0), "the grace period has begun");
        assert_eq!(left(&job(Some(3600)), &grace, "2026-11-25T03:00:00Z"), Some(0));
        assert_eq!(left(&job(Some(3600)), &pod(&json!({})), "2026-11-25T01:10:00Z"), Some(3600 - 600 - 30));
        assert_eq!(left(&job(None), &grace, "2026-11-25T01:10:00Z"), None);
        let own_deadline = pod(&json!({"activeDeadlineSeconds": 600, "terminationGracePeriodSeconds": 0}));
        assert_eq!(
            left(&job(Some(3600)), &own_deadline, "2026-11-25T01:00:10Z"),
            Some(600),
            "the pod's own comes first"
        );
    }

    #[test]
    fn a_pod_names_the_job_that_made_it() {
        assert_eq!(owning_job(&pod(&json!({}))).as_deref(), Some("pre"));
        assert_eq!(owning_job(&Pod::default()), None);
    }
}
