//! The servers of these tests, each started once for all of them, and what a server knows of a session.

use std::sync::OnceLock;

use mongodb::{
    Client,
    bson::{Document, doc},
};
use taster_testkit::{
    WAIT_TIMEOUT,
    mongod::{self, Flavour, MongodOptions, Server, block_on_own_runtime, options},
    wait_until,
};

/// A server and how it is reached.
pub(crate) struct Mongod {
    port: u16,
    user: Option<&'static str>,
    flavour: Flavour,
}

/// A standalone server.
pub(crate) fn standalone() -> &'static Mongod {
    static SERVER: OnceLock<Mongod> = OnceLock::new();
    SERVER.get_or_init(|| start(Flavour::Standalone, &[]))
}

/// A standalone server that one test has to itself, to count its cursors.
pub(crate) fn quiet() -> &'static Mongod {
    static SERVER: OnceLock<Mongod> = OnceLock::new();
    SERVER.get_or_init(|| start(Flavour::Standalone, &[]))
}

/// A replica set of one member.
pub(crate) fn replica_set() -> &'static Mongod {
    static SERVER: OnceLock<Mongod> = OnceLock::new();
    SERVER.get_or_init(|| start(Flavour::ReplicaSet, &[]))
}

/// A replica set of one member whose transactions live for a second: reads in ranges wait for their end.
pub(crate) fn short_transactions() -> &'static Mongod {
    static SERVER: OnceLock<Mongod> = OnceLock::new();
    SERVER.get_or_init(|| start(Flavour::ReplicaSet, &["--setParameter", "transactionLifetimeLimitSeconds=1"]))
}

/// A replica set of one member that keeps two seconds of history.
pub(crate) fn forgetful() -> &'static Mongod {
    static SERVER: OnceLock<Mongod> = OnceLock::new();
    SERVER.get_or_init(|| start(Flavour::ReplicaSet, &["--setParameter", "minSnapshotHistoryWindowInSeconds=2"]))
}

/// A member of a replica set that was never initiated.
pub(crate) fn uninitiated() -> &'static Mongod {
    static SERVER: OnceLock<Server> = OnceLock::new();
    static MONGOD: OnceLock<Mongod> = OnceLock::new();
    MONGOD.get_or_init(|| {
        let server = SERVER.get_or_init(|| block_on_own_runtime(Server::start(&["--replSet", "rs0"])));
        Mongod { port: server.port(), user: None, flavour: Flavour::Standalone }
    })
}

/// A server that requires a password: `root` may do everything, `reader` may read `shop`, `nobody` has no role.
pub(crate) fn with_users() -> &'static Mongod {
    static SERVER: OnceLock<Mongod> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = start(Flavour::Standalone, &["--auth"]);
        block_on_own_runtime(async {
            let admin = server.client().await.database("admin");
            let root = doc! {"createUser": "root", "pwd": "geheim", "roles": ["root"]};
            admin.run_command(root).await.unwrap();
        });
        let server = Mongod { user: Some("root"), ..server };
        block_on_own_runtime(async {
            let admin = server.client().await.database("admin");
            for (user, roles) in [("reader", vec![doc! {"role": "read", "db": "shop"}]), ("nobody", vec![])] {
                admin.run_command(doc! {"createUser": user, "pwd": "geheim", "roles": roles}).await.unwrap();
            }
        });
        server
    })
}

fn start(flavour: Flavour, arguments: &[&str]) -> Mongod {
    let arguments = [&["--setParameter", "ttlMonitorSleepSecs=1"], arguments].concat();
    let options = MongodOptions { replica_set: flavour.is_replica_set(), ..options(&arguments) };
    let server = block_on_own_runtime(mongod::start(options));
    let port = server.port();
    // it ends with this process
    std::mem::forget(server);
    Mongod { port, user: None, flavour }
}

impl Mongod {
    /// Connection string for a database.
    pub(crate) fn uri(&self, database: &str) -> String {
        match self.user {
            Some(user) => self.uri_as(user, "geheim", database),
            None => format!("mongodb://127.0.0.1:{}/{database}", self.port),
        }
    }

    /// Connection string of a user.
    pub(crate) fn uri_as(&self, user: &str, password: &str, database: &str) -> String {
        format!("mongodb://{user}:{password}@127.0.0.1:{}/{database}?authSource=admin", self.port)
    }

    pub(crate) fn is_replica_set(&self) -> bool {
        self.flavour.is_replica_set()
    }

    /// A client of the test's own; it belongs to the runtime of the test.
    pub(crate) async fn client(&self) -> Client {
        let uri = self.uri("admin");
        let direct = if uri.contains('?') { "&directConnection=true" } else { "?directConnection=true" };
        Client::with_uri_str(format!("{uri}{direct}")).await.unwrap()
    }

    /// All cursors that are open on this server.
    pub(crate) async fn open_cursors(&self) -> i64 {
        mongod::open_cursors(&self.client().await, "total").await
    }

    /// Cursors and operations that carry a comment, as the server lists them.
    pub(crate) async fn traces(&self, comment: &str) -> Vec<Document> {
        let admin = self.client().await.database("admin");
        let pipeline = vec![
            doc! {"$currentOp": {"allUsers": true, "idleCursors": true}},
            doc! {"$match": {"$or": [{"command.comment": comment}, {"cursor.originatingCommand.comment": comment}]}},
        ];
        let mut cursor = admin.aggregate(pipeline).await.unwrap();
        let mut found = Vec::new();
        while cursor.advance().await.unwrap() {
            found.push(cursor.deserialize_current().unwrap());
        }
        found
    }

    /// Waits until no cursor and no operation carries the comment.
    pub(crate) async fn expect_no_trace(&self, comment: &str) {
        let what = format!("the end of all operations of {comment}");
        wait_until(&what, WAIT_TIMEOUT, async || self.traces(comment).await.is_empty()).await;
    }
}
