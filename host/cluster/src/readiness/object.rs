//! A workload's API object: its counts, revision, conditions and field managers.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ManagedFieldsEntry};
use serde::Deserialize;
use serde_json::Value;

use crate::text::reason_and_message;

/// A workload's API object. Fields of an unexpected type are absent.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WorkloadObject {
    pub(super) metadata: Metadata,
    pub(super) spec: Spec,
    pub(super) status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub(super) uid: String,
    pub(super) generation: i64,
    pub(super) annotations: std::collections::BTreeMap<String, String>,
    pub(super) managed_fields: Vec<ManagedFieldsEntry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Spec {
    /// Of a Deployment or StatefulSet. The replicas of other kinds are read from their scale.
    pub(super) replicas: Value,
    pub(super) selector: Value,
    pub(super) paused: Value,
    pub(super) update_strategy: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Status {
    pub(super) observed_generation: Option<i64>,
    pub(super) replicas: Value,
    pub(super) ready_replicas: Value,
    pub(super) updated_replicas: Value,
    pub(super) update_revision: Value,
    pub(super) conditions: Value,
}

impl WorkloadObject {
    /// Whether its controller has observed its specification. True for a kind that does not report it.
    pub(super) fn is_observed(&self) -> bool {
        self.status.observed_generation.is_none_or(|observed| observed >= self.metadata.generation)
    }

    /// The label selector of a Deployment or StatefulSet.
    pub(super) fn selector(&self) -> Option<LabelSelector> {
        LabelSelector::deserialize(&self.spec.selector).ok()
    }

    /// The current revision of a StatefulSet. `None` where its update strategy keeps pods of old revisions.
    pub(super) fn update_revision(&self) -> Option<&str> {
        let strategy = &self.spec.update_strategy;
        let on_delete = strategy["type"] == "OnDelete";
        let partition = strategy["rollingUpdate"]["partition"].as_i64().unwrap_or_default() > 0;
        if on_delete || partition { None } else { self.status.update_revision.as_str() }
    }

    /// Why its controller could not create a pod, from the condition `ReplicaFailure` of a Deployment.
    pub(super) fn replica_failure(&self) -> Option<&str> {
        let condition = self.condition("ReplicaFailure").filter(|c| c["status"] == "True")?;
        Some(condition["message"].as_str().unwrap_or("FailedCreate"))
    }

    /// Further remarks on why it is not ready.
    ///
    /// A rollout that passed its progress deadline is no error: the condition outlives the rollout, and the limit for a
    /// capture is `readyTimeout`.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if !self.is_observed() {
            remarks.push("its controller has not observed its specification yet".to_owned());
        }
        if self.spec.paused == Value::Bool(true) {
            remarks.push("its rollout is paused".to_owned());
        }
        let overdue = |c: &&Value| c["status"] == "False" && c["reason"] == "ProgressDeadlineExceeded";
        if let Some(condition) = self.condition("Progressing").filter(overdue) {
            remarks.push(reason_and_message(condition["reason"].as_str(), condition["message"].as_str()));
        }
        remarks
    }

    /// The field manager that set the replicas last.
    pub(super) fn scaled_by(&self) -> Option<String> {
        let owns = |entry: &&ManagedFieldsEntry| {
            entry.fields_v1.as_ref().is_some_and(|fields| fields.0["f:spec"].get("f:replicas").is_some())
        };
        let last =
            self.metadata.managed_fields.iter().filter(owns).max_by_key(|entry| entry.time.as_ref().map(|t| t.0))?;
        last.manager.clone()
    }

    fn condition(&self, kind: &str) -> Option<&Value> {
        self.status.conditions.as_array()?.iter().find(|c| c["type"] == kind)
    }
}

/// A count of an object; zero where it is absent.
pub(super) fn count(value: &Value) -> i32 {
    value.as_i64().and_then(|n| i32::try_from(n).ok()).unwrap_or_default()
}

/// Whether the message means that the API server rejects the pods permanently: a quota, a policy, an admission webhook.
///
/// A webhook that does not answer, or a quota that has not been counted yet, is temporary.
pub(super) fn is_rejection(message: &str) -> bool {
    if message.contains("status unknown for quota") {
        return false;
    }
    ["is forbidden:", "denied the request", "is invalid:", "denied request"]
        .iter()
        .any(|phrase| message.contains(phrase))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> WorkloadObject {
        serde_json::from_value(value).expect("an object")
    }

    #[test]
    fn a_rejection_differs_from_a_temporary_failure() {
        // wording: plugin/pkg/admission, apiserver/pkg/admission/plugin, and the controllers' prefixes
        for (message, rejection) in [
            (
                r#"create Pod mongo-0 in StatefulSet mongo failed error: pods "mongo-0" is forbidden: exceeded quota: few, requested: pods=1, used: pods=0, limited: pods=0"#,
                true,
            ),
            (r#"pods "web-1" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true"#, true),
            (
                r#"pods "web-1" is forbidden: error looking up service account shop/web: serviceaccount "web" not found"#,
                true,
            ),
            (r#"admission webhook "policy.example.com" denied the request: no latest tags"#, true),
            (r#"Pod "web-1" is invalid: spec.containers[0].image: Required value"#, true),
            (r#"pods "web-1" is forbidden: status unknown for quota: few, resources: pods"#, false),
            (
                r#"Internal error occurred: failed calling webhook "policy.example.com": connect: connection refused"#,
                false,
            ),
            ("etcdserver: request timed out", false),
        ] {
            assert_eq!(is_rejection(message), rejection, "{message}");
        }
    }

    #[test]
    fn the_controller_must_have_observed_the_specification() {
        assert!(!object(json!({"metadata": {"generation": 3}, "status": {"observedGeneration": 2}})).is_observed());
        assert!(object(json!({"metadata": {"generation": 3}, "status": {"observedGeneration": 3}})).is_observed());
        assert!(object(json!({"metadata": {"generation": 3}})).is_observed());
    }

    #[test]
    fn a_stateful_set_that_keeps_old_pods_has_no_update_revision() {
        let set = |strategy: Value| {
            object(json!({"spec": {"updateStrategy": strategy}, "status": {"updateRevision": "mongo-6"}}))
        };
        assert_eq!(
            set(json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})).update_revision(),
            Some("mongo-6")
        );
        assert_eq!(set(json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}})).update_revision(), None);
        assert_eq!(set(json!({"type": "OnDelete"})).update_revision(), None);
    }

    #[test]
    fn conditions_are_read_by_their_status() {
        let deployment = |failure: &str, progressing: &str| {
            object(json!({"spec": {"paused": true}, "status": {"conditions": [
                {"type": "ReplicaFailure", "status": failure, "reason": "FailedCreate", "message": "exceeded quota"},
                {"type": "Progressing", "status": progressing, "reason": "ProgressDeadlineExceeded",
                 "message": "ReplicaSet \"web-1\" has timed out progressing."}]}}))
        };
        assert_eq!(deployment("True", "True").replica_failure(), Some("exceeded quota"));
        assert_eq!(deployment("False", "True").replica_failure(), None);
        assert_eq!(deployment("False", "True").remarks(), ["its rollout is paused"]);
        assert_eq!(
            deployment("False", "False").remarks()[1],
            r#"ProgressDeadlineExceeded: ReplicaSet "web-1" has timed out progressing"#
        );
    }

    #[test]
    fn the_field_manager_that_scaled_it_last_is_named() {
        let fields = |manager: &str, minute: u32, fields: Value| json!({"manager": manager, "operation": "Update", "time": format!("2026-11-25T01:{minute:02}:00Z"), "fieldsV1": fields});
        let scaled = object(json!({"metadata": {"managedFields": [
            fields("taster", 1, json!({"f:spec": {"f:replicas": {}}})),
            fields("argocd-controller", 2, json!({"f:spec": {"f:replicas": {}}})),
            fields("kube-controller-manager", 3, json!({"f:status": {"f:replicas": {}}})),
        ]}}));
        assert_eq!(scaled.scaled_by().as_deref(), Some("argocd-controller"));
    }
}
