//! The arithmetic of privileges, by tables.

use bson::{Document, doc};
use insta::assert_snapshot;

use super::*;

fn user(privileges: Vec<Document>) -> Privileges {
    Privileges::of(&doc! { "authInfo": {
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
    let missing = privileges.missing("shop", &collections);
    PrivilegeReport::new(privileges, missing, Vec::new(), "mongodb://h/shop")
}

#[test]
fn resources_cover_what_the_server_lets_them_cover() {
    let everywhere = Resource::of("", "");
    let shop = Resource::of("shop", "");
    let local = Resource::of("local", "");
    let users = Resource::of("", "system.users");
    let orders = Resource::of("shop", "orders");
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
        (&Resource::Anything, "local", "system.replset", true),
        (&Resource::Cluster, "shop", "orders", false),
    ];
    for (resource, database, collection, covered) in table {
        assert_eq!(resource.covers(database, collection), covered, "{resource:?}: {database}.{collection}");
    }
}

#[test]
fn whoever_has_the_role_read_lacks_nothing() {
    let read =
        ["changeStream", "collStats", "dbHash", "dbStats", "find", "killCursors", "listCollections", "listIndexes"];
    let report = report(user(vec![on("shop", "", &read), on("shop", "system.js", &read)]), &[]);
    assert_eq!((report.may_write(), report.grant(), report.remedy()), (None, None, None));
    assert_eq!((report.require_complete(), report.require_read_only()), (Ok(()), Ok(())));
}

#[test]
fn what_is_missing_is_named_one_by_one_with_the_command_that_grants_it() {
    let said = |report: PrivilegeReport| {
        let error = report.require_complete().unwrap_err();
        format!("{error}\n{}", taster_model::Coded::help(&error).unwrap())
    };
    let nobody = report(user(Vec::new()), &[]);
    assert_snapshot!(said(nobody), @r#"
        the user lacks what Taster needs: `listCollections` on shop, `find` on shop, `listIndexes` on shop, `collStats` on shop
        in mongosh, as an administrator: db.getSiblingDB("admin").createRole({role: "taster", privileges: [{resource: {db: "shop", collection: ""}, actions: ["listCollections", "find", "listIndexes", "collStats"]}], roles: []}); db.getSiblingDB("admin").grantRolesToUser("USER", [{role: "taster", db: "admin"}])
        "#);
    let one = report(
        user(vec![on("shop", "orders", &["find"]), on("shop", "", &["listCollections"])]),
        &["orders", "menu \"a\""],
    );
    assert_snapshot!(said(one), @r#"
        the user lacks what Taster needs: `listIndexes` on shop.orders, `collStats` on shop.orders, `find` on shop.menu "a", `listIndexes` on shop.menu "a", `collStats` on shop.menu "a"
        in mongosh, as an administrator: db.getSiblingDB("admin").createRole({role: "taster", privileges: [{resource: {db: "shop", collection: "orders"}, actions: ["listIndexes", "collStats"]}, {resource: {db: "shop", collection: "menu \"a\""}, actions: ["find", "listIndexes", "collStats"]}], roles: []}); db.getSiblingDB("admin").grantRolesToUser("USER", [{role: "taster", db: "admin"}])
        "#);
    let elsewhere = report(user(vec![on("", "orders", &["find", "collStats", "listIndexes"])]), &["orders"]);
    assert_snapshot!(said(elsewhere), @r#"
        the user lacks what Taster needs: `listCollections` on shop
        in mongosh, as an administrator: db.getSiblingDB("admin").createRole({role: "taster", privileges: [{resource: {db: "shop", collection: ""}, actions: ["listCollections"]}], roles: []}); db.getSiblingDB("admin").grantRolesToUser("USER", [{role: "taster", db: "admin"}])
        "#);
}

#[test]
fn a_role_that_is_there_is_extended() {
    let mut privileges = user(vec![on("shop", "", &["find", "listCollections", "listIndexes"])]);
    privileges.has_role = true;
    assert_snapshot!(report(privileges, &[]).remedy().unwrap(), @r#"db.getSiblingDB("admin").grantPrivilegesToRole("taster", [{resource: {db: "shop", collection: ""}, actions: ["collStats"]}])"#);
}

#[test]
fn whoever_may_write_is_told_what_and_where() {
    let said = |privileges| report(privileges, &[]).may_write().unwrap_or_default();
    let write = ["find", "insert", "update", "remove", "createIndex", "dropCollection", "convertToCapped"];
    assert_snapshot!(said(user(vec![on("shop", "", &write), on("shop", "system.js", &write)])), @"insert, update, remove, dropCollection and 2 more on shop; insert, update, remove, dropCollection and 2 more on shop.system.js");
    let root = doc! { "resource": { "anyResource": true }, "actions": ["anyAction"] };
    let cluster = doc! { "resource": { "cluster": true }, "actions": ["serverStatus", "shutdown"] };
    let buckets = doc! { "resource": { "system_buckets": "", "db": "shop" }, "actions": ["insert"] };
    assert_snapshot!(said(user(vec![buckets, on("", "", &["insert"]), cluster, root])), @r#"anyAction on everything; insert on every database; insert on {system_buckets: "", db: "shop"}; and on 1 more"#);
    assert_snapshot!(said(user(vec![on("local", "", &["find"]), on("", "", &["invented"])])), @"invented on every database");
    let open = Privileges::of(&doc! { "authInfo": { "authenticatedUsers": [] } });
    assert_snapshot!(said(open), @"everything, for the server has no access control");
}

#[test]
fn the_documents_show_the_role_that_is_asked_for() {
    let whole = needed("shop", &[]).into_iter();
    let role = whole.chain([Beside::StartupLog.privilege(), Beside::ReplicaSetConfig.privilege()]);
    let documents = [include_str!("../../../../docs/src/operations/mongodb.md"), include_str!("../../../../README.md")];
    for privilege in role {
        let shown = script(&Bson::Document(privilege.document()));
        assert!(documents.iter().all(|document| document.contains(&shown)), "{shown}");
    }
}
