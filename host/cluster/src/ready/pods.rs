//! Which pods count: those of the workload's current revision that are there to stay.
//!
//! During a rollout the pods of the revision before may crash as they like: the rollout is what mends them.

use k8s_openapi::{
    api::{apps::v1::ReplicaSet, core::v1::Pod},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::reasons::is_ready;

/// Pods of a workload.
#[derive(Debug, Default)]
pub(super) struct Pods {
    /// Of the current revision.
    pub(super) current: Vec<Pod>,
    /// Of a revision before, and not on their way out.
    pub(super) older: Vec<Pod>,
    /// On their way out.
    pub(super) ending: Vec<Pod>,
}

/// What makes a pod one of the current revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Revision {
    /// Every selected pod is: a kind that is not known here, or one that keeps old pods on purpose.
    Any,
    /// Those of the Deployment's newest ReplicaSet.
    Owner {
        /// UID of that.
        current: String,
        /// UIDs of its earlier ones. What no ReplicaSet of it controls is somebody else's pod with the same labels.
        older: Vec<String>,
    },
    /// Those with this `controller-revision-hash` that the StatefulSet with this UID controls.
    Hash {
        /// UID of the StatefulSet.
        owner: String,
        /// The hash, or none where every revision counts.
        hash: Option<String>,
    },
    /// There is no ReplicaSet of the current revision yet.
    Unborn,
}

impl Pods {
    /// Sorts pods that the workload's selector found.
    pub(super) fn sort(found: Vec<Pod>, revision: &Revision) -> Self {
        let mut pods = Self::default();
        for pod in found {
            let owner = controller(&pod.metadata).unwrap_or_default();
            let current = match revision {
                Revision::Owner { current, .. } if owner == current => true,
                // one that has ended stays until it is collected, and is in nobody's way
                Revision::Owner { older, .. } if !older.iter().any(|uid| uid == owner) || has_ended(&pod) => continue,
                Revision::Hash { owner: uid, .. } if owner != uid => continue,
                Revision::Any | Revision::Hash { hash: None, .. } => true,
                Revision::Hash { hash: Some(hash), .. } => {
                    let labels = pod.metadata.labels.as_ref();
                    labels.and_then(|l| l.get("controller-revision-hash")) == Some(hash)
                }
                Revision::Owner { .. } | Revision::Unborn => false,
            };
            let list = if pod.metadata.deletion_timestamp.is_some() {
                &mut pods.ending
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

    /// How many of the current ones are ready.
    pub(super) fn ready(&self) -> i32 {
        i32::try_from(self.current.iter().filter(|pod| is_ready(pod)).count()).unwrap_or(i32::MAX)
    }
}

/// The ReplicaSet of a Deployment's current revision, of those that its selector found.
pub(super) fn current_set(sets: &[ReplicaSet], deployment: &str, revision: Option<&String>) -> Revision {
    const ANNOTATION: &str = "deployment.kubernetes.io/revision";
    let ours = sets.iter().filter(|set| controller(&set.metadata) == Some(deployment));
    let (current, older): (Vec<_>, Vec<_>) = ours.partition(|set| {
        let annotations = set.metadata.annotations.as_ref();
        revision.is_some() && annotations.and_then(|a| a.get(ANNOTATION)) == revision
    });
    let uids = |sets: Vec<&ReplicaSet>| sets.into_iter().filter_map(|set| set.metadata.uid.clone()).collect::<Vec<_>>();
    match uids(current).pop() {
        Some(current) => Revision::Owner { current, older: uids(older) },
        None => Revision::Unborn,
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

    fn pod(name: &str, owner: &str, hash: &str, ending: bool) -> Pod {
        let mut metadata = json!({"name": name, "labels": {"controller-revision-hash": hash},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "X", "name": "x", "uid": owner, "controller": true}]});
        if ending {
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
        let revision = current_set(&sets, "d", Some(&"2".to_owned()));
        assert_eq!(revision, Revision::Owner { current: "new".into(), older: vec!["old".into()] });
        let mut ended = pod("e", "old", "", false);
        ended.status = serde_json::from_value(json!({"phase": "Failed"})).expect("a status");
        let found = vec![
            pod("b", "new", "", false),
            pod("a", "new", "", false),
            pod("c", "old", "", false),
            pod("d", "old", "", true),
            pod("job", "somebody", "", false),
            ended,
        ];
        let pods = Pods::sort(found, &revision);
        assert_eq!(
            (names(&pods.current), names(&pods.older), names(&pods.ending)),
            (vec!["a", "b"], vec!["c"], vec!["d"])
        );
        assert_eq!(current_set(&sets, "d", Some(&"3".to_owned())), Revision::Unborn);
        assert_eq!(current_set(&sets, "d", None), Revision::Unborn);
    }

    #[test]
    fn a_stateful_set_counts_its_own_pods_of_the_update_revision() {
        let found =
            || vec![pod("m-0", "s", "m-6", false), pod("m-1", "s", "m-5", false), pod("x", "other", "m-6", false)];
        let hash = |hash: Option<&str>| Revision::Hash { owner: "s".into(), hash: hash.map(str::to_owned) };
        let pods = Pods::sort(found(), &hash(Some("m-6")));
        assert_eq!((names(&pods.current), names(&pods.older)), (vec!["m-0"], vec!["m-1"]));
        assert_eq!(names(&Pods::sort(found(), &hash(None)).current), ["m-0", "m-1"]);
        assert_eq!(names(&Pods::sort(found(), &Revision::Any).current).len(), 3);
    }
}
