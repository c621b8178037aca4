//! Autoscalers: they scale their targets again, whatever other clients set.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, ListParams},
};

use crate::{
    connection::Cluster,
    error::ClusterError,
    workload::{Workload, WorkloadRef},
};

/// The target that an autoscaler names.
struct ScaleTarget<'a> {
    api_version: Option<&'a str>,
    kind: &'a str,
    name: &'a str,
}

impl ScaleTarget<'_> {
    fn matches(&self, workload: &WorkloadRef) -> bool {
        let group = |version: &str| version.split_once('/').map_or(String::new(), |(group, _)| group.to_owned());
        let same_group = self.api_version.is_none_or(|version| group(version) == group(&workload.api_version));
        same_group && self.kind == workload.kind && self.name == workload.name
    }
}

impl Cluster {
    /// Rejects workloads that an autoscaler manages, unless the configuration allows it.
    pub(super) async fn reject_autoscaled(&self, workloads: &[&Workload]) -> Result<(), ClusterError> {
        let guarded: Vec<&Workload> = workloads.iter().copied().filter(|workload| !workload.allow_hpa).collect();
        if guarded.is_empty() {
            return Ok(());
        }
        let reject = |target: &ScaleTarget<'_>, autoscaler: String| match guarded
            .iter()
            .find(|workload| target.matches(&workload.reference))
        {
            Some(workload) => {
                let (workload, setting) = (workload.reference.clone(), workload.setting.clone());
                Err(ClusterError::Autoscaled { workload, autoscaler, setting })
            }
            None => Ok(()),
        };
        // KEDA first: people know its ScaledObject, not the HorizontalPodAutoscaler that it creates
        for scaled_object in self.scaled_objects().await? {
            let target = &scaled_object.data["spec"]["scaleTargetRef"];
            let target = ScaleTarget {
                api_version: Some(target["apiVersion"].as_str().unwrap_or("apps/v1")),
                kind: target["kind"].as_str().unwrap_or("Deployment"),
                name: target["name"].as_str().unwrap_or_default(),
            };
            let name = scaled_object.metadata.name.as_deref().unwrap_or_default();
            reject(&target, format!("ScaledObject {name}"))?;
        }
        let api: Api<HorizontalPodAutoscaler> = Api::namespaced(self.client.clone(), &self.namespace);
        let request = self.request("list", "horizontalpodautoscalers", "");
        for autoscaler in request.send(api.list(&ListParams::default())).await? {
            let Some(spec) = &autoscaler.spec else { continue };
            let target = &spec.scale_target_ref;
            let target =
                ScaleTarget { api_version: target.api_version.as_deref(), kind: &target.kind, name: &target.name };
            let name = autoscaler.metadata.name.as_deref().unwrap_or_default();
            let owners = autoscaler.metadata.owner_references.iter().flatten();
            let owner = owners.into_iter().find(|owner| owner.controller == Some(true));
            let owner = owner.map_or_else(String::new, |owner| format!(" (of {} {})", owner.kind, owner.name));
            reject(&target, format!("HorizontalPodAutoscaler {name}{owner}"))?;
        }
        Ok(())
    }

    /// KEDA's `ScaledObject`s; none where KEDA is not installed.
    async fn scaled_objects(&self) -> Result<Vec<DynamicObject>, ClusterError> {
        let resource = ApiResource {
            group: "keda.sh".to_owned(),
            version: "v1alpha1".to_owned(),
            api_version: "keda.sh/v1alpha1".to_owned(),
            kind: "ScaledObject".to_owned(),
            plural: "scaledobjects".to_owned(),
        };
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let list = self.request("list", "scaledobjects", "").send_optional(api.list(&ListParams::default())).await?;
        Ok(list.map_or_else(Vec::new, |list| list.items))
    }
}
