//! The first day with Taster, one step after the other as a new user takes them. Every step that stops says how to go on, and the
//! next step does what it says.

// the typing errors are made on purpose. typos:off

use std::fs;

use mongodb::bson::{Document, doc};
use taster_demo::Shop;
use taster_testkit::mongod::Flavour;

use crate::support::{CommandOutput, ShopDatabase, Workspace};

const ORDERS: u64 = 200;

/// Checks the exit code, and that the output has each text.
fn expect(ended: &CommandOutput, code: i32, texts: &[&str]) -> String {
    // texts are broken to the width of a terminal
    let all = ended.all().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(ended.code, code, "{}", ended.all());
    for text in texts {
        assert!(all.contains(text), "lacks: {text}\n{}", ended.all());
    }
    all
}

/// Runs the command that an output tells to run, between backquotes, with this reason.
fn tell(workspace: &Workspace, output: &str, start: &str, reason: &str) {
    let command =
        output.split('`').find(|part| part.starts_with(start)).unwrap_or_else(|| panic!("no {start}: {output}"));
    let words = command.split_whitespace().skip(1).take_while(|word| *word != "--reason");
    let words: Vec<&str> = words.chain(["--reason", reason]).collect();
    expect(&workspace.taster(&words), 0, &[]);
}

async fn update(shop: &ShopDatabase, collection: &str, filter: Document, update: Vec<Document>) {
    let collection = shop.database.collection::<Document>(collection);
    collection.update_many(filter, update).await.expect("an update");
}

/// A migration: the declared change, and what carries it out.
async fn migrate(shop: &ShopDatabase, number: usize) {
    let orders = || shop.database.collection::<Document>("orders");
    match number {
        0 => update(shop, "orders", doc! {}, vec![doc! {"$set": {"archived": false}}]).await,
        1 => update(shop, "orders", doc! {}, vec![doc! {"$set": {"lines": "$items"}}, doc! {"$unset": "items"}]).await,
        2 => {
            let to_long = vec![doc! {"$set": {"heat": {"$toLong": "$heat"}}}];
            update(shop, "menu", doc! {"heat": {"$exists": true}}, to_long).await;
        }
        3 => update(shop, "orders", doc! {}, vec![doc! {"$unset": "delivery"}]).await,
        4 => drop(orders().delete_many(doc! {"status": "cancelled"}).await.expect("a delete")),
        5 => {
            let index = mongodb::IndexModel::builder().keys(doc! {"status": 1}).build();
            drop(orders().create_index(index).await.expect("an index"));
        }
        _ => {
            let (from, to) = (shop.database.collection::<Document>("menu").namespace(), "pxbbq.dishes");
            let admin = shop.mongod.client().await.expect("a client").database("admin");
            admin.run_command(doc! {"renameCollection": from.to_string(), "to": to}).await.expect("a renaming");
        }
    }
}

const MIGRATIONS: [&str; 7] = [
    "{collection: orders, addedField: archived, type: bool, value: false}",
    "{collection: orders, renamedField: items, to: lines}",
    "{collection: menu, retypedField: heat, from: int, to: long}",
    "{collection: orders, removedField: delivery}",
    "{collection: orders, removedDocuments: {status: cancelled}, maxDocuments: 1000}",
    "{collection: orders, addedIndex: status_1}",
    "{renamedCollection: menu, to: dishes}",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_first_day_with_a_replica_set() {
    let day = the_first_day(Flavour::ReplicaSet).await;
    let sides = [("pre", 0, &[][..]), ("post", 1, &["extra", "stop whatever writes to the copy"])];
    a_writer_beside_it(&day.shop, &day.workspace, &sides).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_day_with_a_standalone_server() {
    let day = the_first_day(Flavour::Standalone).await;
    // without snapshots, what is written meanwhile is seen and named
    let sides = [("pre", 3, &["T0622", "replica set"][..])];
    a_writer_beside_it(&day.shop, &day.workspace, &sides).await;
}

async fn the_first_day(flavour: Flavour) -> FirstDay {
    let day = FirstDay::begin(flavour).await;
    // `post` comes after `pre`
    day.taster(&["post", "--run", "none"], 3, &["taster pre"]);
    day.typing_errors();
    day.a_sync_that_went_on_all_the_same();
    day.declared_migrations().await;
    day.a_migration_that_loses_documents().await;
    day.another_copy().await;
    day.a_baseline_that_must_not_count();
    split_jobs(&day.shop, &day.yaml);
    read_only_home(&day.workspace);
    day
}

/// The database, the folder of the new user, and the configuration that `taster init` wrote there.
struct FirstDay {
    shop: ShopDatabase,
    workspace: Workspace,
    yaml: String,
}

impl FirstDay {
    /// From nothing to a configuration.
    async fn begin(flavour: Flavour) -> Self {
        let shop = ShopDatabase::open(flavour, ORDERS).await;
        let workspace = shop.workspace();
        expect(&workspace.taster(&["pre"]), 4, &["taster init"]);
        let misspelt = shop.mongod.uri_of("pxbbk");
        expect(&workspace.taster(&["pre", "--mongodb", &misspelt]), 4, &["pxbbk", "pxbbq"]);
        expect(&workspace.taster(&["post"]), 4, &["taster init"]);
        expect(&workspace.taster(&["init"]), 0, &["taster pre"]);
        expect(&workspace.taster(&["config", "check", "--live"]), 0, &[]);
        let yaml = fs::read_to_string(workspace.path().join("taster.yaml")).expect("a file");
        Self { shop, workspace, yaml }
    }

    /// Runs a command and checks its exit code and its output.
    fn taster(&self, arguments: &[&str], code: i32, texts: &[&str]) -> String {
        expect(&self.workspace.taster(arguments), code, texts)
    }

    /// The configuration with `more` behind it.
    fn configure(&self, more: &str) {
        self.workspace.configure(&format!("{}\n{more}\n", self.yaml));
    }

    /// One of each kind.
    fn typing_errors(&self) {
        for (wrong, meant) in [
            ("probs: []", "probes"),
            ("probes: [{name: a, component: censsus}]", "census"),
            ("probes: [{name: a, component: census, collections: [order]}]", "orders"),
            ("probes: [{name: a, component: census, config: {detial: fields}}]", "detail"),
            ("probes: [{name: a, component: census, severity: fial}]", "fail"),
            ("changes: [{collection: orders, adedField: x, type: bool}]", "addedField"),
            ("maxBaselineAge: 5 minuts", "maxBaselineAge"),
        ] {
            self.configure(wrong);
            let pre = self.workspace.taster(&["pre", "--run", "typo"]);
            assert!([3, 4].contains(&pre.code), "{wrong}: {}", pre.all());
            assert!(pre.all().contains(meant), "{wrong}: {}", pre.all());
        }
        self.workspace.configure(&self.yaml);
        self.taster(&["pst"], 2, &["post"]);
        self.taster(&["pre", "--stoer", "x"], 2, &["--store"]);
        self.taster(&["explain", "T013"], 2, &["T013"]);
    }

    fn a_sync_that_went_on_all_the_same(&self) {
        self.configure("probes: [{name: a, component: census, collections: [order]}]");
        self.taster(&["pre", "--run", "went-on"], 3, &["did you mean `orders`?"]);
        let unknown = self.taster(&["post", "--run", "went-on"], 3, &["UNKNOWN"]);
        self.workspace.configure(&self.yaml);
        tell(&self.workspace, &unknown, "taster baseline drop", "it was a typing error");
    }

    /// Each by itself.
    async fn declared_migrations(&self) {
        for (number, change) in MIGRATIONS.iter().enumerate() {
            self.configure(&format!("changes: [{change}]"));
            let run = format!("migration-{number}");
            self.taster(&["pre", "--run", &run], 0, &["taster post"]);
            migrate(&self.shop, number).await;
            self.taster(&["post", "--run", &run], 0, &["SAME"]);
        }
        self.workspace.configure(&self.yaml);
    }

    async fn a_migration_that_loses_documents(&self) {
        self.taster(&["pre", "--run", "lossy"], 0, &[]);
        assert!(self.shop.lose(doc! {"status": "paid", "number": {"$mod": [2, 0]}}).await > 0);
        let lost = self.taster(&["post", "--run", "lossy"], 1, &["DIFFERENT", "missing"]);
        // the next sync is compared with the same baseline until somebody has looked
        self.taster(&["pre", "--run", "again"], 0, &["lossy"]);
        self.taster(&["post", "--run", "again"], 1, &["missing"]);
        tell(&self.workspace, &lost, "taster accept", "they were test orders");
        self.taster(&["show", "--run", "lossy"], 0, &["tester", "they were test orders"]);
    }

    /// The staging database is loaded anew.
    async fn another_copy(&self) {
        self.taster(&["pre", "--run", "stale"], 0, &[]);
        self.shop.database.drop().await.expect("a drop");
        let client = self.shop.mongod.client().await.expect("a client");
        Shop::with_orders(ORDERS).load(&client, |_, _| {}).await.expect("the shop loads");
        // as production is by now
        migrate(&self.shop, 6).await;
        self.taster(&["pre", "--run", "anew"], 0, &["another copy"]);
        self.taster(&["post", "--run", "anew"], 0, &["every document unchanged"]);
    }

    /// Whatever it was: a new one replaces it.
    fn a_baseline_that_must_not_count(&self) {
        self.taster(&["pre", "--run", "doubtful"], 0, &[]);
        let new = ["baseline", "new", "--reason", "loaded by hand", "--run", "fresh"];
        self.taster(&new, 0, &["run fresh: tasted", "dropped the baseline run=doubtful who=\"tester\""]);
        self.taster(&["baseline", "show"], 0, &["run fresh"]);
        self.taster(&["post", "--run", "fresh"], 0, &["SAME"]);
        // without an open one, it is `pre`
        let again = ["baseline", "new", "--reason", "again", "--run", "fresher"];
        self.taster(&again, 0, &["run fresher: tasted"]);
        self.taster(&["post", "--run", "fresher"], 0, &["SAME"]);
    }
}

/// `pre` and `post` in two jobs, of which the second one begins in an empty folder.
fn split_jobs(shop: &ShopDatabase, yaml: &str) {
    let job = || {
        let workspace = shop.workspace();
        workspace.configure(yaml);
        workspace
    };
    let first = job();
    expect(&first.taster(&["pre", "--run", "split"]), 0, &[]);
    let how = ["taster pre", "carry its folder along as an artefact", "s3://bucket/prefix"];
    expect(&job().taster(&["post", "--run", "split"]), 3, &how);
    let second = job();
    fs::rename(first.path().join(".taster"), second.path().join(".taster")).expect("an artefact");
    expect(&second.taster(&["post", "--run", "split"]), 0, &["SAME"]);
}

/// Nothing can be written but the results.
fn read_only_home(workspace: &Workspace) {
    for side in ["pre", "post"] {
        let mut command = workspace.command(&[side, "--run", "homeless"]);
        command.env("HOME", "/proc/1/nowhere").env_remove("TASTER_CACHE").env_remove("XDG_CACHE_HOME");
        expect(&CommandOutput::read(&command.output().expect("the binary runs")), 0, &[]);
    }
}

/// The application still writes while `pre` reads.
async fn a_writer_beside_it(shop: &ShopDatabase, workspace: &Workspace, sides: &[(&str, i32, &[&str])]) {
    let orders = shop.database.collection::<Document>("orders");
    let writer = tokio::spawn(async move {
        for number in 900_000_i32.. {
            let order = doc! {"number": number, "status": "open", "total": 1.0};
            orders.insert_one(order).await.expect("an order");
            // at the pace of an application, not as fast as the server can
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    });
    let taster = async |side: &str| {
        let command = tokio::process::Command::from(workspace.command(&[side, "--run", "busy"])).output().await;
        CommandOutput::read(&command.expect("the binary runs"))
    };
    for (side, code, texts) in sides {
        expect(&taster(side).await, *code, texts);
    }
    writer.abort();
    assert!(writer.await.expect_err("it was stopped").is_cancelled());
}

// typos:on
