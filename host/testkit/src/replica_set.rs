//! Replica sets of several members, for tests that stop, copy or delay some of them.

use mongodb::{
    Client,
    bson::{Document, doc},
};
use tempfile::TempDir;

use crate::{
    WAIT_TIMEOUT,
    mongod::{Server, direct, is_in_state},
    wait_until,
};

/// A running replica set `rs0`. Dropping it ends all members.
#[derive(Debug)]
pub struct ReplicaSet {
    /// By their numbers; `None` for one that was stopped.
    members: Vec<Option<Server>>,
    ports: Vec<u16>,
}

impl ReplicaSet {
    /// Starts one whose first member becomes the primary. A member's document holds its special options:
    /// `{priority: 0, hidden: true, secondaryDelaySecs: 60}`.
    pub async fn start(members: &[Document], settings: Document) -> Self {
        let mut servers = Vec::new();
        for _ in members {
            servers.push(Server::start(&["--replSet", "rs0", "--oplogSize", "64"]).await);
        }
        let ports: Vec<u16> = servers.iter().map(|server| server.port()).collect();
        let members: Vec<Document> = members
            .iter()
            .zip(0_i32..)
            .zip(&ports)
            .map(|((special, number), port)| {
                // the first one is elected, unless its own document says otherwise
                let priority = if number == 0 { 2 } else { 1 };
                let mut member = doc! {"_id": number, "host": format!("127.0.0.1:{port}"), "priority": priority};
                member.extend(special.clone());
                member
            })
            .collect();
        let mut quick = doc! {"electionTimeoutMillis": 1000, "heartbeatIntervalMillis": 200};
        quick.extend(settings);
        let config = doc! {"_id": "rs0", "members": members, "settings": quick};
        let set = Self { members: servers.into_iter().map(Some).collect(), ports };
        set.direct(0).await.database("admin").run_command(doc! {"replSetInitiate": config}).await.expect("a set");
        set.wait_for(0, "isWritablePrimary").await;
        set
    }

    /// Starts one of three ordinary members, and waits until two are secondaries.
    pub async fn three() -> Self {
        let set = Self::start(&[doc! {}, doc! {}, doc! {}], doc! {}).await;
        for member in [1, 2] {
            set.wait_for(member, "secondary").await;
        }
        set
    }

    /// Connection string that names every member.
    #[must_use]
    pub fn uri(&self, database: &str) -> String {
        let hosts: Vec<String> = self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("mongodb://{}/{database}?replicaSet=rs0", hosts.join(","))
    }

    /// The port of one member.
    #[must_use]
    pub fn port(&self, member: usize) -> u16 {
        self.ports[member]
    }

    /// A client of one member alone.
    pub async fn direct(&self, member: usize) -> Client {
        direct(self.ports[member]).await
    }

    /// A copy of one member's files while it runs, as a snapshot of its volume would be.
    pub async fn copy(&self, member: usize) -> TempDir {
        let admin = self.direct(member).await.database("admin");
        admin.run_command(doc! {"fsync": 1, "lock": true}).await.expect("a lock");
        let copy = self.members[member].as_ref().expect("it was not stopped").copy();
        admin.run_command(doc! {"fsyncUnlock": 1}).await.expect("no lock");
        copy
    }

    /// Kills one member, as a power cut would.
    pub fn stop(&mut self, member: usize) {
        self.members[member] = None;
    }

    /// Waits until this field of a member's `hello` is true.
    pub async fn wait_for(&self, member: usize, state: &str) {
        let client = self.direct(member).await;
        wait_until(state, WAIT_TIMEOUT, async || is_in_state(&client, state).await).await;
    }

    /// Inserts this many documents into `shop.orders`, on every member.
    pub async fn fill(&self, documents: i32) {
        let documents: Vec<Document> = (0..documents).map(|n| doc! {"_id": n}).collect();
        let members = i32::try_from(self.ports.len()).expect("few members");
        let insert = doc! {
            "insert": "orders", "documents": documents, "writeConcern": {"w": members, "wtimeout": 20_000},
        };
        let answer = self.direct(0).await.database("shop").run_command(insert).await.expect("an insert");
        assert!(!answer.contains_key("writeConcernError"), "{answer}");
    }
}
