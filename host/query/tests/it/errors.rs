//! What people and probes are told when something does not work.

use std::time::Duration;

use bson::{Document, doc};
use insta::{Settings, assert_snapshot};
use taster_model::Coded;
use taster_query::{AggregateOptions, FindOptions, QueryError, Session, SessionOptions};

use crate::{
    mongod::{replica_set, standalone, uninitiated, with_users},
    support::{Shop, database, drain, grant, raw},
};

async fn connect(uri: &str, database: &str) -> Result<Session, QueryError> {
    Session::connect(SessionOptions {
        uri: uri.parse()?,
        database: database.to_owned(),
        comment: "taster/errors".to_owned(),
        server_selection_timeout: Duration::from_millis(1500),
    })
    .await
}

fn said(error: &QueryError) -> String {
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
    settings.add_filter(r"Topology: \{.*", "Topology: {…}");
    settings.add_filter(r#"lsid: \{[^}]*\}"#, "lsid: {…}");
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_fail_say_why() {
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
    ] {
        errors.push(said(&connect(&uri, database).await.unwrap_err()));
    }
    settings().bind(|| assert_snapshot!(errors.join("\n\n"), @""));
}

#[tokio::test(flavor = "multi_thread")]
async fn users_without_rights_are_told_which() {
    let mut errors = Vec::new();
    // without user and password at all
    let anonymous = with_users().uri_as("", "", "shop").replace(":@", "").replace("?authSource=admin", "");
    let nobody = with_users().uri_as("nobody", "geheim", "shop");
    for uri in [anonymous, nobody] {
        let session = connect(&uri, "shop").await;
        let error = match session {
            Ok(session) => {
                let error = session.collections().await.unwrap_err();
                session.close().await;
                error
            }
            Err(error) => error,
        };
        errors.push(said(&error));
    }
    settings().bind(|| assert_snapshot!(errors.join("\n\n"), @""));
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_can_read_and_no_more() {
    let shop = Shop::new(with_users(), "shop").await;
    shop.fill("orders", [doc! {"a": 1}]).await;
    let session = connect(&with_users().uri_as("reader", "geheim", "shop"), "shop").await.unwrap();
    let database = database(&session, &["orders"]);
    assert_eq!(database.count("orders", &raw(&doc! {})).await, Ok(1));
    assert_eq!(database.list_indexes("orders").await.unwrap().len(), 1);
    let privileges = session.privileges().await.unwrap();
    assert!(privileges.authenticated && privileges.beyond_reading.is_empty(), "{privileges:?}");
    session.close().await;
    let session = connect(&with_users().uri("shop"), "shop").await.unwrap();
    let privileges = session.privileges().await.unwrap();
    assert!(privileges.beyond_reading.contains(&"insert".to_owned()), "{privileges:?}");
    session.close().await;
    let session = connect(&standalone().uri("shop"), "shop").await.unwrap();
    assert!(!session.privileges().await.unwrap().authenticated);
    session.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_reach_the_probe() {
    let shop = Shop::new(replica_set(), "refusals").await;
    shop.fill("orders", [doc! {"a": "x"}]).await;
    shop.fill("secrets", [doc! {"a": 1}]).await;
    let session = shop.session().await;
    let database = session.database(grant(&["orders", "registrations"], taster_query::Limits::default()));
    let everything = raw(&doc! {});
    let find = async |collection: &str, filter: Document| {
        database.find(collection, &raw(&filter), FindOptions::default()).await.err().unwrap().to_string()
    };
    let aggregate = async |stage: Document| {
        match database.aggregate("orders", &[raw(&stage)], AggregateOptions::default()).await {
            Ok(mut cursor) => drain(&mut cursor).await.unwrap_err().to_string(),
            Err(failure) => failure.to_string(),
        }
    };
    let said = [
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
    settings().bind(|| assert_snapshot!(said.join("\n"), @""));
    session.close().await;
}

/// The error of a server that has forgotten the time of the capture.
#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_is_gone_is_named() {
    let shop = Shop::new(replica_set(), "gone").await;
    shop.fill("orders", [doc! {"a": 1}]).await;
    let session = shop.session().await;
    // an index that is built later makes the collection unreadable at times before it
    let index = mongodb::IndexModel::builder().keys(doc! {"a": 1}).build();
    shop.mongo().collection::<Document>("orders").create_index(index).await.unwrap();
    let failure = database(&session, &["orders"]).count("orders", &raw(&doc! {})).await.unwrap_err();
    assert_snapshot!(failure, @"");
    session.close().await;
}
