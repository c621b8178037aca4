//! The errors that users and probes get.

use std::time::Duration;

use bson::{Document, doc};
use insta::{Settings, assert_snapshot};
use taster_model::Diagnostic;
use taster_query::{AggregateOptions, Connection, ConnectionOptions, FindOptions, QueryError};

use crate::{
    mongod::{replica_set, standalone, uninitiated, with_users},
    support::{Shop, database, drain, grant, raw},
};

async fn connect(uri: &str, database: &str) -> Result<Connection, QueryError> {
    Connection::connect(ConnectionOptions {
        uri: uri.parse()?,
        database: database.to_owned(),
        comment: "taster/errors".to_owned(),
        server_selection_timeout: Duration::from_millis(1500),
        command_events: None,
    })
    .await
}

fn message(error: &QueryError) -> String {
    let help = error.help().unwrap_or_default();
    let text = format!("{} {error}\n{help}", error.code());
    for secret in ["geheim", "falsch", "reader", "nobody", "stranger"] {
        assert!(!text.contains(secret) && !format!("{error:?}").contains(secret), "{text}");
    }
    text
}

/// Ports and times differ from run to run.
fn settings() -> Settings {
    let mut settings = Settings::clone_current();
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT");
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_connections_report_the_cause() {
    let mut errors = Vec::new();
    for (uri, database) in [
        ("mongodb://reader:ge:heim@host/shop".to_owned(), "shop"),
        (standalone().uri("x"), ""),
        (standalone().uri("x"), "admin"),
        ("mongodb://reader:geheim@127.0.0.1:1/shop?authSource=admin".to_owned(), "shop"),
        (with_users().uri_as("reader", "falsch", "shop"), "shop"),
        (with_users().uri_as("stranger", "geheim", "shop"), "shop"),
        (uninitiated().uri("shop") + "?directConnection=true", "shop"),
        (uninitiated().uri("shop") + "?replicaSet=rs0", "shop"),
        (replica_set().uri("shop") + "?replicaSet=other", "shop"),
        ("mongodb://127.0.0.1:1/shop?serverSelectionTimeoutMS=200".to_owned(), "shop"),
    ] {
        errors.push(message(&connect(&uri, database).await.unwrap_err()));
    }
    settings().bind(|| assert_snapshot!(errors.join("\n\n"), @"
        T0201 invalid connection string: password must be URL encoded
        write it as mongodb://user:password@host:27017/database; characters like @ : / ? # % in user and password are written %40 %3A %2F %3F %23 %25

        T0202 no database name given
        name it in `mongodb.database`, or at the end of the connection string: mongodb://host/shop

        T0203 `admin` cannot be compared: it is a system database or not a valid database name
        name the database that holds the application's data

        T0204 no MongoDB server answers at mongodb://***@127.0.0.1:PORT/shop?authSource=admin: I/O error: Connection refused (os error 111) (waited 1500ms, setting `mongodb.connectTimeout`)
        check host, port, network and replicaSet; if the data were copied from another set, its configuration still names the old hosts: add ?directConnection=true

        T0205 authentication failed at mongodb://***@127.0.0.1:PORT/shop?authSource=admin: SCRAM failure: Authentication failed.
        check user, password and authSource; a copy holds production's users: create `taster` in production, and every refresh copies it (docs/src/operations/mongodb.md)

        T0205 authentication failed at mongodb://***@127.0.0.1:PORT/shop?authSource=admin: SCRAM failure: Authentication failed.
        check user, password and authSource; a copy holds production's users: create `taster` in production, and every refresh copies it (docs/src/operations/mongodb.md)

        T0207 the replica set at mongodb://127.0.0.1:PORT/shop?directConnection=true has no primary: it is not initiated yet
        wait for the election, or look at rs.status(); a direct connection must be to the primary, and replicaSet= must be the set's name

        T0207 the replica set at mongodb://127.0.0.1:PORT/shop?replicaSet=rs0 has no primary: it is not initiated yet
        wait for the election, or look at rs.status(); a direct connection must be to the primary, and replicaSet= must be the set's name

        T0207 the replica set at mongodb://127.0.0.1:PORT/shop?replicaSet=other has no primary: the connection string names `other`, but the set is called `taster`
        wait for the election, or look at rs.status(); a direct connection must be to the primary, and replicaSet= must be the set's name

        T0204 no MongoDB server answers at mongodb://127.0.0.1:PORT/shop?serverSelectionTimeoutMS=200: I/O error: Connection refused (os error 111) (waited 200ms, setting `serverSelectionTimeoutMS`)
        check host, port, network and replicaSet; if the data were copied from another set, its configuration still names the old hosts: add ?directConnection=true
        "));
}

#[tokio::test(flavor = "multi_thread")]
async fn users_without_privileges_get_the_missing_ones() {
    let mut errors = Vec::new();
    // without user and password at all
    let anonymous = with_users().uri_as("", "", "shop").replace(":@", "").replace("?authSource=admin", "");
    let nobody = with_users().uri_as("nobody", "geheim", "shop");
    for uri in [anonymous, nobody] {
        let error = match connect(&uri, "shop").await {
            Ok(connection) => {
                let error = connection.initial_snapshot().collections().await.unwrap_err();
                connection.close().await;
                error
            }
            Err(error) => error,
        };
        errors.push(message(&error));
    }
    settings().bind(|| {
        assert_snapshot!(errors.join("\n\n"), @r"
            T0206 the user is not allowed to list the collections of `shop`: command listCollections requires authentication
            grant the user the role `read` on the database, or the narrower one of docs/src/operations/mongodb.md

            T0206 the user is not allowed to list the collections of `shop`: not authorized on shop
            grant the user the role `read` on the database, or the narrower one of docs/src/operations/mongodb.md
            ");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_can_read_and_no_more() {
    let shop = Shop::new(with_users(), "shop").await;
    shop.fill("orders", [doc! {"a": 1}]).await;
    let connection = connect(&with_users().uri_as("reader", "geheim", "shop"), "shop").await.unwrap();
    let database = database(&connection.initial_snapshot(), &["orders"]);
    assert_eq!(database.count("orders", &raw(&doc! {})).await, Ok(1));
    assert_eq!(database.list_indexes("orders").await.unwrap().len(), 1);
    let privileges = connection.privileges().await.unwrap();
    assert!(privileges.authenticated && privileges.beyond_reading().is_empty(), "{privileges:?}");
    connection.close().await;
    let connection = connect(&with_users().uri("shop"), "shop").await.unwrap();
    let privileges = connection.privileges().await.unwrap();
    assert!(privileges.beyond_reading().iter().any(|p| p.actions.contains(&"insert".to_owned())), "{privileges:?}");
    connection.close().await;
    let connection = connect(&standalone().uri("shop"), "shop").await.unwrap();
    assert!(!connection.privileges().await.unwrap().authenticated);
    connection.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_reach_the_probe() {
    let shop = Shop::new(replica_set(), "refusals").await;
    shop.fill("orders", [doc! {"a": "x"}]).await;
    shop.fill("secrets", [doc! {"a": 1}]).await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let database = snapshot.database(grant(&["orders", "registrations"], taster_query::Limits::default()));
    let everything = raw(&doc! {});
    let find = async |collection: &str, filter: Document| {
        database.find(collection, &raw(&filter), FindOptions::default()).await.err().unwrap().to_string()
    };
    let aggregate =
        async |stage: Document| match database.aggregate("orders", &[raw(&stage)], AggregateOptions::default()).await {
            Ok(mut cursor) => drain(&mut cursor).await.unwrap_err().to_string(),
            Err(failure) => failure.to_string(),
        };
    let texts = [
        find("secrets", doc! {}).await,
        find("system.views", doc! {}).await,
        find("$cmd", doc! {}).await,
        find("orders", doc! {"$where": "1"}).await,
        find("orders", doc! {"a": {"$regex": "("}}).await,
        aggregate(doc! {"$out": "x"}).await,
        aggregate(doc! {"$nonesuch": 1}).await,
        aggregate(doc! {"$addFields": {"b": {"$add": ["$a", 1]}}}).await,
        aggregate(doc! {"$addFields": {"b": "$$unbound"}}).await,
        database.count("secrets", &everything).await.unwrap_err().to_string(),
        database.distinct("secrets", "a", &everything).await.err().unwrap().to_string(),
        database.list_indexes("secrets").await.unwrap_err().to_string(),
        database.collection_options("secrets").await.unwrap_err().to_string(),
        database.explain("secrets", &everything, FindOptions::default()).await.unwrap_err().to_string(),
        database
            .find("orders", &everything, FindOptions { hint: Some("none".to_owned()), ..FindOptions::default() })
            .await
            .err()
            .unwrap()
            .to_string(),
    ];
    settings().bind(|| assert_snapshot!(texts.join("\n"), @"
        T0226: collection `secrets` is not granted to probe `orders` (asked: secrets; allowed: orders, registrations; setting: probes[orders].collections)
        T0227: `system.views` is a system collection or not a valid name; it cannot be granted (asked: system.views)
        T0227: `$cmd` is a system collection or not a valid name; it cannot be granted (asked: $cmd)
        T0230: filter.$where: `$where` runs JavaScript on the server (asked: $where)
        T0217: the server refused to find in `orders`: Location51091 (51091): Regular expression is invalid: missing )
        T0228: stages[0].$out: `$out` writes; probes can only read (asked: $out)
        T0224: stages[0].$nonesuch: stage `$nonesuch` is not available to probes (asked: $nonesuch; allowed: $addFields, $bucket, $bucketAuto, $count, $densify, $documents, $facet, $fill, $geoNear, $graphLookup, $group, $limit, $lookup, $match, $project, $redact, $replaceRoot, $replaceWith, $set, $setWindowFields, $skip, $sort, $sortByCount, $unionWith, $unset, $unwind)
        T0217: the server refused to aggregate `orders`: Location16554 (16554): $add only supports numeric or date types, not string
        T0217: the server refused to aggregate `orders`: Location17276 (17276): Use of undefined variable: unbound
        T0226: collection `secrets` is not granted to probe `orders` (asked: secrets; allowed: orders, registrations; setting: probes[orders].collections)
        T0226: collection `secrets` is not granted to probe `orders` (asked: secrets; allowed: orders, registrations; setting: probes[orders].collections)
        T0226: collection `secrets` is not granted to probe `orders` (asked: secrets; allowed: orders, registrations; setting: probes[orders].collections)
        T0226: collection `secrets` is not granted to probe `orders` (asked: secrets; allowed: orders, registrations; setting: probes[orders].collections)
        T0226: collection `secrets` is not granted to probe `orders` (asked: secrets; allowed: orders, registrations; setting: probes[orders].collections)
        T0217: the server refused to find in `orders`: BadValue (2): hint provided does not correspond to an existing index
    "));
    connection.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_without_privileges_gets_the_missing_ones() {
    let connection = connect(&with_users().uri_as("nobody", "geheim", "shop"), "shop").await.unwrap();
    let failure =
        database(&connection.initial_snapshot(), &["orders"]).count("orders", &raw(&doc! {})).await.unwrap_err();
    assert_snapshot!(failure, @"T0206: the user is not allowed to list the collections of `shop`: not authorized on shop (allowed: grant the user the role `read` on the database, or the narrower one of docs/src/operations/mongodb.md)");
    connection.close().await;
}

/// The error of a server that has forgotten the time of the capture.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_snapshot_is_reported() {
    let shop = Shop::new(replica_set(), "gone").await;
    shop.fill("orders", [doc! {"a": 1}]).await;
    let connection = shop.connection().await;
    let snapshot = connection.initial_snapshot();
    let database = database(&snapshot, &["orders"]);
    assert_eq!(database.count("orders", &raw(&doc! {})).await, Ok(1));
    // a collection that was made again has no past
    shop.mongo().collection::<Document>("orders").drop().await.unwrap();
    shop.fill("orders", [doc! {"a": 1}]).await;
    let failure = database.count("orders", &raw(&doc! {})).await.unwrap_err();
    assert_snapshot!(failure, @"T0211: the server no longer has the data as of this capture's time, needed to count in `orders`: SnapshotUnavailable (246) (allowed: read less in one capture, or raise minSnapshotHistoryWindowInSeconds (300 by default) on the server)");
    connection.close().await;
}
