//! Field managers that set the number of replicas: a self-healing one scales back what Taster scales up.

use kube::api::DynamicObject;

use crate::{connection::FIELD_MANAGER, workload::Workload};

/// A warning where another field manager owns `spec.replicas`. kubectl is exempt: it sets the replicas once.
pub(super) fn warning(workload: &Workload, object: &DynamicObject) -> Option<String> {
    let manager = object.metadata.managed_fields.iter().flatten().find_map(|entry| {
        let fields = &entry.fields_v1.as_ref()?.0;
        let manager = entry.manager.as_deref()?;
        let owns = fields["f:spec"].get("f:replicas").is_some();
        (owns && manager != FIELD_MANAGER && !manager.starts_with("kubectl")).then_some(manager)
    })?;
    let workload = &workload.reference;
    let group = workload.api_version.rsplit_once('/').map_or("\"\"", |(group, _)| group);
    Some(format!(
        "{workload}: {manager} also sets spec.replicas, and may scale it back before Taster has finished. In an Argo CD \
         Application, set ignoreDifferences: [{{group: {group}, kind: {}, jsonPointers: [/spec/replicas]}}] and \
         syncOptions: [RespectIgnoreDifferences=true]",
        workload.kind
    ))
}
