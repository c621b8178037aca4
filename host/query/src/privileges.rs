//! What the user may do, what Taster needs, and the commands that grant exactly the difference.

use std::{collections::BTreeMap, fmt, time::Duration};

use bson::{Bson, Document, doc};
use taster_model::Topology;

use crate::QueryError;

/// The role that Taster's own user has.
const ROLE: &str = "taster";

/// Actions that change neither data nor the server. What is not on the list counts as writing: a list of what writes
/// would miss what the next version adds.
const LOOKING: [&str; 42] = [
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

/// Read from every collection that is tasted.
const OF_COLLECTIONS: [&str; 3] = ["find", "listIndexes", "collStats"];

/// What something may be done to, as the server's roles name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Everything there is.
    Anything,
    /// The server and its cluster.
    Cluster,
    /// Collections by their names; an empty name stands for all of them that are not the system's.
    Collections {
        /// The database.
        database: String,
        /// The collection.
        collection: String,
    },
    /// Something newer or narrower, as the server writes it.
    Other(String),
}

impl Resource {
    /// A collection, or with an empty name the database.
    #[must_use]
    pub fn of(database: &str, collection: &str) -> Self {
        Self::Collections { database: database.to_owned(), collection: collection.to_owned() }
    }

    fn parse(resource: &Document) -> Self {
        let says = |name| resource.get_bool(name).unwrap_or(false);
        if says("anyResource") {
            return Self::Anything;
        }
        if says("cluster") {
            return Self::Cluster;
        }
        match (resource.get_str("db"), resource.get_str("collection")) {
            (Ok(database), Ok(collection)) => Self::of(database, collection),
            _ => Self::Other(script(&Bson::Document(resource.clone()))),
        }
    }

    /// Whether what is allowed on `self` is allowed on the collection, or where its name is empty on the database.
    ///
    /// As the server decides it, `buildResourceSearchList` in `authorization_session_impl.cpp`: the wild cards match
    /// ordinary collections only, and "every database" leaves out `local` and `config`.
    fn covers(&self, database: &str, collection: &str) -> bool {
        let Self::Collections { database: own, collection: name } = self else { return *self == Self::Anything };
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
            Self::Anything => doc! { "anyResource": true },
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
            Self::Anything => f.write_str("everything"),
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

/// What may be done to one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privilege {
    /// To what.
    pub resource: Resource,
    /// The server's names of it: `find`, `insert`.
    pub actions: Vec<String>,
}

impl Privilege {
    fn document(&self) -> Document {
        doc! { "resource": self.resource.document(), "actions": self.actions.as_slice() }
    }
}

/// What the user of a session may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privileges {
    /// Whether the server knows who is asking; `false` where it asks nobody.
    pub authenticated: bool,
    /// What is granted. Empty where the server asks nobody, and everything is allowed.
    pub granted: Vec<Privilege>,
    /// The database that keeps the user.
    home: String,
    /// Whether the user has a role of the name that Taster's has already.
    has_role: bool,
}

impl Privileges {
    /// Reads the answer to `connectionStatus` with `showPrivileges`.
    pub(crate) fn of(answer: &Document) -> Self {
        let info = answer.get_document("authInfo").cloned().unwrap_or_default();
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
            home: users.first().and_then(|user| user.get_str("db").ok()).unwrap_or("admin").to_owned(),
            has_role: list("authenticatedUserRoles").iter().any(|role| *role == doc! { "role": ROLE, "db": "admin" }),
        }
    }

    /// What the user may do that is not looking, the widest resources first.
    #[must_use]
    pub fn beyond_reading(&self) -> Vec<Privilege> {
        let mut beyond: BTreeMap<&Resource, Vec<String>> = BTreeMap::new();
        for privilege in &self.granted {
            let actions = privilege.actions.iter().filter(|action| !LOOKING.contains(&action.as_str()));
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

    /// What is needed to taste these collections of the database, all of them where none is named, and is not granted.
    #[must_use]
    pub fn missing(&self, database: &str, collections: &[String]) -> Vec<Privilege> {
        let lacks = |privilege: Privilege| {
            let Resource::Collections { database, collection } = &privilege.resource else { return None };
            let may = |action: &String| {
                self.granted.iter().any(|own| own.actions.contains(action) && own.resource.covers(database, collection))
            };
            let actions: Vec<String> = privilege.actions.iter().filter(|action| !may(action)).cloned().collect();
            (!actions.is_empty()).then_some(Privilege { actions, ..privilege })
        };
        needed(database, collections).into_iter().filter_map(lacks).collect()
    }
}

/// All that is needed to taste these collections, or where none is named the whole database.
fn needed(database: &str, collections: &[String]) -> Vec<Privilege> {
    let on = |collection: &str, actions: &[&str]| Privilege {
        resource: Resource::of(database, collection),
        actions: actions.iter().map(|action| (*action).to_owned()).collect(),
    };
    if collections.is_empty() {
        return vec![on("", &[&["listCollections"], &OF_COLLECTIONS[..]].concat())];
    }
    // what is there is listed whole: a collection that nobody tastes is named in the verdict
    let listing = on("", &["listCollections"]);
    std::iter::once(listing).chain(collections.iter().map(|name| on(name, &OF_COLLECTIONS))).collect()
}

/// What is read beside the database, and can be done without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// `local.startup_log`: which copy this is.
    StartupLog,
    /// `local.system.replset`: whether a standalone server holds a replica set's data.
    ReplicaSetConfig,
}

impl Beside {
    /// The collection of `local`.
    #[must_use]
    pub fn collection(self) -> &'static str {
        match self {
            Self::StartupLog => "startup_log",
            Self::ReplicaSetConfig => "system.replset",
        }
    }

    /// What stays unknown without it.
    #[must_use]
    pub fn unknown_without(self) -> &'static str {
        match self {
            Self::StartupLog => "whether the copy was replaced between `pre` and `post`",
            Self::ReplicaSetConfig => "whether a replica set's data were left without their last writes",
        }
    }

    /// Whether a server of this kind has it and something hangs on it.
    pub(crate) fn matters(self, topology: Topology) -> bool {
        match self {
            Self::StartupLog => topology != Topology::Sharded,
            Self::ReplicaSetConfig => topology == Topology::Standalone,
        }
    }

    /// The command that tries to read it.
    pub(crate) fn attempt(self, comment: &str, time: Duration) -> Document {
        let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        doc! { "find": self.collection(), "limit": 1, "singleBatch": true, "maxTimeMS": time, "comment": comment }
    }

    fn privilege(self) -> Privilege {
        Privilege { resource: Resource::of("local", self.collection()), actions: vec!["find".to_owned()] }
    }
}

/// What will be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// Collections of the session's database; none means all.
    pub collections: Vec<String>,
    /// What is wanted beside them.
    pub beside: Vec<Beside>,
}

impl Default for Needs {
    /// The whole database, and all that says which copy of it this is.
    fn default() -> Self {
        Self { collections: Vec::new(), beside: vec![Beside::StartupLog, Beside::ReplicaSetConfig] }
    }
}

/// How what the user may do compares with what is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivilegeReport {
    /// What the user may do.
    pub privileges: Privileges,
    /// What is needed and not granted.
    pub missing: Vec<Privilege>,
    /// What is wanted and cannot be read.
    pub unseen: Vec<Beside>,
    /// Redacted.
    uri: String,
}

impl PrivilegeReport {
    pub(crate) fn new(privileges: Privileges, missing: Vec<Privilege>, unseen: Vec<Beside>, uri: &str) -> Self {
        Self { privileges, missing, unseen, uri: uri.to_owned() }
    }

    /// What the user may do beyond reading, in words; `None` where that is nothing.
    #[must_use]
    pub fn may_write(&self) -> Option<String> {
        if !self.privileges.authenticated {
            return Some("everything, for the server has no access control".to_owned());
        }
        let beyond = self.privileges.beyond_reading();
        (!beyond.is_empty()).then(|| shortened(beyond))
    }

    /// Refuses a user who may write.
    pub fn require_read_only(&self) -> Result<(), QueryError> {
        if !self.privileges.authenticated {
            return Err(QueryError::Unguarded { uri: self.uri.clone() });
        }
        self.may_write().map_or(Ok(()), |actions| Err(QueryError::MayWrite { actions }))
    }

    /// Refuses a user who lacks what is needed.
    pub fn require_complete(&self) -> Result<(), QueryError> {
        if self.missing.is_empty() {
            return Ok(());
        }
        let one_by_one = self.missing.iter().flat_map(|privilege| {
            privilege.actions.iter().map(move |action| format!("`{action}` on {}", privilege.resource))
        });
        let missing = one_by_one.collect::<Vec<_>>().join(", ");
        Err(QueryError::Lacking { missing, command: self.remedy().unwrap_or_default() })
    }

    /// What to paste into mongosh so that nothing is missing any more, wanted things included.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let command = self.grant()?;
        let mut parts = command.iter();
        let (name, role) = parts.next()?;
        let rest: Document = parts.map(|(key, value)| (key.clone(), value.clone())).collect();
        if name == "grantPrivilegesToRole" {
            let privileges = rest.get("privileges").map(script).unwrap_or_default();
            return Some(format!("db.getSiblingDB(\"admin\").grantPrivilegesToRole({}, {privileges})", script(role)));
        }
        let mut whole = doc! { "role": role.clone() };
        whole.extend(rest);
        Some(format!(
            "db.getSiblingDB(\"admin\").createRole({}); db.getSiblingDB({}).grantRolesToUser(\"USER\", [{}])",
            script(&Bson::Document(whole)),
            script(&Bson::String(self.privileges.home.clone())),
            script(&Bson::Document(doc! { "role": ROLE, "db": "admin" })),
        ))
    }

    /// The database command, for `admin`, that makes the role or adds to it exactly what is not granted.
    #[must_use]
    pub fn grant(&self) -> Option<Document> {
        let lacking = self.missing.iter().map(Privilege::document);
        let privileges: Vec<Document> =
            lacking.chain(self.unseen.iter().map(|beside| beside.privilege().document())).collect();
        if privileges.is_empty() {
            return None;
        }
        if self.privileges.has_role {
            return Some(doc! { "grantPrivilegesToRole": ROLE, "privileges": privileges });
        }
        Some(doc! { "createRole": ROLE, "privileges": privileges, "roles": [] })
    }
}

/// The first few of many: `root` may do a hundred things in twenty places.
fn shortened(mut privileges: Vec<Privilege>) -> String {
    const PLACES: usize = 3;
    const ACTIONS: usize = 4;
    /// What people look for first.
    const TELLING: [&str; 6] = ["anyAction", "insert", "update", "remove", "dropCollection", "dropDatabase"];
    let quiet = |privilege: &Privilege| !privilege.actions.iter().any(|action| TELLING.contains(&action.as_str()));
    privileges.sort_by_key(quiet);
    let told = |privilege: &Privilege| {
        let mut actions: Vec<&str> = privilege.actions.iter().map(String::as_str).collect();
        actions.sort_by_key(|action| TELLING.iter().position(|telling| telling == action).unwrap_or(TELLING.len()));
        let more = actions.len().saturating_sub(ACTIONS);
        actions.truncate(ACTIONS);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("{}{more} on {}", actions.join(", "), privilege.resource)
    };
    let mut places: Vec<String> = privileges.iter().take(PLACES).map(told).collect();
    if privileges.len() > PLACES {
        places.push(format!("and on {} more", privileges.len() - PLACES));
    }
    places.join("; ")
}

/// A value as mongosh reads it.
fn script(value: &Bson) -> String {
    match value {
        // JavaScript reads what Rust escapes
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
