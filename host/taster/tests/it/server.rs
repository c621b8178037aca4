//! Servers and users that are not fit for tasting: what the commands say, and what they end with.

use insta::{Settings, assert_snapshot};
use mongodb::{
    Client,
    bson::{Document, doc},
};
use taster_demo::{Mongod, MongodOptions};
use tempfile::TempDir;

use crate::support::{CommandOutput, Workspace};

const SHOP: &str = "
app: shop
store: file://./results
mongodb:
  uri: ${MONGODB_URI}
  database: shop
  connectTimeout: 5s
";

fn settings(mongod: &Mongod) -> Settings {
    let mut settings = Settings::clone_current();
    settings.add_filter(&format!(r"127\.0\.0\.1:{}", mongod.port()), "127.0.0.1:PORT");
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:OTHER");
    settings.add_filter(r"file://\S*/results", "file://[store]");
    settings
}

fn configured(workspace: &Workspace, more: &str) {
    workspace.configure(&format!("{SHOP}{more}"));
}

/// A replica set's data under a standalone server.
#[tokio::test(flavor = "multi_thread")]
async fn data_of_a_replica_set_under_a_standalone_server_end_with_4() {
    let folder = TempDir::new().expect("a folder");
    let on =
        |replica_set| MongodOptions { replica_set, dir: Some(folder.path().to_owned()), ..MongodOptions::default() };
    let mongod = Mongod::start(on(true)).await.expect("`make mongod` fetches a server");
    let orders = mongod.client().await.expect("a client").database("shop").collection::<Document>("orders");
    orders.insert_one(doc! {"_id": 1}).await.expect("a write");
    drop(mongod);
    let mongod = Mongod::start(on(false)).await.expect("a server");
    let workspace = Workspace::new(&mongod.uri_of("shop"));
    configured(&workspace, "");
    let ended = workspace.taster(&["pre"]);
    assert_eq!(ended.code, 4, "{}", ended.all());
    settings(&mongod).bind(|| {
        assert_snapshot!(ended.err.trim(), @r"
            error[T0235]: the standalone server at mongodb://127.0.0.1:PORT/shop holds data of a member of replica set `taster` (127.0.0.1:OTHER); it has not replayed the oplog, so the latest writes may be missing
              help: start it with --replSet and make it the only member of its set; or, if no writes are missing, empty local.system.replset: docs/src/operations/mongodb.md shows both
            ");
    });
    assert!(!workspace.path().join("results/v1/shop").exists(), "nothing was recorded");
    assert_eq!(workspace.taster(&["config", "check", "--live"]).code, 4);
}

fn uri_of(mongod: &Mongod, user: &str) -> String {
    format!("mongodb://{user}:geheim@127.0.0.1:{}/shop?authSource=admin", mongod.port())
}

/// A server with access control: `joe` has no role, and `ann` may write to `shop`.
async fn with_users() -> Mongod {
    let options = MongodOptions { arguments: vec!["--auth".to_owned()], ..MongodOptions::default() };
    let mongod = Mongod::start(options).await.expect("a server");
    let admin = mongod.client().await.expect("a client").database("admin");
    admin.run_command(doc! {"createUser": "boss", "pwd": "geheim", "roles": ["root"]}).await.expect("a user");
    let boss = Client::with_uri_str(uri_of(&mongod, "boss")).await.expect("a client");
    boss.database("shop").collection::<Document>("orders").insert_one(doc! {"_id": 1}).await.expect("a write");
    for (user, roles) in [("joe", vec![]), ("ann", vec![doc! {"role": "readWrite", "db": "shop"}])] {
        let create = doc! {"createUser": user, "pwd": "geheim", "roles": roles};
        boss.database("admin").run_command(create).await.expect("a user");
    }
    mongod
}

/// What is said of the user and of what the user can read.
fn about_the_user(ended: &CommandOutput) -> String {
    let err = ended.err.lines().filter(|line| line.contains("WARN") || line.contains("T02") || line.contains("help"));
    let out = ended.out.lines().filter(|line| line.contains("user") || line.contains("help") || line.contains("coll"));
    err.chain(out).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn users_that_lack_something_or_may_write_are_named() {
    let mongod = with_users().await;
    let mut said = Vec::new();
    for (user, arguments, more, code) in [
        ("joe", &["pre"][..], "", 4),
        ("joe", &["config", "check", "--live"], "", 4),
        ("ann", &["pre", "--run", "1"], "", 0),
        ("ann", &["pre"], "requireReadOnlyUser: true", 4),
        ("ann", &["config", "check", "--live"], "", 0),
        ("ann", &["config", "check", "--live"], "requireReadOnlyUser: true", 4),
    ] {
        let workspace = Workspace::new(&uri_of(&mongod, user));
        configured(&workspace, more);
        let ended = workspace.taster(arguments);
        assert_eq!(ended.code, code, "{user} {arguments:?}: {}", ended.all());
        said.push(format!("$ {} # {more}\n{}", arguments.join(" "), about_the_user(&ended)));
    }
    let text = said.join("\n\n");
    assert!(!text.contains("geheim") && !text.contains("joe") && !text.contains("ann "), "{text}");
    settings(&mongod).bind(|| assert_snapshot!(text, @r#"
        $ pre # 
        error[T0238]: the user lacks required privileges: `listCollections` on shop, `find` on shop, `listIndexes` on shop, `collStats` on shop
          help: in mongosh, as an administrator: const admin = db.getSiblingDB("admin"), privileges = [{resource: {db: "shop", collection: ""}, actions: ["listCollections", "find", "listIndexes", "collStats"]}, {resource: {db: "local", collection: "startup_log"}, actions: ["find"]}, {resource: {db: "local", collection: "system.replset"}, actions: ["find"]}]; admin.getRole("taster") ? admin.grantPrivilegesToRole("taster", privileges) : admin.createRole({role: "taster", privileges, roles: []}); db.getSiblingDB("admin").grantRolesToUser("USER", [{role: "taster", db: "admin"}])

        $ config check --live # 
        ✗ user: error[T0238]: the user lacks required privileges: `listCollections` on shop, `find` on shop, `listIndexes` on shop, `collStats` on shop
          help: in mongosh, as an administrator: const admin = db.getSiblingDB("admin"), privileges = [{resource: {db: "shop", collection: ""}, actions: ["listCollections", "find", "listIndexes", "collStats"]}, {resource: {db: "local", collection: "startup_log"}, actions: ["find"]}, {resource: {db: "local", collection: "system.replset"}, actions: ["find"]}]; admin.getRole("taster") ? admin.grantPrivilegesToRole("taster", privileges) : admin.createRole({role: "taster", privileges, roles: []}); db.getSiblingDB("admin").grantRolesToUser("USER", [{role: "taster", db: "admin"}])
        ✓ user: can only read
        ! user: cannot read local.startup_log, so it is unknown whether the copy or the server was replaced between `pre` and `post`; cannot read local.system.replset, so it is unknown whether the latest writes of a replica set's data are missing
        ✗ collections: error[T0206]: the user is not allowed to list the collections of `shop`: not authorized on shop
          help: grant the user the role `read` on the database, or the narrower one of docs/src/operations/mongodb.md

        $ pre --run 1 # 
         WARN the user can do more than read; give Taster a user of its own (docs/src/operations/mongodb.md); `requireReadOnlyUser: true` makes this an error privileges=insert, update, remove, dropCollection and 6 more on shop; insert, update, remove, dropCollection and 6 more on shop.system.js
         WARN the user lacks optional privileges details=cannot read local.startup_log, so it is unknown whether the copy or the server was replaced between `pre` and `post`; cannot read local.system.replset, so it is unknown whether the latest writes of a replica set's data are missing. In mongosh, as an administrator: const admin = db.getSiblingDB("admin"), privileges = [{resource: {db: "local", collection: "startup_log"}, actions: ["find"]}, {resource: {db: "local", collection: "system.replset"}, actions: ["find"]}]; admin.getRole("taster") ? admin.grantPrivilegesToRole("taster", privileges) : admin.createRole({role: "taster", privileges, roles: []}); db.getSiblingDB("admin").grantRolesToUser("USER", [{role: "taster", db: "admin"}])

        $ pre # requireReadOnlyUser: true
        error[T0237]: the user can do more than read: insert, update, remove, dropCollection and 6 more on shop; insert, update, remove, dropCollection and 6 more on shop.system.js
          help: give Taster a user of its own with the role of docs/src/operations/mongodb.md, or remove `requireReadOnlyUser`

        $ config check --live # 
        ✓ user: can read everything that is needed
        ! user: can do more than read: insert, update, remove, dropCollection and 6 more on shop; insert, update, remove, dropCollection and 6 more on shop.system.js; give Taster a user of its own (docs/src/operations/mongodb.md); `requireReadOnlyUser: true` makes this an error
        ! user: cannot read local.startup_log, so it is unknown whether the copy or the server was replaced between `pre` and `post`; cannot read local.system.replset, so it is unknown whether the latest writes of a replica set's data are missing. In mongosh, as an administrator: const admin = db.getSiblingDB("admin"), privileges = [{resource: {db: "local", collection: "startup_log"}, actions: ["find"]}, {resource: {db: "local", collection: "system.replset"}, actions: ["find"]}]; admin.getRole("taster") ? admin.grantPrivilegesToRole("taster", privileges) : admin.createRole({role: "taster", privileges, roles: []}); db.getSiblingDB("admin").grantRolesToUser("USER", [{role: "taster", db: "admin"}])
        ✓ probe census: census 0.1.0, 1 collection
        ✓ probe document-count: document-count 0.1.0, 1 collection
        ✓ probe index-inventory: index-inventory 0.1.0, 1 collection
        ✓ probe schema-shape: schema-shape 0.1.0, 1 collection

        $ config check --live # requireReadOnlyUser: true
        ✓ user: can read everything that is needed
        ✗ user: error[T0237]: the user can do more than read: insert, update, remove, dropCollection and 6 more on shop; insert, update, remove, dropCollection and 6 more on shop.system.js
          help: give Taster a user of its own with the role of docs/src/operations/mongodb.md, or remove `requireReadOnlyUser`
        ! user: cannot read local.startup_log, so it is unknown whether the copy or the server was replaced between `pre` and `post`; cannot read local.system.replset, so it is unknown whether the latest writes of a replica set's data are missing. In mongosh, as an administrator: const admin = db.getSiblingDB("admin"), privileges = [{resource: {db: "local", collection: "startup_log"}, actions: ["find"]}, {resource: {db: "local", collection: "system.replset"}, actions: ["find"]}]; admin.getRole("taster") ? admin.grantPrivilegesToRole("taster", privileges) : admin.createRole({role: "taster", privileges, roles: []}); db.getSiblingDB("admin").grantRolesToUser("USER", [{role: "taster", db: "admin"}])
        ✓ probe census: census 0.1.0, 1 collection
        ✓ probe document-count: document-count 0.1.0, 1 collection
        ✓ probe index-inventory: index-inventory 0.1.0, 1 collection
        ✓ probe schema-shape: schema-shape 0.1.0, 1 collection
    "#));
}
