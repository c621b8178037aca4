//! What the server says about itself before anything is read, and whether it is the server that was meant.

use bson::{Document, Timestamp, doc};
use mongodb::{
    Client,
    error::{Error, ErrorKind},
    options::{ReadPreference, SelectionCriteria},
};
use taster_model::Topology;
use tokio::time::timeout;

use crate::{
    caller::Caller,
    error::{OLDEST, QueryError},
    hello::{self, IDENTIFY, is_true, primary_time, process_id, reply_time},
    set_membership::{self, SeedHosts},
};

/// What the server says about itself.
pub(crate) struct ServerInfo {
    pub(crate) version: String,
    pub(crate) major: u32,
    pub(crate) topology: Topology,
    pub(crate) replica_set: Option<String>,
    pub(crate) process_id: Option<String>,
    pub(crate) read_at: Option<Timestamp>,
    pub(crate) clock: Option<jiff::Timestamp>,
}

/// Asks the server about itself. Returns only servers that can be read: the primary of the set that the connection
/// string names, a standalone server with data of its own, or mongos.
pub(crate) async fn inspect(client: &Client, seeds: &SeedHosts, caller: &Caller<'_>) -> Result<ServerInfo, QueryError> {
    match identify(client, seeds, caller).await {
        Err(error @ (QueryError::NoPrimary { .. } | QueryError::Unreachable { .. })) => {
            // the driver only says that no server is suitable; each server by itself says why
            Err(set_membership::explain(error, seeds, caller).await)
        }
        outcome => outcome,
    }
}

async fn identify(client: &Client, seeds: &SeedHosts, caller: &Caller<'_>) -> Result<ServerInfo, QueryError> {
    let admin = client.database("admin");
    let ask = |command: Document, preference: ReadPreference| {
        admin.run_command(command).selection_criteria(SelectionCriteria::ReadPreference(preference))
    };
    let nearest = ReadPreference::Nearest { options: None };
    // any member first: a set without a primary is another problem than a server that does not answer
    let mut hello = caller.run(IDENTIFY, ask(hello::command(caller), nearest.clone())).await?;
    let info =
        caller.run("report its version", ask(doc! { "buildInfo": 1, "comment": caller.comment }, nearest)).await?;

    let version = info.get_str("version").unwrap_or_default().to_owned();
    let major = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    if major < OLDEST {
        return Err(QueryError::TooOld { uri: caller.uri.to_owned(), version });
    }
    let topology = topology(&hello);
    match topology {
        Topology::ReplicaSet => {
            hello = hello_from_primary(caller, ask(hello::command(caller), ReadPreference::Primary)).await?;
            set_membership::verify_primary(&hello, seeds, caller).await?;
        }
        Topology::Standalone => set_membership::refuse_set_data(client, &hello, caller).await?,
        Topology::Sharded => {}
    }
    let read_at = match topology {
        Topology::Standalone => None,
        Topology::ReplicaSet | Topology::Sharded => Some(primary_time(client, caller).await?),
    };
    Ok(ServerInfo {
        version,
        major,
        topology,
        replica_set: hello.get_str("setName").ok().map(ToOwned::to_owned),
        process_id: process_id(&hello),
        read_at,
        clock: reply_time(&hello).clock,
    })
}

fn topology(hello: &Document) -> Topology {
    if hello.get_str("msg").is_ok_and(|message| message == "isdbgrid") {
        return Topology::Sharded;
    }
    // a member without a configuration has no set name
    if hello.contains_key("setName") || is_true(hello, "isreplicaset") {
        return Topology::ReplicaSet;
    }
    Topology::Standalone
}

/// The `hello` reply of the primary.
async fn hello_from_primary(
    caller: &Caller<'_>,
    call: impl IntoFuture<Output = Result<Document, Error>>,
) -> Result<Document, QueryError> {
    let no_primary = |detail: String| QueryError::NoPrimary { uri: caller.uri.to_owned(), detail };
    let reply = match timeout(caller.limit, call.into_future()).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(error)) if matches!(*error.kind, ErrorKind::ServerSelection { .. }) => {
            return Err(no_primary(caller.detail(&error)));
        }
        Ok(Err(error)) => return Err(caller.error(&error, IDENTIFY)),
        Err(_) => return Err(no_primary("it does not answer".to_owned())),
    };
    // a direct connection uses its one member in any state
    if is_true(&reply, "isWritablePrimary") {
        return Ok(reply);
    }
    Err(no_primary("the connected server is not the primary".to_owned()))
}
