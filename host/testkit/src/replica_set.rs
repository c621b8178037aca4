//! Replica sets of several members, for tests that stop, copy or delay some of them.

use mongodb::{
    Client,
    bson::{Document, doc},
};
use tempfile::TempDir;

use crate::{
    WAIT_TIMEOUT,
    mongod::{Server, direct, is_in_state},
    wait_for, wait_until,
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
        let set = Self::initiate(members, settings, &[]).await;
        set.wait_for(0, "isWritablePrimary").await;
        set
    }

    /// Starts one that has yet to elect its primary. `arguments` are for each server.
    async fn initiate(members: &[Document], settings: Document, arguments: &[&str]) -> Self {
        let arguments = [&["--replSet", "rs0", "--oplogSize", "64"], arguments].concat();
        let mut servers = Vec::new();
        for _ in members {
            servers.push(Server::start(&arguments).await);
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

    /// Starts one of three members of which none is preferred, so that a primary stays until [`Self::fail_over`]. Any of them
    /// may be the first. `arguments` are for each server.
    pub async fn three_equal(arguments: &[&str]) -> Self {
        let equal = doc! {"priority": 1};
        // twice the usual patience: a busy machine must not cause an election
        let settings = doc! {"electionTimeoutMillis": 2000};
        let set = Self::initiate(&[equal.clone(), equal.clone(), equal], settings, arguments).await;
        let clients = set.clients().await;
        let primary = wait_for("a primary", WAIT_TIMEOUT, async || primary(&clients).await).await;
        set.wait_for_secondaries(primary).await;
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

    /// Lets the primary step down, and waits until another member is the primary and the others are secondaries.
    pub async fn fail_over(&self) {
        let clients = self.clients().await;
        let old = wait_for("a primary", WAIT_TIMEOUT, async || primary(&clients).await).await;
        let admin = self.direct(old).await.database("admin");
        let new = wait_for("another primary", WAIT_TIMEOUT, async || {
            // again if the same member was elected again; a member that is no primary refuses
            let step_down = doc! {"replSetStepDown": 2, "secondaryCatchUpPeriodSecs": 1, "force": true};
            let _ = admin.run_command(step_down).await;
            primary(&clients).await.filter(|member| *member != old)
        })
        .await;
        self.wait_for_secondaries(new).await;
    }

    /// A client of each member that was not stopped, with the member's number.
    async fn clients(&self) -> Vec<(usize, Client)> {
        let mut clients = Vec::new();
        for member in (0..self.members.len()).filter(|member| self.members[*member].is_some()) {
            clients.push((member, self.direct(member).await));
        }
        clients
    }

    /// Waits until every other member that was not stopped is a secondary.
    async fn wait_for_secondaries(&self, primary: usize) {
        for member in (0..self.members.len()).filter(|member| *member != primary) {
            if self.members[member].is_some() {
                self.wait_for(member, "secondary").await;
            }
        }
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

/// The number of the member that is the primary, if one is.
async fn primary(clients: &[(usize, Client)]) -> Option<usize> {
    for (member, client) in clients {
        if is_in_state(client, "isWritablePrimary").await {
            return Some(*member);
        }
    }
    None
}
