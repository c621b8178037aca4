//! Checks that the MongoDB user may do what Taster needs, and no more.

use std::collections::BTreeSet;

use taster_config::{Config, FreshnessSource};
use taster_diagnostics::CliError;
use taster_model::other_names;
use taster_query::{Connection, PrivilegeReport, RequiredAccess};

/// Fails if the user lacks a required privilege, and, with `requireReadOnlyUser`, if the user can write. Other problems with
/// the user are warnings.
pub(crate) async fn check_user(connection: &Connection, config: &Config) -> Result<(), CliError> {
    let report = connection.check_privileges(&required_privileges(config)).await?;
    report.require_complete()?;
    match beyond_reading(&report) {
        _ if config.require_read_only_user => report.require_read_only()?,
        Some(privileges) => tracing::warn!(%privileges, "the user can do more than read; {OWN_USER}"),
        None if !report.privileges.authenticated => tracing::debug!("{NO_ACCESS_CONTROL}"),
        None => {}
    }
    if let Some(blind) = missing_optional_privileges(&report) {
        tracing::warn!(details = %blind, "the user lacks optional privileges");
    }
    Ok(())
}

/// What to do about a user that can do more than read.
const OWN_USER: &str =
    "give Taster a user of its own (docs/src/operations/mongodb.md); `requireReadOnlyUser: true` makes this an error";

/// The text about a server without access control.
pub const NO_ACCESS_CONTROL: &str = "the server has no access control: anyone can write";

/// The access that the configuration needs: to the collections that it names, or to all of them if one probe reads all.
#[must_use]
pub fn required_privileges(config: &Config) -> RequiredAccess {
    let all_named: Option<Vec<_>> = config.probes.iter().map(|probe| probe.collections.as_ref()).collect();
    let named = all_named.into_iter().flatten().flat_map(|collections| collections.names());
    // a renamed collection is read under its old name before the sync, and under its new one after it
    let mut collections: BTreeSet<String> = named
        .flat_map(|name| other_names(&config.changes, name).chain([name]).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    if !collections.is_empty() {
        let newest = config.freshness.iter().filter_map(|rule| match &rule.source {
            FreshnessSource::Newest(newest) => Some(newest.collection.clone()),
            FreshnessSource::Copy(_) => None,
        });
        collections.extend(newest);
    }
    RequiredAccess { collections: collections.into_iter().collect(), ..RequiredAccess::default() }
}

/// What the user may write. Nothing on a server without access control: that is not a privilege of the user.
#[must_use]
pub fn write_privileges(report: &PrivilegeReport) -> Option<String> {
    Some(format!("can do more than read: {}; {OWN_USER}", beyond_reading(report)?))
}

fn beyond_reading(report: &PrivilegeReport) -> Option<String> {
    report.write_access().filter(|_| report.privileges.authenticated)
}

/// What stays unknown because the user lacks optional privileges.
#[must_use]
pub fn missing_optional_privileges(report: &PrivilegeReport) -> Option<String> {
    if report.unreadable.is_empty() {
        return None;
    }
    let unseen = report
        .unreadable
        .iter()
        .map(|local| format!("cannot read local.{}, so it is unknown {}", local.name(), local.unknown_without()));
    let unseen = unseen.collect::<Vec<_>>().join("; ");
    // if a required privilege is missing as well, the error has the command that grants both
    match report.grant_script().filter(|_| report.missing.is_empty()) {
        Some(remedy) => Some(format!("{unseen}. In mongosh, as an administrator: {remedy}")),
        None => Some(unseen),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use taster_query::{LocalCollection, RequiredAccess};

    fn needs(mongodb: &str, probes: &str) -> RequiredAccess {
        let yaml = format!("app: shop\nmongodb: {{uri: \"mongodb://h/shop\"{mongodb}}}\n{probes}");
        super::required_privileges(&taster_config::parse("taster.yaml", &yaml, HashMap::new()).unwrap())
    }

    fn needed(probes: &str) -> Vec<String> {
        needs("", probes).collections
    }

    #[test]
    fn live_data_do_not_need_the_startup_log() {
        assert_eq!(needs("", "").local, [LocalCollection::StartupLog, LocalCollection::ReplicaSetConfig]);
        // live data: whether a server that was started again is the same one
        assert_eq!(needs(", data: live", "").local, needs("", "").local);
    }

    #[test]
    fn access_is_needed_to_named_collections_or_to_all() {
        assert!(needed("").is_empty(), "the standard probes read everything");
        let counts = "probes:\n  - {name: a, component: document-count, collections: [orders, menu]}\n";
        assert_eq!(needed(counts), ["menu", "orders"]);
        let roles = "  - {name: b, component: ./b.wasm, collections: {parent: customers, child: [orders]}}\n";
        assert_eq!(needed(&format!("{counts}{roles}")), ["customers", "menu", "orders"]);
        let newest = "freshness: [{newest: {collection: events, field: at}, maxAge: 1h}]\n";
        assert_eq!(needed(&format!("{counts}{newest}")), ["events", "menu", "orders"]);
        assert!(needed(newest).is_empty());
        assert!(needed(&format!("{counts}  - {{name: c, component: schema-shape}}\n")).is_empty());
    }
}
