//! Whose member a server is. A volume that was copied brings its replica set's configuration along, and that names the
//! hosts it was copied from: nothing here may follow it there, and nothing here changes it.

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
    QueryError,
    server::{process_id, says},
    session::Caller,
};

/// How long one host may take to say who it is, once the driver has given up or has doubts.
const GLANCE: Duration = Duration::from_secs(3);

/// The hosts that the connection string names, each of which can be asked by itself, and what the driver sees of them
/// and of those that they led it to.
pub(crate) struct Seeds {
    options: ClientOptions,
    seen: Arc<Mutex<Option<TopologyDescription>>>,
}

impl Seeds {
    /// Has the driver say what it sees.
    pub(crate) fn watch(options: &mut ClientOptions) -> Self {
        let seen = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&seen);
        let seeds = Self { options: options.clone(), seen };
        options.sdam_event_handler = Some(EventHandler::callback(move |event| {
            if let SdamEvent::TopologyDescriptionChanged(change) = event {
                *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(change.new_description);
            }
        }));
        seeds
    }

    /// A client that talks to this host and to no other, whatever the host says of others.
    fn direct(&self, host: &ServerAddress) -> Result<Client, Error> {
        let from = &self.options;
        let mut options = ClientOptions::builder().hosts(vec![host.clone()]).direct_connection(true).build();
        options.app_name.clone_from(&from.app_name);
        options.credential.clone_from(&from.credential);
        options.tls.clone_from(&from.tls);
        options.server_api.clone_from(&from.server_api);
        let time = from.server_selection_timeout.map_or(GLANCE, |patience| patience.min(GLANCE));
        options.connect_timeout = Some(time);
        options.server_selection_timeout = Some(time);
        Client::with_options(options)
    }

    fn is_direct(&self) -> bool {
        self.options.direct_connection == Some(true) || self.options.load_balanced == Some(true)
    }

    /// The hosts that the driver gets no answer from.
    fn silent(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(topology) = seen.as_ref() else { return Vec::new() };
        if topology.topology_type() == TopologyType::Single {
            return Vec::new();
        }
        let servers = topology.servers().into_iter();
        servers.filter(|(_, server)| server.server_type() == ServerType::Unknown).map(|(at, _)| name(at)).collect()
    }
}

/// One host's word about itself.
struct Glance {
    host: String,
    hello: Document,
    /// Where `hello` names no set, though the server was started for one.
    configured: Option<Configured>,
}

/// What `local.system.replset` holds.
enum Configured {
    /// Nothing: nobody initiated the set.
    Never,
    /// The configuration of a set.
    For(ReplicaSet),
    /// The user may not read it.
    Hidden,
}

/// A replica set as a member knows it.
struct ReplicaSet {
    name: String,
    hosts: Vec<String>,
}

impl ReplicaSet {
    fn of_hello(hello: &Document) -> Option<Self> {
        let name = hello.get_str("setName").ok()?.to_owned();
        let lists = ["hosts", "passives", "arbiters"].into_iter().filter_map(|list| hello.get_array(list).ok());
        Some(Self { name, hosts: lists.flatten().filter_map(Bson::as_str).map(str::to_lowercase).collect() })
    }

    fn of_config(config: &Document) -> Self {
        let members = config.get_array("members").into_iter().flatten().filter_map(Bson::as_document);
        let hosts = members.filter_map(|member| member.get_str("host").ok()).map(str::to_lowercase).collect();
        Self { name: config.get_str("_id").unwrap_or("?").to_owned(), hosts }
    }

    fn has(&self, host: &str) -> bool {
        self.hosts.iter().any(|own| own == host)
    }
}

impl fmt::Display for ReplicaSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hosts.join(", "))
    }
}

/// Members call each other `host:port` in lower case; so does the driver's text of an address.
fn name(host: &ServerAddress) -> String {
    host.to_string().to_lowercase()
}

/// Whether the primary that the driver found belongs to the set of a server that the connection string names.
///
/// The driver follows what any of them says about its set. A copied member that believes to be where its configuration
/// says, while that name leads to the original from here, would send us there: to production. So either the string
/// names a member by its name in the set, or a host of it proves to be one of them.
pub(crate) async fn confirm(
    primary: &Document,
    seeds: &Seeds,
    caller: &Caller<'_>,
    comment: &str,
) -> Result<(), QueryError> {
    let Some(set) = ReplicaSet::of_hello(primary) else { return Ok(()) };
    if seeds.is_direct() || seeds.options.hosts.iter().any(|host| set.has(&name(host))) {
        return Ok(());
    }
    let mut unanswered = None;
    let mut stranger = false;
    for host in &seeds.options.hosts {
        let glance = match glance(seeds, host, caller, comment).await {
            Ok(glance) => glance,
            Err(error) => {
                unanswered.get_or_insert(error);
                continue;
            }
        };
        let own = process_id(&glance.hello);
        if own.is_some() && own == process_id(primary) {
            return Ok(());
        }
        // another member, under another name: then whoever answers to its name in the set is the same process
        let me = glance.hello.get_str("me").ok().filter(|me| set.has(&me.to_lowercase()));
        let me = me.and_then(|me| ServerAddress::parse(me).ok());
        if let Some(me) = me
            && let Ok(there) = self::glance(seeds, &me, caller, comment).await
            && own.is_some()
            && own == process_id(&there.hello)
        {
            return Ok(());
        }
        stranger = true;
    }
    match unanswered {
        Some(error) if !stranger => Err(error),
        _ => Err(QueryError::OtherServer {
            uri: caller.uri.to_owned(),
            primary: primary.get_str("me").unwrap_or("?").to_owned(),
            hosts: set.to_string(),
            set: set.name,
        }),
    }
}

/// Refuses a standalone server that holds the data of a replica set's member: it started from the last checkpoint and
/// did not replay the oplog, where the writes since then are.
pub(crate) async fn refuse_set_data(
    client: &Client,
    hello: &Document,
    caller: &Caller<'_>,
    comment: &str,
) -> Result<(), QueryError> {
    // started with `recoverFromOplogAsStandalone` it has replayed the oplog, and takes no writes
    if says(hello, "readOnly") {
        return Ok(());
    }
    match configured(client, caller, comment).await? {
        // who may not read it is told so with the other missing privileges
        Configured::Never | Configured::Hidden => Ok(()),
        Configured::For(set) => {
            let hosts = set.to_string();
            Err(QueryError::SetDataStandalone { uri: caller.uri.to_owned(), set: set.name, hosts })
        }
    }
}

/// Why the driver finds nobody to read from, as the hosts of the connection string tell it one by one.
pub(crate) async fn explain(error: QueryError, seeds: &Seeds, caller: &Caller<'_>, comment: &str) -> QueryError {
    let answers = join_all(seeds.options.hosts.iter().map(|host| glance(seeds, host, caller, comment))).await;
    let mut refused = None;
    let mut glances = Vec::new();
    for answer in answers {
        match answer {
            Ok(glance) => glances.push(glance),
            Err(error @ QueryError::Authentication { .. }) => refused = Some(error),
            Err(_) => {}
        }
    }
    let explained = glances.iter().find_map(|glance| outsider(glance, caller));
    let explained = explained.or_else(|| leaderless(&glances, seeds, caller));
    explained.or(refused).unwrap_or(error)
}

/// A server that was started for a set and is no member of one.
fn outsider(glance: &Glance, caller: &Caller<'_>) -> Option<QueryError> {
    let configured = glance.configured.as_ref()?;
    let nobody = |detail: String| Some(QueryError::NoPrimary { uri: caller.uri.to_owned(), detail });
    match configured {
        Configured::Never => nobody("it was not initiated yet".to_owned()),
        Configured::Hidden => nobody(
            "it was never initiated, or its data were copied from a member; which of them stands in \
             local.system.replset, and the user may not read that"
                .to_owned(),
        ),
        Configured::For(set) if set.has(&glance.host) => nobody(format!(
            "{} is configured as a member of `{}` and does not find itself there: it is starting, or the name leads \
             the server elsewhere",
            glance.host, set.name
        )),
        Configured::For(set) => {
            Some(QueryError::CopiedMember { uri: caller.uri.to_owned(), set: set.name.clone(), hosts: set.to_string() })
        }
    }
}

/// A set that has members and no primary, or none that is reached under its name.
fn leaderless(glances: &[Glance], seeds: &Seeds, caller: &Caller<'_>) -> Option<QueryError> {
    let (glance, set) = glances.iter().find_map(|glance| Some((glance, ReplicaSet::of_hello(&glance.hello)?)))?;
    let uri = caller.uri.to_owned();
    let nobody = |detail: String| Some(QueryError::NoPrimary { uri: caller.uri.to_owned(), detail });
    if let Some(asked) = &seeds.options.repl_set_name
        && *asked != set.name
    {
        return nobody(format!("the connection string asks for `{asked}`, and the set there is `{}`", set.name));
    }
    if seeds.is_direct() {
        let knows = match glance.hello.get_str("primary") {
            Ok(primary) => format!("the primary is {primary}"),
            Err(_) => format!("it knows of none among {set}"),
        };
        return nobody(format!("{} of `{}` is not it; {knows}", glance.host, set.name));
    }
    let answering = |host: &String| {
        glances.iter().any(|glance| glance.hello.get_str("me").is_ok_and(|me| me.eq_ignore_ascii_case(host)))
    };
    let unseen = seeds.silent();
    let silent: Vec<&str> =
        set.hosts.iter().filter(|host| unseen.contains(host) && !answering(host)).map(String::as_str).collect();
    if let Some(glance) = glances.iter().find(|glance| says(&glance.hello, "isWritablePrimary")) {
        let detail = format!(
            "{} is the primary of `{}`, and is not reached under the names in the set: {set}",
            glance.host, set.name
        );
        return Some(QueryError::Unreachable { uri, detail });
    }
    if silent.len() * 2 < set.hosts.len() {
        return nobody(format!("no member of `{}` is it at the moment: {set}", set.name));
    }
    let silent = silent.join(", ");
    Some(QueryError::NoMajority { uri, hosts: set.to_string(), set: set.name, silent })
}

/// Asks one host alone who it is.
async fn glance(seeds: &Seeds, host: &ServerAddress, caller: &Caller<'_>, comment: &str) -> Result<Glance, QueryError> {
    let caller = caller.within(GLANCE * 2);
    let client = seeds.direct(host).map_err(|error| QueryError::from_driver(&error, "say who it is", &caller))?;
    let glance = async {
        let command = doc! { "hello": 1, "comment": comment };
        let hello = caller.run("say who it is", client.database("admin").run_command(command)).await?;
        let configured =
            if says(&hello, "isreplicaset") { Some(configured(&client, &caller, comment).await?) } else { None };
        Ok(Glance { host: name(host), hello, configured })
    }
    .await;
    // else its monitors go on asking
    let _ = tokio::time::timeout(GLANCE, client.shutdown().immediate(true)).await;
    glance
}

/// Reads which set the data belong to. A server serves `local` whatever state it is in.
async fn configured(client: &Client, caller: &Caller<'_>, comment: &str) -> Result<Configured, QueryError> {
    let command = doc! {
        "find": "system.replset", "limit": 1, "singleBatch": true, "maxTimeMS": 10_000, "comment": comment,
    };
    let answer = caller.run("read local.system.replset", client.database("local").run_command(command)).await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(QueryError::NotAuthorised { .. }) => return Ok(Configured::Hidden),
        Err(error) => return Err(error),
    };
    let batch = answer.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
    let config = batch.ok().and_then(|batch| batch.first()).and_then(Bson::as_document);
    Ok(config.map_or(Configured::Never, |config| Configured::For(ReplicaSet::of_config(config))))
}
