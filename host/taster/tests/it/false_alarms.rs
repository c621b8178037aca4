//! What once ended a run, or was a finding, although nothing was wrong: each the smallest input that did.

use std::os::unix::fs::PermissionsExt as _;

use mongodb::{
    Client,
    bson::{Bson, DateTime, Document, RawDocumentBuf, doc},
};
use taster_demo::{DATABASE, Mongod};
use taster_testkit::mongod::{self, Flavour, MongodOptions};

use crate::support::{CommandOutput, FLAVOURS, SHOP, ShopDatabase, Workspace};

/// A database without collections, and a folder to run in.
pub(crate) async fn empty(flavour: Flavour) -> (ShopDatabase, Workspace) {
    let shop = ShopDatabase::open(flavour, 1).await;
    shop.database.drop().await.expect("a drop");
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    (shop, workspace)
}

pub(crate) async fn command(shop: &ShopDatabase, command: Document) {
    shop.database.run_command(command).await.expect("a command");
}

pub(crate) async fn insert(shop: &ShopDatabase, collection: &str, documents: impl IntoIterator<Item = Document>) {
    shop.database.collection::<Document>(collection).insert_many(documents).await.expect("documents");
}

/// Inserts documents in which every `¿` is two bytes that are not UTF-8.
async fn insert_invalid(shop: &ShopDatabase, collection: &str, documents: impl IntoIterator<Item = Document>) {
    let documents: Vec<Bson> = documents.into_iter().map(Bson::Document).collect();
    let mut bytes = doc! {"insert": collection, "documents": documents}.to_vec().expect("BSON");
    for at in 0..bytes.len() - 1 {
        if bytes[at..].starts_with("¿".as_bytes()) {
            bytes[at..at + 2].copy_from_slice(b"\xff\xfe");
        }
    }
    let insert = RawDocumentBuf::from_bytes(bytes).expect("a document");
    let reply = shop.database.run_raw_command(insert).await.expect("documents");
    assert!(!reply.contains_key("writeErrors"), "{reply}");
}

pub(crate) fn run(workspace: &Workspace, side: &str, run: &str, code: i32) -> CommandOutput {
    let output = workspace.taster(&[side, "--run", run, "--format", "json"]);
    assert_eq!(output.code, code, "{side} {run}: {}", output.all());
    output
}

/// The findings that are not `same`, as `outcome code collection`.
fn findings(post: &CommandOutput) -> Vec<String> {
    let post = post.json();
    let findings = post["findings"].as_array().expect("findings").iter().filter(|f| f["outcome"] != "same");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    findings
        .map(|f| format!("{} {} {}", text(&f["outcome"]), text(&f["code"]), text(&f["labels"]["collection"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_collection_is_a_time_series() {
    // the last one is read in ranges: a time series is not
    let series = doc! {"create": "series", "timeseries": {"timeField": "at", "metaField": "place"}};
    let measured = |place: &str| doc! {"at": DateTime::from_millis(1), "place": place};
    for flavour in [Flavour::Standalone, Flavour::ReplicaSet, Flavour::WithoutHistory] {
        let (shop, _) = empty(flavour).await;
        // it has no document, it is the only collection, and it is the largest one
        for (step, lost) in [("empty", 0), ("only", 1), ("largest", 1)] {
            match step {
                "empty" => command(&shop, series.clone()).await,
                "only" => insert(&shop, "series", ["here", "there"].map(measured)).await,
                _ => insert(&shop, "small", [doc! {"_id": 1}]).await,
            }
            let workspace = shop.workspace();
            workspace.configure(SHOP);
            // nothing compared with nothing proves nothing
            let code = if lost > 0 { 0 } else { 3 };
            run(&workspace, "pre", step, code);
            run(&workspace, "post", step, code);
            if lost > 0 {
                let delete = doc! {"delete": "series", "deletes": [{"q": {"place": "there"}, "limit": 0}]};
                command(&shop, delete).await;
                let found = findings(&run(&workspace, "post", step, 1));
                assert!(found.contains(&"different changed series".to_owned()), "{step}: {found:?}");
                insert(&shop, "series", [measured("there")]).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_invalid_utf8_where_a_collection_is_split() {
    let ids = |kind: &str| -> Vec<Bson> {
        let text = |n: i32| format!("¿{n}");
        match kind {
            "strings" => (0..6).map(|n| text(n).into()).collect(),
            "documents" => (0..6).map(|n| doc! {"a": text(n)}.into()).collect(),
            "names" => (0..6).map(|n| doc! {text(n): n}.into()).collect(),
            _ => (0..6).map(|n| Bson::JavaScriptCode(text(n))).collect(),
        }
    };
    // the last one is read in ranges
    for flavour in [Flavour::Standalone, Flavour::ReplicaSet, Flavour::WithoutHistory] {
        let (shop, _) = empty(flavour).await;
        for kind in ["strings", "documents", "names", "code"] {
            let workspace = shop.workspace();
            workspace.configure(&format!("{SHOP}scan: {{cursors: 2}}\n"));
            insert_invalid(&shop, "split", ids(kind).into_iter().zip(0_i64..).map(|(id, n)| doc! {"_id": id, "n": n}))
                .await;
            run(&workspace, "pre", kind, 0);
            run(&workspace, "post", kind, 0);
            command(&shop, doc! {"delete": "split", "deletes": [{"q": {"n": 4}, "limit": 1}]}).await;
            let found = findings(&run(&workspace, "post", kind, 1));
            assert!(found.contains(&"different changed split".to_owned()), "{kind}: {found:?}");
            command(&shop, doc! {"drop": "split"}).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_is_removed_or_added_as_declared() {
    for flavour in FLAVOURS {
        let (shop, _) = empty(flavour).await;
        insert(&shop, "orders", [doc! {"_id": 1, "open": true}]).await;
        let views = [
            ("plain", "orders", doc! {"$match": {"open": true}}),
            ("nothing", "orders", doc! {"$match": {"open": 1}}),
            ("nested", "plain", doc! {"$match": {}}),
        ];
        let create = views.clone().map(|(name, on, stage)| doc! {"create": name, "viewOn": on, "pipeline": [stage]});
        let drop = views.map(|(name, ..)| doc! {"drop": name});
        let census = "  - {name: documents, component: census, collections: [orders, plain, nothing, nested]}\n";
        for probes in [String::new(), format!("probes:\n{census}")] {
            for (key, commands, run_id) in
                [("addedCollection", &create, "added"), ("removedCollection", &drop, "removed")]
            {
                let changes = ["plain", "nothing", "nested"].map(|name| format!("  - {{{key}: {name}}}\n"));
                let workspace = shop.workspace();
                workspace.configure(&format!("{SHOP}{probes}changes:\n{}", changes.concat()));
                run(&workspace, "pre", run_id, 0);
                for one in commands {
                    command(&shop, one.clone()).await;
                }
                let post = run(&workspace, "post", run_id, 0);
                assert!(findings(&post).iter().all(|one| one.starts_with("expected")), "{:?}", findings(&post));
                command(&shop, doc! {"delete": "orders", "deletes": [{"q": {}, "limit": 0}]}).await;
                run(&workspace, "post", run_id, 1);
                insert(&shop, "orders", [doc! {"_id": 1, "open": true}]).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_look_like_extended_json() {
    for flavour in FLAVOURS {
        let (shop, workspace) = empty(flavour).await;
        let schema = doc! {"$jsonSchema": {"properties": {"$oid": {"bsonType": "string"}, "$date": {}}}};
        command(&shop, doc! {"create": "strict", "validator": schema}).await;
        let view =
            doc! {"create": "view", "viewOn": "strict", "pipeline": [{"$project": {"x": {"$literal": {"$uuid": 1}}}}]};
        command(&shop, view).await;
        let names = ["$oid", "$$oid", "$numberLong", "$code", "$date"];
        let indexes = names.iter().zip('a'..).map(|(name, field)| doc! {"key": {field.to_string(): 1}, "name": *name});
        command(&shop, doc! {"createIndexes": "strict", "indexes": indexes.collect::<Vec<_>>()}).await;
        insert(&shop, "strict", [doc! {"_id": 1, "a": {"$numberLong": "5"}, "$b": {"$oid": 1}}]).await;
        run(&workspace, "pre", "same", 0);
        run(&workspace, "post", "same", 0);

        // an index of such a name can be declared
        workspace.configure(&format!("{SHOP}changes:\n  - {{collection: strict, removedIndex: $oid}}\n"));
        run(&workspace, "pre", "removed", 0);
        command(&shop, doc! {"dropIndexes": "strict", "index": "$oid"}).await;
        run(&workspace, "post", "removed", 0);
        command(&shop, doc! {"dropIndexes": "strict", "index": "$$oid"}).await;
        assert!(run(&workspace, "post", "removed", 1).out.contains("`$$$oid` is gone"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_looks_like_a_number() {
    let (text, number) = (doc! {"$numberLong": "5"}, Bson::Int64(5));
    for flavour in FLAVOURS {
        let (shop, workspace) = empty(flavour).await;
        let sample =
            "  - {name: documents, component: census, collections: [orders], config: {detail: fields, sample: 9}}\n";
        workspace.configure(&format!("{SHOP}probes:\n{sample}"));
        command(&shop, doc! {"create": "uncovered", "validator": {"a": {"$eq": text.clone()}}}).await;
        insert(&shop, "orders", [doc! {"_id": 1, "a": text.clone()}, doc! {"_id": 2, "a": [{"b": text.clone()}]}])
            .await;
        run(&workspace, "pre", "one", 0);
        for (id, value) in [(1, number.clone()), (2, Bson::Array(vec![doc! {"b": number.clone()}.into()]))] {
            command(&shop, doc! {"update": "orders", "updates": [{"q": {"_id": id}, "u": {"$set": {"a": value}}}]})
                .await;
        }
        command(&shop, doc! {"collMod": "uncovered", "validator": {"a": {"$eq": number.clone()}}}).await;
        let post = run(&workspace, "post", "one", 1);
        let found = findings(&post);
        assert!(found.contains(&"different definition-changed uncovered".to_owned()), "{found:?}");
        let json = post.json();
        let census = json["findings"].as_array().expect("findings").iter().find(|f| f["metric"] == "documents");
        let shown = census.expect("a census")["documents"]["changed"]["details"].to_string();
        for one in [r#"{"$$numberLong":"5"}"#, r#"{"$numberLong":"5"}"#] {
            assert_eq!(shown.matches(one).count(), 2, "{one}: {shown}");
        }
    }
}

/// The privileges of a role as the documentation shows it, of the block that contains `marker`, for this database.
fn documented_privileges(marker: &str) -> Vec<Document> {
    let page = include_str!("../../../../docs/src/operations/mongodb.md");
    let block = page.split("```").find(|block| block.starts_with("js") && block.contains(marker)).expect("a block");
    let lines = block.lines().filter(|line| line.trim().starts_with("{resource:"));
    let privileges = lines.map(|line| {
        let names = ["resource", "db", "collection", "actions"];
        let quoted = |text: String, name: &&str| text.replace(&format!("{name}:"), &format!("\"{name}\":"));
        let json = names.iter().fold(line.trim().trim_end_matches(',').to_owned(), quoted);
        let json: serde_json::Value = serde_json::from_str(&json).expect("a privilege");
        let Bson::Document(mut privilege) = Bson::try_from(json).expect("BSON") else { panic!("{line}") };
        let resource = privilege.get_document_mut("resource").expect("a resource");
        if resource.get_str("db").is_ok_and(|name| name == "shop") {
            resource.insert("db", DATABASE);
        }
        privilege
    });
    privileges.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_roles_are_enough_on_a_standalone_server() {
    let mongod = mongod::start(mongod::options(&["--auth"])).await;
    the_documented_roles_are_enough_and_a_live_check_tells_what_is_not(mongod).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_roles_are_enough_on_a_replica_set() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let key = folder.path().join("key");
    std::fs::write(&key, "tastertests").expect("a file");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("permissions");
    let arguments = ["--keyFile", key.to_str().expect("UTF-8")];
    let options = MongodOptions { replica_set: true, ..mongod::options(&arguments) };
    let mongod = mongod::start(options).await;
    the_documented_roles_are_enough_and_a_live_check_tells_what_is_not(mongod).await;
}

async fn the_documented_roles_are_enough_and_a_live_check_tells_what_is_not(mongod: Mongod) {
    let uri_of =
        |user: &str| format!("mongodb://{user}:geheim@127.0.0.1:{}/{DATABASE}?authSource=admin", mongod.port());
    let admin = mongod.client().await.expect("a client").database("admin");
    admin.run_command(doc! {"createUser": "boss", "pwd": "geheim", "roles": ["root"]}).await.expect("a user");
    let boss = Client::with_uri_str(uri_of("boss")).await.expect("a client");
    let (admin, database) = (boss.database("admin"), boss.database(DATABASE));
    let local = documented_privileges("createRole").into_iter().skip(1);
    let narrow: Vec<Document> = documented_privileges("\"menu\"").into_iter().chain(local).collect();
    let without = |index: usize, action: &str| {
        let mut privileges = narrow.clone();
        privileges[index].get_array_mut("actions").expect("actions").retain(|one| one.as_str() != Some(action));
        // the server refuses a privilege without actions
        privileges.retain(|privilege| privilege.get_array("actions").is_ok_and(|actions| !actions.is_empty()));
        privileges
    };
    for (role, privileges) in [
        ("narrow", narrow.clone()),
        ("wide", documented_privileges("createRole")),
        ("unlisted", without(0, "listIndexes")),
        ("unread", without(2, "find")),
    ] {
        admin.run_command(doc! {"createRole": role, "privileges": privileges, "roles": []}).await.expect("a role");
        admin.run_command(doc! {"createUser": role, "pwd": "geheim", "roles": [role]}).await.expect("a user");
    }
    for create in [
        doc! {"insert": "orders", "documents": [{"_id": 1}]},
        doc! {"insert": "menu", "documents": [{"_id": 1}]},
        doc! {"insert": "third", "documents": [{"_id": 1}]},
        doc! {"create": "fourth", "timeseries": {"timeField": "at"}},
        doc! {"insert": "fourth", "documents": [{"at": DateTime::from_millis(0)}]},
        doc! {"create": "fifth", "viewOn": "third", "pipeline": []},
    ] {
        database.run_command(create).await.expect("a collection");
    }
    let named = "probes:\n  - {name: documents, component: census, collections: [orders, menu]}\n";
    for (user, probes, code) in [
        ("narrow", named, 0),
        ("wide", named, 0),
        ("wide", "", 0),
        ("unlisted", named, 4),
        ("unread", named, 4),
        ("narrow", "", 4),
    ] {
        let workspace = Workspace::new(&uri_of(user));
        workspace.configure(&format!("{SHOP}{probes}"));
        let check = workspace.taster(&["config", "check", "--live"]);
        assert_eq!(check.code, code, "{user}: {}", check.all());
        let pre = workspace.taster(&["pre", "--run", "one"]);
        assert_eq!(pre.code, code, "the check has promised it to {user}: {}", pre.all());
        assert!(code == 0 || pre.err.contains("T0238"), "{}", pre.all());
    }
}

/// Pairs of filters or validators, and whether they are one definition.
fn definitions() -> Vec<(Document, Document, bool)> {
    vec![
        (doc! {"a": 5}, doc! {"a": 5.0}, true),
        (doc! {"a": {"$gt": 1, "$lt": 9_i64}}, doc! {"a": {"$lt": 9, "$gt": 1.0}}, true),
        (doc! {"a": 1, "b": 2}, doc! {"b": 2, "a": 1}, true),
        (doc! {"a": {"$type": 16}}, doc! {"a": {"$type": "int"}}, true),
        (doc! {"a": {"$exists": true}}, doc! {"a": {"$exists": 1}}, true),
        (doc! {"a": 5}, doc! {"a": 6}, false),
        (doc! {"a": {"x": 1, "y": 1}}, doc! {"a": {"y": 1, "x": 1}}, false),
        (doc! {"a": {"$type": "long"}}, doc! {"a": {"$type": "int"}}, false),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_that_mean_the_same() {
    for flavour in FLAVOURS {
        let (shop, _) = empty(flavour).await;
        let set = async |definition: &Document| {
            for collection in ["covered", "uncovered"] {
                let index = doc! {"key": {"a": 1}, "name": "partial", "partialFilterExpression": definition};
                command(&shop, doc! {"dropIndexes": collection, "index": "*"}).await;
                command(&shop, doc! {"createIndexes": collection, "indexes": [index]}).await;
                command(&shop, doc! {"collMod": collection, "validator": definition}).await;
            }
        };
        for collection in ["covered", "uncovered"] {
            command(&shop, doc! {"create": collection}).await;
        }
        for (before, after, is_same) in definitions() {
            let workspace = shop.workspace();
            workspace.configure(&format!(
                "{SHOP}probes:\n  - {{name: inventory, component: index-inventory, collections: [covered]}}\n"
            ));
            set(&before).await;
            run(&workspace, "pre", "one", 0);
            set(&after).await;
            let found = findings(&run(&workspace, "post", "one", i32::from(!is_same)));
            let changed =
                ["different changed covered", "different changed covered", "different definition-changed uncovered"];
            let changed: Vec<&str> = if is_same { Vec::new() } else { changed.to_vec() };
            let mut found: Vec<&str> = found.iter().map(String::as_str).collect();
            found.sort_unstable();
            assert_eq!(found, changed, "{before} {after}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn options_of_other_drivers_in_the_connection_string() {
    for flavour in FLAVOURS {
        let (shop, _) = empty(flavour).await;
        insert(&shop, "orders", [doc! {"_id": 1}]).await;
        for option in ["uuidRepresentation=standard", "compressors=zstd,zlib", "socketTimeoutMS=60000", "maxPoolSize=0"]
        {
            let uri = format!("{}&{option}", shop.uri());
            let uri = if shop.uri().contains('?') { uri } else { uri.replacen('&', "?", 1) };
            let workspace = Workspace::new(&uri);
            workspace.configure(SHOP);
            let pre = workspace.taster(&["pre", "--run", "one"]);
            assert_eq!(pre.code, 0, "{option}: {}", pre.all());
            let name = option.split('=').next().expect("a name");
            assert!(pre.err.contains(&format!("no effect here options={name}")), "{option}: {}", pre.err);
        }
        let workspace = Workspace::new(&format!("{}?someOption=1", shop.uri().split('?').next().expect("a URI")));
        workspace.configure(SHOP);
        let pre = workspace.taster(&["pre", "--run", "one"]);
        assert!(pre.code == 4 && pre.err.contains("T0201") && !pre.err.contains("%40"), "{}", pre.all());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_over_strings_of_invalid_utf8() {
    let probes = "probes:
  - name: report
    component: group-report
    collections: [orders]
    config:
      reports: [{name: orders, collection: orders, groupBy: [name], min: {first: name}, max: {last: name}}]
  - {name: counts, component: document-count, collections: [orders], config: {groupBy: [name]}}
  - {name: keys, component: duplicate-keys, collections: [orders], config: {keys: {orders: [[name]]}}}
  - {name: indexed-keys, component: duplicate-keys, collections: [indexed], config: {keys: {indexed: [[name]]}}}
  - {name: references, component: reference-check, collections: {parent: menu, child: [orders, indexed]}, config: {field: name}}
";
    for flavour in FLAVOURS {
        let (shop, workspace) = empty(flavour).await;
        workspace.configure(&format!("{SHOP}{probes}"));
        let names = ["¿a", "¿b", "¿b"];
        for collection in ["orders", "indexed"] {
            let documents = names.into_iter().zip(1..).map(|(name, id)| doc! {"_id": id, "name": name});
            insert_invalid(&shop, collection, documents).await;
        }
        let index = doc! {"key": {"name": 1}, "name": "name_1"};
        command(&shop, doc! {"createIndexes": "indexed", "indexes": [index]}).await;
        // the only parent is the one that is there twice
        insert_invalid(&shop, "menu", [doc! {"_id": "¿b"}]).await;
        let capture = run(&workspace, "pre", "one", 0).json();
        for (name, shown) in
            [("report", "a"), ("counts", "a"), ("keys", "b"), ("indexed-keys", "b"), ("references", "a")]
        {
            let probe = capture["probes"].as_array().expect("probes").iter().find(|probe| probe["name"] == name);
            let outcome = probe.expect("the probe")["outcome"].to_string();
            // the text of the value within a text of JSON
            let text = format!(r#"\"\\xff\\xfe{shown}\""#);
            assert!(outcome.contains(&text), "{name} lacks {text}: {outcome}");
        }
        run(&workspace, "post", "one", 0);
        command(&shop, doc! {"delete": "orders", "deletes": [{"q": {"_id": 1}, "limit": 1}]}).await;
        let lost = run(&workspace, "post", "one", 1);
        assert!(lost.out.contains("orders.first.min"), "{}", lost.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_collection_that_cannot_be_read_takes_no_other_along() {
    for flavour in FLAVOURS {
        let (shop, _) = empty(flavour).await;
        insert(&shop, "orders", [doc! {"_id": 1, "n": 0}, doc! {"_id": 2, "n": 1}]).await;
        let divide = |name: &str, by: &str| {
            doc! {"create": name, "viewOn": "orders", "pipeline": [{"$project": {"x": {"$divide": [1, by]}}}]}
        };
        command(&shop, divide("broken", "$n")).await;
        command(&shop, divide("fine", "$_id")).await;
        let counts = "probes:
  - {name: menu, component: document-count, collections: [menu]}
  - {name: counts, component: document-count, collections: [orders], config: {collections: {orders: {groupBy: [n]}}, groups: 1}}
";
        let references = "probes:
  - {name: refs, component: reference-check, collections: {parent: menu, child: [orders, broken]}, config: {field: n}}
";
        let keys = "probes:
  - {name: keys, component: duplicate-keys, collections: [orders, broken], config: {keys: {orders: [[n]], broken: [[x]]}}}
";
        let reports = "probes:
  - name: reports
    component: group-report
    config:
      reports: [{name: all, collection: orders, sums: {n: n}}, {name: bad, collection: broken, sums: {x: x}}]
";
        insert(&shop, "menu", [doc! {"_id": 1}]).await;
        for (run_id, probes, failing) in [
            ("view", "", "broken"),
            ("groups", counts, "orders"),
            ("references", references, "broken"),
            ("keys", keys, "broken"),
            ("reports", reports, "broken"),
        ] {
            let workspace = shop.workspace();
            workspace.configure(&format!("{SHOP}{probes}"));
            // it is better to know it before the sync
            let pre = workspace.taster(&["pre", "--run", run_id]);
            assert_eq!(pre.code, 3, "{}", pre.all());
            assert!(pre.out.contains("\nUnknown: ") && pre.out.contains(failing), "{}", pre.out);
            let post = run(&workspace, "post", run_id, 3);
            let found = findings(&post);
            assert!(found.iter().all(|one| *one == format!("unknown failed-after {failing}")), "{found:?}");
        }
        // what is known of the others decides
        let workspace = shop.workspace();
        workspace.configure(SHOP);
        assert_eq!(workspace.taster(&["pre", "--run", "lost"]).code, 3);
        command(&shop, doc! {"delete": "orders", "deletes": [{"q": {"_id": 2}, "limit": 1}]}).await;
        let found = findings(&run(&workspace, "post", "lost", 1));
        assert!(found.contains(&"different changed orders".to_owned()), "{found:?}");
        assert!(found.contains(&"different changed fine".to_owned()), "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_keeps_no_statistics() {
    for replica_set in [false, true] {
        let without = ["--wiredTigerEngineConfigString", "statistics=(none)"];
        let options = MongodOptions { replica_set, ..mongod::options(&without) };
        let mongod = mongod::start(options).await;
        let database = mongod.client().await.expect("a client").database(DATABASE);
        let orders = database.collection::<Document>("orders");
        orders.insert_many([doc! {"_id": 1}, doc! {"_id": 2}]).await.expect("documents");
        let workspace = Workspace::new(&mongod.uri_of(DATABASE));
        workspace.configure(SHOP);
        let pre = workspace.taster(&["pre", "--run", "one"]);
        // a replica set is read in one snapshot; of a standalone server nobody can say whether something was written meanwhile
        if replica_set {
            assert_eq!(pre.code, 0, "{}", pre.all());
            assert_eq!(workspace.taster(&["post", "--run", "one"]).code, 0);
        } else {
            assert_eq!(pre.code, 3, "{}", pre.all());
            assert!(pre.all().contains("statistics=(none)"), "{}", pre.all());
        }
    }
}
