//! Who else sets the number of replicas: what heals itself scales back what is scaled here.

use kube::api::DynamicObject;

use crate::{Workload, cluster::MANAGER};

/// A warning where another field manager owns `spec.replicas`. A person with kubectl is none: nothing repeats what they did.
pub(super) fn warning(workload: &Workload, object: &DynamicObject) -> Option<String> {
    let owner = object.metadata.managed_fields.iter().flatten().find_map(|entry| {
        let fields = &entry.fields_v1.as_ref()?.0;
        let manager = entry.manager.as_deref()?;
        let owns = fields["f:spec"].get("f:replicas").is_some();
        (owns && manager != MANAGER && !manager.starts_with("kubectl")).then_some(manager)
    })?;
    let of = &workload.of;
    let group = of.api_version.rsplit_once('/').map_or("\"\"", |(group, _)| group);
    Some(format!(
        "{of}: {owner} sets spec.replicas; if it heals itself, it scales back what is scaled here. In an Argo CD Application: \
         ignoreDifferences: [{{group: {group}, kind: {}, jsonPointers: [/spec/replicas]}}] and syncOptions: \
         [RespectIgnoreDifferences=true]",
        of.kind
    ))
}
