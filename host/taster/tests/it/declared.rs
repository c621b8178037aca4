//! Changes that are declared and proven on a real server: values of added fields, and renamed collections.

use mongodb::bson::{Decimal128, Document, doc};
use taster_testkit::mongod::Flavour;

use crate::support::{CommandOutput, FLAVOURS, SHOP, ShopDatabase, Workspace};

/// `post`, with the verdict as JSON.
fn post(workspace: &Workspace, run: &str) -> CommandOutput {
    workspace.taster(&["post", "--run", run, "--format", "json"])
}

fn pre(workspace: &Workspace, run: &str) {
    let pre = workspace.taster(&["pre", "--run", run]);
    assert_eq!(pre.code, 0, "{}", pre.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_added_field_has_the_value_that_is_declared() {
    let shop = ShopDatabase::replica_set(100).await;
    let workspace = shop.workspace();
    let carts = shop.database.collection::<Document>("carts");
    let cases = [
        ("type: bool, value: false", doc! {"archived": false}, 0),
        ("type: bool, value: false", doc! {"archived": true}, 1),
        ("type: string, values: [open, closed]", doc! {"archived": "closed"}, 0),
        ("type: string, values: [open, closed]", doc! {"archived": ""}, 1),
        ("type: decimal, value: 0", doc! {"archived": "0.00".parse::<Decimal128>().unwrap()}, 0),
    ];
    for (number, (declared, set, code)) in cases.into_iter().enumerate() {
        workspace.configure(&format!(
            "{SHOP}probes:\n  - {{name: documents, component: census, collections: [carts]}}\n\
             changes:\n  - {{collection: carts, addedField: archived, {declared}}}\n"
        ));
        carts.drop().await.expect("a drop");
        carts.insert_many((0..20).map(|n| doc! {"_id": n})).await.expect("documents");
        let run = format!("added-{number}");
        pre(&workspace, &run);
        carts.update_many(doc! {}, doc! {"$set": set}).await.expect("an update");
        let post = post(&workspace, &run);
        assert_eq!(post.code, code, "{declared}: {}", post.all());
        let accepted = workspace.taster(&["accept", &run, "--reason", "a test"]);
        assert_eq!(accepted.code, if code == 0 { 4 } else { 0 }, "{}", accepted.all());
    }
}

const RENAMED: &str = "probes:\n  - {name: documents, component: census, collections: [carts]}\n  - {name: everything, component: \
                       document-count}\nchanges:\n  - {renamedCollection: carts, to: baskets}\n";

async fn a_renamed_collection(shop: ShopDatabase) {
    let workspace = shop.workspace();
    let database = &shop.database;
    let name = database.name();
    let admin = database.client().database("admin");
    let rename = async |from: &str, to: &str| {
        let (from, to) = (format!("{name}.{from}"), format!("{name}.{to}"));
        admin.run_command(doc! {"renameCollection": from, "to": to}).await.expect("it is renamed");
    };
    let documents = || (0..20).map(|n| doc! {"_id": n, "total": n}).collect::<Vec<_>>();
    let carts = database.collection::<Document>("carts");
    let baskets = database.collection::<Document>("baskets");
    let declared_both = format!("{RENAMED}  - {{collection: carts, addedField: vip, type: bool, value: false}}\n");
    let required = "require: {census: [baskets]}\n";
    for (run, configuration, lost, code) in [
        ("renamed", format!("{SHOP}{RENAMED}{required}"), 0, 0),
        ("required-by-its-old-name", format!("{SHOP}{RENAMED}require: {{census: [carts]}}\n"), 0, 0),
        ("lossy", format!("{SHOP}{RENAMED}"), 1, 1),
        ("and-changed", format!("{SHOP}{declared_both}"), 0, 0),
        ("new-name", format!("{SHOP}{}", RENAMED.replace("[carts]", "[baskets]")), 0, 0),
        ("without-census", format!("{SHOP}{}", RENAMED.replace("component: census", "component: schema-shape")), 0, 3),
    ] {
        workspace.configure(&configuration);
        baskets.drop().await.expect("a drop");
        carts.drop().await.expect("a drop");
        carts.insert_many(documents()).await.expect("documents");
        pre(&workspace, run);
        rename("carts", "baskets").await;
        if configuration.contains("vip") {
            baskets.update_many(doc! {}, doc! {"$set": {"vip": false}}).await.expect("an update");
        }
        baskets.delete_many(doc! {"_id": {"$lt": lost}}).await.expect("a deletion");
        let post = post(&workspace, run);
        assert_eq!(post.code, code, "{run}: {}", post.all());
        let evidence = post.json()["evidence"].as_array().expect("evidence").clone();
        let of_baskets = evidence.iter().find(|known| known["collection"] == "baskets").expect("it is listed").clone();
        assert_eq!(of_baskets["basis"], if code == 3 { "metrics" } else { "whole" }, "{run}: {evidence:?}");
        assert!(evidence.iter().all(|known| known["collection"] != "carts"), "{evidence:?}");
        if code != 0 {
            let accepted = workspace.taster(&["accept", run, "--reason", "a test"]);
            assert_eq!(accepted.code, 0, "{}", accepted.all());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_is_renamed_on_a_standalone_server() {
    a_renamed_collection(ShopDatabase::standalone(100).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_is_renamed_on_a_replica_set() {
    a_renamed_collection(ShopDatabase::replica_set(100).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_says_on_what_it_rests() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 100).await;
        let workspace = shop.workspace();
        let database = &shop.database;
        for name in ["whole", "filtered", "counted", "warned", "muted", "uncovered"] {
            let documents = (0..20).map(|n| doc! {"_id": n, "open": n % 2 == 0});
            database.collection::<Document>(name).insert_many(documents).await.expect("documents");
        }
        workspace.configure(&format!(
        "{SHOP}probes:\n  - {{name: whole, component: census, collections: [whole]}}\n\
         \x20 - {{name: filtered, component: census, collections: [filtered], config: {{filter: {{open: true}}, ignore: [note]}}}}\n\
         \x20 - {{name: counted, component: document-count, collections: [counted]}}\n\
         \x20 - {{name: warned, component: census, collections: [warned], severity: warn}}\n\
         \x20 - {{name: muted, component: census, collections: [muted], muted: true}}\n\
         changes:\n  - {{collection: whole, removedDocuments: {{open: true}}, maxDocuments: 15}}\n"
    ));
        pre(&workspace, "one");
        database.collection::<Document>("whole").delete_many(doc! {"open": true}).await.expect("a deletion");
        let verdict = workspace.taster(&["post", "--run", "one"]);
        assert_eq!(verdict.code, 0, "{}", verdict.all());
        for line in [
            "Compared whole: whole (10 documents; 10 of 20 excused)",
            "Compared in part: filtered (10 documents; only {\"open\":true}; without note)",
            "Compared by metrics: counted",
            "Not compared: warned",
        ] {
            assert!(verdict.out.contains(line), "{line}\n{}", verdict.out);
        }
        assert!(
            !verdict.out.contains("every document unchanged"),
            "none was compared whole and as it was: {}",
            verdict.out
        );
        let uncovered = verdict.out.lines().find(|line| line.starts_with("No probe covers: ")).expect("a line");
        assert!(uncovered.contains("muted") && uncovered.contains("uncovered"), "{uncovered}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn required_evidence_compares_at_least_one_document() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 100).await;
        let workspace = shop.workspace();
        let carts = shop.database.collection::<Document>("carts");
        carts.insert_many((0..20).map(|n| doc! {"_id": n, "open": true})).await.expect("documents");
        workspace.configure(&format!(
        "{SHOP}require: {{census: [carts]}}\nprobes:\n  - {{name: carts, component: census, collections: [carts]}}\n  - {{name: \
         orders, component: census, collections: [orders]}}\nchanges:\n  - {{collection: carts, removedDocuments: {{open: \
         true}}}}\n"
    ));
        pre(&workspace, "one");
        carts.delete_many(doc! {}).await.expect("a deletion");
        let post = post(&workspace, "one");
        assert_eq!(post.code, 3, "{}", post.all());
        assert!(post.out.contains("all 20 documents are excused: none was compared"), "{}", post.out);
    }
}

/// The outcomes of the findings about a collection or a probe that are not `same`.
fn findings_of(post: &CommandOutput, name: &str) -> Vec<String> {
    let verdict = post.json();
    let of_it = verdict["findings"].as_array().expect("findings").iter().filter(|finding| {
        finding["outcome"] != "same" && (finding["labels"]["collection"] == name || finding["probe"] == name)
    });
    of_it.map(|finding| format!("{} {}", finding["outcome"], finding["code"]).replace('"', "")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_that_no_longer_decides_after_the_sync_is_no_evidence() {
    for (flavour, now) in [(Flavour::Standalone, "muted: true"), (Flavour::ReplicaSet, "severity: warn")] {
        let shop = ShopDatabase::open(flavour, 100).await;
        let workspace = shop.workspace();
        let probes = |more: &str| {
            format!(
                "{SHOP}probes:\n  - {{name: documents, component: census, collections: [orders]{more}}}\n  - {{name: counts, \
                 component: document-count, collections: [registrations]}}\n"
            )
        };
        workspace.configure(&probes(""));
        pre(&workspace, "one");
        assert!(shop.lose(doc! {"status": "open"}).await > 0);
        workspace.configure(&probes(&format!(", {now}")));
        let after = post(&workspace, "one");
        assert_eq!(after.code, 3, "{}", after.all());
        assert!(findings_of(&after, "documents").contains(&"unknown options-changed".to_owned()), "{}", after.all());
        // as before the sync, it decides
        workspace.configure(&probes(""));
        assert_eq!(post(&workspace, "one").code, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expectation_that_no_longer_decides_after_the_sync_is_no_evidence() {
    for (flavour, now) in [(Flavour::Standalone, "severity: warn"), (Flavour::ReplicaSet, "muted: true")] {
        let shop = ShopDatabase::open(flavour, 100).await;
        let workspace = shop.workspace();
        let configure = |more: &str| {
            let probes = "probes:\n  - {name: documents, component: census, collections: [orders]}\n  - {name: counts, component: \
                          document-count, collections: [registrations]}\n";
            workspace.configure(&format!("{SHOP}{probes}{more}"));
        };
        let quiet = format!("expect:\n  - {{metric: documents, probe: documents, rule: equal, {now}}}\n");
        configure("");
        pre(&workspace, "one");
        assert!(shop.lose(doc! {"status": "open"}).await > 0);
        configure(&quiet);
        let after = post(&workspace, "one");
        assert_eq!(after.code, 3, "{}", after.all());
        assert!(findings_of(&after, "documents").contains(&"unknown options-changed".to_owned()), "{}", after.all());
        configure("");
        assert_eq!(post(&workspace, "one").code, 1);
        let accepted = workspace.taster(&["accept", "one", "--reason", "a test"]);
        assert_eq!(accepted.code, 0, "{}", accepted.all());
        // one that was there before the sync is the operator's decision
        configure(&quiet);
        pre(&workspace, "two");
        assert!(shop.lose(doc! {"number": {"$mod": [7, 0]}}).await > 0);
        let after = post(&workspace, "two");
        assert_eq!(after.code, 0, "{}", after.all());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_that_is_declared_as_removal_and_addition_is_no_evidence() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 100).await;
        let workspace = shop.workspace();
        let database = &shop.database;
        let (carts, baskets) = (database.collection::<Document>("carts"), database.collection::<Document>("baskets"));
        carts.insert_many((0..100).map(|n| doc! {"_id": n})).await.expect("documents");
        let changes = "changes:\n  - {removedCollection: carts}\n  - {addedCollection: baskets}\n";
        let require = "require: {census: [baskets]}\n";
        workspace.configure(&format!("{SHOP}probes:\n  - {{name: documents, component: census}}\n{changes}"));
        pre(&workspace, "one");
        baskets.insert_many((0..10).map(|n| doc! {"_id": n})).await.expect("documents");
        carts.drop().await.expect("a drop");
        let declared = post(&workspace, "one");
        assert_eq!(declared.code, 0, "that is what was declared: {}", declared.all());
        let evidence = declared.json()["evidence"].as_array().expect("evidence").clone();
        let basis =
            |name: &str| evidence.iter().find(|known| known["collection"] == name).map(|known| known["basis"].clone());
        assert_eq!(basis("baskets"), Some("none".into()), "{evidence:?}");
        let out = workspace.taster(&["compare", "--run", "one"]).out;
        let line = out.lines().find(|line| line.starts_with("Not compared: ")).unwrap_or_else(|| panic!("{out}"));
        assert!(line.contains("baskets"), "{line}");
        // an operator's minimum
        workspace.configure(&format!("{SHOP}{require}probes:\n  - {{name: documents, component: census}}\n{changes}"));
        let required = post(&workspace, "one");
        assert_eq!(required.code, 3, "{}", required.all());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_added_field_whose_value_nobody_states_and_a_filter_of_everything_are_said() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 100).await;
        let workspace = shop.workspace();
        let carts = shop.database.collection::<Document>("carts");
        carts.insert_many((0..20).map(|n| doc! {"_id": n})).await.expect("documents");
        workspace.configure(&format!(
            "{SHOP}probes:\n  - {{name: documents, component: census, collections: [carts]}}\n\
         changes:\n  - {{collection: carts, addedField: vip, type: bool}}\n"
        ));
        pre(&workspace, "one");
        carts.update_many(doc! {}, doc! {"$set": {"vip": true}}).await.expect("an update");
        let added = post(&workspace, "one");
        assert_eq!(added.code, 0, "{}", added.all());
        assert!(added.out.contains("with any value, since no `value` is declared"), "{}", added.all());

        workspace.configure(&format!(
            "{SHOP}probes:\n  - {{name: documents, component: census, collections: [carts]}}\n\
         changes:\n  - {{collection: carts, removedDocuments: {{}}, maxDocuments: 20}}\n"
        ));
        pre(&workspace, "two");
        carts.delete_many(doc! {}).await.expect("a deletion");
        let removed = workspace.taster(&["post", "--run", "two"]);
        assert!(removed.out.contains("20 of 20 excused"), "{}", removed.all());
    }
}
