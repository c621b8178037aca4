//! Autoscalers: what one looks after is scaled by it, whatever anybody else sets.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, ListParams},
};

use crate::{Cluster, ClusterError, Workload, WorkloadRef, cluster};

/// What an autoscaler says of its target.
struct Target<'a> {
    api_version: Option<&'a str>,
    kind: &'a str,
    name: &'a str,
}

impl Target<'_> {
    fn is(&self, of: &WorkloadRef) -> bool {
        let group = |version: &str| version.split_once('/').map_or(String::new(), |(group, _)| group.to_owned());
        let same_group = self.api_version.is_none_or(|version| group(version) == group(&of.api_version));
        same_group && self.kind == of.kind && self.name == of.name
    }
}

impl Cluster {
    /// Refuses what an autoscaler looks after, unless the configuration allows it.
    pub(super) async fn refuse_autoscaled(&self, workloads: &[&Workload]) -> Result<(), ClusterError> {
        let guarded: Vec<&Workload> = workloads.iter().copied().filter(|workload| !workload.allow_hpa).collect();
        if guarded.is_empty() {
            return Ok(());
        }
        let refuse = |target: &Target<'_>, by: String| match guarded.iter().find(|workload| target.is(&workload.of)) {
            Some(workload) => {
                let setting = workload.setting.clone();
                Err(ClusterError::Autoscaled { workload: workload.of.clone(), by, setting })
            }
            None => Ok(()),
        };
        // KEDA first: its own object is what a person knows, the autoscaler below it is its work
        for scaled in self.scaled_objects().await? {
            let target = &scaled.data["spec"]["scaleTargetRef"];
            let target = Target {
                api_version: Some(target["apiVersion"].as_str().unwrap_or("apps/v1")),
                kind: target["kind"].as_str().unwrap_or("Deployment"),
                name: target["name"].as_str().unwrap_or_default(),
            };
            refuse(&target, format!("ScaledObject {}", scaled.metadata.name.as_deref().unwrap_or_default()))?;
        }
        let api: Api<HorizontalPodAutoscaler> = Api::namespaced(self.client.clone(), &self.namespace);
        let asked = self.asked("list", "horizontalpodautoscalers", "");
        for scaler in cluster::ask(asked, api.list(&ListParams::default())).await? {
            let Some(spec) = &scaler.spec else { continue };
            let of = &spec.scale_target_ref;
            let target = Target { api_version: of.api_version.as_deref(), kind: &of.kind, name: &of.name };
            let name = scaler.metadata.name.as_deref().unwrap_or_default();
            let owners = scaler.metadata.owner_references.iter().flatten();
            let owner = owners.into_iter().find(|owner| owner.controller == Some(true));
            let of = owner.map_or_else(String::new, |owner| format!(" (of {} {})", owner.kind, owner.name));
            refuse(&target, format!("HorizontalPodAutoscaler {name}{of}"))?;
        }
        Ok(())
    }

    /// KEDA's objects; none where it is not installed.
    async fn scaled_objects(&self) -> Result<Vec<DynamicObject>, ClusterError> {
        let resource = ApiResource {
            group: "keda.sh".to_owned(),
            version: "v1alpha1".to_owned(),
            api_version: "keda.sh/v1alpha1".to_owned(),
            kind: "ScaledObject".to_owned(),
            plural: "scaledobjects".to_owned(),
        };
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let asked = self.asked("list", "scaledobjects", "");
        Ok(cluster::ask_for(asked, api.list(&ListParams::default())).await?.map_or_else(Vec::new, |list| list.items))
    }
}
