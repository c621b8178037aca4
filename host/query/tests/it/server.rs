//! Servers that must be refused: copied volumes, sets without a majority, names that lead to another server.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use insta::{Settings, assert_snapshot};
use mongodb::bson::{Document, doc};
use taster_model::{Diagnostic, Topology};
use taster_query::{Connection, ConnectionOptions, QueryError};
use taster_testkit::{
    WAIT_TIMEOUT, free_port,
    mongod::{Server, direct, is_in_state},
    replica_set::ReplicaSet,
    wait_until,
};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

async fn connect(uri: &str) -> Result<Connection, QueryError> {
    let options = ConnectionOptions {
        command_events: None,
        uri: uri.parse()?,
        database: "shop".to_owned(),
        comment: "taster/server".to_owned(),
        server_selection_timeout: Duration::from_secs(2),
    };
    Connection::connect(options).await
}

/// The error of a server that is refused.
async fn refused(uri: &str) -> String {
    let error = match connect(uri).await {
        Ok(connection) => panic!("{uri} was accepted: {connection:?}"),
        Err(error) => error,
    };
    format!("{} {error}\n{}", error.code(), error.help().unwrap_or_default())
}

/// Replaces each port by the name of its server, so that all runs give the same text.
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

async fn count(port: u16) -> u64 {
    direct(port).await.database("shop").collection::<Document>("orders").count_documents(doc! {}).await.unwrap()
}

/// The errors of a server that is refused with each of these options.
async fn refused_with(port: u16, options: &[&str]) -> Vec<String> {
    let mut errors = Vec::new();
    for options in options {
        errors.push(refused(&uri(port, options)).await);
    }
    errors
}

/// What docs/src/operations/mongodb.md shows for a copied member: it becomes the only member of its set.
async fn make_only_member(port: u16) {
    let admin = direct(port).await.database("admin");
    let config = admin.run_command(doc! { "replSetGetConfig": 1 }).await.unwrap();
    let config = config.get_document("config").unwrap();
    let mut member = config.get_array("members").unwrap()[0].as_document().unwrap().clone();
    member.insert("host", format!("127.0.0.1:{port}"));
    let mut alone = config.clone();
    alone.insert("members", vec![member]);
    admin.run_command(doc! { "replSetReconfig": alone, "force": true }).await.unwrap();
    wait_until("the copy to be primary", WAIT_TIMEOUT, async || connect(&uri(port, "")).await.is_ok()).await;
}

/// What it shows for the data of a member under a standalone server that lacks no writes.
async fn empty_set_configuration(port: u16) {
    let local = direct(port).await.database("local");
    local.collection::<Document>("system.replset").delete_many(doc! {}).await.unwrap();
}

async fn lose_majority(set: &mut ReplicaSet) {
    set.stop(1);
    set.stop(2);
    set.wait_for(0, "secondary").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copied_and_leftover_members_are_refused_with_the_hosts_of_their_set() {
    let mut set = ReplicaSet::three().await;
    set.fill(100).await;
    connect(&set.uri("shop")).await.unwrap().close().await;
    let (copy, second, third) = (set.copy(0).await, set.copy(1).await, set.copy(1).await);
    let mut ports = vec![(set.port(0), "A"), (set.port(1), "B"), (set.port(2), "C")];
    let mut errors = Vec::new();

    // while production runs and answers under the names that the copy has in its configuration
    let copied = Server::on(copy, &["--replSet", "rs0"]).await;
    ports.push((copied.port(), "COPY"));
    errors.extend(refused_with(copied.port(), &["", "?replicaSet=rs0", "?directConnection=true"]).await);
    make_only_member(copied.port()).await;
    assert_eq!(count(copied.port()).await, 100);
    assert_eq!(count(set.port(0)).await, 100, "production went on");

    let standalone = Server::on(second, &[]).await;
    ports.push((standalone.port(), "STANDALONE"));
    errors.push(refused(&uri(standalone.port(), "")).await);
    empty_set_configuration(standalone.port()).await;
    let connection = connect(&uri(standalone.port(), "")).await.unwrap();
    assert_eq!(connection.facts().topology, Topology::Standalone);
    connection.close().await;

    // it has replayed the oplog, so nothing is missing
    let replayed = Server::on(third, &["--setParameter", "recoverFromOplogAsStandalone=true"]).await;
    connect(&uri(replayed.port(), "")).await.unwrap().close().await;
    assert_eq!(count(replayed.port()).await, 100);

    lose_majority(&mut set).await;
    let options = ["", "?replicaSet=rs0", "?replicaSet=other", "?directConnection=true"];
    errors.extend(refused_with(set.port(0), &options).await);
    named(&ports).bind(|| assert_snapshot!(errors.join("\n\n"), @r"
        T0233 the server at mongodb://127.0.0.1:COPY/shop holds data copied from replica set `rs0` (127.0.0.1:A, 127.0.0.1:B, 127.0.0.1:C), but is not a member of that set
        make this host the only member of the copy's set with rs.reconfig(…, {force: true}), as docs/src/operations/mongodb.md shows; Taster never reconfigures a set

        T0233 the server at mongodb://127.0.0.1:COPY/shop?replicaSet=rs0 holds data copied from replica set `rs0` (127.0.0.1:A, 127.0.0.1:B, 127.0.0.1:C), but is not a member of that set
        make this host the only member of the copy's set with rs.reconfig(…, {force: true}), as docs/src/operations/mongodb.md shows; Taster never reconfigures a set

        T0233 the server at mongodb://127.0.0.1:COPY/shop?directConnection=true holds data copied from replica set `rs0` (127.0.0.1:A, 127.0.0.1:B, 127.0.0.1:C), but is not a member of that set
        make this host the only member of the copy's set with rs.reconfig(…, {force: true}), as docs/src/operations/mongodb.md shows; Taster never reconfigures a set

        T0235 the standalone server at mongodb://127.0.0.1:STANDALONE/shop holds data of a member of replica set `rs0` (127.0.0.1:A, 127.0.0.1:B, 127.0.0.1:C); it has not replayed the oplog, so the latest writes may be missing
        start it with --replSet and make it the only member of its set; or, if no writes are missing, empty local.system.replset: docs/src/operations/mongodb.md shows both

        T0234 the replica set `rs0` at mongodb://127.0.0.1:A/shop has no majority, and so no primary: of 127.0.0.1:A, 127.0.0.1:B, 127.0.0.1:C, these do not answer: 127.0.0.1:B, 127.0.0.1:C
        start the other members; or, if the copy has only this member, make it the only one of its set: docs/src/operations/mongodb.md

        T0234 the replica set `rs0` at mongodb://127.0.0.1:A/shop?replicaSet=rs0 has no majority, and so no primary: of 127.0.0.1:A, 127.0.0.1:B, 127.0.0.1:C, these do not answer: 127.0.0.1:B, 127.0.0.1:C
        start the other members; or, if the copy has only this member, make it the only one of its set: docs/src/operations/mongodb.md

        T0207 the replica set at mongodb://127.0.0.1:A/shop?replicaSet=other has no primary: the connection string names `other`, but the set is called `rs0`
        wait for the election, or look at rs.status(); a direct connection must be to the primary, and replicaSet= must be the set's name

        T0207 the replica set at mongodb://127.0.0.1:A/shop?directConnection=true has no primary: 127.0.0.1:A of `rs0` is not the primary; it knows of no primary among 127.0.0.1:A, 127.0.0.1:B, 127.0.0.1:C
        wait for the election, or look at rs.status(); a direct connection must be to the primary, and replicaSet= must be the set's name
        "));
}

/// On a standalone server the writes since the last checkpoint are missing; each fix of docs/src/operations/mongodb.md restores them.
#[tokio::test(flavor = "multi_thread")]
async fn writes_missing_on_a_standalone_server_are_restored_by_the_documented_fixes() {
    let production = Server::start(&["--replSet", "rs0", "--syncdelay", "600"]).await;
    let admin = direct(production.port()).await.database("admin");
    let initiate = doc! { "_id": "rs0", "members": [{ "_id": 0, "host": format!("127.0.0.1:{}", production.port()) }] };
    admin.run_command(doc! { "replSetInitiate": initiate }).await.unwrap();
    wait_until("a primary", WAIT_TIMEOUT, async || connect(&uri(production.port(), "")).await.is_ok()).await;
    admin.run_command(doc! { "fsync": 1 }).await.unwrap();
    let documents: Vec<Document> = (0..100).map(|n| doc! { "_id": n }).collect();
    let insert = doc! { "insert": "orders", "documents": documents, "writeConcern": { "j": true } };
    direct(production.port()).await.database("shop").run_command(insert).await.unwrap();
    // a snapshot of the volume, with no checkpoint between the writes and it
    let copies = [production.copy(), production.copy(), production.copy()];
    drop(production);
    let [plain, replayed, member] = copies;

    let plain = Server::on(plain, &[]).await;
    assert_eq!(count(plain.port()).await, 0, "this is why it is refused");
    assert!(refused(&uri(plain.port(), "")).await.starts_with("T0235"));

    let recover = ["recoverFromOplogAsStandalone=true", "takeUnstableCheckpointOnShutdown=true"];
    let replaying = Server::on(replayed, &["--setParameter", recover[0], "--setParameter", recover[1]]).await;
    assert_eq!(count(replaying.port()).await, 100);
    connect(&uri(replaying.port(), "")).await.unwrap().close().await;
    // refused, or the connection breaks: either way it goes down, and its socket goes with it
    let _ = direct(replaying.port()).await.database("admin").run_command(doc! { "shutdown": 1 }).await;
    wait_until("the end of it", WAIT_TIMEOUT, async || {
        TcpStream::connect(("127.0.0.1", replaying.port())).await.is_err()
    })
    .await;
    wait_until("its files", WAIT_TIMEOUT, async || {
        std::fs::read(replaying.data().join("mongod.lock")).is_ok_and(|l| l.is_empty())
    })
    .await;
    let settled = Server::on(replaying.copy(), &[]).await;
    empty_set_configuration(settled.port()).await;
    assert_eq!(count(settled.port()).await, 100);
    connect(&uri(settled.port(), "")).await.unwrap().close().await;

    let member = Server::on(member, &["--replSet", "rs0"]).await;
    make_only_member(member.port()).await;
    assert_eq!(count(member.port()).await, 100);
}

/// A copy contains the users of production. The error says so to a user who cannot read `local`.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_recognised_by_users_who_can_read_its_configuration() {
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "tastertests").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let arguments = ["--replSet", "rs0", "--keyFile", key.to_str().unwrap()];
    let production = Server::start(&arguments).await;
    let port = production.port();
    let admin = direct(port).await.database("admin");
    let initiate = doc! { "_id": "rs0", "members": [{ "_id": 0, "host": format!("127.0.0.1:{port}") }] };
    admin.run_command(doc! { "replSetInitiate": initiate }).await.unwrap();
    wait_until("a primary", WAIT_TIMEOUT, async || is_in_state(admin.client(), "isWritablePrimary").await).await;
    admin.run_command(doc! { "createUser": "root", "pwd": "geheim", "roles": ["root"] }).await.unwrap();
    let uri_of = |user: &str, port| format!("mongodb://{user}:geheim@127.0.0.1:{port}/shop?authSource=admin");
    let client = mongodb::Client::with_uri_str(uri_of("root", port)).await.unwrap();
    let reader = doc! { "createUser": "reader", "pwd": "geheim", "roles": [{ "role": "read", "db": "shop" }] };
    client.database("admin").run_command(reader).await.unwrap();
    client.database("admin").run_command(doc! { "fsync": 1, "lock": true }).await.unwrap();
    let copy = production.copy();
    drop(production);
    let copied = Server::on(copy, &arguments).await;
    let mut errors = Vec::new();
    for user in ["root", "reader", "stranger"] {
        errors.push(refused(&uri_of(user, copied.port())).await);
    }
    named(&[(port, "PRODUCTION"), (copied.port(), "COPY")]).bind(|| assert_snapshot!(errors.join("\n\n"), @r"
        T0233 the server at mongodb://***@127.0.0.1:COPY/shop?authSource=admin holds data copied from replica set `rs0` (127.0.0.1:PRODUCTION), but is not a member of that set
        make this host the only member of the copy's set with rs.reconfig(…, {force: true}), as docs/src/operations/mongodb.md shows; Taster never reconfigures a set

        T0207 the replica set at mongodb://***@127.0.0.1:COPY/shop?authSource=admin has no primary: it was never initiated, or its data were copied from a member; local.system.replset says which, but the user is not allowed to read it
        wait for the election, or look at rs.status(); a direct connection must be to the primary, and replicaSet= must be the set's name

        T0205 authentication failed at mongodb://***@127.0.0.1:COPY/shop?authSource=admin: SCRAM failure: Authentication failed.
        check user, password and authSource; a copy holds production's users: create `taster` in production, and every refresh copies it (docs/src/operations/mongodb.md)
        "));
}

/// Forwards every connection to another port.
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
    let production = Server::start(&["--replSet", "rs0"]).await;
    let port = production.port();
    let initiate = doc! { "_id": "rs0", "members": [{ "_id": 0, "host": format!("127.0.0.1:{port}") }] };
    direct(port).await.database("admin").run_command(doc! { "replSetInitiate": initiate }).await.unwrap();
    wait_until("a primary", WAIT_TIMEOUT, async || connect(&uri(port, "")).await.is_ok()).await;
    let admin = direct(port).await.database("admin");
    let insert = doc! { "insert": "orders", "documents": [{ "_id": 1 }], "writeConcern": { "j": true } };
    direct(port).await.database("shop").run_command(insert).await.unwrap();
    admin.run_command(doc! { "fsync": 1, "lock": true }).await.unwrap();
    let (copy, again) = (production.copy(), production.copy());
    drop(production);

    // where the copy is, production's name leads to the copy itself
    let elsewhere = free_port();
    let relaying = relay(port, elsewhere).await;
    let copied = Server::on_port(elsewhere, copy, &["--replSet", "rs0"]).await;
    wait_until("the copy to be primary", WAIT_TIMEOUT, async || {
        connect(&uri(elsewhere, "?directConnection=true")).await.is_ok()
    })
    .await;
    // reached under another name than in the set, it is still the one that was meant
    connect(&uri(elsewhere, "")).await.unwrap().close().await;
    relaying.abort();
    let _ = relaying.await;

    // where Taster is, it leads to production
    let production = Server::on_port(port, again, &["--replSet", "rs0"]).await;
    wait_until("production to be back", WAIT_TIMEOUT, async || connect(&uri(port, "")).await.is_ok()).await;
    let error = refused(&uri(elsewhere, "")).await;
    named(&[(port, "PRODUCTION"), (elsewhere, "COPY")]).bind(|| assert_snapshot!(error, @r"
        T0236 the connection string mongodb://127.0.0.1:COPY/shop leads to another server: 127.0.0.1:PRODUCTION of replica set `rs0` (127.0.0.1:PRODUCTION); no host of the connection string is a member of that set
        if the named server is the right one, add ?directConnection=true; if it is a copy, give it a replica set configuration of its own: docs/src/operations/mongodb.md
        "));
    // a direct connection reads the copy
    let connection = connect(&uri(elsewhere, "?directConnection=true")).await.unwrap();
    connection.close().await;
    drop((production, copied));
}
