//! The pods of a workload, sorted into those of the current revision, of older ones, and those that are terminating.
//!
//! Only pods of the current revision count. During a rollout the older ones may crash: the rollout replaces them.

use k8s_openapi::{
    api::{apps::v1::ReplicaSet, core::v1::Pod},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::obstacle::is_ready;

/// The pods of a workload.
#[derive(Debug, Default)]
pub(super) struct WorkloadPods {
    /// Of the current revision.
    pub(super) current: Vec<Pod>,
    /// Of an older revision, and not terminating.
    pub(super) older: Vec<Pod>,
    /// Terminating.
    pub(super) terminating: Vec<Pod>,
}

/// How a pod of the current revision is recognized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CurrentRevision {
    /// Every selected pod is one: a kind whose revisions are unknown.
    Any,
    /// Pods of the Deployment's newest ReplicaSet.
    ReplicaSet {
        /// UID of that ReplicaSet.
        current: String,
        /// UIDs of the Deployment's older `ReplicaSet`s. A pod that none of them controls belongs to another object with the
        /// same labels.
        older: Vec<String>,
    },
    /// Pods that the StatefulSet with this UID controls, with this `controller-revision-hash`.
    StatefulSet {
        /// UID of the StatefulSet.
        owner: String,
        /// The hash. `None` where pods of every revision count.
        hash: Option<String>,
    },
    /// The ReplicaSet of the current revision does not exist yet.
    NotCreated,
}

impl WorkloadPods {
    /// Sorts the pods that the workload's selector matches.
    pub(super) fn sort(found: Vec<Pod>, revision: &CurrentRevision) -> Self {
        let mut pods = Self::default();
        for pod in found {
            let owner = controller(&pod.metadata).unwrap_or_default();
            let current = match revision {
                CurrentRevision::ReplicaSet { current, .. } if owner == current => true,
                // an ended pod stays until it is garbage-collected, and does not block the rollout
                CurrentRevision::ReplicaSet { older, .. }
                    if !older.iter().any(|uid| uid == owner) || has_ended(&pod) =>
                {
                    continue;
                }
                CurrentRevision::StatefulSet { owner: uid, .. } if owner != uid => continue,
                CurrentRevision::Any | CurrentRevision::StatefulSet { hash: None, .. } => true,
                CurrentRevision::StatefulSet { hash: Some(hash), .. } => {
                    let labels = pod.metadata.labels.as_ref();
                    labels.and_then(|l| l.get("controller-revision-hash")) == Some(hash)
                }
                CurrentRevision::ReplicaSet { .. } | CurrentRevision::NotCreated => false,
            };
            let list = if pod.metadata.deletion_timestamp.is_some() {
                &mut pods.terminating
            } else if current {
                &mut pods.current
            } else {
                &mut pods.older
            };
            list.push(pod);
        }
        pods.current.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
        pods
    }

    /// How many pods of the current revision are ready.
    pub(super) fn ready_count(&self) -> i32 {
        i32::try_from(self.current.iter().filter(|pod| is_ready(pod)).count()).unwrap_or(i32::MAX)
    }
}

/// The current revision of a Deployment, from the `ReplicaSet`s that its selector matches.
pub(super) fn deployment_revision(sets: &[ReplicaSet], deployment: &str, revision: Option<&String>) -> CurrentRevision {
    const ANNOTATION: &str = "deployment.kubernetes.io/revision";
    let own = sets.iter().filter(|set| controller(&set.metadata) == Some(deployment));
    let (current, older): (Vec<_>, Vec<_>) = own.partition(|set| {
        let annotations = set.metadata.annotations.as_ref();
        revision.is_some() && annotations.and_then(|a| a.get(ANNOTATION)) == revision
    });
    let uids = |sets: Vec<&ReplicaSet>| sets.into_iter().filter_map(|set| set.metadata.uid.clone()).collect::<Vec<_>>();
    match uids(current).pop() {
        Some(current) => CurrentRevision::ReplicaSet { current, older: uids(older) },
        None => CurrentRevision::NotCreated,
    }
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn controller(metadata: &ObjectMeta) -> Option<&str> {
    let owner = metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))?;
    Some(&owner.uid)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Clone, Copy, PartialEq)]
    enum Lifecycle {
        Stays,
        Terminating,
    }

    fn pod(name: &str, owner: &str, hash: &str, lifecycle: Lifecycle) -> Pod {
        let mut metadata = json!({"name": name, "labels": {"controller-revision-hash": hash},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "X", "name": "x", "uid": owner, "controller": true}]});
        if lifecycle == Lifecycle::Terminating {
            metadata["deletionTimestamp"] = json!("2026-11-25T01:00:00Z");
        }
        serde_json::from_value(json!({"metadata": metadata})).expect("a pod")
    }

    fn names(pods: &[Pod]) -> Vec<&str> {
        pods.iter().filter_map(|pod| pod.metadata.name.as_deref()).collect()
    }

    #[test]
    fn a_deployment_counts_the_pods_of_its_newest_replica_set() {
        let set = |uid: &str, owner: &str, revision: &str| -> ReplicaSet {
            serde_json::from_value(json!({"metadata": {"uid": uid, "annotations": {"deployment.kubernetes.io/revision": revision},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": owner, "controller": true}]}}))
            .expect("a set")
        };
        let sets = [set("old", "d", "1"), set("foreign", "e", "2"), set("new", "d", "2")];
        let revision = deployment_revision(&sets, "d", Some(&"2".to_owned()));
        assert_eq!(revision, CurrentRevision::ReplicaSet { current: "new".into(), older: vec!["old".into()] });
        let mut ended = pod("e", "old", "", Lifecycle::Stays);
        ended.status = serde_json::from_value(json!({"phase": "Failed"})).expect("a status");
        let found = vec![
            pod("b", "new", "", Lifecycle::Stays),
            pod("a", "new", "", Lifecycle::Stays),
            pod("c", "old", "", Lifecycle::Stays),
            pod("d", "old", "", Lifecycle::Terminating),
            pod("job", "somebody", "", Lifecycle::Stays),
            ended,
        ];
        let pods = WorkloadPods::sort(found, &revision);
        assert_eq!(
            (names(&pods.current), names(&pods.older), names(&pods.terminating)),
            (vec!["a", "b"], vec!["c"], vec!["d"])
        );
        assert_eq!(deployment_revision(&sets, "d", Some(&"3".to_owned())), CurrentRevision::NotCreated);
        assert_eq!(deployment_revision(&sets, "d", None), CurrentRevision::NotCreated);
    }

    #[test]
    fn a_stateful_set_counts_its_own_pods_of_the_update_revision() {
        let found = || {
            vec![
                pod("m-0", "s", "m-6", Lifecycle::Stays),
                pod("m-1", "s", "m-5", Lifecycle::Stays),
                pod("x", "other", "m-6", Lifecycle::Stays),
            ]
        };
        let hash =
            |hash: Option<&str>| CurrentRevision::StatefulSet { owner: "s".into(), hash: hash.map(str::to_owned) };
        let pods = WorkloadPods::sort(found(), &hash(Some("m-6")));
        assert_eq!((names(&pods.current), names(&pods.older)), (vec!["m-0"], vec!["m-1"]));
        assert_eq!(names(&WorkloadPods::sort(found(), &hash(None)).current), ["m-0", "m-1"]);
        assert_eq!(names(&WorkloadPods::sort(found(), &CurrentRevision::Any).current).len(), 3);
    }
}
