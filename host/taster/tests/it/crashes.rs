//! Killed between any two steps of what is stored: the next command says what is right, or that it does not know.

use std::process::Stdio;

use mongodb::bson::{Document, doc};

use crate::support::{CommandOutput, SHOP, ShopDatabase, Workspace};

/// More places than any command passes: a loop that gets there would never end.
const PLACES: u32 = 200;

/// Open orders with an even number, removed and put back.
pub(crate) struct Loss {
    documents: Vec<Document>,
}

impl Loss {
    pub(crate) async fn of(shop: &ShopDatabase) -> Self {
        use futures_util::TryStreamExt;
        let filter = doc! {"status": "open", "number": {"$mod": [2, 0]}};
        let orders = shop.database.collection::<Document>("orders");
        let documents: Vec<Document> = orders.find(filter).await.expect("orders").try_collect().await.expect("orders");
        assert!(!documents.is_empty());
        Self { documents }
    }

    pub(crate) async fn happens(&self, shop: &ShopDatabase) {
        let ids: Vec<_> = self.documents.iter().map(|document| document.get("_id").expect("an id").clone()).collect();
        assert_eq!(shop.lose(doc! {"_id": {"$in": ids}}).await, self.documents.len() as u64);
    }

    pub(crate) async fn is_reinserted(&self, shop: &ShopDatabase) {
        shop.database.collection::<Document>("orders").insert_many(&self.documents).await.expect("they come back");
    }
}

fn workspace(shop: &ShopDatabase) -> Workspace {
    let workspace = shop.workspace();
    workspace.configure(&format!("{SHOP}probes:\n  - {{name: counts, component: document-count}}\n"));
    workspace
}

pub(crate) fn fine(workspace: &Workspace, arguments: &[&str]) {
    let ended = workspace.taster(arguments);
    assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.all());
}

pub(crate) fn code(workspace: &Workspace, arguments: &[&str]) -> i32 {
    workspace.taster(arguments).code
}

/// Runs a command that dies at the `place`th place. `None`: it has fewer, and came to its end.
pub(crate) fn killed(workspace: &Workspace, place: u32, arguments: &[&str]) -> Option<String> {
    assert!(place < PLACES, "{arguments:?} passes {place} places");
    let mut command = workspace.command(arguments);
    command.env("TASTER_FAULT", place.to_string()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.spawn().expect("the binary runs").wait_with_output().expect("it ends");
    let ended = CommandOutput::read(&output);
    let line = ended.err.lines().find_map(|line| line.strip_prefix("killed at: ")).map(ToOwned::to_owned);
    assert_eq!(line.is_some(), ended.code == -1, "{}", ended.all());
    line
}

pub(crate) fn committed(workspace: &Workspace, run: &str) -> bool {
    workspace.path().join(format!("results/v1/pxbbq/{run}/pre/capture.json")).exists()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pre_that_dies_never_hides_a_loss() {
    let shop = ShopDatabase::replica_set(300).await;
    let loss = Loss::of(&shop).await;
    let mut seen = Vec::new();
    for place in 1.. {
        let workspace = workspace(&shop);
        let Some(at) = killed(&workspace, place, &["pre", "--run", "a"]) else { break };
        loss.happens(&shop).await;
        let known = committed(&workspace, "a");
        // `post` of the same run …
        let post = code(&workspace, &["post", "--run", "a"]);
        assert_eq!(post, if known { 1 } else { 3 }, "killed at {at}");
        // … and a new run on the damaged copy
        fine(&workspace, &["pre", "--run", "b"]);
        let next = code(&workspace, &["post", "--run", "b"]);
        assert_eq!(next, i32::from(known), "killed at {at}: what was never captured cannot be missed, all else is");
        loss.is_reinserted(&shop).await;
        seen.push((at, known));
    }
    println!("pre was killed at {} places: {seen:?}", seen.len());
    assert!(seen.iter().any(|(_, known)| *known) && seen.iter().any(|(_, known)| !known), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pre_that_dies_without_a_post_in_between_never_hides_a_loss() {
    let shop = ShopDatabase::replica_set(300).await;
    let loss = Loss::of(&shop).await;
    let mut places = 0;
    for place in 1.. {
        let workspace = workspace(&shop);
        let Some(at) = killed(&workspace, place, &["pre", "--run", "a"]) else { break };
        loss.happens(&shop).await;
        let known = committed(&workspace, "a");
        fine(&workspace, &["pre", "--run", "b"]);
        assert_eq!(code(&workspace, &["post", "--run", "b"]), i32::from(known), "killed at {at}");
        loss.is_reinserted(&shop).await;
        // and the data that came back are the same, against whichever baseline
        fine(&workspace, &["pre"]);
        fine(&workspace, &["post"]);
        places = place;
    }
    assert!(places > 10, "{places} places");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_dies_over_a_loss_never_forgets_it() {
    let shop = ShopDatabase::replica_set(300).await;
    let loss = Loss::of(&shop).await;
    let mut places = 0;
    for place in 1.. {
        let workspace = workspace(&shop);
        fine(&workspace, &["pre", "--run", "a"]);
        loss.happens(&shop).await;
        let Some(at) = killed(&workspace, place, &["post", "--run", "a"]) else {
            loss.is_reinserted(&shop).await;
            break;
        };
        fine(&workspace, &["pre", "--run", "b"]);
        assert_eq!(code(&workspace, &["post", "--run", "b"]), 1, "killed at {at}");
        assert_eq!(code(&workspace, &["post", "--run", "a"]), 1, "killed at {at}");
        loss.is_reinserted(&shop).await;
        fine(&workspace, &["post", "--run", "a"]);
        places = place;
    }
    println!("post was killed at {places} places");
    assert!(places > 20, "{places} places");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_dies_over_a_pass_leaves_a_baseline_or_none() {
    let shop = ShopDatabase::replica_set(300).await;
    let loss = Loss::of(&shop).await;
    let mut outcomes = Vec::new();
    for place in 1.. {
        let workspace = workspace(&shop);
        fine(&workspace, &["pre", "--run", "a"]);
        let Some(at) = killed(&workspace, place, &["post", "--run", "a"]) else { break };
        // once the verdict is stored it counts, and the baseline is closed
        let passed = workspace.path().join("results/v1/pxbbq/a/verdict.json").exists();
        loss.happens(&shop).await;
        fine(&workspace, &["pre", "--run", "b"]);
        assert_eq!(code(&workspace, &["post", "--run", "b"]), i32::from(!passed), "killed at {at}");
        assert_eq!(code(&workspace, &["post", "--run", "a"]), 1, "killed at {at}: of run a the loss is one either way");
        loss.is_reinserted(&shop).await;
        outcomes.push(passed);
    }
    assert!(outcomes.contains(&true) && outcomes.contains(&false), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accept_that_dies_has_happened_or_not() {
    let shop = ShopDatabase::replica_set(300).await;
    let loss = Loss::of(&shop).await;
    let mut outcomes = Vec::new();
    for place in 1.. {
        let workspace = workspace(&shop);
        fine(&workspace, &["pre", "--run", "a"]);
        loss.happens(&shop).await;
        assert_eq!(code(&workspace, &["post", "--run", "a"]), 1);
        let accept = ["accept", "a", "--reason", "they were tests"];
        let Some(at) = killed(&workspace, place, &accept) else {
            loss.is_reinserted(&shop).await;
            break;
        };
        let accepted = workspace.path().join("results/v1/pxbbq/a/accepted.json").exists();
        fine(&workspace, &["pre", "--run", "b"]);
        assert_eq!(code(&workspace, &["post", "--run", "b"]), i32::from(!accepted), "killed at {at}");
        fine(&workspace, &accept);
        fine(&workspace, &["pre", "--run", "c"]);
        fine(&workspace, &["post", "--run", "c"]);
        loss.is_reinserted(&shop).await;
        outcomes.push(accepted);
    }
    assert!(outcomes.contains(&true) && outcomes.contains(&false), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_that_dies_has_happened_or_not() {
    let shop = ShopDatabase::replica_set(300).await;
    let loss = Loss::of(&shop).await;
    let mut outcomes = Vec::new();
    for place in 1.. {
        let workspace = workspace(&shop);
        fine(&workspace, &["pre", "--run", "a"]);
        loss.happens(&shop).await;
        let drop = ["baseline", "drop", "--reason", "they were tests"];
        let Some(at) = killed(&workspace, place, &drop) else {
            loss.is_reinserted(&shop).await;
            break;
        };
        let dropped = workspace.path().join("results/v1/pxbbq/a/dropped.json").exists();
        fine(&workspace, &["pre", "--run", "b"]);
        assert_eq!(code(&workspace, &["post", "--run", "b"]), i32::from(!dropped), "killed at {at}");
        loss.is_reinserted(&shop).await;
        outcomes.push(dropped);
    }
    assert!(outcomes.contains(&true) && outcomes.contains(&false), "{outcomes:?}");
}
