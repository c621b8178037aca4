//! The Job and the pod that this process runs in, and how much time the Job has left.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{batch::v1::Job, core::v1::Pod},
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::Api;

use crate::{connection::Cluster, error::ClusterError, request::ApiRequest};

/// The grace period of a pod that sets none.
const DEFAULT_GRACE_PERIOD: Duration = Duration::from_secs(30);

/// The Job that this pod belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnJob {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The time until `activeDeadlineSeconds`, less the pod's grace period. `None` where there is no deadline.
    pub time_left: Option<Duration>,
    /// The pod's grace period.
    pub grace_period: Duration,
}

impl Cluster {
    /// The Job that this pod belongs to. `None` outside a Job.
    ///
    /// A Job that is being deleted is still returned; one that is already gone cannot be annotated and is `None`.
    pub async fn own_job(&self) -> Result<Option<OwnJob>, ClusterError> {
        let Some(pod) = self.own_pod().await? else { return Ok(None) };
        let Some(name) = self.identity.job.clone().or_else(|| owning_job(&pod)) else { return Ok(None) };
        let namespace = self.own_namespace();
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), namespace);
        let request = ApiRequest { verb: "get", resource: "jobs", name: &name, namespace };
        let job = jobs.get_opt(&name).await.map_err(|error| request.error(error))?;
        let Some(job) = job else { return Ok(None) };
        let now = if deadline(&job, &pod).is_some() { Some(self.server_time().await?) } else { None };
        Ok(Some(own_job(&job, &pod, now)))
    }

    /// This process's pod. `HOSTNAME` is set outside a cluster too, so a pod that does not exist or is another one is no
    /// error.
    async fn own_pod(&self) -> Result<Option<Pod>, ClusterError> {
        let Some(name) = &self.identity.pod else { return Ok(None) };
        let namespace = self.own_namespace();
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let request = ApiRequest { verb: "get", resource: "pods", name, namespace };
        let pod = pods.get_opt(name).await.map_err(|error| request.error(error))?;
        Ok(pod.filter(|pod| self.identity.uid.is_none() || self.identity.uid == pod.metadata.uid))
    }
}

fn owning_job(pod: &Pod) -> Option<String> {
    let mut owners = pod.metadata.owner_references.iter().flatten();
    let owner = owners.find(|owner| owner.kind == "Job" && owner.controller == Some(true))?;
    Some(owner.name.clone())
}

fn own_job(job: &Job, pod: &Pod, now: Option<Timestamp>) -> OwnJob {
    let seconds = pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
    let grace_period = seconds.and_then(|s| u64::try_from(s).ok()).map_or(DEFAULT_GRACE_PERIOD, Duration::from_secs);
    let time_left = deadline(job, pod).zip(now).map(|(deadline, now)| {
        // a deadline in the past leaves zero
        Duration::try_from(deadline.duration_since(now)).unwrap_or_default().saturating_sub(grace_period)
    });
    let metadata = &job.metadata;
    OwnJob {
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        time_left,
        grace_period,
    }
}

/// When Kubernetes ends the pod: the Job's deadline or the pod's own, whichever comes first.
fn deadline(job: &Job, pod: &Pod) -> Option<Timestamp> {
    let end = |start: Option<&Time>, seconds: Option<i64>| {
        let start = Timestamp::from_second(start?.0.as_second()).ok()?;
        start.checked_add(SignedDuration::from_secs(seconds?)).ok()
    };
    let job_end = end(
        job.status.as_ref().and_then(|s| s.start_time.as_ref()),
        job.spec.as_ref().and_then(|s| s.active_deadline_seconds),
    );
    let pod_end = end(
        pod.status.as_ref().and_then(|s| s.start_time.as_ref()),
        pod.spec.as_ref().and_then(|s| s.active_deadline_seconds),
    );
    job_end.into_iter().chain(pod_end).min()
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

    fn time_left(job: &Job, pod: &Pod, now: &str) -> Option<u64> {
        own_job(job, pod, Some(now.parse().expect("a time"))).time_left.map(|left| left.as_secs())
    }

    #[test]
    fn the_time_left_is_the_deadline_less_the_grace_period() {
        let grace = pod(&json!({"terminationGracePeriodSeconds": 120}));
        assert_eq!(time_left(&job(Some(3600)), &grace, "2026-11-25T01:10:00Z"), Some(3600 - 600 - 120));
        assert_eq!(time_left(&job(Some(3600)), &grace, "2026-11-25T01:59:00Z"), Some(0), "the grace period has begun");
        assert_eq!(time_left(&job(Some(3600)), &grace, "2026-11-25T03:00:00Z"), Some(0));
        assert_eq!(time_left(&job(Some(3600)), &pod(&json!({})), "2026-11-25T01:10:00Z"), Some(3600 - 600 - 30));
        assert_eq!(time_left(&job(None), &grace, "2026-11-25T01:10:00Z"), None);
        let own_deadline = pod(&json!({"activeDeadlineSeconds": 600, "terminationGracePeriodSeconds": 0}));
        assert_eq!(
            time_left(&job(Some(3600)), &own_deadline, "2026-11-25T01:00:10Z"),
            Some(600),
            "the pod's own comes first"
        );
    }

    #[test]
    fn a_pod_names_the_job_that_owns_it() {
        assert_eq!(owning_job(&pod(&json!({}))).as_deref(), Some("pre"));
        assert_eq!(owning_job(&Pod::default()), None);
    }
}
