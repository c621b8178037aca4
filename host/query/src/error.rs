//! Errors between the host and the server, each with a stable code and a fix.

use std::time::Duration;

use taster_model::{Diagnostic, Failure, Refusal, failure};
use thiserror::Error;

use crate::server_codes;

/// Why the database could not be reached, checked or read. No text of it contains user names, passwords or tokens.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QueryError {
    /// The connection string cannot be parsed.
    #[error("invalid connection string: {detail}")]
    BadUri {
        /// The driver's text.
        detail: String,
        /// Whether user or password have characters that must be escaped.
        unescaped: bool,
    },
    /// Neither the configuration nor the connection string names a database.
    #[error("no database name given")]
    NoDatabase,
    /// A system database, or an invalid name.
    #[error("`{name}` cannot be compared: it is a system database or not a valid database name")]
    BadDatabase {
        /// Its name.
        name: String,
    },
    /// No server answers.
    #[error("no MongoDB server answers at {uri}: {detail}")]
    Unreachable {
        /// The connection string, redacted.
        uri: String,
        /// The driver's text.
        detail: String,
    },
    /// The server does not know the user, or the password is wrong.
    #[error("authentication failed at {uri}: {detail}")]
    Authentication {
        /// The connection string, redacted.
        uri: String,
        /// The server's text.
        detail: String,
    },
    /// The user lacks a privilege.
    #[error("the user is not allowed to {operation}: {detail}")]
    NotAuthorised {
        /// What was tried.
        operation: String,
        /// The server's text.
        detail: String,
    },
    /// A replica set without a primary, or a direct connection to another member.
    #[error("the replica set at {uri} has no primary: {detail}")]
    NoPrimary {
        /// The connection string, redacted.
        uri: String,
        /// What the driver or the member says.
        detail: String,
    },
    /// Data files of a replica set's member on a server that is not a member of that set.
    #[error(
        "the server at {uri} holds data copied from replica set `{set}` ({hosts}), but is not a member of that set"
    )]
    CopiedMember {
        /// The connection string, redacted.
        uri: String,
        /// The set that the data were copied from.
        set: String,
        /// The hosts of that set.
        hosts: String,
    },
    /// Too few members of a replica set answer for one of them to become primary.
    #[error(
        "the replica set `{set}` at {uri} has no majority, and so no primary: of {hosts}, these do not answer: {silent}"
    )]
    NoMajority {
        /// The connection string, redacted.
        uri: String,
        /// The set.
        set: String,
        /// Its hosts.
        hosts: String,
        /// Those that do not answer.
        silent: String,
    },
    /// Data files of a replica set's member under a server that was started without `--replSet`.
    #[error(
        "the standalone server at {uri} holds data of a member of replica set `{set}` ({hosts}); it has not replayed the \
         oplog, so the latest writes may be missing"
    )]
    SetDataStandalone {
        /// The connection string, redacted.
        uri: String,
        /// The set that the data belong to.
        set: String,
        /// The hosts of that set.
        hosts: String,
    },
    /// The driver found a replica set that no host of the connection string is a member of.
    #[error(
        "the connection string {uri} leads to another server: {primary} of replica set `{set}` ({hosts}); no host of the \
         connection string is a member of that set"
    )]
    OtherServer {
        /// The connection string, redacted.
        uri: String,
        /// The primary that was found.
        primary: String,
        /// Its set.
        set: String,
        /// The hosts of that set.
        hosts: String,
    },
    /// The user can write, and the configuration forbids that.
    #[error("the user can do more than read: {actions}")]
    WritePrivileges {
        /// What, and where.
        actions: String,
    },
    /// The user lacks required privileges.
    #[error("the user lacks required privileges: {missing}")]
    MissingPrivileges {
        /// Each action and its resource.
        missing: String,
        /// The mongosh commands that grant exactly these.
        command: String,
    },
    /// The server runs without authentication, and the configuration forbids that.
    #[error("the server at {uri} has no access control: anyone can write")]
    NoAccessControl {
        /// The connection string, redacted.
        uri: String,
    },
    /// The server is older than Taster supports.
    #[error("the server at {uri} is MongoDB {version}; Taster needs {OLDEST}.0 or later")]
    TooOld {
        /// The connection string, redacted.
        uri: String,
        /// Its version.
        version: String,
    },
    /// The connection was closed during a read.
    #[error("the connection was closed during a read")]
    Closed,
    /// The server answered with an error.
    #[error("the server could not {operation}: {name} ({number}): {detail}")]
    Server {
        /// What was tried.
        operation: String,
        /// The server's number of the error.
        number: i32,
        /// The server's name of the error.
        name: String,
        /// The server's text.
        detail: String,
    },
    /// The capture's point in time has left the server's history.
    #[error("the server no longer has the data as of this capture's time, needed to {operation}: {name} ({number})")]
    SnapshotGone {
        /// What was tried.
        operation: String,
        /// The server's number of the error.
        number: i32,
        /// The server's name of the error.
        name: String,
    },
    /// A command over collections that cannot be read at the same point in time. The quiet period before a live read is
    /// shorter than a transaction may live, and transactions write to every collection that is not capped.
    #[error(
        "`{capped}` is a capped collection, which this server cannot read at a past point in time, and `{other}` must be \
         read at one"
    )]
    CappedWithSnapshot {
        /// The capped collection.
        capped: String,
        /// One of the others.
        other: String,
    },
    /// Another server process answers than at the start: what was learnt of the server may be about other data files.
    #[error("the server restarted, or another member became primary, during the capture")]
    Restarted,
    /// The majority of the replica set lags behind its primary.
    #[error(
        "the majority of the replica set did not reach this capture's time: waited {}, setting \
         `mongodb.majorityTimeout`",
        taster_text::exact_duration(*waited)
    )]
    MajorityTimeout {
        /// How long.
        waited: Duration,
    },
    /// The connection broke, or the reply is not what was asked for.
    #[error("no valid reply from the server when asked to {operation}: {detail}")]
    BadReply {
        /// What was tried.
        operation: String,
        /// The driver's text.
        detail: String,
    },
    /// The server rejected the query as invalid.
    #[error("the server refused to {operation}: {name} ({number}): {detail}")]
    InvalidQuery {
        /// What was tried.
        operation: String,
        /// The server's number of the error.
        number: i32,
        /// The server's name of the error.
        name: String,
        /// The server's text.
        detail: String,
    },
    /// A sort or a group exceeded the server's memory limit; without Taster's limit it would have used the server's disk.
    #[error("the server ran out of memory to {operation}: {detail}")]
    OutOfMemory {
        /// What was tried.
        operation: String,
        /// The server's text.
        detail: String,
    },
    /// The server did not finish in the time it was given.
    #[error("the server took too long to {operation}")]
    Timeout {
        /// What was tried.
        operation: String,
    },
}

/// The oldest supported major version: it introduced snapshot reads outside of transactions.
pub(crate) const OLDEST: u32 = 5;

impl QueryError {
    /// Whether a retry may succeed soon: no server listens yet, the server recovers, a set elects its primary.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::NoPrimary { .. }
            | Self::NoMajority { .. }
            | Self::Restarted
            | Self::Timeout { .. }
            | Self::Closed
            | Self::BadReply { .. } => true,
            Self::Server { number, .. } => server_codes::TRANSIENT.contains(number),
            _ => false,
        }
    }

    /// As the capability hands it to a guest. The help text goes along where it says what would be allowed.
    pub(crate) fn failure(&self) -> Failure {
        let refusal = match self {
            Self::InvalidQuery { .. } | Self::CappedWithSnapshot { .. } => Refusal::Invalid,
            Self::OutOfMemory { .. } | Self::Timeout { .. } => Refusal::Budget,
            _ => Refusal::Unavailable,
        };
        let failure = Failure::refused(refusal, self.code(), self.to_string());
        let allowed = match self {
            Self::NotAuthorised { .. }
            | Self::SnapshotGone { .. }
            | Self::OutOfMemory { .. }
            | Self::CappedWithSnapshot { .. } => self.help(),
            _ => None,
        };
        Failure { allowed, ..failure }
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        error.failure()
    }
}

impl Diagnostic for QueryError {
    fn code(&self) -> &'static str {
        match self {
            Self::BadUri { .. } => "T0201",
            Self::NoDatabase => "T0202",
            Self::BadDatabase { .. } => "T0203",
            Self::Unreachable { .. } => "T0204",
            Self::Authentication { .. } => "T0205",
            Self::NotAuthorised { .. } => "T0206",
            Self::NoPrimary { .. } => "T0207",
            Self::TooOld { .. } => "T0208",
            Self::Closed => "T0209",
            Self::Server { .. } => "T0210",
            Self::SnapshotGone { .. } => failure::SNAPSHOT_LOST,
            Self::MajorityTimeout { .. } => failure::SNAPSHOT_NOT_REACHED,
            Self::Restarted => "T0244",
            Self::CappedWithSnapshot { .. } => "T0245",
            Self::BadReply { .. } => "T0212",
            // T0213 to T0216 are the probe's limits; a server that takes too long has used up the last of them
            Self::Timeout { .. } => "T0216",
            Self::InvalidQuery { .. } => "T0217",
            Self::OutOfMemory { .. } => "T0218",
            // T0219 to T0232 belong to the capability and the guard
            Self::CopiedMember { .. } => "T0233",
            Self::NoMajority { .. } => "T0234",
            Self::SetDataStandalone { .. } => "T0235",
            Self::OtherServer { .. } => "T0236",
            Self::WritePrivileges { .. } => "T0237",
            Self::MissingPrivileges { .. } => "T0238",
            Self::NoAccessControl { .. } => "T0239",
        }
    }

    fn help(&self) -> Option<String> {
        if let Self::MissingPrivileges { command, .. } = self {
            return Some(format!("in mongosh, as an administrator: {command}"));
        }
        self.connection_help().or_else(|| self.read_help()).map(str::to_owned)
    }
}

impl QueryError {
    /// The help for errors of the address, the user and the topology: the connection cannot be used at all.
    fn connection_help(&self) -> Option<&'static str> {
        Some(match self {
            Self::BadUri { unescaped: false, .. } => {
                "write it as mongodb://user:password@host:27017/database?option=value"
            }
            Self::BadUri { unescaped: true, .. } => {
                "write it as mongodb://user:password@host:27017/database; characters like @ : / ? # % in user and \
                 password are written %40 %3A %2F %3F %23 %25"
            }
            Self::NoDatabase => {
                "name it in `mongodb.database`, or at the end of the connection string: mongodb://host/shop"
            }
            Self::BadDatabase { .. } => "name the database that holds the application's data",
            Self::Unreachable { .. } => {
                "check host, port, network and replicaSet; if the data were copied from another set, its configuration \
                 still names the old hosts: add ?directConnection=true"
            }
            Self::Authentication { .. } => {
                "check user, password and authSource; a copy holds production's users: create `taster` in production, and \
                 every refresh copies it (docs/src/operations/mongodb.md)"
            }
            Self::NotAuthorised { .. } => {
                "grant the user the role `read` on the database, or the narrower one of docs/src/operations/mongodb.md"
            }
            Self::NoPrimary { .. } => {
                "wait for the election, or look at rs.status(); a direct connection must be to the primary, and replicaSet= \
                 must be the set's name"
            }
            Self::CopiedMember { .. } => {
                "make this host the only member of the copy's set with rs.reconfig(…, {force: true}), as docs/src/operations/mongodb.md \
                 shows; Taster never reconfigures a set"
            }
            Self::NoMajority { .. } => {
                "start the other members; or, if the copy has only this member, make it the only one of its set: \
                 docs/src/operations/mongodb.md"
            }
            Self::SetDataStandalone { .. } => {
                "start it with --replSet and make it the only member of its set; or, if no writes are missing, empty \
                 local.system.replset: docs/src/operations/mongodb.md shows both"
            }
            Self::OtherServer { .. } => {
                "if the named server is the right one, add ?directConnection=true; if it is a copy, give it a replica set \
                 configuration of its own: docs/src/operations/mongodb.md"
            }
            Self::WritePrivileges { .. } => {
                "give Taster a user of its own with the role of docs/src/operations/mongodb.md, or remove `requireReadOnlyUser`"
            }
            Self::NoAccessControl { .. } => {
                "start mongod with --auth and give Taster a user (docs/src/operations/mongodb.md), or remove `requireReadOnlyUser`"
            }
            Self::TooOld { .. } => "upgrade the server first",
            _ => return None,
        })
    }

    /// The help for errors of reads over a usable connection.
    fn read_help(&self) -> Option<&'static str> {
        Some(match self {
            Self::SnapshotGone { .. } => {
                "read less in one capture, or raise minSnapshotHistoryWindowInSeconds (300 by default) on the server"
            }
            Self::CappedWithSnapshot { .. } => "read the collections with separate queries and join them in the probe",
            Self::Restarted => "run the same command again; the server's log says why it stopped",
            Self::MajorityTimeout { .. } => {
                "look at rs.status() for members that lag behind the primary, or raise `mongodb.majorityTimeout`"
            }
            Self::OutOfMemory { .. } => {
                "group by fewer values, or sort by an index; probes cannot use the server's disk"
            }
            _ => return None,
        })
    }
}
