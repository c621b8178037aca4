//! A baseline belongs to a copy: refreshed volumes, replaced ones, servers that were started again.

use std::{fs, path::Path, process::Command};

use mongodb::{
    Client, Database,
    bson::{Document, doc},
};
use taster_demo::{DATABASE, Mongod, MongodOptions, Shop};
use taster_model::{Capture, RunId};
use taster_store::Store;
use tempfile::TempDir;

use crate::support::{CommandOutput, SHOP, Workspace};

/// Production's volume, and a stage that gets copies of it.
struct Stage {
    production: TempDir,
    volume: TempDir,
    arguments: Vec<String>,
    mongod: Option<Mongod>,
    workspace: Workspace,
}

impl Stage {
    /// A stage that holds a fresh copy.
    async fn new(yaml: &str) -> Self {
        let production = TempDir::new().expect("a folder");
        let mongod = start(production.path(), &[]).await;
        let client = mongod.client().await.expect("a client");
        Shop::with_orders(300).load(&client, |_, _| {}).await.expect("the shop loads");
        // it is killed, and what it wrote in the last tenth of a second would go with it: the view
        client.database("admin").run_command(doc! {"fsync": 1}).await.expect("a flush");
        drop(mongod);
        let workspace = Workspace::new("");
        workspace.configure(yaml);
        let volume = TempDir::new().expect("a folder");
        let mut stage = Self { production, volume, arguments: Vec::new(), mongod: None, workspace };
        stage.refresh().await;
        stage
    }

    /// Replaces the stage's files, as a block-wise copy of the volume does.
    async fn refresh(&mut self) {
        self.mongod = None;
        let data = self.volume.path().join("data");
        let _ = fs::remove_dir_all(&data);
        let copied = Command::new("cp").arg("-a").arg(self.production.path().join("data")).arg(&data).status();
        assert!(copied.expect("cp runs").success());
        self.restart().await;
    }

    async fn restart(&mut self) {
        if self.mongod.is_some() {
            // it goes as in a power cut, and what was written in the last tenth of a second would go with it
            let flush = doc! {"fsync": 1};
            // refused without a password, where there is one; then nothing was written since
            let _ = self.client().await.database("admin").run_command(flush).await;
        }
        self.mongod = None;
        let mongod = start(self.volume.path(), &self.arguments).await;
        self.workspace.point_at(&mongod.uri_of(DATABASE));
        self.mongod = Some(mongod);
    }

    async fn client(&self) -> Client {
        self.mongod.as_ref().expect("it runs").client().await.expect("a client")
    }

    async fn database(&self) -> Database {
        self.client().await.database(DATABASE)
    }

    async fn lose(&self) {
        let orders = self.database().await.collection::<Document>("orders");
        // not all of them: what shows open orders must not be empty on both sides
        let some = doc! {"status": "open", "number": {"$mod": [2, 0]}};
        assert!(orders.delete_many(some).await.expect("a delete").deleted_count > 0);
    }

    async fn uuid(&self) -> String {
        let orders = doc! {"listCollections": 1, "filter": {"name": "orders"}};
        format!("{:?}", self.database().await.run_command(orders).await.expect("a list")["cursor"])
    }

    fn pre(&self, arguments: &[&str]) -> CommandOutput {
        let ended = self.workspace.taster(&[&["pre"], arguments].concat());
        assert_eq!(ended.code, 0, "{}", ended.all());
        ended
    }

    /// Expects a verdict and returns the reasons of the findings that decide.
    fn post(&self, arguments: &[&str], expected: &str) -> Vec<String> {
        let ended = self.workspace.taster(&[&["post", "--format", "json"], arguments].concat());
        let verdict = ended.json();
        assert_eq!(verdict["verdict"], expected, "{}", ended.all());
        let code = match expected {
            "same" => 0,
            "different" => 1,
            _ => 3,
        };
        assert_eq!(ended.code, code);
        let findings = verdict["findings"].as_array().expect("findings");
        let deciding =
            findings.iter().filter(|f| f["severity"] == "fail" && f["muted"] != true && f["outcome"] != "same");
        deciding.map(|finding| finding["code"].as_str().expect("a code").to_owned()).collect()
    }
}

async fn start(dir: &Path, arguments: &[String]) -> Mongod {
    let options =
        MongodOptions { dir: Some(dir.to_owned()), arguments: arguments.to_vec(), ..MongodOptions::default() };
    Mongod::start(options).await.expect("`make mongod` fetches a server")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refreshed_volume_gets_a_baseline_of_its_own() {
    let mut stage = Stage::new(SHOP).await;
    stage.pre(&["--run", "a"]);
    stage.lose().await;
    stage.post(&["--run", "a"], "different");
    // a new run on the damaged copy, whatever its revision, and after the server was started again
    stage.restart().await;
    let again = stage.pre(&["--run", "b"]);
    assert!(again.out.contains("Baseline: run a of"), "{}", again.out);
    stage.post(&["--run", "b"], "different");
    let before = stage.uuid().await;
    stage.refresh().await;
    assert_eq!(stage.uuid().await, before, "a copied volume keeps its UUIDs: they are no witness");
    let fresh = stage.pre(&["--run", "c"]);
    assert!(fresh.out.contains("Baseline: new, because the copy was replaced"), "{}", fresh.out);
    stage.post(&["--run", "c"], "same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_died_before_post_leaves_its_baseline() {
    let mut stage = Stage::new(SHOP).await;
    stage.pre(&[]);
    stage.lose().await;
    // `post` was not run; the server was scaled down and up, and a new sync starts
    stage.restart().await;
    stage.pre(&["--run", "next"]);
    stage.post(&["--run", "next"], "different");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_replaced_between_pre_and_post_is_unknown() {
    let mut stage = Stage::new(SHOP).await;
    stage.pre(&["--run", "a"]);
    stage.refresh().await;
    assert_eq!(stage.post(&["--run", "a"], "unknown"), ["copy-replaced"]);
    let named = stage.workspace.taster(&["pre", "--run", "a"]);
    assert_eq!(named.code, 4, "{}", named.all());
    assert!(named.err.contains("T0624"), "{}", named.err);
    // as the remedy says
    stage.pre(&["--run", "b"]);
    stage.post(&["--run", "b"], "same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_pre_without_a_name_finds_that_the_copy_is_gone() {
    let mut stage = Stage::new(SHOP).await;
    stage.pre(&[]);
    stage.refresh().await;
    stage.lose().await;
    // the run is unfinished and would go on; its capture is of a copy that is gone
    stage.pre(&[]);
    stage.post(&[], "same");
}

#[tokio::test(flavor = "multi_thread")]
async fn accepting_a_run_lets_the_next_one_begin_anew() {
    let stage = Stage::new(SHOP).await;
    stage.pre(&["--run", "a"]);
    stage.lose().await;
    stage.post(&["--run", "a"], "different");
    let accepted = stage.workspace.taster(&["accept", "a", "--reason", "they were tests"]);
    assert_eq!(accepted.code, 0, "{}", accepted.all());
    stage.pre(&["--run", "b"]);
    stage.post(&["--run", "b"], "same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_day_is_no_excuse() {
    let stage = Stage::new(SHOP).await;
    stage.pre(&["--run", "today"]);
    // the same capture, eight days older, in a store of its own
    let read = async |store: &str| {
        Store::open_unverified(stage.workspace.path().join(store).to_str().expect("a path")).await.expect("a store")
    };
    let run: RunId = "today".parse().expect("a run");
    let app = "pxbbq".parse().expect("an app");
    let capture: Capture =
        read("results").await.app(&app).run(&run).pre().await.expect("a store").expect("a capture").into_inner();
    let started = capture.started - jiff::SignedDuration::from_hours(8 * 24);
    let old = read("old").await.app(&app);
    old.run(&run).commit_pre(&Capture { started, ..capture }).await.expect("a commit");
    let current = read("results").await.app(&app).current().await.expect("a store");
    old.update_current(|_| current.clone()).await.expect("a note");
    stage.lose().await;
    stage.pre(&["--run", "later", "--store", "file://./old"]);
    stage.post(&["--run", "later", "--store", "file://./old"], "different");
    // a baseline that is too old is unknown, and no later `pre` takes its place
    stage.workspace.configure(&format!("{SHOP}maxBaselineAge: 24h\n"));
    for run in ["aged", "aged-again"] {
        stage.pre(&["--run", run, "--store", "file://./old"]);
        assert_eq!(stage.post(&["--run", run, "--store", "file://./old"], "unknown"), ["baseline-too-old"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_start_time_cannot_be_read_is_unknown() {
    let mut stage = Stage::new(SHOP).await;
    let admin = stage.client().await.database("admin");
    for (user, roles) in
        [("root", vec![doc! {"role": "root", "db": "admin"}]), ("reader", vec![doc! {"role": "read", "db": DATABASE}])]
    {
        admin.run_command(doc! {"createUser": user, "pwd": "geheim", "roles": roles}).await.expect("a user");
    }
    stage.arguments = vec!["--auth".to_owned()];
    let log_in = async |stage: &mut Stage| {
        stage.restart().await;
        let uri = stage.mongod.as_ref().expect("it runs").uri_of(DATABASE);
        let uri = uri.replacen("mongodb://", "mongodb://reader:geheim@", 1) + "?authSource=admin";
        stage.workspace.point_at(&uri);
    };
    log_in(&mut stage).await;
    stage.pre(&["--run", "a"]);
    stage.post(&["--run", "a"], "same");
    stage.pre(&["--run", "b"]);
    log_in(&mut stage).await;
    assert_eq!(stage.post(&["--run", "b"], "unknown"), ["copy-unwitnessed"]);
    // nor does anything show that live data are those of the same server, once it was started again
    stage.workspace.configure(&SHOP.replace("  database: pxbbq", "  database: pxbbq\n  data: live"));
    stage.pre(&["--run", "live", "--store", "file://./live"]);
    stage.post(&["--run", "live", "--store", "file://./live"], "same");
    stage.pre(&["--run", "restarted", "--store", "file://./live"]);
    log_in(&mut stage).await;
    let findings = stage.post(&["--run", "restarted", "--store", "file://./live"], "unknown");
    assert_eq!(findings, ["server-changed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn live_data_may_grow_and_may_not_shrink() {
    let stage = Stage::new(&SHOP.replace("  database: pxbbq", "  database: pxbbq\n  data: live")).await;
    stage.workspace.configure(&format!(
        "{}probes:\n  - {{name: counts, component: document-count}}\n",
        SHOP.replace("  database: pxbbq", "  database: pxbbq\n  data: live")
    ));
    stage.pre(&["--run", "a"]);
    let orders = stage.database().await.collection::<Document>("orders");
    orders.insert_one(doc! {"status": "new"}).await.expect("an insert");
    assert_eq!(stage.post(&["--run", "a"], "same"), ["allowed"]);
    stage.pre(&["--run", "b"]);
    stage.lose().await;
    assert_eq!(
        stage.post(&["--run", "b"], "different"),
        ["changed", "changed"],
        "the orders, and the view of open ones"
    );
}
