//! What a run is judged against: never damage against damage, never another place, never a capture of long ago.

use mongodb::bson::{Document, doc};

use crate::support::{FLAVOURS, SHOP, ShopDatabase, Workspace};

fn verdict(workspace: &Workspace, arguments: &[&str], expected: &str) {
    let ended = workspace.taster(&[&["post", "--format", "json"], arguments].concat());
    assert_eq!(ended.json()["verdict"], expected, "{}", ended.all());
}

fn pre(workspace: &Workspace, arguments: &[&str]) {
    let ended = workspace.taster(&[&["pre"], arguments].concat());
    assert_eq!(ended.code, 0, "{}", ended.all());
}

/// Half of the open orders, which can be put back.
async fn some_orders(shop: &ShopDatabase) -> Vec<Document> {
    use futures_util::TryStreamExt;
    let filter = doc! {"status": "open", "number": {"$mod": [2, 0]}};
    let orders = shop.database.collection::<Document>("orders");
    let found: Vec<Document> = orders.find(filter).await.expect("orders").try_collect().await.expect("orders");
    assert!(!found.is_empty());
    found
}

async fn remove(shop: &ShopDatabase, documents: &[Document]) {
    for document in documents {
        shop.lose(doc! {"_id": document.get("_id").expect("an id")}).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_baseline_stays_open_until_the_data_are_back_and_is_not_forgotten_afterwards() {
    let shop = ShopDatabase::standalone(400).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    let orders = some_orders(&shop).await;
    pre(&workspace, &["--run", "a"]);
    remove(&shop, &orders).await;
    // the sync is tried again, on the damaged copy
    pre(&workspace, &["--run", "b"]);
    verdict(&workspace, &["--run", "b"], "different");
    shop.database.collection::<Document>("orders").insert_many(&orders).await.expect("the orders come back");
    verdict(&workspace, &["--run", "b"], "same");
    // the baseline is closed; the run's own capture is of the damaged copy, and must not be what counts now
    remove(&shop, &orders).await;
    verdict(&workspace, &["--run", "b"], "different");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_comes_twice_says_the_same_twice() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    pre(&workspace, &[]);
    verdict(&workspace, &[], "same");
    verdict(&workspace, &[], "same");
    let runs = workspace.taster(&["runs", "--format", "json"]).json();
    assert_eq!(runs.as_array().map(Vec::len), Some(1), "{runs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_same_names_every_collection_and_counts_each_document_once() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 300).await;
        let workspace = shop.workspace();
        // four probes read each of them
        workspace.configure(SHOP);
        pre(&workspace, &[]);
        let post = workspace.taster(&["post"]);
        assert!(post.out.contains("menu 16, orders 300, registrations 30: every document unchanged"), "{}", post.all());
        assert_eq!(post.out.matches("346 documents (").count(), 2, "before and after: {}", post.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_in_which_a_probe_failed_does_not_block_the_next_run() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    let probes = |limit: u32| {
        format!("{SHOP}probes:\n  - {{name: shape, component: schema-shape, limits: {{documents: {limit}}}}}\n")
    };
    workspace.configure(&probes(2));
    let spoilt = workspace.taster(&["pre"]);
    assert_eq!(spoilt.code, 3, "{}", spoilt.all());
    assert!(spoilt.out.contains("probes[shape].limits.documents"), "{}", spoilt.out);
    workspace.configure(&probes(100_000));
    pre(&workspace, &[]);
    verdict(&workspace, &[], "same");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_database_is_unknown() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    pre(&workspace, &[]);
    let other = shop.mongod.client().await.expect("a client").database("backup");
    other.collection::<Document>("orders").insert_one(doc! {"a": 1}).await.expect("a document");
    workspace.configure(&SHOP.replace("database: pxbbq", "database: backup"));
    let post = workspace.taster(&["post"]);
    assert_ne!(post.code, 0, "{}", post.all());
    assert!(
        post.out.contains("the captures are of different databases: `pxbbq` before, `backup` after"),
        "{}",
        post.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_was_never_there_proves_nothing() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    workspace.configure(&format!(
        "{SHOP}probes:\n  - {{name: indexes, component: index-inventory, collections: [ordesr]}}\n"
    ));
    workspace.taster(&["pre"]);
    let post = workspace.taster(&["post"]);
    assert_eq!(post.code, 3, "{}", post.all());
    assert!(post.out.contains("ordesr"), "{}", post.out);
    assert!(post.out.contains("No probe covers: menu"), "{}", post.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_over_does_not_begin_again() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    pre(&workspace, &["--run", "rev1"]);
    verdict(&workspace, &["--run", "rev1"], "same");
    let again = workspace.taster(&["pre", "--run", "rev1"]);
    assert_eq!(again.code, 4, "{}", again.all());
    assert!(again.err.contains("T0617"), "{}", again.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_shown_without_a_configuration() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    let uri = shop.uri();
    pre(&workspace, &["--mongodb", &uri]);
    verdict(&workspace, &["--mongodb", &uri], "same");
    for arguments in [&["show"][..], &["runs"], &["compare"]] {
        let ended = workspace.taster(arguments);
        assert_eq!(ended.code, 0, "{}", ended.all());
    }
}

fn json(workspace: &Workspace, arguments: &[&str]) -> serde_json::Value {
    let ended = workspace.taster(&[arguments, &["--format", "json"]].concat());
    assert_eq!(ended.code, 0, "{}", ended.all());
    ended.json()
}

fn drop_baseline(workspace: &Workspace) -> serde_json::Value {
    json(workspace, &["baseline", "drop", "--reason", "staging was set up again"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_baseline_without_a_verdict_is_shown_and_dropped() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 300).await;
        let workspace = shop.workspace();
        workspace.configure(SHOP);
        let nothing = workspace.taster(&["baseline", "drop", "--reason", "x"]);
        assert_eq!(nothing.code, 4, "{}", nothing.all());
        assert!(
            nothing.err.contains("error[T0635]: app `pxbbq` has no open baseline in file://./results"),
            "{}",
            nothing.err
        );
        assert_eq!(json(&workspace, &["baseline", "show"])["baseline"], serde_json::Value::Null);
        pre(&workspace, &["--run", "a"]);
        let shown = json(&workspace, &["baseline", "show"]);
        assert_eq!(
            (&shown["baseline"]["run"], &shown["baseline"]["database"]),
            (&"a".into(), &"pxbbq".into()),
            "{shown}"
        );
        assert_eq!(shown["baseline"]["closed_by"].as_array().map(Vec::len), Some(3), "no verdict to accept: {shown}");
        let text = workspace.taster(&["baseline", "show"]);
        assert!(text.out.contains("the capture of run a, ") && text.out.contains("Closed by:"), "{}", text.out);
        let empty = workspace.taster(&["baseline", "drop", "--reason", " "]);
        assert_eq!(empty.code, 2, "{}", empty.all());
        let dropped = drop_baseline(&workspace);
        assert_eq!((&dropped["run"], &dropped["who"]), (&"a".into(), &"tester".into()), "{dropped}");
        assert_eq!(json(&workspace, &["baseline", "show"])["baseline"], serde_json::Value::Null);
        let shown = workspace.taster(&["show", "a"]);
        let words = shown.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("its baseline was dropped by tester on"), "{}", shown.out);
        let runs = workspace.taster(&["runs"]);
        assert!(runs.out.contains("baseline dropped"), "{}", runs.out);
        // nothing is compared with it any more, and a run of that name does not begin again
        verdict(&workspace, &["--run", "a"], "unknown");
        assert_eq!(json(&workspace, &["baseline", "show"])["baseline"], serde_json::Value::Null);
        assert_eq!(workspace.taster(&["pre", "--run", "a"]).code, 4);
        // without a name, the next run is another one
        pre(&workspace, &[]);
        assert_ne!(json(&workspace, &["baseline", "show"])["baseline"]["run"], "a");
        verdict(&workspace, &[], "same");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_baseline_that_is_different_is_dropped_and_the_next_pre_takes_a_new_one() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 300).await;
        let workspace = shop.workspace();
        workspace.configure(SHOP);
        pre(&workspace, &["--run", "a"]);
        remove(&shop, &some_orders(&shop).await).await;
        pre(&workspace, &["--run", "b"]);
        verdict(&workspace, &["--run", "b"], "different");
        let shown = json(&workspace, &["baseline", "show"]);
        assert_eq!(
            shown["baseline"]["open_because"],
            "run b was compared with it and is different; nobody accepted that"
        );
        let ways = shown["baseline"]["closed_by"].to_string();
        assert!(ways.contains("taster accept b") && ways.contains("taster post --run b"), "{ways}");
        drop_baseline(&workspace);
        pre(&workspace, &["--run", "c"]);
        assert_eq!(json(&workspace, &["baseline", "show"])["baseline"]["run"], "c");
        verdict(&workspace, &["--run", "c"], "same");
        let shown = workspace.taster(&["baseline", "show"]);
        assert!(shown.out.contains("has no open baseline"), "{}", shown.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pre_refuses_another_database_while_a_baseline_is_open() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 300).await;
        let workspace = shop.workspace();
        workspace.configure(SHOP);
        pre(&workspace, &[]);
        let other = shop.mongod.client().await.expect("a client").database("backup");
        other.collection::<Document>("orders").insert_one(doc! {"a": 1}).await.expect("a document");
        workspace.configure(&SHOP.replace("database: pxbbq", "database: backup"));
        for arguments in [&["pre"][..], &["pre", "--run", "b"]] {
            let refused = workspace.taster(arguments);
            assert_eq!(refused.code, 4, "{}", refused.all());
            assert!(refused.err.contains("error[T0636]") && refused.err.contains("the configuration names `backup`"));
            assert!(refused.err.contains("taster baseline drop"), "{}", refused.err);
        }
        drop_baseline(&workspace);
        pre(&workspace, &[]);
        assert_eq!(json(&workspace, &["baseline", "show"])["baseline"]["database"], "backup");
        verdict(&workspace, &[], "same");
        // closed by `same`: the app may have moved
        workspace.configure(SHOP);
        pre(&workspace, &[]);
        verdict(&workspace, &[], "same");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_without_a_pre_says_where_it_looked_and_the_next_pre_warns() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 300).await;
        let workspace = shop.workspace();
        workspace.configure(SHOP);
        let post = workspace.taster(&["post", "--run", "a", "--format", "json"]);
        assert_eq!(post.code, 3, "{}", post.all());
        let document = post.json();
        let reason = document["findings"][0]["reason"].as_str().expect("a reason").to_owned();
        let folder = std::fs::canonicalize(workspace.path()).expect("a folder").join("results");
        for part in ["file://./results", &folder.display().to_string(), "`pre` of app pxbbq", "run a"] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
        let remedy = document["remedy"].as_str().expect("a remedy");
        assert!(remedy.contains("store: s3://bucket/prefix") && !remedy.contains("accept"), "{remedy}");
        // the damage, if there was any, becomes part of the baseline: not without a word
        let warned = workspace.taster(&["pre", "--run", "b"]);
        assert_eq!(warned.code, 0, "{}", warned.all());
        assert!(warned.out.contains("run a ended without a comparison"), "{}", warned.out);
        verdict(&workspace, &["--run", "b"], "same");
        let next = workspace.taster(&["pre", "--run", "c"]);
        assert!(!next.out.contains("without a comparison"), "run b was compared: {}", next.out);
        verdict(&workspace, &["--run", "c"], "same");
        // the store is there and has runs; a person looked at this one
        let post = workspace.taster(&["post", "--run", "typo", "--format", "json"]).json();
        let reason = post["findings"][0]["reason"].to_string();
        assert!(reason.contains("has no open baseline in") && reason.contains("3 other runs of the app"), "{reason}");
        assert_eq!(workspace.taster(&["accept", "typo", "--reason", "looked at by hand"]).code, 0);
        let next = workspace.taster(&["pre", "--run", "d"]);
        assert!(!next.out.contains("without a comparison"), "{}", next.out);
        drop_baseline(&workspace);
        let post = workspace.taster(&["post", "--run", "d", "--format", "json"]).json();
        let reason = post["findings"][0]["reason"].to_string();
        assert!(reason.contains("was dropped by tester on"), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_run_says_who_accepted_it_and_names_no_next_step() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 300).await;
        let workspace = shop.workspace();
        workspace.configure(SHOP);
        pre(&workspace, &["--run", "a"]);
        remove(&shop, &some_orders(&shop).await).await;
        verdict(&workspace, &["--run", "a"], "different");
        let mut accept = workspace.command(&["accept", "a", "--reason", "they were *tests*"]);
        accept.env_remove("TASTER_USER").env("GITHUB_ACTOR", "ann").env("USER", "runner");
        let accepted = accept.output().expect("the binary runs");
        assert!(accepted.status.success(), "{accepted:?}");
        for command in [&["show", "a"][..], &["compare", "--run", "a"]] {
            let shown = |format: &str| workspace.taster(&[command, &["--format", format]].concat()).out;
            let human = shown("human");
            assert!(human.contains("Accepted: by ann on ") && human.contains(": they were *tests*"), "{human}");
            let markdown = shown("markdown");
            assert!(
                markdown.contains("**Accepted** by ann on ") && markdown.contains(r"they were \*tests\*"),
                "{markdown}"
            );
            let html = shown("html");
            assert!(html.contains("Accepted</span> by ann on "), "{html}");
            for text in [human, markdown, html, shown("junit")] {
                assert!(!text.contains("taster accept"), "{text}");
            }
            let json: serde_json::Value = serde_json::from_str(&shown("json")).expect("JSON");
            assert_eq!((&json["accepted"]["who"], &json["verdict"]), (&"ann".into(), &"different".into()), "{json}");
            assert_eq!((json.get("remedy"), &json["accepted"]["attempt"]), (None, &json["attempt"]), "{json}");
        }
        // a later attempt is not what was accepted
        verdict(&workspace, &["--run", "a"], "different");
        let shown = workspace.taster(&["show", "a"]).out;
        assert!(shown.contains("for the verdict of another attempt") && shown.contains("Next: "), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_person_who_is_named_wins_over_the_user_of_the_ci_system() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    workspace.configure(SHOP);
    for (by, expected) in [(&["--by", "bob"][..], "bob"), (&[], "ann")] {
        pre(&workspace, &[]);
        let drop = [&["baseline", "drop", "--reason", "x", "--format", "json"], by].concat();
        let mut command = workspace.command(&drop);
        command.env_remove("TASTER_USER").env("GITLAB_USER_LOGIN", "ann").env("USER", "runner");
        let output = command.output().expect("the binary runs");
        let dropped: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(dropped["who"], expected, "{output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_left_the_configuration_is_named_with_the_ways_out() {
    let shop = ShopDatabase::standalone(300).await;
    let workspace = shop.workspace();
    let configure = |collections: &str| {
        let probe = format!("probes:\n  - {{name: counts, component: document-count, collections: [{collections}]}}\n");
        workspace.configure(&format!("{SHOP}{probe}"));
    };
    configure("menu, orders");
    pre(&workspace, &["--run", "a"]);
    shop.lose(doc! {}).await;
    configure("menu");
    pre(&workspace, &["--run", "b"]);
    let post = workspace.taster(&["post", "--run", "b", "--format", "json"]);
    assert_eq!(post.code, 3, "{}", post.all());
    let document = post.json();
    let reason = "`orders` is no longer among its collections; its 2 metrics were not compared";
    assert_eq!(document["findings"][0]["reason"], reason, "{document}");
    let remedy = document["remedy"].as_str().expect("a remedy");
    for way in ["restore what was changed", "taster accept b", "taster baseline drop"] {
        assert!(remedy.contains(way), "{way}: {remedy}");
    }
    configure("menu, orders");
    verdict(&workspace, &["--run", "b"], "different");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_baseline_is_given_up_as_its_error_says() {
    let shop = ShopDatabase::standalone(50).await;
    for damage in ["", "{}"] {
        let workspace = shop.workspace();
        workspace.configure(SHOP);
        assert_eq!(workspace.taster(&["pre", "--run", "first"]).code, 0);
        let app = workspace.path().join("results/v1/pxbbq");
        std::fs::write(app.join("first/pre/capture.json"), damage).expect("a file");
        for arguments in [&["pre"][..], &["pre", "--run", "second"], &["post"]] {
            let ended = workspace.taster(arguments);
            assert_eq!(ended.code, 4, "{}", ended.all());
            assert!(
                ended.err.contains("error[T0406]") && ended.err.contains("`taster pre --run NEXT`"),
                "{}",
                ended.all()
            );
        }
        std::fs::rename(app.join("current.json"), workspace.path().join("current.json")).expect("it is there");
        assert_eq!(workspace.taster(&["pre", "--run", "next"]).code, 0);
        let post = workspace.taster(&["post", "--run", "next"]);
        assert_eq!(post.code, 0, "{}", post.all());
    }
}
