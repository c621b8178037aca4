//! Checks of the privileges of users.

use std::time::Duration;

use insta::assert_snapshot;
use mongodb::bson::{Document, doc};
use taster_model::Diagnostic;
use taster_query::{Connection, ConnectionOptions, PrivilegeReport, QueryError, RequiredAccess};

use crate::{
    mongod::{standalone, with_users},
    support::Shop,
};

async fn connect(uri: &str) -> Connection {
    let options = ConnectionOptions {
        command_events: None,
        uri: uri.parse().unwrap(),
        database: "shop".to_owned(),
        comment: "taster/privileges".to_owned(),
        server_selection_timeout: Duration::from_secs(10),
    };
    Connection::connect(options).await.unwrap()
}

async fn report(uri: &str, collections: &[&str]) -> PrivilegeReport {
    let connection = connect(uri).await;
    let collections = collections.iter().map(|name| (*name).to_owned()).collect();
    let report =
        connection.check_privileges(&RequiredAccess { collections, ..RequiredAccess::default() }).await.unwrap();
    connection.close().await;
    report
}

/// Creates a user with these roles and privileges.
async fn user(name: &str, roles: Vec<Document>, privileges: Vec<Document>) -> String {
    let admin = with_users().client().await.database("admin");
    let role = format!("role of {name}");
    let create = doc! { "createRole": &role, "privileges": privileges, "roles": roles };
    admin.run_command(create).await.unwrap();
    let create = doc! { "createUser": name, "pwd": "geheim", "roles": [role] };
    admin.run_command(create).await.unwrap();
    with_users().uri_as(name, "geheim", "shop")
}

fn message(outcome: Result<(), QueryError>) -> String {
    match outcome {
        Ok(()) => "fine".to_owned(),
        Err(error) => format!("{} {error}\n  {}", error.code(), error.help().unwrap_or_default()),
    }
}

fn on(collection: &str, actions: &[&str]) -> Document {
    doc! { "resource": { "db": "shop", "collection": collection }, "actions": actions }
}

/// What is reported of these users, each where all collections are read and where only `orders` is. Names no user.
async fn reports(users: &[(&str, String)]) -> String {
    let mut texts = Vec::new();
    for (_, uri) in users {
        for collections in [&[][..], &["orders"]] {
            let report = report(uri, collections).await;
            let unreadable: Vec<&str> = report.unreadable.iter().map(|local| local.name()).collect();
            texts.push(format!(
                "{}\n{}\nunreadable {unreadable:?}",
                message(report.require_complete()),
                message(report.require_read_only())
            ));
        }
    }
    let text = texts.join("\n\n");
    for (name, _) in users {
        assert!(!text.split(|c: char| !c.is_alphanumeric()).any(|word| word == *name), "{name}: {text}");
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn excess_privileges_are_reported() {
    let shop_role = |role: &str| vec![doc! { "role": role, "db": "shop" }];
    let everything = doc! { "role": "root", "db": "admin" };
    let users = [
        ("joe", user("joe", shop_role("read"), Vec::new()).await),
        ("ann", user("ann", shop_role("readWrite"), Vec::new()).await),
        ("sue", user("sue", vec![everything], Vec::new()).await),
    ];
    assert_snapshot!(reports(&users).await, @r#"
        fine
        fine
        unreadable ["startup_log", "system.replset"]

        fine
        fine
        unreadable ["startup_log", "system.replset"]

        fine
        T0237 the user can do more than read: insert, update, remove, dropCollection and 6 more on shop; insert, update, remove, dropCollection and 6 more on shop.system.js
          give Taster a user of its own with the role of docs/src/operations/mongodb.md, or remove `requireReadOnlyUser`
        unreadable ["startup_log", "system.replset"]

        fine
        T0237 the user can do more than read: insert, update, remove, dropCollection and 6 more on shop; insert, update, remove, dropCollection and 6 more on shop.system.js
          give Taster a user of its own with the role of docs/src/operations/mongodb.md, or remove `requireReadOnlyUser`
        unreadable ["startup_log", "system.replset"]

        fine
        T0237 the user can do more than read: insert, update, remove, dropCollection and 31 more on every database; insert, update, remove, dropCollection and 8 more on system.js of every database; dropCollection, convertToCapped, createCollection on system.profile of every database; and on 15 more
          give Taster a user of its own with the role of docs/src/operations/mongodb.md, or remove `requireReadOnlyUser`
        unreadable []

        fine
        T0237 the user can do more than read: insert, update, remove, dropCollection and 31 more on every database; insert, update, remove, dropCollection and 8 more on system.js of every database; dropCollection, convertToCapped, createCollection on system.profile of every database; and on 15 more
          give Taster a user of its own with the role of docs/src/operations/mongodb.md, or remove `requireReadOnlyUser`
        unreadable []
        "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_privileges_are_reported() {
    let users = [
        ("tim", user("tim", Vec::new(), vec![on("orders", &["find", "listIndexes"])]).await),
        ("ida", user("ida", Vec::new(), Vec::new()).await),
    ];
    assert_snapshot!(reports(&users).await, @r#"
        T0238 the user lacks required privileges: `listCollections` on shop, `find` on shop, `listIndexes` on shop, `collStats` on shop
          in mongosh, as an administrator: const admin = db.getSiblingDB("admin"), privileges = [{resource: {db: "shop", collection: ""}, actions: ["listCollections", "find", "listIndexes", "collStats"]}, {resource: {db: "local", collection: "startup_log"}, actions: ["find"]}, {resource: {db: "local", collection: "system.replset"}, actions: ["find"]}]; admin.getRole("taster") ? admin.grantPrivilegesToRole("taster", privileges) : admin.createRole({role: "taster", privileges, roles: []}); db.getSiblingDB("admin").grantRolesToUser("USER", [{role: "taster", db: "admin"}])
        fine
        unreadable ["startup_log", "system.replset"]

        T0238 the user lacks required privileges: `listCollections` on shop, `listIndexes` on shop, `collStats` on shop
          in mongosh, as an administrator: const admin = db.getSiblingDB("admin"), privileges = [{resource: {db: "shop", collection: ""}, actions: ["listCollections", "listIndexes", "collStats"]}, {resource: {db: "local", collection: "startup_log"}, actions: ["find"]}, {resource: {db: "local", collection: "system.replset"}, actions: ["find"]}]; admin.getRole("taster") ? admin.grantPrivilegesToRole("taster", privileges) : admin.createRole({role: "taster", privileges, roles: []}); db.getSiblingDB("admin").grantRolesToUser("USER", [{role: "taster", db: "admin"}])
        fine
        unreadable ["startup_log", "system.replset"]

        T0238 the user lacks required privileges: `listCollections` on shop, `find` on shop, `listIndexes` on shop, `collStats` on shop
          in mongosh, as an administrator: const admin = db.getSiblingDB("admin"), privileges = [{resource: {db: "shop", collection: ""}, actions: ["listCollections", "find", "listIndexes", "collStats"]}, {resource: {db: "local", collection: "startup_log"}, actions: ["find"]}, {resource: {db: "local", collection: "system.replset"}, actions: ["find"]}]; admin.getRole("taster") ? admin.grantPrivilegesToRole("taster", privileges) : admin.createRole({role: "taster", privileges, roles: []}); db.getSiblingDB("admin").grantRolesToUser("USER", [{role: "taster", db: "admin"}])
        fine
        unreadable ["startup_log", "system.replset"]

        T0238 the user lacks required privileges: `listCollections` on shop, `listIndexes` on shop, `collStats` on shop, `find` on shop.orders
          in mongosh, as an administrator: const admin = db.getSiblingDB("admin"), privileges = [{resource: {db: "shop", collection: ""}, actions: ["listCollections", "listIndexes", "collStats"]}, {resource: {db: "shop", collection: "orders"}, actions: ["find"]}, {resource: {db: "local", collection: "startup_log"}, actions: ["find"]}, {resource: {db: "local", collection: "system.replset"}, actions: ["find"]}]; admin.getRole("taster") ? admin.grantPrivilegesToRole("taster", privileges) : admin.createRole({role: "taster", privileges, roles: []}); db.getSiblingDB("admin").grantRolesToUser("USER", [{role: "taster", db: "admin"}])
        fine
        unreadable ["startup_log", "system.replset"]
        "#);
}

/// The proposed commands grant the missing privileges, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn the_proposed_role_grants_what_is_missing_and_no_more() {
    let shop = Shop::new(with_users(), "shop").await;
    let admin = shop.client.database("admin");
    for (name, privileges, collections) in
        [("bob", Vec::new(), &[][..]), ("eve", vec![on("pages", &["find"])], &["pages", "menu"])]
    {
        let uri = user(name, Vec::new(), privileges).await;
        let before = report(&uri, collections).await;
        assert!(before.require_complete().is_err(), "{before:?}");
        let grant = before.grant_command().unwrap();
        assert_eq!(grant.keys().next().map(String::as_str), Some("createRole"));
        admin.run_command(grant).await.unwrap();
        let give = doc! { "grantRolesToUser": name, "roles": [{ "role": "taster", "db": "admin" }] };
        admin.run_command(give).await.unwrap();
        let after = report(&uri, collections).await;
        assert_eq!(
            (after.require_complete(), after.require_read_only(), after.grant_command()),
            (Ok(()), Ok(()), None)
        );
        // more collections later: the existing role is extended
        let more = report(&uri, &["registrations"]).await;
        if let Some(grant) = more.grant_command() {
            assert_eq!(grant.keys().next().map(String::as_str), Some("grantPrivilegesToRole"));
            admin.run_command(grant).await.unwrap();
            assert_eq!(report(&uri, &["registrations"]).await.require_complete(), Ok(()));
        }
        admin.run_command(doc! { "dropRole": "taster" }).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_access_control_anyone_can_write() {
    let report = report(&standalone().uri("shop"), &[]).await;
    assert_eq!((report.require_complete(), report.privileges.authenticated), (Ok(()), false));
    assert!(matches!(report.require_read_only(), Err(QueryError::NoAccessControl { .. })));
    assert_snapshot!(report.write_access().unwrap(), @"everything, because the server has no access control");
}

/// An anonymous user on a server with access control.
#[tokio::test(flavor = "multi_thread")]
async fn an_anonymous_user_is_not_a_server_without_access_control() {
    let anonymous = with_users().uri_as("", "", "shop").replace(":@", "").replace("?authSource=admin", "");
    let connection = connect(&anonymous).await;
    let error = connection.check_privileges(&RequiredAccess::default()).await.unwrap_err();
    connection.close().await;
    assert_snapshot!(error, @"the user is not allowed to list the collections of `shop`: command listCollections requires authentication");
}
