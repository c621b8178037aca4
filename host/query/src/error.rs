//! What can go wrong between the host and the server, each with a stable code and a way out.

use std::{fmt, time::Duration};

use mongodb::error::{Error, ErrorKind};
use taster_model::{Diagnostic, Failure, Refusal, failure};
use thiserror::Error as ThisError;

use crate::session::Caller;

/// What went wrong. No text of it carries user names, passwords or tokens.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum QueryError {
    /// The connection string cannot be read.
    #[error("this is no connection string: {detail}")]
    BadUri {
        /// What the driver said.
        detail: String,
    },
    /// Nobody says which database.
    #[error("no database is named")]
    NoDatabase,
    /// A database of the server itself, or no name at all.
    #[error("`{name}` is no database that can be tasted")]
    BadDatabase {
        /// Its name.
        name: String,
    },
    /// Nobody answers.
    #[error("no MongoDB server answers at {uri}: {detail}")]
    Unreachable {
        /// The connection string, redacted.
        uri: String,
        /// What the driver said.
        detail: String,
    },
    /// The server does not know the user, or not with this password.
    #[error("the server at {uri} refused user and password: {detail}")]
    Authentication {
        /// The connection string, redacted.
        uri: String,
        /// What the server said.
        detail: String,
    },
    /// The user may not do it.
    #[error("the user may not {doing}: {detail}")]
    NotAuthorised {
        /// What was tried.
        doing: String,
        /// What the server said.
        detail: String,
    },
    /// A replica set in which nobody is primary, or a connection to a member that is not.
    #[error("the replica set at {uri} has no primary: {detail}")]
    NoPrimary {
        /// The connection string, redacted.
        uri: String,
        /// What the driver or the member said.
        detail: String,
    },
    /// Files of a replica set's member, on a server that is none of its members.
    #[error(
        "the server at {uri} holds a copy of a member of the replica set `{set}` and is none of its members: {hosts}"
    )]
    CopiedMember {
        /// The connection string, redacted.
        uri: String,
        /// The set that it was copied from.
        set: String,
        /// The hosts of that set.
        hosts: String,
    },
    /// Too few members of a replica set answer for one of them to become primary.
    #[error(
        "the replica set `{set}` at {uri} has no majority and so no primary: of {hosts} no answer comes from {silent}"
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
    /// Files of a replica set's member, under a server that was started for no set.
    #[error(
        "the server at {uri} is standalone and holds the data of a member of the replica set `{set}` ({hosts}); it has \
         not replayed the oplog, so the last writes may be missing"
    )]
    SetDataStandalone {
        /// The connection string, redacted.
        uri: String,
        /// The set that the data belong to.
        set: String,
        /// The hosts of that set.
        hosts: String,
    },
    /// A host of the connection string sends us to a replica set that it is no member of.
    #[error(
        "the connection string {uri} leads to another server: {primary} of the replica set `{set}` ({hosts}), and no \
         host of the string is a member of that"
    )]
    OtherServer {
        /// The connection string, redacted.
        uri: String,
        /// Where it leads.
        primary: String,
        /// The set there.
        set: String,
        /// The hosts of that set.
        hosts: String,
    },
    /// The user may write, and the configuration forbids that.
    #[error("the user may do more than read: {actions}")]
    MayWrite {
        /// What, and where.
        actions: String,
    },
    /// The user may not do all that is needed.
    #[error("the user lacks what Taster needs: {missing}")]
    Lacking {
        /// Each action and where, one by one.
        missing: String,
        /// The commands that grant exactly that.
        command: String,
    },
    /// Nobody has to say who he is, so everybody may write.
    #[error("the server at {uri} has no access control: everybody may write")]
    Unguarded {
        /// The connection string, redacted.
        uri: String,
    },
    /// A server from before what Taster needs of it.
    #[error("the server at {uri} is MongoDB {version}; Taster needs {OLDEST}.0 or later")]
    TooOld {
        /// The connection string, redacted.
        uri: String,
        /// Its version.
        version: String,
    },
    /// The session was closed while somebody was reading.
    #[error("the session was closed while it was read from")]
    Closed,
    /// The server answered with an error.
    #[error("the server could not {doing}: {name} ({number}): {detail}")]
    Server {
        /// What was tried.
        doing: String,
        /// The server's number of it.
        number: i32,
        /// The server's name of it.
        name: String,
        /// What the server said.
        detail: String,
    },
    /// The point in time that everything is read at has left the server's history.
    #[error(
        "the server no longer knows the data at the time of this capture, while it was to {doing}: {name} ({number})"
    )]
    SnapshotGone {
        /// What was tried.
        doing: String,
        /// The server's number of it.
        number: i32,
        /// The server's name of it.
        name: String,
    },
    /// A command over collections that cannot be read at the same moment. The pause before a live read is too short for a
    /// transaction that is under way, and transactions write to everything but capped collections.
    #[error("`{capped}` is capped, which this server does not read at a moment that has passed, and `{other}` must be")]
    Mixed {
        /// The capped one.
        capped: String,
        /// One of the others.
        other: String,
    },
    /// The process that answers is another one than at the start: what was learnt of the server may be of other files.
    #[error("the server was started again, or another member became primary, while it was read")]
    Restarted,
    /// The members of the set lag behind its primary.
    #[error("the server could not read at the time of this capture: waited {waited:?}, setting `mongodb.reach`")]
    NotReached {
        /// How long.
        waited: Duration,
    },
    /// The connection broke, or something arrived that is no answer.
    #[error("the server did not answer as it should when asked to {doing}: {detail}")]
    Broken {
        /// What was tried.
        doing: String,
        /// What the driver said.
        detail: String,
    },
    /// The server understood the query, and it makes no sense to it.
    #[error("the server refused to {doing}: {name} ({number}): {detail}")]
    Query {
        /// What was tried.
        doing: String,
        /// The server's number of it.
        number: i32,
        /// The server's name of it.
        name: String,
        /// What the server said.
        detail: String,
    },
    /// A sort or a group outgrew the server's memory; it would have gone to the server's disk.
    #[error("the server ran out of memory to {doing}: {detail}")]
    Memory {
        /// What was tried.
        doing: String,
        /// What the server said.
        detail: String,
    },
    /// The server used up the time that it was given.
    #[error("the server was too slow to {doing}")]
    Slow {
        /// What was tried.
        doing: String,
    },
}

/// The oldest major version: snapshot reads outside of transactions came with it.
pub(crate) const OLDEST: u32 = 5;

/// Numbers of the server's errors, as in its `error_codes.yml`.
mod number {
    pub(super) const UNAUTHORIZED: i32 = 13;
    pub(super) const AUTHENTICATION_FAILED: i32 = 18;
    pub(super) const MAX_TIME_EXPIRED: i32 = 50;
    pub(super) const SNAPSHOT_TOO_OLD: i32 = 239;
    pub(super) const SNAPSHOT_UNAVAILABLE: i32 = 246;
    pub(super) const NO_DISK_USE: i32 = 292;
    /// `HostUnreachable`, `HostNotFound`, `NetworkTimeout`, `ShutdownInProgress`, `PrimarySteppedDown`,
    /// `ExceededTimeLimit`, `SocketException`, `NotYetInitialized`, `NotWritablePrimary`, `InterruptedAtShutdown`,
    /// `InterruptedDueToReplStateChange`, `NotPrimaryNoSecondaryOk`, `NotPrimaryOrSecondary`: a server that starts, stops
    /// or has an election.
    pub(super) const PASSING: [i32; 13] = [6, 7, 89, 91, 94, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436];
    /// `BadValue`, `FailedToParse`, `TypeMismatch`, `IndexNotFound`, `PathNotViable`, `InvalidOptions`,
    /// `InvalidPipelineOperator`, `NotImplemented`, `ConversionFailure`: the query's fault.
    pub(super) const QUERY: [i32; 9] = [2, 9, 14, 27, 28, 72, 168, 238, 241];
    /// Errors without a name of their own have five digits and more; nearly all come from parsing and evaluating.
    /// Shutdowns and elections end at 13436.
    pub(super) const UNNAMED: std::ops::RangeFrom<i32> = 13_437..;
}

/// How long a session looks for a server, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    time: Duration,
    setting: &'static str,
}

impl Patience {
    /// The connection string's own word, else the configuration's.
    pub(crate) fn new(in_uri: Option<Duration>, configured: Duration) -> Self {
        match in_uri {
            Some(time) => Self { time, setting: "serverSelectionTimeoutMS" },
            None => Self { time: configured, setting: "mongodb.connect" },
        }
    }

    pub(crate) fn time(self) -> Duration {
        self.time
    }
}

impl fmt::Display for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waited {:?}, setting `{}`", self.time, self.setting)
    }
}

/// The driver's text of an error, without labels and Debug output.
pub(crate) fn text(error: &Error) -> String {
    match &*error.kind {
        ErrorKind::InvalidArgument { message, .. } => message.clone(),
        ErrorKind::ServerSelection { message, .. } => selection(message),
        kind => one_line(&kind.to_string()),
    }
}

/// `Server selection timeout: No available servers. Topology: { …, Error: Kind: I/O error: Connection refused, labels…`:
/// what went wrong at a server is what people need.
fn selection(message: &str) -> String {
    let (what, topology) = message.split_once(" Topology: ").unwrap_or((message, ""));
    let cause = topology.split_once("Error: ").map(|(_, rest)| rest.strip_prefix("Kind: ").unwrap_or(rest));
    let cause = cause.and_then(|rest| rest.split(", labels: ").next());
    one_line(cause.unwrap_or_else(|| what.split(" for criteria").next().unwrap_or(what)).trim_end_matches('.'))
}

/// What the server says of an error, without the steps that led to it and the command that it repeats.
fn cause(message: &str) -> String {
    let message = message.rsplit(" :: caused by :: ").next().unwrap_or(message);
    one_line(message.split(" to execute command {").next().unwrap_or(message))
}

fn one_line(text: &str) -> String {
    crate::guard::clipped(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

impl QueryError {
    /// What an error of the driver means for somebody who wanted to `doing`.
    pub(crate) fn from_driver(error: &Error, doing: impl Into<String>, caller: &Caller<'_>) -> Self {
        let doing = doing.into();
        let Caller { uri, secrets, .. } = *caller;
        let detail = caller.detail(error);
        match &*error.kind {
            ErrorKind::Command(command) => {
                let name = command.code_name.clone();
                let detail = secrets.scrub(&cause(&command.message));
                Self::from_server(command.code, name, detail, doing, uri)
            }
            ErrorKind::Authentication { .. } => Self::Authentication { uri: uri.to_owned(), detail },
            // somebody answers, but is no member that holds data: never initiated, or another set than the one asked for
            ErrorKind::ServerSelection { message, .. } if message.contains("None of the available servers") => {
                Self::NoPrimary { uri: uri.to_owned(), detail }
            }
            ErrorKind::ServerSelection { .. } | ErrorKind::DnsResolve { .. } => {
                Self::Unreachable { uri: uri.to_owned(), detail }
            }
            ErrorKind::Shutdown => Self::Closed,
            _ => Self::Broken { doing, detail },
        }
    }

    fn from_server(number: i32, name: String, detail: String, doing: String, uri: &str) -> Self {
        match number {
            number::UNAUTHORIZED => Self::NotAuthorised { doing, detail },
            number::AUTHENTICATION_FAILED => Self::Authentication { uri: uri.to_owned(), detail },
            number::MAX_TIME_EXPIRED => Self::Slow { doing },
            number::SNAPSHOT_TOO_OLD | number::SNAPSHOT_UNAVAILABLE => Self::SnapshotGone { doing, number, name },
            number::NO_DISK_USE => Self::Memory { doing, detail },
            _ if number::QUERY.contains(&number) || number::UNNAMED.contains(&number) => {
                Self::Query { doing, number, name, detail }
            }
            _ => Self::Server { doing, number, name, detail },
        }
    }

    /// Whether the same connection may come about in a moment: nobody listens yet, the server recovers, a set elects its
    /// primary.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::NoPrimary { .. }
            | Self::NoMajority { .. }
            | Self::Restarted
            | Self::Slow { .. }
            | Self::Closed
            | Self::Broken { .. } => true,
            Self::Server { number, .. } => number::PASSING.contains(number),
            _ => false,
        }
    }

    /// As the capability hands it to a guest. What helps goes along where it says what would be allowed.
    pub(crate) fn failure(&self) -> Failure {
        let refusal = match self {
            Self::Query { .. } | Self::Mixed { .. } => Refusal::Invalid,
            Self::Memory { .. } | Self::Slow { .. } => Refusal::Budget,
            _ => Refusal::Unavailable,
        };
        let failure = Failure::refused(refusal, self.code(), self.to_string());
        let allowed = match self {
            Self::NotAuthorised { .. } | Self::SnapshotGone { .. } | Self::Memory { .. } | Self::Mixed { .. } => {
                self.help()
            }
            _ => None,
        };
        Failure { allowed, ..failure }
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
            Self::NotReached { .. } => failure::SNAPSHOT_NOT_REACHED,
            Self::Restarted => "T0244",
            Self::Mixed { .. } => "T0245",
            Self::Broken { .. } => "T0212",
            // 0213 to 0216 are budgets; a server that is slow has spent the last of them
            Self::Slow { .. } => "T0216",
            Self::Query { .. } => "T0217",
            Self::Memory { .. } => "T0218",
            // 0219 to 0232 are the capability's and the guard's
            Self::CopiedMember { .. } => "T0233",
            Self::NoMajority { .. } => "T0234",
            Self::SetDataStandalone { .. } => "T0235",
            Self::OtherServer { .. } => "T0236",
            Self::MayWrite { .. } => "T0237",
            Self::Lacking { .. } => "T0238",
            Self::Unguarded { .. } => "T0239",
        }
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::BadUri { .. } => {
                "write it as mongodb://user:password@host:27017/database; characters like @ : / ? # % in user and \
                 password are written %40 %3A %2F %3F %23 %25"
            }
            Self::NoDatabase => {
                "name it in `mongodb.database`, or at the end of the connection string: mongodb://host/shop"
            }
            Self::BadDatabase { .. } => "name the database that holds the application's data",
            Self::Unreachable { .. } => {
                "check host, port, network and replicaSet; where the data were copied from elsewhere, the set still names \
                 its old hosts: add ?directConnection=true"
            }
            Self::Authentication { .. } => {
                "check user, password and authSource; a copy holds production's users: create `taster` there, and every \
                 refresh brings it along (host/SERVER.md)"
            }
            Self::NotAuthorised { .. } => {
                "grant the user the role `read` on the database, or the narrower one of host/SERVER.md"
            }
            Self::NoPrimary { .. } => {
                "wait for the election, or look at rs.status(); a direct connection must be to the primary, and replicaSet= \
                 must be the set's name"
            }
            Self::CopiedMember { .. } => {
                "make this host the only member of the copy's set: rs.reconfig(…, {force: true}) on it, as host/SERVER.md \
                 shows; Taster never reconfigures"
            }
            Self::NoMajority { .. } => {
                "start the other members; or, on a copy that has only this one, make it the only member: host/SERVER.md"
            }
            Self::SetDataStandalone { .. } => {
                "start it with --replSet and make it the only member of its set; or, where every write is known to be \
                 there, empty local.system.replset: host/SERVER.md shows both"
            }
            Self::OtherServer { .. } => {
                "if the server that you name is the one to taste, add ?directConnection=true; if it is a copy, give it a \
                 configuration of its own: host/SERVER.md"
            }
            Self::MayWrite { .. } => {
                "give Taster a user of its own with the role of host/SERVER.md, or take `requireReadOnlyUser` out"
            }
            Self::Lacking { command, .. } => return Some(format!("in mongosh, as an administrator: {command}")),
            Self::Unguarded { .. } => {
                "start mongod with --auth and give Taster a user (host/SERVER.md), or take `requireReadOnlyUser` out"
            }
            Self::TooOld { .. } => "upgrade the server first",
            Self::SnapshotGone { .. } => {
                "read less in one capture, or raise minSnapshotHistoryWindowInSeconds (300 by default) on the server"
            }
            Self::Mixed { .. } => "read each on its own, and put them together in the probe",
            Self::Restarted => "run the same command again; the server's log says why it stopped",
            Self::NotReached { .. } => {
                "a majority of the replica set must have what its primary has: look at rs.status(), or raise mongodb.reach"
            }
            Self::Memory { .. } => "group by fewer values, or sort by an index; probes do not use the server's disk",
            Self::Closed | Self::Server { .. } | Self::Broken { .. } | Self::Query { .. } | Self::Slow { .. } => {
                return None;
            }
        };
        Some(help.to_owned())
    }
}
