//! Replica sets of several members, for tests that stop, copy or delay some of them.

use std::path::PathBuf;

use mongodb::{
    Client,
    bson::{Document, doc},
};

use crate::mongod::{Process, folder, free_port, wait_until};

/// A running replica set `rs0`. Dropping it ends all of it.
pub(crate) struct ReplicaSet {
    /// By their numbers; `None` where one was stopped.
    members: Vec<Option<Process>>,
    ports: Vec<u16>,
}

impl ReplicaSet {
    /// Starts one, of which the first member is the primary. Each member's document says what is special about it:
    /// `{priority: 0, hidden: true, secondaryDelaySecs: 60}`.
    pub(crate) async fn start(members: &[Document], settings: Document) -> Self {
        let processes: Vec<Process> =
            members.iter().map(|_| Process::start(folder(), free_port(), &["--replSet", "rs0"])).collect();
        let ports: Vec<u16> = processes.iter().map(|process| process.port).collect();
        let members: Vec<Document> = members
            .iter()
            .enumerate()
            .map(|(number, special)| {
                let mut member = doc! {
                    "_id": i32::try_from(number).unwrap(),
                    "host": format!("127.0.0.1:{}", ports[number]),
                    // the first one is elected, unless its own document says otherwise
                    "priority": if number == 0 { 2 } else { 1 },
                };
                member.extend(special.clone());
                member
            })
            .collect();
        let mut quick = doc! { "electionTimeoutMillis": 1000, "heartbeatIntervalMillis": 200 };
        quick.extend(settings);
        let config = doc! { "_id": "rs0", "members": members, "settings": quick };
        let set = Self { members: processes.into_iter().map(Some).collect(), ports };
        set.direct(0).await.database("admin").run_command(doc! { "replSetInitiate": config }).await.unwrap();
        set.wait_for(0, "isWritablePrimary").await;
        set
    }

    /// Connection string that names every member.
    pub(crate) fn uri(&self, database: &str) -> String {
        let hosts: Vec<String> = self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("mongodb://{}/{database}?replicaSet=rs0", hosts.join(","))
    }

    /// Where one member answers.
    pub(crate) fn port(&self, member: usize) -> u16 {
        self.ports[member]
    }

    /// A client of one member alone.
    pub(crate) async fn direct(&self, member: usize) -> Client {
        direct(self.ports[member]).await
    }

    /// A copy of one member's files while it runs, as a storage system's snapshot would take it.
    pub(crate) async fn copy(&self, member: usize) -> PathBuf {
        let admin = self.direct(member).await.database("admin");
        admin.run_command(doc! { "fsync": 1, "lock": true }).await.unwrap();
        let copy = self.members[member].as_ref().unwrap().copy();
        admin.run_command(doc! { "fsyncUnlock": 1 }).await.unwrap();
        copy
    }

    /// Ends one member as a power cut would.
    pub(crate) fn stop(&mut self, member: usize) {
        self.members[member] = None;
    }

    /// Waits until a member says of itself what the field of `hello` is named for.
    pub(crate) async fn wait_for(&self, member: usize, state: &str) {
        let admin = self.direct(member).await.database("admin");
        wait_until(state, async || {
            let hello = admin.run_command(doc! { "hello": 1 }).await;
            hello.is_ok_and(|hello| hello.get_bool(state).unwrap_or(false))
        })
        .await;
    }
}

/// A client of one server alone.
pub(crate) async fn direct(port: u16) -> Client {
    let uri = format!("mongodb://127.0.0.1:{port}/?directConnection=true&serverSelectionTimeoutMS=10000");
    Client::with_uri_str(uri).await.unwrap()
}

/// Three members with nothing special about them.
pub(crate) async fn three() -> ReplicaSet {
    let set = ReplicaSet::start(&[doc! {}, doc! {}, doc! {}], doc! {}).await;
    for member in [1, 2] {
        set.wait_for(member, "secondary").await;
    }
    set
}

/// Documents on every member.
pub(crate) async fn fill(set: &ReplicaSet, documents: i32) {
    let members = set.ports.len();
    let documents: Vec<Document> = (0..documents).map(|n| doc! { "_id": n }).collect();
    let insert = doc! {
        "insert": "orders", "documents": documents,
        "writeConcern": { "w": i32::try_from(members).unwrap(), "wtimeout": 20_000 },
    };
    let answer = set.direct(0).await.database("shop").run_command(insert).await.unwrap();
    assert!(!answer.contains_key("writeConcernError"), "{answer}");
}
