//! What the server says about itself before anything is read, and whether that is the server that was meant.

use bson::{Document, Timestamp, doc};
use mongodb::{
    Client,
    error::{Error, ErrorKind},
    options::{ReadPreference, SelectionCriteria},
};
use taster_model::Topology;
use tokio::time::timeout;

use crate::{
    QueryError,
    error::OLDEST,
    members::{self, Seeds},
    session::Caller,
};

/// What the server says about itself.
pub(crate) struct Server {
    pub(crate) version: String,
    pub(crate) major: u32,
    pub(crate) topology: Topology,
    pub(crate) replica_set: Option<String>,
    pub(crate) process_id: Option<String>,
    pub(crate) read_at: Option<Timestamp>,
}

/// Looks at the server. Only servers that may be tasted come back: a primary of the set that the connection string
/// leads to, a standalone server with data of its own, or mongos.
pub(crate) async fn look(
    client: &Client,
    seeds: &Seeds,
    caller: &Caller<'_>,
    comment: &str,
) -> Result<Server, QueryError> {
    match meet(client, seeds, caller, comment).await {
        Err(error @ (QueryError::NoPrimary { .. } | QueryError::Unreachable { .. })) => {
            // the driver only says that nobody suits it; each server by itself says why
            Err(members::explain(error, seeds, caller, comment).await)
        }
        outcome => outcome,
    }
}

async fn meet(client: &Client, seeds: &Seeds, caller: &Caller<'_>, comment: &str) -> Result<Server, QueryError> {
    let admin = client.database("admin");
    let ask = |command: Document, preference: ReadPreference| {
        admin.run_command(command).selection_criteria(SelectionCriteria::ReadPreference(preference))
    };
    let hello = doc! { "hello": 1, "comment": comment };
    let nearest = ReadPreference::Nearest { options: None };
    // anybody first: a set without a primary is another problem than a server that is not there
    let mut hello_answer = caller.run("say who it is", ask(hello.clone(), nearest.clone())).await?;
    let info = caller.run("say its version", ask(doc! { "buildInfo": 1, "comment": comment }, nearest)).await?;

    let version = info.get_str("version").unwrap_or_default().to_owned();
    let major = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    if major < OLDEST {
        return Err(QueryError::TooOld { uri: caller.uri.to_owned(), version });
    }
    let topology = topology(&hello_answer);
    match topology {
        Topology::ReplicaSet => {
            hello_answer = primary(caller, ask(hello, ReadPreference::Primary)).await?;
            members::confirm(&hello_answer, seeds, caller, comment).await?;
        }
        Topology::Standalone => members::refuse_set_data(client, &hello_answer, caller, comment).await?,
        Topology::Sharded => {}
    }
    let read_at = match topology {
        Topology::Standalone => None,
        Topology::ReplicaSet | Topology::Sharded => Some(time_of_primary(client, caller, comment).await?),
    };
    Ok(Server {
        version,
        major,
        topology,
        replica_set: hello_answer.get_str("setName").ok().map(ToOwned::to_owned),
        process_id: process_id(&hello_answer),
        read_at,
    })
}

fn topology(hello: &Document) -> Topology {
    if hello.get_str("msg").is_ok_and(|message| message == "isdbgrid") {
        return Topology::Sharded;
    }
    // without a configuration that it could follow, a member has no set
    if hello.contains_key("setName") || says(hello, "isreplicaset") {
        return Topology::ReplicaSet;
    }
    Topology::Standalone
}

/// Only the primary may answer.
pub(crate) const PRIMARY: SelectionCriteria = SelectionCriteria::ReadPreference(ReadPreference::Primary);

/// The `operationTime` of a ping to the primary: not before the last write that it has acknowledged to anybody.
pub(crate) async fn time_of_primary(
    client: &Client,
    caller: &Caller<'_>,
    comment: &str,
) -> Result<Timestamp, QueryError> {
    let ping = doc! { "ping": 1, "comment": comment };
    let admin = client.database("admin");
    let answer = caller.run("tell its time", admin.run_command(ping).selection_criteria(PRIMARY)).await?;
    answer.get_timestamp("operationTime").map_err(|_| QueryError::Broken {
        doing: "tell its time".to_owned(),
        detail: "the answer has no operationTime".to_owned(),
    })
}

/// The primary's word about itself.
async fn primary(
    caller: &Caller<'_>,
    hello: impl IntoFuture<Output = Result<Document, Error>>,
) -> Result<Document, QueryError> {
    let nobody = |detail: String| QueryError::NoPrimary { uri: caller.uri.to_owned(), detail };
    let answer = match timeout(caller.limit, hello.into_future()).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) if matches!(*error.kind, ErrorKind::ServerSelection { .. }) => {
            return Err(nobody(caller.detail(&error)));
        }
        Ok(Err(error)) => return Err(QueryError::from_driver(&error, "say who it is", caller)),
        Err(_) => return Err(nobody("it does not answer".to_owned())),
    };
    // a direct connection takes whatever member it is to
    if says(&answer, "isWritablePrimary") {
        return Ok(answer);
    }
    Err(nobody("the server is not it".to_owned()))
}

/// Which start of which server answered: another one after every start.
pub(crate) fn process_id(hello: &Document) -> Option<String> {
    let version = hello.get_document("topologyVersion").ok()?;
    version.get_object_id("processId").ok().map(bson::oid::ObjectId::to_hex)
}

pub(crate) fn says(answer: &Document, name: &str) -> bool {
    answer.get_bool(name).unwrap_or(false)
}
