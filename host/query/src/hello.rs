//! The `hello` and `ping` commands, and what their replies say about a server.

use bson::{Document, Timestamp, doc};
use mongodb::{
    Client,
    options::{ReadPreference, SelectionCriteria},
};

use crate::{caller::Caller, error::QueryError};

/// Only the primary may answer.
pub(crate) const PRIMARY: SelectionCriteria = SelectionCriteria::ReadPreference(ReadPreference::Primary);

/// What `hello` is for, in error texts: "the server could not identify itself".
pub(crate) const IDENTIFY: &str = "identify itself";

/// The command.
pub(crate) fn command(caller: &Caller<'_>) -> Document {
    doc! { "hello": 1, "comment": caller.comment }
}

/// The id of the server process: a new one after every start.
pub(crate) fn process_id(hello: &Document) -> Option<String> {
    let version = hello.get_document("topologyVersion").ok()?;
    version.get_object_id("processId").ok().map(bson::oid::ObjectId::to_hex)
}

/// What a reply says about the moment at which the server sent it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ReplyTime {
    /// Not before the last write that the server has acknowledged. `None` on standalone servers.
    pub(crate) operation_time: Option<Timestamp>,
    /// The server's clock.
    pub(crate) clock: Option<jiff::Timestamp>,
}

pub(crate) fn reply_time(hello: &Document) -> ReplyTime {
    let clock = hello.get_datetime("localTime").ok().map(|time| time.timestamp_millis());
    ReplyTime {
        operation_time: hello.get_timestamp("operationTime").ok(),
        clock: clock.and_then(|clock| jiff::Timestamp::from_millisecond(clock).ok()),
    }
}

/// Whether a reply has a field that is `true`.
pub(crate) fn is_true(reply: &Document, name: &str) -> bool {
    reply.get_bool(name).unwrap_or(false)
}

/// The `operationTime` of a ping to the primary: not before the last write that it has acknowledged to any client.
pub(crate) async fn primary_time(client: &Client, caller: &Caller<'_>) -> Result<Timestamp, QueryError> {
    let operation = "report its operationTime";
    let ping = doc! { "ping": 1, "comment": caller.comment };
    let admin = client.database("admin");
    let reply = caller.run(operation, admin.run_command(ping).selection_criteria(PRIMARY)).await?;
    reply.get_timestamp("operationTime").map_err(|_| QueryError::BadReply {
        operation: operation.to_owned(),
        detail: "the reply has no operationTime".to_owned(),
    })
}
