//! The user's privileges, the required ones, and the commands that grant exactly the difference.

use std::{collections::BTreeMap, fmt};

use bson::{Bson, Document, doc};
use taster_model::{CollectionKind, Topology};

use crate::{
    connection::{Connection, HOST_COMMAND_TIMEOUT, Inner},
    error::QueryError,
    inventory,
};

/// The role of Taster's own user.
const ROLE: &str = "taster";

/// Actions that change neither data nor the server. Actions that are not on the list count as writing: a list of writing
/// actions would miss those that the next server version adds.
const READ_ACTIONS: [&str; 42] = [
    "allCollectionStats",
    "changeStream",
    "checkFreeMonitoringStatus",
    "collStats",
    "connPoolStats",
    "dbHash",
    "dbStats",
    "find",
    "getClusterParameter",
    "getCmdLineOpts",
    "getDatabaseVersion",
    "getDefaultRWConcern",
    "getLog",
    "getParameter",
    "getShardMap",
    "getShardVersion",
    "hostInfo",
    "indexStats",
    "inprog",
    "killCursors",
    "listCachedAndActiveUsers",
    "listClusterCatalog",
    "listCollections",
    "listDatabases",
    "listIndexes",
    "listSearchIndexes",
    "listSessions",
    "listShards",
    "netstat",
    "operationMetrics",
    "planCacheRead",
    "queryStatsRead",
    "queryStatsReadTransformed",
    "replSetGetConfig",
    "replSetGetStatus",
    "serverStatus",
    "shardedDataDistribution",
    "shardingState",
    "storageDetails",
    "top",
    "viewRole",
    "viewUser",
];

/// Actions that are required on every collection that is compared.
const COLLECTION_ACTIONS: [&str; 3] = ["find", "listIndexes", "collStats"];
/// Actions that are required on the database where some of its collections are not compared.
const DATABASE_ACTIONS: [&str; 3] = ["listCollections", "listIndexes", "collStats"];

/// What a privilege applies to, as the server's roles name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Every resource.
    Any,
    /// The server and its cluster.
    Cluster,
    /// Collections by name; an empty name means all databases or collections, except system ones.
    Collections {
        /// The database.
        database: String,
        /// The collection.
        collection: String,
    },
    /// Another kind of resource, as the server writes it.
    Other(String),
}

impl Resource {
    /// A collection; with an empty collection name, a database.
    #[must_use]
    pub fn namespace(database: &str, collection: &str) -> Self {
        Self::Collections { database: database.to_owned(), collection: collection.to_owned() }
    }

    fn parse(resource: &Document) -> Self {
        let is_true = |name| resource.get_bool(name).unwrap_or(false);
        if is_true("anyResource") {
            return Self::Any;
        }
        if is_true("cluster") {
            return Self::Cluster;
        }
        match (resource.get_str("db"), resource.get_str("collection")) {
            (Ok(database), Ok(collection)) => Self::namespace(database, collection),
            _ => Self::Other(script(&Bson::Document(resource.clone()))),
        }
    }

    /// Whether a privilege on this resource applies to a collection, or to a database if the collection name is empty.
    ///
    /// As the server decides it, in `buildResourceSearchList` of `authorization_session_impl.cpp`: wildcards match ordinary
    /// collections only, and "every database" excludes `local` and `config`.
    fn covers(&self, database: &str, collection: &str) -> bool {
        let Self::Collections { database: own, collection: name } = self else { return *self == Self::Any };
        let system = collection.starts_with("system.") || (database == "local" && collection.starts_with("replset."));
        let ordinary = !["local", "config"].contains(&database);
        match (own.as_str(), name.as_str()) {
            ("", "") => ordinary && !system,
            (own, "") => own == database && !system,
            ("", name) => name == collection,
            (own, name) => own == database && name == collection,
        }
    }

    fn document(&self) -> Document {
        match self {
            Self::Any => doc! { "anyResource": true },
            Self::Cluster => doc! { "cluster": true },
            Self::Collections { database, collection } => {
                doc! { "db": database.as_str(), "collection": collection.as_str() }
            }
            Self::Other(text) => doc! { "other": text.as_str() },
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("everything"),
            Self::Cluster => f.write_str("the server"),
            Self::Collections { database, collection } => match (database.as_str(), collection.as_str()) {
                ("", "") => f.write_str("every database"),
                ("", collection) => write!(f, "{collection} of every database"),
                (database, "") => f.write_str(database),
                (database, collection) => write!(f, "{database}.{collection}"),
            },
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// The actions that are allowed on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privilege {
    /// The resource.
    pub resource: Resource,
    /// The server's names of the actions: `find`, `insert`.
    pub actions: Vec<String>,
}

impl Privilege {
    fn document(&self) -> Document {
        doc! { "resource": self.resource.document(), "actions": self.actions.as_slice() }
    }
}

/// The privileges of the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privileges {
    /// Whether the server authenticated the user. `false` on a server without access control.
    pub authenticated: bool,
    /// The granted privileges. Empty on a server without access control, where everything is allowed.
    pub granted: Vec<Privilege>,
    /// The database in which the user is defined.
    auth_database: String,
    /// Whether the user has the role [`ROLE`] already.
    has_role: bool,
}

impl Privileges {
    /// Parses the reply to `connectionStatus` with `showPrivileges`.
    fn from_connection_status(reply: &Document) -> Self {
        let info = reply.get_document("authInfo").cloned().unwrap_or_default();
        let list = |name: &str| {
            let entries = info.get_array(name).into_iter().flatten();
            entries.filter_map(Bson::as_document).cloned().collect::<Vec<_>>()
        };
        let granted = list("authenticatedUserPrivileges").into_iter().map(|privilege| {
            let actions = privilege.get_array("actions").into_iter().flatten().filter_map(Bson::as_str);
            Privilege {
                resource: privilege.get_document("resource").map_or(Resource::Other("?".to_owned()), Resource::parse),
                actions: actions.map(ToOwned::to_owned).collect(),
            }
        });
        let users = list("authenticatedUsers");
        Self {
            authenticated: !users.is_empty(),
            granted: granted.collect(),
            auth_database: users.first().and_then(|user| user.get_str("db").ok()).unwrap_or("admin").to_owned(),
            has_role: list("authenticatedUserRoles").iter().any(|role| *role == doc! { "role": ROLE, "db": "admin" }),
        }
    }

    /// The actions that are not on the list of reading actions, the widest resources first.
    #[must_use]
    pub fn beyond_reading(&self) -> Vec<Privilege> {
        let mut beyond: BTreeMap<&Resource, Vec<String>> = BTreeMap::new();
        for privilege in &self.granted {
            let actions = privilege.actions.iter().filter(|action| !READ_ACTIONS.contains(&action.as_str()));
            beyond.entry(&privilege.resource).or_default().extend(actions.cloned());
        }
        let beyond = beyond.into_iter().filter(|(_, actions)| !actions.is_empty());
        beyond
            .map(|(resource, mut actions)| {
                actions.sort_unstable();
                actions.dedup();
                Privilege { resource: resource.clone(), actions }
            })
            .collect()
    }

    /// The privileges that are required to read these collections of the database (all of them if the list is empty) but not
    /// granted. `existing` are the collections of the database, as far as they are known.
    #[must_use]
    pub fn missing(&self, database: &str, collections: &[String], existing: &[String]) -> Vec<Privilege> {
        let missing = |privilege: Privilege| {
            let Resource::Collections { database, collection } = &privilege.resource else { return None };
            let is_missing = |action: &&String| !self.allows(action, database, collection);
            let actions: Vec<String> = privilege.actions.iter().filter(is_missing).cloned().collect();
            (!actions.is_empty()).then_some(Privilege { actions, ..privilege })
        };
        let on = |collection: &str, actions: &[&str]| Privilege {
            resource: Resource::namespace(database, collection),
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
        };
        if collections.is_empty() {
            let everything = on("", &[&["listCollections"], &COLLECTION_ACTIONS[..]].concat());
            return missing(everything).into_iter().collect();
        }
        // the verdict names all collections, and changed indexes of those that no probe reads
        let is_listed = |name: &String| collections.contains(name) || self.allows("listIndexes", database, name);
        // who may not list the collections would be asked for more once they are known
        let are_known = self.allows("listCollections", database, "");
        let (actions, of_named) = if are_known && existing.iter().all(is_listed) {
            (&DATABASE_ACTIONS[..1], &COLLECTION_ACTIONS[..])
        } else {
            (&DATABASE_ACTIONS[..], &COLLECTION_ACTIONS[..1])
        };
        let named = collections.iter().map(|name| on(name, of_named));
        std::iter::once(on("", actions)).chain(named).filter_map(missing).collect()
    }

    fn allows(&self, action: &str, database: &str, collection: &str) -> bool {
        let is_granted = |privilege: &&Privilege| privilege.actions.iter().any(|granted| granted == action);
        self.granted.iter().filter(is_granted).any(|privilege| privilege.resource.covers(database, collection))
    }
}

/// A collection of the database `local` that is read besides the compared database. It is optional.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalCollection {
    /// `local.startup_log`: identifies the copy of the data.
    StartupLog,
    /// `local.system.replset`: shows whether a standalone server holds a replica set's data.
    ReplicaSetConfig,
}

impl LocalCollection {
    /// Its name in `local`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StartupLog => "startup_log",
            Self::ReplicaSetConfig => "system.replset",
        }
    }

    /// What stays unknown without it.
    #[must_use]
    pub fn unknown_without(self) -> &'static str {
        match self {
            Self::StartupLog => "whether the copy or the server was replaced between `pre` and `post`",
            Self::ReplicaSetConfig => "whether the latest writes of a replica set's data are missing",
        }
    }

    /// Whether a server of this topology has it and Taster uses it.
    fn is_used(self, topology: Topology) -> bool {
        match self {
            Self::StartupLog => topology != Topology::Sharded,
            Self::ReplicaSetConfig => topology == Topology::Standalone,
        }
    }

    /// A command that tries to read it.
    fn test_read(self, comment: &str) -> Document {
        let time = i64::try_from(HOST_COMMAND_TIMEOUT.as_millis()).unwrap_or(i64::MAX);
        doc! { "find": self.name(), "limit": 1, "singleBatch": true, "maxTimeMS": time, "comment": comment }
    }

    fn privilege(self) -> Privilege {
        Privilege { resource: Resource::namespace("local", self.name()), actions: vec!["find".to_owned()] }
    }
}

/// What is going to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredAccess {
    /// Collections of the database. Empty means all.
    pub collections: Vec<String>,
    /// Optional collections of `local`.
    pub local: Vec<LocalCollection>,
}

impl Default for RequiredAccess {
    /// The whole database, and all optional collections of `local`.
    fn default() -> Self {
        Self { collections: Vec::new(), local: vec![LocalCollection::StartupLog, LocalCollection::ReplicaSetConfig] }
    }
}

/// The comparison of the user's privileges with the required ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivilegeReport {
    /// The user's privileges.
    pub privileges: Privileges,
    /// Required privileges that are not granted.
    pub missing: Vec<Privilege>,
    /// Optional collections of `local` that the user cannot read.
    pub unreadable: Vec<LocalCollection>,
    /// The connection string, redacted.
    uri: String,
}

impl PrivilegeReport {
    fn new(privileges: Privileges, missing: Vec<Privilege>, unreadable: Vec<LocalCollection>, uri: &str) -> Self {
        Self { privileges, missing, unreadable, uri: uri.to_owned() }
    }

    /// What the user can do besides reading, as text; `None` if that is nothing.
    #[must_use]
    pub fn write_access(&self) -> Option<String> {
        if !self.privileges.authenticated {
            return Some("everything, because the server has no access control".to_owned());
        }
        let beyond = self.privileges.beyond_reading();
        (!beyond.is_empty()).then(|| summary(beyond))
    }

    /// Refuses a user who can write.
    pub fn require_read_only(&self) -> Result<(), QueryError> {
        if !self.privileges.authenticated {
            return Err(QueryError::NoAccessControl { uri: self.uri.clone() });
        }
        self.write_access().map_or(Ok(()), |actions| Err(QueryError::WritePrivileges { actions }))
    }

    /// Refuses a user who lacks required privileges.
    pub fn require_complete(&self) -> Result<(), QueryError> {
        if self.missing.is_empty() {
            return Ok(());
        }
        let one_by_one = self.missing.iter().flat_map(|privilege| {
            privilege.actions.iter().map(move |action| format!("`{action}` on {}", privilege.resource))
        });
        let missing = one_by_one.collect::<Vec<_>>().join(", ");
        Err(QueryError::MissingPrivileges { missing, command: self.grant_script().unwrap_or_default() })
    }

    /// The mongosh commands that grant all missing privileges, including those on the optional collections.
    #[must_use]
    pub fn grant_script(&self) -> Option<String> {
        let command = self.grant_command()?;
        let mut parts = command.iter();
        let (name, role) = parts.next()?;
        let rest: Document = parts.map(|(key, value)| (key.clone(), value.clone())).collect();
        if name == "grantPrivilegesToRole" {
            let privileges = rest.get("privileges").map(script).unwrap_or_default();
            return Some(format!("db.getSiblingDB(\"admin\").grantPrivilegesToRole({}, {privileges})", script(role)));
        }
        let (role, privileges) = (script(role), rest.get("privileges").map(script).unwrap_or_default());
        // the user does not have the role, but another user may: `createRole` would fail then
        Some(format!(
            "const admin = db.getSiblingDB(\"admin\"), privileges = {privileges}; admin.getRole({role}) ? \
             admin.grantPrivilegesToRole({role}, privileges) : admin.createRole({{role: {role}, privileges, roles: []}}); \
             db.getSiblingDB({}).grantRolesToUser(\"USER\", [{}])",
            script(&Bson::String(self.privileges.auth_database.clone())),
            script(&Bson::Document(doc! { "role": ROLE, "db": "admin" })),
        ))
    }

    /// The command, for the database `admin`, that creates the role with exactly the missing privileges, or adds them to it.
    #[must_use]
    pub fn grant_command(&self) -> Option<Document> {
        let missing = self.missing.iter().map(Privilege::document);
        let privileges: Vec<Document> =
            missing.chain(self.unreadable.iter().map(|local| local.privilege().document())).collect();
        if privileges.is_empty() {
            return None;
        }
        if self.privileges.has_role {
            return Some(doc! { "grantPrivilegesToRole": ROLE, "privileges": privileges });
        }
        Some(doc! { "createRole": ROLE, "privileges": privileges, "roles": [] })
    }
}

impl Connection {
    /// The user's privileges, as the server reports them.
    pub async fn privileges(&self) -> Result<Privileges, QueryError> {
        let inner = &self.inner;
        let command = doc! { "connectionStatus": 1, "showPrivileges": true, "comment": inner.comment.as_str() };
        let call = inner.database.run_command(command);
        let reply = inner.caller().run("show the user's privileges", call).await?;
        Ok(Privileges::from_connection_status(&reply))
    }

    /// Compares the user's privileges with the required ones. The optional collections of `local` are tested by reading
    /// them, because `connectionStatus` often does not list the privilege to do so.
    pub async fn check_privileges(&self, access: &RequiredAccess) -> Result<PrivilegeReport, QueryError> {
        let inner = &self.inner;
        let privileges = self.privileges().await?;
        if !privileges.authenticated {
            // without a user the server allows everything, or nothing: a read shows which
            inventory::list_collections(inner).await?;
            return Ok(PrivilegeReport::new(privileges, Vec::new(), Vec::new(), &inner.uri));
        }
        let database = inner.client.database("local");
        let mut unreadable = Vec::new();
        for local in access.local.iter().filter(|local| local.is_used(inner.facts.topology)) {
            let operation = format!("read local.{}", local.name());
            let call = database.run_command(local.test_read(&inner.comment));
            if let Err(error) = inner.caller().run(&operation, call).await {
                tracing::debug!(%error, "not readable");
                unreadable.push(*local);
            }
        }
        let existing = existing_collections(inner, &privileges).await?;
        let missing = privileges.missing(&inner.facts.database, &access.collections, &existing);
        Ok(PrivilegeReport::new(privileges, missing, unreadable, &inner.uri))
    }
}

/// The collections whose indexes are listed; none if the user may not list them.
async fn existing_collections(inner: &Inner, privileges: &Privileges) -> Result<Vec<String>, QueryError> {
    if !privileges.allows("listCollections", &inner.facts.database, "") {
        return Ok(Vec::new());
    }
    let collections = inventory::list_collections(inner).await?.into_iter();
    Ok(collections.filter(|collection| collection.kind != CollectionKind::View).map(|one| one.name).collect())
}

/// The most important privileges: `root` has a hundred actions on twenty resources.
fn summary(mut privileges: Vec<Privilege>) -> String {
    const MAX_RESOURCES: usize = 3;
    const MAX_ACTIONS: usize = 4;
    /// Actions that are listed first.
    const IMPORTANT: [&str; 6] = ["anyAction", "insert", "update", "remove", "dropCollection", "dropDatabase"];
    let is_unimportant =
        |privilege: &Privilege| !privilege.actions.iter().any(|action| IMPORTANT.contains(&action.as_str()));
    privileges.sort_by_key(is_unimportant);
    let line = |privilege: &Privilege| {
        let mut actions: Vec<&str> = privilege.actions.iter().map(String::as_str).collect();
        actions.sort_by_key(|action| {
            IMPORTANT.iter().position(|important| important == action).unwrap_or(IMPORTANT.len())
        });
        let more = actions.len().saturating_sub(MAX_ACTIONS);
        actions.truncate(MAX_ACTIONS);
        let more = if more == 0 { String::new() } else { format!(" and {} more", taster_text::grouped(more as u64)) };
        format!("{}{more} on {}", actions.join(", "), privilege.resource)
    };
    let mut lines: Vec<String> = privileges.iter().take(MAX_RESOURCES).map(line).collect();
    if privileges.len() > MAX_RESOURCES {
        let more = taster_text::grouped((privileges.len() - MAX_RESOURCES) as u64);
        lines.push(format!("and on {more} more"));
    }
    lines.join("; ")
}

/// A value as JavaScript for mongosh.
fn script(value: &Bson) -> String {
    match value {
        // JavaScript accepts Rust's escapes
        Bson::String(text) => format!("{text:?}"),
        Bson::Array(items) => format!("[{}]", items.iter().map(script).collect::<Vec<_>>().join(", ")),
        Bson::Document(document) => {
            let fields = document.iter().map(|(key, value)| format!("{key}: {}", script(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
