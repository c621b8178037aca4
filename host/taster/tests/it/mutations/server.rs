//! Makes a real server hold a [`Database`], and checks that it does, byte by byte.

use std::path::Path;

use mongodb::{
    Client, Database as Mongo,
    bson::{Bson, Document, RawDocumentBuf, doc},
};
use taster_demo::{Mongod, MongodOptions};
use taster_testkit::{
    free_port,
    mongod::{self, direct},
    replica_set::ReplicaSet,
    wait_until,
};
use tempfile::TempDir;

use super::{
    database::{Collection, Database, Kind},
    values,
};

/// A server that can be restarted on its files, or a replica set of several members.
pub(super) struct Server {
    members: Members,
    pub(super) replica_set: bool,
    pub(super) client: Client,
}

enum Members {
    One {
        // dropped in this order
        mongod: Option<Mongod>,
        port: u16,
        folder: TempDir,
    },
    Several(ReplicaSet),
}

/// Arguments of every mongod. The TTL monitor runs when a round says so; a transaction may live a second, so no capture waits
/// for longer.
const ARGUMENTS: [&str; 6] = [
    "--setParameter",
    "ttlMonitorEnabled=false",
    "--setParameter",
    "ttlMonitorSleepSecs=1",
    "--setParameter",
    "transactionLifetimeLimitSeconds=1",
];

impl Server {
    pub(super) async fn start(replica_set: bool) -> Self {
        let folder = TempDir::new().expect("a folder");
        let port = free_port();
        let mongod = mongod::start(Self::options(replica_set, port, folder.path())).await;
        let client = mongod.client().await.expect("a client");
        Self { members: Members::One { mongod: Some(mongod), port, folder }, replica_set, client }
    }

    /// A replica set of three members.
    pub(super) async fn start_several() -> Self {
        let set = ReplicaSet::three_equal(&ARGUMENTS).await;
        let client = Client::with_uri_str(set.uri("")).await.expect("a client");
        Self { members: Members::Several(set), replica_set: true, client }
    }

    fn options(replica_set: bool, port: u16, folder: &Path) -> MongodOptions {
        let dir = Some(folder.to_owned());
        MongodOptions { replica_set, port: Some(port), dir, ..mongod::options(&ARGUMENTS) }
    }

    /// It names every member.
    pub(super) fn uri(&self, database: &str) -> String {
        match &self.members {
            Members::One { mongod, .. } => mongod.as_ref().expect("it runs").uri_of(database),
            Members::Several(set) => set.uri(database),
        }
    }

    /// Stops it as a power cut does, after its last checkpoint, and starts it again. Several members elect another primary
    /// instead.
    pub(super) async fn restart(&mut self) {
        self.admin(doc! {"fsync": 1}).await;
        let Members::One { mongod, port, folder } = &mut self.members else { return self.step_down().await };
        *mongod = None;
        *mongod = Some(mongod::start(Self::options(self.replica_set, *port, folder.path())).await);
        wait_until("the driver finds it again", taster_testkit::WAIT_TIMEOUT, async || {
            self.client.database("admin").run_command(doc! {"ping": 1}).await.is_ok()
        })
        .await;
    }

    /// Lets the primary step down, and waits for the next one: the only member is elected again, several elect another one.
    pub(super) async fn step_down(&self) {
        match &self.members {
            Members::One { port, .. } => {
                let client = direct(*port).await;
                // closes the connection
                let _ = client.database("admin").run_command(doc! {"replSetStepDown": 1, "force": true}).await;
                wait_until("an election", taster_testkit::WAIT_TIMEOUT, async || {
                    mongod::is_in_state(&client, "isWritablePrimary").await
                })
                .await;
            }
            Members::Several(set) => set.fail_over().await,
        }
        wait_until("the driver finds the primary", taster_testkit::WAIT_TIMEOUT, async || {
            let ping =
                doc! {"update": "pings", "updates": [{"q": {"_id": 1}, "u": {"$inc": {"n": 1}}, "upsert": true}]};
            self.client.database("other").run_command(ping).await.is_ok()
        })
        .await;
    }

    /// How often the primary was asked for this command.
    pub(super) async fn asked_for(&self, command: &str) -> i64 {
        let status = self.client.database("admin").run_command(doc! {"serverStatus": 1}).await.expect("the status");
        let commands = status.get_document("metrics").and_then(|metrics| metrics.get_document("commands"));
        let counts = commands.and_then(|commands| commands.get_document(command));
        counts.and_then(|counts| counts.get_i64("total")).expect("metrics.commands counts each command")
    }

    pub(super) async fn admin(&self, command: Document) {
        self.client.database("admin").run_command(command).await.expect("a command");
    }
}

/// Runs a command; a failure is one of the generator.
pub(super) async fn run(mongo: &Mongo, command: Document) {
    let answer = mongo.run_raw_command(values::raw(&command)).await;
    let answer = answer.unwrap_or_else(|error| panic!("the generator made a command that fails: {error}: {command}"));
    assert!(!answer.contains_key("writeErrors"), "the generator made a write that fails: {answer}: {command}");
}

/// Creates everything in an empty database.
pub(super) async fn load(mongo: &Mongo, database: &Database) {
    // views last: the collections that they read are there, then
    let (views, others): (Vec<_>, Vec<_>) = database.iter().partition(|(_, collection)| collection.kind == Kind::View);
    for (name, collection) in others.into_iter().chain(views) {
        create(mongo, name, collection).await;
    }
    verify(mongo, database).await;
}

pub(super) async fn create(mongo: &Mongo, name: &str, collection: &Collection) {
    let mut create = doc! {"create": name};
    create.extend(collection.options.clone());
    run(mongo, create).await;
    create_indexes(mongo, name, &collection.indexes).await;
    insert(mongo, name, &collection.documents).await;
}

pub(super) async fn create_indexes(mongo: &Mongo, name: &str, indexes: &[Document]) {
    if !indexes.is_empty() {
        run(mongo, doc! {"createIndexes": name, "indexes": indexes.to_vec()}).await;
    }
}

pub(super) async fn insert(mongo: &Mongo, name: &str, documents: &[Document]) {
    if !documents.is_empty() {
        run(mongo, doc! {"insert": name, "documents": documents.to_vec()}).await;
    }
}

pub(super) async fn delete(mongo: &Mongo, name: &str, documents: &[&Document]) {
    let delete = |document: &&Document| doc! {"q": {"_id": {"$eq": document.get("_id").cloned()}}, "limit": 1};
    if !documents.is_empty() {
        run(mongo, doc! {"delete": name, "deletes": documents.iter().map(delete).collect::<Vec<_>>()}).await;
    }
}

/// Changes what differs, as an upgrade would.
pub(super) async fn follow(mongo: &Mongo, old: &Database, new: &Database, renamed: &[(String, String)]) {
    let mut old = old.clone();
    for (from, to) in renamed {
        let of = |name: &str| format!("{}.{name}", mongo.name());
        let admin = mongo.client().database("admin");
        run(&admin, doc! {"renameCollection": of(from), "to": of(to)}).await;
        if let Some(moved) = old.remove(from) {
            old.insert(to.clone(), moved);
        }
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        run(mongo, doc! {"drop": name}).await;
    }
    for (name, collection) in new {
        match old.get(name) {
            None => create(mongo, name, collection).await,
            Some(old) => change(mongo, name, old, collection).await,
        }
    }
    verify(mongo, new).await;
}

async fn change(mongo: &Mongo, name: &str, old: &Collection, new: &Collection) {
    let is_redefined = values::bytes(&old.options) != values::bytes(&new.options);
    if is_redefined && matches!(new.kind, Kind::Plain | Kind::View) {
        let mut command = doc! {"collMod": name};
        command.extend(new.options.clone());
        // it cannot be changed, and was not
        command.remove("collation");
        run(mongo, command).await;
    } else if is_redefined || new.kind == Kind::TimeSeries && old.documents != new.documents {
        run(mongo, doc! {"drop": name}).await;
        return create(mongo, name, new).await;
    }
    let is_in = |all: &[Document], one: &Document| all.iter().any(|other| values::bytes(other) == values::bytes(one));
    for index in old.indexes.iter().filter(|index| !is_in(&new.indexes, index)) {
        run(mongo, doc! {"dropIndexes": name, "index": index.get_str("name").expect("a name")}).await;
    }
    let bytes = |collection: &Collection| {
        collection.documents.iter().map(values::bytes).collect::<std::collections::HashSet<_>>()
    };
    let (was, is) = (bytes(old), bytes(new));
    let gone: Vec<&Document> = old.documents.iter().filter(|document| !is.contains(&values::bytes(document))).collect();
    delete(mongo, name, &gone).await;
    let added = new.documents.iter().filter(|document| !was.contains(&values::bytes(document)));
    insert(mongo, name, &added.cloned().collect::<Vec<_>>()).await;
    let added = new.indexes.iter().filter(|index| !is_in(&old.indexes, index));
    create_indexes(mongo, name, &added.cloned().collect::<Vec<_>>()).await;
}

/// The server holds these documents and no others: what it changes on its own would be a difference that nobody made.
pub(super) async fn verify(mongo: &Mongo, database: &Database) {
    let names = mongo.list_collection_names().await.expect("names");
    let mut names: Vec<&String> = names.iter().filter(|name| !name.starts_with("system.")).collect();
    names.sort();
    assert_eq!(names, database.keys().collect::<Vec<_>>(), "the server has other collections than the generator says");
    for (name, collection) in database.iter().filter(|(_, collection)| collection.is_editable()) {
        let mut cursor = mongo.collection::<RawDocumentBuf>(name).find(doc! {}).await.expect("a cursor");
        let mut found: Vec<Vec<u8>> = Vec::new();
        while cursor.advance().await.expect("documents") {
            found.push(cursor.current().as_bytes().to_vec());
        }
        let mut made: Vec<Vec<u8>> = collection.documents.iter().map(values::bytes).collect();
        found.sort();
        made.sort();
        let json = |all: &[Vec<u8>]| -> Vec<String> {
            let parsed = all.iter().filter_map(|bytes| Document::from_reader(&**bytes).ok());
            parsed.map(|document| Bson::from(document).into_canonical_extjson().to_string()).collect()
        };
        assert!(found == made, "the server keeps other documents in {name}:\n{:#?}\n{:#?}", json(&found), json(&made));
    }
}
