//! Whether the user who tastes may do what is needed, and no more.

use std::collections::BTreeSet;

use taster_config::Config;
use taster_diagnostics::CliError;
use taster_model::DataKind;
use taster_query::{Beside, Needs, PrivilegeReport, Session};

/// Refuses a user who cannot taste, and where the configuration says so one who could do harm. Everything else that is
/// wrong with the user is a warning.
pub(super) async fn check_user(session: &Session, config: &Config) -> Result<(), CliError> {
    let report = session.check_privileges(&needs(config)).await?;
    report.require_complete()?;
    match excess(&report) {
        _ if config.require_read_only_user => report.require_read_only()?,
        Some(excess) => tracing::warn!("the user {excess}"),
        None if !report.privileges.authenticated => tracing::debug!("{UNGUARDED}"),
        None => {}
    }
    if let Some(blind) = blind_spot(&report) {
        tracing::warn!("the user {blind}");
    }
    Ok(())
}

/// Said of a server that asks nobody who he is.
pub const UNGUARDED: &str = "the server has no access control: everybody may write";

/// What the configuration reads: the collections that it names, or all of them as soon as one probe reads all.
#[must_use]
pub fn needs(config: &Config) -> Needs {
    let all_named: Option<Vec<_>> = config.probes.iter().map(|probe| probe.collections.as_ref()).collect();
    let collections: BTreeSet<String> =
        all_named.into_iter().flatten().flat_map(|collections| collections.names()).map(str::to_owned).collect();
    let mut needs = Needs { collections: collections.into_iter().collect(), ..Needs::default() };
    if config.mongodb.data == DataKind::Live {
        // there is no copy that could have been replaced
        needs.beside.retain(|beside| *beside != Beside::StartupLog);
    }
    needs
}

/// What the user may do that Taster never does. A server without access control is a choice that was made elsewhere, and
/// no privilege of the user.
#[must_use]
pub fn excess(report: &PrivilegeReport) -> Option<String> {
    let actions = report.may_write().filter(|_| report.privileges.authenticated)?;
    Some(format!(
        "MAY DO MORE THAN READ: {actions}. Give Taster a user of its own (host/SERVER.md); `requireReadOnlyUser: true` \
         makes this an error"
    ))
}

/// What stays unknown for want of privileges that tasting can do without.
#[must_use]
pub fn blind_spot(report: &PrivilegeReport) -> Option<String> {
    if report.unseen.is_empty() {
        return None;
    }
    let unseen = report.unseen.iter().map(|beside| {
        format!("may not read local.{}, so nobody can tell {}", beside.collection(), beside.unknown_without())
    });
    let unseen = unseen.collect::<Vec<_>>().join("; ");
    // where more is missing, the command that grants all of it stands there
    match report.remedy().filter(|_| report.missing.is_empty()) {
        Some(remedy) => Some(format!("{unseen}. In mongosh, as an administrator: {remedy}")),
        None => Some(unseen),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use taster_query::{Beside, Needs};

    fn needs(mongodb: &str, probes: &str) -> Needs {
        let yaml = format!("app: shop\nmongodb: {{uri: \"mongodb://h/shop\"{mongodb}}}\n{probes}");
        super::needs(&taster_config::parse("taster.yaml", &yaml, HashMap::new()).unwrap())
    }

    fn needed(probes: &str) -> Vec<String> {
        needs("", probes).collections
    }

    #[test]
    fn live_data_need_no_witness_of_a_copy() {
        assert_eq!(needs("", "").beside, [Beside::StartupLog, Beside::ReplicaSetConfig]);
        assert_eq!(needs(", data: live", "").beside, [Beside::ReplicaSetConfig]);
    }

    #[test]
    fn what_is_named_is_needed_or_all_of_it() {
        assert!(needed("").is_empty(), "the standard probes read everything");
        let counts = "probes:\n  - {name: a, component: document-count, collections: [orders, menu]}\n";
        assert_eq!(needed(counts), ["menu", "orders"]);
        let roles = "  - {name: b, component: ./b.wasm, collections: {parent: customers, child: [orders]}}\n";
        assert_eq!(needed(&format!("{counts}{roles}")), ["customers", "menu", "orders"]);
        assert!(needed(&format!("{counts}  - {{name: c, component: schema-shape}}\n")).is_empty());
    }
}
