//! Killed between any two steps of what is stored: the next command says what is right, or that it does not know.

use std::process::Stdio;

use mongodb::bson::{Document, doc};

use crate::support::{Ended, Kitchen, SHOP, Table};

/// More places than any command passes: a loop that gets there would never end.
const PLACES: u32 = 200;

/// Open orders with an even number, removed and put back.
pub(crate) struct Loss {
    documents: Vec<Document>,
}

impl Loss {
    pub(crate) async fn of(kitchen: &Kitchen) -> Self {
        use futures_util::TryStreamExt;
        let filter = doc! {"status": "open", "number": {"$mod": [2, 0]}};
        let orders = kitchen.database.collection::<Document>("orders");
        let documents: Vec<Document> = orders.find(filter).await.expect("orders").try_collect().await.expect("orders");
        assert!(!documents.is_empty());
        Self { documents }
    }

    pub(crate) async fn happens(&self, kitchen: &Kitchen) {
        let ids: Vec<_> = self.documents.iter().map(|document| document.get("_id").expect("an id").clone()).collect();
        assert_eq!(kitchen.lose(doc! {"_id": {"$in": ids}}).await, self.documents.len() as u64);
    }

    pub(crate) async fn is_mended(&self, kitchen: &Kitchen) {
        kitchen.database.collection::<Document>("orders").insert_many(&self.documents).await.expect("they come back");
    }
}

fn table(kitchen: &Kitchen) -> Table {
    let table = kitchen.table();
    table.configure(&format!("{SHOP}probes:\n  - {{name: counts, component: document-count}}\n"));
    table
}

pub(crate) fn fine(table: &Table, arguments: &[&str]) {
    let ended = table.taster(arguments);
    assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.all());
}

pub(crate) fn code(table: &Table, arguments: &[&str]) -> i32 {
    table.taster(arguments).code
}

/// Runs a command that dies at the `place`th place. `None`: it has fewer, and came to its end.
pub(crate) fn killed(table: &Table, place: u32, arguments: &[&str]) -> Option<String> {
    assert!(place < PLACES, "{arguments:?} passes {place} places");
    let mut command = table.command(arguments);
    command.env("TASTER_FAULT", place.to_string()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.spawn().expect("the binary runs").wait_with_output().expect("it ends");
    let ended = Ended::of(&output);
    let line = ended.err.lines().find_map(|line| line.strip_prefix("killed at: ")).map(ToOwned::to_owned);
    assert_eq!(line.is_some(), ended.code == -1, "{}", ended.all());
    line
}

pub(crate) fn committed(table: &Table, run: &str) -> bool {
    table.path().join(format!("results/v1/pxbbq/{run}/pre/capture.json")).exists()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pre_that_dies_never_hides_a_loss() {
    let kitchen = Kitchen::open(true, 300).await;
    let loss = Loss::of(&kitchen).await;
    let mut seen = Vec::new();
    for place in 1.. {
        let table = table(&kitchen);
        let Some(at) = killed(&table, place, &["pre", "--run", "a"]) else { break };
        loss.happens(&kitchen).await;
        let known = committed(&table, "a");
        // whoever goes on without a thought …
        let post = code(&table, &["post", "--run", "a"]);
        assert_eq!(post, if known { 1 } else { 3 }, "killed at {at}");
        // … and whoever begins anew on the damaged copy
        fine(&table, &["pre", "--run", "b"]);
        let next = code(&table, &["post", "--run", "b"]);
        assert_eq!(next, i32::from(known), "killed at {at}: what was never captured cannot be missed, all else is");
        loss.is_mended(&kitchen).await;
        seen.push((at, known));
    }
    println!("pre was killed at {} places: {seen:?}", seen.len());
    assert!(seen.iter().any(|(_, known)| *known) && seen.iter().any(|(_, known)| !known), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pre_that_dies_without_a_post_in_between_never_hides_a_loss() {
    let kitchen = Kitchen::open(true, 300).await;
    let loss = Loss::of(&kitchen).await;
    let mut places = 0;
    for place in 1.. {
        let table = table(&kitchen);
        let Some(at) = killed(&table, place, &["pre", "--run", "a"]) else { break };
        loss.happens(&kitchen).await;
        let known = committed(&table, "a");
        fine(&table, &["pre", "--run", "b"]);
        assert_eq!(code(&table, &["post", "--run", "b"]), i32::from(known), "killed at {at}");
        loss.is_mended(&kitchen).await;
        // and the data that came back are the same, against whichever baseline
        fine(&table, &["pre"]);
        fine(&table, &["post"]);
        places = place;
    }
    assert!(places > 10, "{places} places");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_dies_over_a_loss_never_forgets_it() {
    let kitchen = Kitchen::open(true, 300).await;
    let loss = Loss::of(&kitchen).await;
    let mut places = 0;
    for place in 1.. {
        let table = table(&kitchen);
        fine(&table, &["pre", "--run", "a"]);
        loss.happens(&kitchen).await;
        let Some(at) = killed(&table, place, &["post", "--run", "a"]) else {
            loss.is_mended(&kitchen).await;
            break;
        };
        fine(&table, &["pre", "--run", "b"]);
        assert_eq!(code(&table, &["post", "--run", "b"]), 1, "killed at {at}");
        assert_eq!(code(&table, &["post", "--run", "a"]), 1, "killed at {at}");
        loss.is_mended(&kitchen).await;
        fine(&table, &["post", "--run", "a"]);
        places = place;
    }
    println!("post was killed at {places} places");
    assert!(places > 20, "{places} places");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_dies_over_a_pass_leaves_a_baseline_or_none() {
    let kitchen = Kitchen::open(true, 300).await;
    let loss = Loss::of(&kitchen).await;
    let mut outcomes = Vec::new();
    for place in 1.. {
        let table = table(&kitchen);
        fine(&table, &["pre", "--run", "a"]);
        let Some(at) = killed(&table, place, &["post", "--run", "a"]) else { break };
        // the verdict stands once the run has it, and with it the baseline is closed
        let passed = table.path().join("results/v1/pxbbq/a/verdict.json").exists();
        loss.happens(&kitchen).await;
        fine(&table, &["pre", "--run", "b"]);
        assert_eq!(code(&table, &["post", "--run", "b"]), i32::from(!passed), "killed at {at}");
        assert_eq!(code(&table, &["post", "--run", "a"]), 1, "killed at {at}: of run a the loss is one either way");
        loss.is_mended(&kitchen).await;
        outcomes.push(passed);
    }
    assert!(outcomes.contains(&true) && outcomes.contains(&false), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accept_that_dies_has_happened_or_not() {
    let kitchen = Kitchen::open(true, 300).await;
    let loss = Loss::of(&kitchen).await;
    let mut outcomes = Vec::new();
    for place in 1.. {
        let table = table(&kitchen);
        fine(&table, &["pre", "--run", "a"]);
        loss.happens(&kitchen).await;
        assert_eq!(code(&table, &["post", "--run", "a"]), 1);
        let accept = ["accept", "a", "--reason", "they were tests"];
        let Some(at) = killed(&table, place, &accept) else {
            loss.is_mended(&kitchen).await;
            break;
        };
        let accepted = table.path().join("results/v1/pxbbq/a/accepted.json").exists();
        fine(&table, &["pre", "--run", "b"]);
        assert_eq!(code(&table, &["post", "--run", "b"]), i32::from(!accepted), "killed at {at}");
        fine(&table, &accept);
        fine(&table, &["pre", "--run", "c"]);
        fine(&table, &["post", "--run", "c"]);
        loss.is_mended(&kitchen).await;
        outcomes.push(accepted);
    }
    assert!(outcomes.contains(&true) && outcomes.contains(&false), "{outcomes:?}");
}
