//! Which replica set a server belongs to. A copied volume contains the configuration of the set that it was copied from,
//! with the original hosts: nothing here may follow it to those hosts, and nothing here changes it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bson::{Bson, Document, doc};
use futures_util::future::join_all;
use mongodb::{
    Client, ServerType, TopologyType,
    error::Error,
    event::{
        EventHandler,
        sdam::{SdamEvent, TopologyDescription},
    },
    options::{ClientOptions, ServerAddress},
};

use crate::{
    caller::Caller,
    error::QueryError,
    hello::{self, IDENTIFY, is_true, process_id},
};

/// How long one host may take to identify itself after the driver has given up, or while the primary is verified.
const HOST_TIMEOUT: Duration = Duration::from_secs(3);

/// The hosts that the connection string names, each of which can be asked on its own, and the driver's latest view of them
/// and of the hosts that it discovered through them.
pub(crate) struct SeedHosts {
    options: ClientOptions,
    topology: Arc<Mutex<Option<TopologyDescription>>>,
}

impl SeedHosts {
    /// Makes the driver report its view of the hosts here.
    pub(crate) fn observe(options: &mut ClientOptions) -> Self {
        let topology = Arc::new(Mutex::new(None));
        let latest = Arc::clone(&topology);
        let seeds = Self { options: options.clone(), topology };
        options.sdam_event_handler = Some(EventHandler::callback(move |event| {
            if let SdamEvent::TopologyDescriptionChanged(change) = event {
                *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(change.new_description);
            }
        }));
        seeds
    }

    /// A client that connects to this host only, whatever other hosts it reports.
    fn direct_client(&self, host: &ServerAddress) -> Result<Client, Error> {
        let from = &self.options;
        let mut options = ClientOptions::builder().hosts(vec![host.clone()]).direct_connection(true).build();
        options.app_name.clone_from(&from.app_name);
        options.credential.clone_from(&from.credential);
        options.tls.clone_from(&from.tls);
        options.server_api.clone_from(&from.server_api);
        let time = from.server_selection_timeout.map_or(HOST_TIMEOUT, |time| time.min(HOST_TIMEOUT));
        options.connect_timeout = Some(time);
        options.server_selection_timeout = Some(time);
        Client::with_options(options)
    }

    fn is_direct(&self) -> bool {
        self.options.direct_connection == Some(true) || self.options.load_balanced == Some(true)
    }

    /// The hosts that do not answer the driver.
    fn unreachable(&self) -> Vec<String> {
        let latest = self.topology.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(topology) = latest.as_ref() else { return Vec::new() };
        if topology.topology_type() == TopologyType::Single {
            return Vec::new();
        }
        let servers = topology.servers().into_iter();
        servers
            .filter(|(_, server)| server.server_type() == ServerType::Unknown)
            .map(|(host, _)| canonical_name(host))
            .collect()
    }
}

/// What one host says about itself.
struct HostStatus {
    host: String,
    hello: Document,
    /// Set where `hello` names no set, although the server was started with `--replSet`.
    stored: Option<StoredConfig>,
}

/// What `local.system.replset` holds.
enum StoredConfig {
    /// Nothing: the set was never initiated.
    Uninitiated,
    /// The configuration of a set.
    Set(ReplicaSet),
    /// Unknown: the user is not allowed to read it.
    Unreadable,
}

/// A replica set as a member knows it.
struct ReplicaSet {
    name: String,
    hosts: Vec<String>,
}

impl ReplicaSet {
    fn from_hello(hello: &Document) -> Option<Self> {
        let name = hello.get_str("setName").ok()?.to_owned();
        let lists = ["hosts", "passives", "arbiters"].into_iter().filter_map(|list| hello.get_array(list).ok());
        Some(Self { name, hosts: lists.flatten().filter_map(Bson::as_str).map(str::to_lowercase).collect() })
    }

    fn from_config(config: &Document) -> Self {
        let members = config.get_array("members").into_iter().flatten().filter_map(Bson::as_document);
        let hosts = members.filter_map(|member| member.get_str("host").ok()).map(str::to_lowercase).collect();
        Self { name: config.get_str("_id").unwrap_or("?").to_owned(), hosts }
    }

    fn has_host(&self, host: &str) -> bool {
        self.hosts.iter().any(|member| member == host)
    }
}

impl fmt::Display for ReplicaSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hosts.join(", "))
    }
}

/// `host:port` in lower case, as members name each other.
fn canonical_name(host: &ServerAddress) -> String {
    host.to_string().to_lowercase()
}

/// Checks that the primary that the driver found belongs to the set of a server that the connection string names.
///
/// The driver follows what any of the named servers reports about its set. A copied member reports the hosts of the set it
/// was copied from; if those names resolve to the original hosts from here, the driver would connect to production. So
/// either the connection string names a member by its name in the set, or a named host proves to be one of the members.
pub(crate) async fn verify_primary(
    primary: &Document,
    seeds: &SeedHosts,
    caller: &Caller<'_>,
) -> Result<(), QueryError> {
    let Some(set) = ReplicaSet::from_hello(primary) else { return Ok(()) };
    if seeds.is_direct() || seeds.options.hosts.iter().any(|host| set.has_host(&canonical_name(host))) {
        return Ok(());
    }
    let mut unanswered = None;
    let mut found_non_member = false;
    for host in &seeds.options.hosts {
        match is_member(host, primary, &set, seeds, caller).await {
            Ok(true) => return Ok(()),
            Ok(false) => found_non_member = true,
            Err(error) => {
                unanswered.get_or_insert(error);
            }
        }
    }
    match unanswered {
        Some(error) if !found_non_member => Err(error),
        _ => Err(QueryError::OtherServer {
            uri: caller.uri.to_owned(),
            primary: primary.get_str("me").unwrap_or("?").to_owned(),
            hosts: set.to_string(),
            set: set.name,
        }),
    }
}

/// Whether a host of the connection string is a member of the primary's set, by its process id.
async fn is_member(
    host: &ServerAddress,
    primary: &Document,
    set: &ReplicaSet,
    seeds: &SeedHosts,
    caller: &Caller<'_>,
) -> Result<bool, QueryError> {
    let status = host_status(seeds, host, caller).await?;
    let own = process_id(&status.hello);
    if own.is_some() && own == process_id(primary) {
        return Ok(true);
    }
    // another member, under another name: then the host with its name in the set is the same process
    let me = status.hello.get_str("me").ok().filter(|me| set.has_host(&me.to_lowercase()));
    let Some(me) = me.and_then(|me| ServerAddress::parse(me).ok()) else { return Ok(false) };
    let by_set_name = host_status(seeds, &me, caller).await;
    Ok(own.is_some() && by_set_name.is_ok_and(|status| own == process_id(&status.hello)))
}

/// Refuses a standalone server that holds the data of a replica set's member: it started from the last checkpoint and has
/// not replayed the oplog, which holds the writes since then.
pub(crate) async fn refuse_set_data(client: &Client, hello: &Document, caller: &Caller<'_>) -> Result<(), QueryError> {
    // a server started with `recoverFromOplogAsStandalone` has replayed the oplog, and is read-only
    if is_true(hello, "readOnly") {
        return Ok(());
    }
    match stored_config(client, caller).await? {
        // if the user cannot read it, the privilege check reports that with the other missing privileges
        StoredConfig::Uninitiated | StoredConfig::Unreadable => Ok(()),
        StoredConfig::Set(set) => {
            let hosts = set.to_string();
            Err(QueryError::SetDataStandalone { uri: caller.uri.to_owned(), set: set.name, hosts })
        }
    }
}

/// Why the driver finds no server to read from, by asking each host of the connection string on its own.
pub(crate) async fn explain(error: QueryError, seeds: &SeedHosts, caller: &Caller<'_>) -> QueryError {
    let answers = join_all(seeds.options.hosts.iter().map(|host| host_status(seeds, host, caller))).await;
    let mut authentication = None;
    let mut statuses = Vec::new();
    for answer in answers {
        match answer {
            Ok(status) => statuses.push(status),
            Err(error @ QueryError::Authentication { .. }) => authentication = Some(error),
            Err(_) => {}
        }
    }
    let explained = statuses.iter().find_map(|status| explain_non_member(status, caller));
    let explained = explained.or_else(|| explain_no_primary(&statuses, seeds, caller));
    explained.or(authentication).unwrap_or(error)
}

/// A server that was started with `--replSet` and is not a member of any set.
fn explain_non_member(status: &HostStatus, caller: &Caller<'_>) -> Option<QueryError> {
    let no_primary = |detail: String| Some(QueryError::NoPrimary { uri: caller.uri.to_owned(), detail });
    match status.stored.as_ref()? {
        StoredConfig::Uninitiated => no_primary("it is not initiated yet".to_owned()),
        StoredConfig::Unreadable => no_primary(
            "it was never initiated, or its data were copied from a member; local.system.replset says which, but the \
             user is not allowed to read it"
                .to_owned(),
        ),
        StoredConfig::Set(set) if set.has_host(&status.host) => no_primary(format!(
            "{} is configured as a member of `{}` but does not find itself under that name: it is starting, or the name \
             resolves to another host",
            status.host, set.name
        )),
        StoredConfig::Set(set) => {
            Some(QueryError::CopiedMember { uri: caller.uri.to_owned(), set: set.name.clone(), hosts: set.to_string() })
        }
    }
}

/// A set that has members but no primary, or none that can be reached under its name in the set.
fn explain_no_primary(statuses: &[HostStatus], seeds: &SeedHosts, caller: &Caller<'_>) -> Option<QueryError> {
    let (status, set) = statuses.iter().find_map(|status| Some((status, ReplicaSet::from_hello(&status.hello)?)))?;
    let uri = caller.uri.to_owned();
    let no_primary = |detail: String| Some(QueryError::NoPrimary { uri: caller.uri.to_owned(), detail });
    if let Some(wanted) = &seeds.options.repl_set_name
        && *wanted != set.name
    {
        return no_primary(format!("the connection string names `{wanted}`, but the set is called `{}`", set.name));
    }
    if seeds.is_direct() {
        let primary = match status.hello.get_str("primary") {
            Ok(primary) => format!("the primary is {primary}"),
            Err(_) => format!("it knows of no primary among {set}"),
        };
        return no_primary(format!("{} of `{}` is not the primary; {primary}", status.host, set.name));
    }
    let answers = |host: &String| {
        statuses.iter().any(|status| status.hello.get_str("me").is_ok_and(|me| me.eq_ignore_ascii_case(host)))
    };
    let unreachable = seeds.unreachable();
    let silent: Vec<&str> =
        set.hosts.iter().filter(|host| unreachable.contains(host) && !answers(host)).map(String::as_str).collect();
    if let Some(status) = statuses.iter().find(|status| is_true(&status.hello, "isWritablePrimary")) {
        let detail = format!(
            "{} is the primary of `{}`, but it cannot be reached under the names in the set's configuration: {set}",
            status.host, set.name
        );
        return Some(QueryError::Unreachable { uri, detail });
    }
    if silent.len() * 2 < set.hosts.len() {
        return no_primary(format!("no member of `{}` is primary at the moment: {set}", set.name));
    }
    let silent = silent.join(", ");
    Some(QueryError::NoMajority { uri, hosts: set.to_string(), set: set.name, silent })
}

/// Asks one host on its own to identify itself.
async fn host_status(seeds: &SeedHosts, host: &ServerAddress, caller: &Caller<'_>) -> Result<HostStatus, QueryError> {
    let caller = caller.with_limit(HOST_TIMEOUT * 2);
    let client = seeds.direct_client(host).map_err(|error| caller.error(&error, IDENTIFY))?;
    let status = async {
        let hello = caller.run(IDENTIFY, client.database("admin").run_command(hello::command(&caller))).await?;
        let stored = if is_true(&hello, "isreplicaset") { Some(stored_config(&client, &caller).await?) } else { None };
        Ok(HostStatus { host: canonical_name(host), hello, stored })
    }
    .await;
    // otherwise the driver's monitors keep polling the host
    let _ = tokio::time::timeout(HOST_TIMEOUT, client.shutdown().immediate(true)).await;
    status
}

/// Reads which set the data belong to. A server answers reads of `local` in every state.
async fn stored_config(client: &Client, caller: &Caller<'_>) -> Result<StoredConfig, QueryError> {
    let command = doc! {
        "find": "system.replset", "limit": 1, "singleBatch": true, "maxTimeMS": 10_000, "comment": caller.comment,
    };
    let reply = match caller.run("read local.system.replset", client.database("local").run_command(command)).await {
        Ok(reply) => reply,
        Err(QueryError::NotAuthorised { .. }) => return Ok(StoredConfig::Unreadable),
        Err(error) => return Err(error),
    };
    let batch = reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
    let config = batch.ok().and_then(|batch| batch.first()).and_then(Bson::as_document);
    Ok(config.map_or(StoredConfig::Uninitiated, |config| StoredConfig::Set(ReplicaSet::from_config(config))))
}
