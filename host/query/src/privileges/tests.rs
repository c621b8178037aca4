//! Tests of the comparison of privileges.

use bson::{Document, doc};
use insta::assert_snapshot;

use super::*;

fn user(privileges: Vec<Document>) -> Privileges {
    Privileges::from_connection_status(&doc! { "authInfo": {
        "authenticatedUsers": [{ "user": "someone", "db": "admin" }],
        "authenticatedUserRoles": [],
        "authenticatedUserPrivileges": privileges,
    } })
}

fn on(database: &str, collection: &str, actions: &[&str]) -> Document {
    doc! { "resource": { "db": database, "collection": collection }, "actions": actions }
}

fn report(privileges: Privileges, collections: &[&str]) -> PrivilegeReport {
    let collections: Vec<String> = collections.iter().map(|name| (*name).to_owned()).collect();
    let missing = privileges.missing("shop", &collections, &[]);
    PrivilegeReport::new(privileges, missing, Vec::new(), "mongodb://h/shop")
}

#[test]
fn resources_cover_what_the_server_lets_them_cover() {
    let everywhere = Resource::namespace("", "");
    let shop = Resource::namespace("shop", "");
    let local = Resource::namespace("local", "");
    let users = Resource::namespace("", "system.users");
    let orders = Resource::namespace("shop", "orders");
    let table = [
        (&everywhere, "shop", "orders", true),
        (&everywhere, "shop", "", true),
        (&everywhere, "shop", "system.js", false),
        (&everywhere, "local", "startup_log", false),
        (&everywhere, "local", "", false),
        (&everywhere, "config", "chunks", false),
        (&everywhere, "admin", "orders", true),
        (&shop, "shop", "orders", true),
        (&shop, "shop", "", true),
        (&shop, "shop", "system.views", false),
        (&shop, "shop2", "orders", false),
        (&local, "local", "startup_log", true),
        (&local, "local", "system.replset", false),
        (&local, "local", "replset.minvalid", false),
        (&users, "shop", "system.users", true),
        (&users, "shop", "orders", false),
        (&users, "shop", "", false),
        (&orders, "shop", "orders", true),
        (&orders, "shop", "", false),
        (&orders, "shop", "orders2", false),
        (&Resource::Any, "local", "system.replset", true),
        (&Resource::Cluster, "shop", "orders", false),
    ];
    for (resource, database, collection, covered) in table {
        assert_eq!(resource.covers(database, collection), covered, "{resource:?}: {database}.{collection}");
    }
}

#[test]
fn the_role_read_is_enough() {
    let read =
        ["changeStream", "collStats", "dbHash", "dbStats", "find", "killCursors", "listCollections", "listIndexes"];
    let report = report(user(vec![on("shop", "", &read), on("shop", "system.js", &read)]), &[]);
    assert_eq!((report.write_access(), report.grant_command(), report.grant_script()), (None, None, None));
    assert_eq!((report.require_complete(), report.require_read_only()), (Ok(()), Ok(())));
}

#[test]
fn missing_privileges_are_listed_with_the_command_that_grants_them() {
    let message = |report: PrivilegeReport| {
        let error = report.require_complete().unwrap_err();
        format!("{error}\n{}", taster_model::Diagnostic::help(&error).unwrap())
    };
    let nobody = report(user(Vec::new()), &[]);
    assert_snapshot!(message(nobody), @r#"
        the user lacks required privileges: `listCollections` on shop, `find` on shop, `listIndexes` on shop, `collStats` on shop
        in mongosh, as an administrator: const admin = db.getSiblingDB("admin"), privileges = [{resource: {db: "shop", collection: ""}, actions: ["listCollections", "find", "listIndexes", "collStats"]}]; admin.getRole("taster") ? admin.grantPrivilegesToRole("taster", privileges) : admin.createRole({role: "taster", privileges, roles: []}); db.getSiblingDB("admin").grantRolesToUser("USER", [{role: "taster", db: "admin"}])
        "#);
    let one = report(
        user(vec![on("shop", "orders", &["find"]), on("shop", "", &["listCollections"])]),
        &["orders", "menu \"a\""],
    );
    assert_snapshot!(message(one), @r#"
        the user lacks required privileges: `listIndexes` on shop.orders, `collStats` on shop.orders, `find` on shop.menu "a", `listIndexes` on shop.menu "a", `collStats` on shop.menu "a"
        in mongosh, as an administrator: const admin = db.getSiblingDB("admin"), privileges = [{resource: {db: "shop", collection: "orders"}, actions: ["listIndexes", "collStats"]}, {resource: {db: "shop", collection: "menu \"a\""}, actions: ["find", "listIndexes", "collStats"]}]; admin.getRole("taster") ? admin.grantPrivilegesToRole("taster", privileges) : admin.createRole({role: "taster", privileges, roles: []}); db.getSiblingDB("admin").grantRolesToUser("USER", [{role: "taster", db: "admin"}])
        "#);
    let elsewhere = report(user(vec![on("", "orders", &["find", "collStats", "listIndexes"])]), &["orders"]);
    assert_snapshot!(message(elsewhere), @r#"
        the user lacks required privileges: `listCollections` on shop, `listIndexes` on shop, `collStats` on shop
        in mongosh, as an administrator: const admin = db.getSiblingDB("admin"), privileges = [{resource: {db: "shop", collection: ""}, actions: ["listCollections", "listIndexes", "collStats"]}]; admin.getRole("taster") ? admin.grantPrivilegesToRole("taster", privileges) : admin.createRole({role: "taster", privileges, roles: []}); db.getSiblingDB("admin").grantRolesToUser("USER", [{role: "taster", db: "admin"}])
        "#);
}

#[test]
fn the_indexes_of_collections_that_are_not_named_are_listed_too() {
    let missing = |privileges: Vec<Document>, existing: &[&str]| {
        let existing: Vec<String> = existing.iter().map(|name| (*name).to_owned()).collect();
        let missing = user(privileges).missing("shop", &["orders".to_owned()], &existing);
        missing
            .iter()
            .map(|one| format!("{} on {}", one.actions.join(" "), one.resource))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let named = [on("shop", "", &["listCollections"]), on("shop", "orders", &COLLECTION_ACTIONS)];
    let with = |more: Document| [&named[..], &[more]].concat();
    assert_eq!(missing(named.to_vec(), &["orders"]), "");
    assert_eq!(missing(named.to_vec(), &["menu", "orders"]), "listIndexes collStats on shop");
    assert_eq!(missing(with(on("shop", "", &["collStats"])), &["menu", "orders"]), "listIndexes on shop");
    assert_eq!(missing(with(on("shop", "menu", &["listIndexes"])), &["menu", "orders"]), "");
    let documented = vec![on("shop", "", &DATABASE_ACTIONS), on("shop", "orders", &["find"])];
    assert_eq!(missing(documented, &["menu", "orders"]), "");
}

#[test]
fn an_existing_role_is_extended() {
    let mut privileges = user(vec![on("shop", "", &["find", "listCollections", "listIndexes"])]);
    privileges.has_role = true;
    assert_snapshot!(report(privileges, &[]).grant_script().unwrap(), @r#"db.getSiblingDB("admin").grantPrivilegesToRole("taster", [{resource: {db: "shop", collection: ""}, actions: ["collStats"]}])"#);
}

#[test]
fn write_access_is_summarised() {
    let summary = |privileges| report(privileges, &[]).write_access().unwrap_or_default();
    let write = ["find", "insert", "update", "remove", "createIndex", "dropCollection", "convertToCapped"];
    assert_snapshot!(summary(user(vec![on("shop", "", &write), on("shop", "system.js", &write)])), @"insert, update, remove, dropCollection and 2 more on shop; insert, update, remove, dropCollection and 2 more on shop.system.js");
    let root = doc! { "resource": { "anyResource": true }, "actions": ["anyAction"] };
    let cluster = doc! { "resource": { "cluster": true }, "actions": ["serverStatus", "shutdown"] };
    let buckets = doc! { "resource": { "system_buckets": "", "db": "shop" }, "actions": ["insert"] };
    assert_snapshot!(summary(user(vec![buckets, on("", "", &["insert"]), cluster, root])), @r#"anyAction on everything; insert on every database; insert on {system_buckets: "", db: "shop"}; and on 1 more"#);
    assert_snapshot!(summary(user(vec![on("local", "", &["find"]), on("", "", &["invented"])])), @"invented on every database");
    let open = Privileges::from_connection_status(&doc! { "authInfo": { "authenticatedUsers": [] } });
    assert_snapshot!(summary(open), @"everything, because the server has no access control");
}

#[test]
fn the_documents_show_the_required_role() {
    let whole = user(Vec::new()).missing("shop", &[], &[]).into_iter();
    let role = whole.chain([LocalCollection::StartupLog.privilege(), LocalCollection::ReplicaSetConfig.privilege()]);
    let documents = [include_str!("../../../../docs/src/operations/mongodb.md"), include_str!("../../../../README.md")];
    for privilege in role {
        let shown = script(&Bson::Document(privilege.document()));
        assert!(documents.iter().all(|document| document.contains(&shown)), "{shown}");
    }
}
