//! Servers that are not what they seem: copied volumes, sets without a majority, names that lead elsewhere.

use std::{path::PathBuf, time::Duration};

use insta::{Settings, assert_snapshot};
use mongodb::bson::{Document, doc};
use taster_model::{Coded, Topology};
use taster_query::{QueryError, Session, SessionOptions};
use tokio::net::{TcpListener, TcpStream};

use crate::{
    mongod::{Process, folder, free_port, wait_until},
    replica_set::{direct, fill, three},
};

async fn connect(uri: &str) -> Result<Session, QueryError> {
    let options = SessionOptions {
        uri: uri.parse()?,
        database: "shop".to_owned(),
        comment: "taster/server".to_owned(),
        server_selection_timeout: Duration::from_secs(2),
    };
    Session::connect(options).await
}

/// What is said of a server that is refused.
async fn refused(uri: &str) -> String {
    let error = match connect(uri).await {
        Ok(session) => panic!("{uri} was accepted: {session:?}"),
        Err(error) => error,
    };
    format!("{} {error}\n{}", error.code(), error.help().unwrap_or_default())
}

/// Says the same of every run: each port by who has it.
fn named(ports: &[(u16, &str)]) -> Settings {
    let mut settings = Settings::clone_current();
    for (port, name) in ports {
        settings.add_filter(&format!(r"127\.0\.0\.1:{port}"), format!("127.0.0.1:{name}"));
    }
    settings
}

fn uri(port: u16, options: &str) -> String {
    format!("mongodb://127.0.0.1:{port}/shop{options}")
}

/// Starts a server on a copy, somewhere else.
fn start(copy: PathBuf, arguments: &[&str]) -> Process {
    Process::start(copy, free_port(), arguments)
}

async fn count(port: u16) -> u64 {
    direct(port).await.database("shop").collection::<Document>("orders").count_documents(doc! {}).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_and_rests_of_a_replica_set_are_refused_and_its_hosts_named() {
    let mut set = three().await;
    fill(&set, 100).await;
    connect(&set.uri("shop")).await.unwrap().close().await;
    let (copy, second, third) = (set.copy(0).await, set.copy(1).await, set.copy(1).await);
    let mut ports = vec![(set.port(0), "A"), (set.port(1), "B"), (set.port(2), "C")];
    let mut said = Vec::new();

    // while production runs and answers under the names that the copy has in its configuration
    let copied = start(copy, &["--replSet", "rs0"]);
    ports.push((copied.port, "COPY"));
    for options in ["", "?replicaSet=rs0", "?directConnection=true"] {
        said.push(refused(&uri(copied.port, options)).await);
    }
    // the remedy that host/SERVER.md shows
    let admin = direct(copied.port).await.database("admin");
    let config = admin.run_command(doc! { "replSetGetConfig": 1 }).await.unwrap();
    let config = config.get_document("config").unwrap();
    let mut member = config.get_array("members").unwrap()[0].as_document().unwrap().clone();
    member.insert("host", format!("127.0.0.1:{}", copied.port));
    let mut alone = config.clone();
    alone.insert("members", vec![member]);
    admin.run_command(doc! { "replSetReconfig": alone, "force": true }).await.unwrap();
    wait_until("the copy to be primary", async || connect(&uri(copied.port, "")).await.is_ok()).await;
    assert_eq!(count(copied.port).await, 100);
    assert_eq!(count(set.port(0)).await, 100, "production went on");

    let standalone = start(second, &[]);
    ports.push((standalone.port, "STANDALONE"));
    said.push(refused(&uri(standalone.port, "")).await);
    // the other remedy
    let local = direct(standalone.port).await.database("local");
    local.collection::<Document>("system.replset").delete_many(doc! {}).await.unwrap();
    let session = connect(&uri(standalone.port, "")).await.unwrap();
    assert_eq!(session.facts().topology, Topology::Standalone);
    session.close().await;

    // it has replayed the oplog, so nothing is missing
    let replayed = start(third, &["--setParameter", "recoverFromOplogAsStandalone=true"]);
    connect(&uri(replayed.port, "")).await.unwrap().close().await;
    assert_eq!(count(replayed.port).await, 100);

    // two of three are gone
    set.stop(1);
    set.stop(2);
    set.wait_for(0, "secondary").await;
    for options in ["", "?replicaSet=rs0", "?replicaSet=other", "?directConnection=true"] {
        said.push(refused(&uri(set.port(0), options)).await);
    }
    named(&ports).bind(|| assert_snapshot!(said.join("\n\n"), @""));
}

/// Hands every connection on to another port.
async fn relay(port: u16, to: u16) -> tokio::task::JoinHandle<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((mut here, _)) = listener.accept().await {
            connections.spawn(async move {
                if let Ok(mut there) = TcpStream::connect(("127.0.0.1", to)).await {
                    let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
                }
            });
        }
    })
}

/// A copy that believes to be where its configuration says, while that name leads to production from here: the driver
/// follows the copy's word and finds production.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_never_leads_to_production() {
    let production = Process::start(folder(), free_port(), &["--replSet", "rs0"]);
    let port = production.port;
    let initiate = doc! { "_id": "rs0", "members": [{ "_id": 0, "host": format!("127.0.0.1:{port}") }] };
    direct(port).await.database("admin").run_command(doc! { "replSetInitiate": initiate }).await.unwrap();
    wait_until("a primary", async || connect(&uri(port, "")).await.is_ok()).await;
    let admin = direct(port).await.database("admin");
    let insert = doc! { "insert": "orders", "documents": [{ "_id": 1 }], "writeConcern": { "j": true } };
    direct(port).await.database("shop").run_command(insert).await.unwrap();
    admin.run_command(doc! { "fsync": 1, "lock": true }).await.unwrap();
    let (copy, again) = (production.copy(), production.copy());
    drop(production);

    // where the copy is, production's name leads to the copy itself
    let elsewhere = free_port();
    let relaying = relay(port, elsewhere).await;
    let copied = Process::start(copy, elsewhere, &["--replSet", "rs0"]);
    wait_until("the copy to be primary", async || connect(&uri(elsewhere, "?directConnection=true")).await.is_ok())
        .await;
    // reached under another name than in the set, it is still the one that was meant
    connect(&uri(elsewhere, "")).await.unwrap().close().await;
    relaying.abort();
    let _ = relaying.await;

    // where Taster is, it leads to production
    let production = Process::start(again, port, &["--replSet", "rs0"]);
    wait_until("production to be back", async || connect(&uri(port, "")).await.is_ok()).await;
    let said = refused(&uri(elsewhere, "")).await;
    named(&[(port, "PRODUCTION"), (elsewhere, "COPY")]).bind(|| assert_snapshot!(said, @""));
    // and whoever says so reads the copy
    let session = connect(&uri(elsewhere, "?directConnection=true")).await.unwrap();
    session.close().await;
    drop((production, copied));
}
