//! What the pages say of real runs: trends, what changed at a glance, both values of a field, who accepted a run and why.

use mongodb::bson::{Document, doc};
use taster_model::{ContainerImage, VerdictDocument, WorkloadFacts};
use taster_text::{duration, grouped};

use super::{Filled, is_page};
use crate::{
    serve::{Served, done, three_runs},
    support::{SHOP, ShopDatabase, Workspace},
};

/// How many charts a page draws if nobody chose metrics.
const DRAWN: usize = 4;

/// The text of markup, without tags, with single spaces, also between the cells of a table.
fn text(markup: &str) -> String {
    let mut text = String::new();
    for part in markup.split('<') {
        if ["/td>", "/th>", "/p>"].iter().any(|end| part.starts_with(end)) {
            text.push(' ');
        }
        text.push_str(part.split_once('>').map_or(part, |(_, rest)| rest));
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("&#34;", "\"")
}

/// What is between two marks, the first of them.
fn between<'a>(page: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(open)?;
    rest.split_once(close).map(|(inside, _)| inside)
}

/// The charts of a page: probe and metric, what is said of the values, and how many lines are drawn.
fn charts(page: &str) -> Vec<(String, String, usize)> {
    let figures = page.split("<figure>").skip(1).filter_map(|rest| rest.split_once("</figure>"));
    let chart = |(figure, _): (&str, &str)| {
        let caption = between(figure, "<figcaption>", "</figcaption>").expect("a caption");
        let values = between(figure, "</figcaption>", "<svg").expect("a drawing");
        (text(caption), text(values), figure.matches("<polyline").count())
    };
    figures.map(chart).collect()
}

/// A run in the list of runs.
fn row<'a>(page: &'a str, app: &str, run: &str) -> &'a str {
    let open = format!("<a class=\"name\" href=\"/apps/{app}/runs/{run}\">");
    between(page, &open, "</li>").unwrap_or_else(|| panic!("no run {run} in the list: {page}"))
}

/// What the list says of a run at a glance.
fn glance(page: &str, app: &str, run: &str) -> Vec<String> {
    let glance = between(row(page, app, run), "<p class=\"quiet glance\">", "</p>");
    glance.map(|glance| text(glance).split(" · ").map(ToOwned::to_owned).collect()).unwrap_or_default()
}

/// How long the capture after the sync took, as the list says it.
fn took(verdict: &VerdictDocument) -> String {
    format!("took {}", duration(verdict.after.finished.duration_since(verdict.after.started).unsigned_abs()))
}

fn stored_verdict(served: &Served, app: &str, run: &str) -> VerdictDocument {
    let verdict = served.get(&format!("/v1/apps/{app}/runs/{run}/verdict")).json();
    serde_json::from_value(verdict).expect("a verdict")
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_by_collection_are_drawn_without_being_asked_for() {
    let workspace = three_runs().await;
    let served = Served::start(&workspace, &[]);
    let verdict = stored_verdict(&served, "pxbbq", "r2");
    let counts =
        verdict.evidence.iter().filter_map(|known| Some((&*known.collection, known.before?, known.documents?)));
    let mut counts: Vec<(&str, u64, u64)> = counts.collect();
    // those that changed come first
    counts.sort_by_key(|(_, before, after)| before == after);
    assert_eq!((counts[0].0, counts[0].1 - counts[0].2), ("orders", 30), "{counts:?}");
    assert!(counts.len() > 1 && counts[1].1 == counts[1].2, "{counts:?}");

    let page = served.get("/apps/pxbbq").body;
    let drawn = charts(&page);
    let expected: Vec<(String, String, usize)> = counts
        .iter()
        .take(DRAWN)
        .map(|(collection, before, after)| {
            let [before, after] = [before, after].map(|documents| text(&grouped(*documents)));
            let range = if before == after { "the same".to_owned() } else { format!("{after} to {before}") };
            (format!("documents {collection}"), format!("{after} {range} in 2 runs"), 1)
        })
        .collect();
    assert_eq!(drawn.len(), DRAWN, "{drawn:?}");
    assert_eq!(drawn[..expected.len()], expected[..]);
    let numbers = between(&page, "<details class=\"numbers-of\">", "</details>").expect("the numbers of the charts");
    for (run, documents) in [("r1", counts[0].1), ("r2", counts[0].2)] {
        let (_, cells) = numbers.split_once(&format!("<code>{run}</code>")).expect("a row");
        let cell = between(cells, "<td>", "</td>").map(text);
        assert_eq!(cell, Some(text(&grouped(documents))), "{run}: {numbers}");
    }
    // one of them, as the form asks for it
    let chosen = charts(&served.get("/apps/pxbbq?metric=documents%2Forders").body);
    assert_eq!(chosen, drawn[..1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_says_what_was_lost_how_long_it_took_and_what_was_accepted() {
    let workspace = three_runs().await;
    let served = Served::start(&workspace, &[]);
    let page = served.get("/apps/pxbbq").body;
    let [passed, lossy] = ["r1", "r2"].map(|run| took(&stored_verdict(&served, "pxbbq", run)));
    assert_eq!(glance(&page, "pxbbq", "r1"), [passed]);
    assert_eq!(glance(&page, "pxbbq", "r2"), ["30 missing".to_owned(), lossy]);
    assert!(glance(&page, "pxbbq", "r3").is_empty(), "it has no verdict yet");
    let chips = ["r1", "r2", "r3"].map(|run| row(&page, "pxbbq", run).contains(">accepted</span>"));
    assert_eq!(chips, [false, true, false]);

    // who and why: on the page, and in a terminal
    let run = text(&served.get("/apps/pxbbq/runs/r2").body);
    let shown = workspace.taster(&["show", "r2"]).out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(run.contains("Accepted by tester on ") && run.contains(": “they were tests”"), "{run}");
    assert!(shown.contains("Accepted: by tester on ") && shown.contains(" UTC: they were tests"), "{shown}");
    for told in [run, shown] {
        assert!(!told.contains("taster accept r2"), "nothing is left to do: {told}");
    }
}

/// A database whose upgrade lost a price, changed one and added one, and the run `r2` that saw it.
async fn upgraded() -> (ShopDatabase, Workspace) {
    let shop = ShopDatabase::standalone(50).await;
    let prices = shop.database.collection::<Document>("prices");
    let price = |n: i32| doc! {"_id": n, "total": 12.345, "state": "open"};
    prices.insert_many([price(1), price(2), price(3)]).await.expect("documents");
    let workspace = shop.workspace();
    let options = "{detail: fields, values: true}";
    workspace.configure(&format!("{SHOP}probes: [{{name: census, component: census, config: {options}}}]\n"));
    done(&workspace, 0, &["pre", "--run", "r2", "--revision", &"a".repeat(40)]);
    let change = doc! {"$set": {"total": 12.35, "state": "closed"}};
    prices.update_one(doc! {"_id": 1}, change).await.expect("an update");
    prices.delete_one(doc! {"_id": 2}).await.expect("a delete");
    prices.insert_one(price(4)).await.expect("a document");
    done(&workspace, 1, &["post", "--run", "r2", "--revision", &"b".repeat(40)]);
    (shop, workspace)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_is_shown_at_a_glance_and_value_by_value() {
    let (_shop, workspace) = upgraded().await;
    let served = Served::start(&workspace, &[]);
    let verdict = stored_verdict(&served, "pxbbq", "r2");
    let changes = ["aaaaaaaa → bbbbbbbb", "1 missing", "1 changed", "1 extra", &took(&verdict)].map(ToOwned::to_owned);
    assert_eq!(glance(&served.get("/apps/pxbbq").body, "pxbbq", "r2"), changes);
    let run = served.get("/apps/pxbbq/runs/r2");
    is_page(&run, "r2");
    for values in ["total 12.345 → 12.35", "state \"open\" → \"closed\""] {
        assert!(text(&run.body).contains(values), "{values}: {}", run.body);
        assert!(workspace.taster(&["show", "r2"]).out.contains(values), "{values}");
    }
    assert!(text(&run.body).contains("Next ") && run.body.contains("taster accept r2"), "{}", run.body);

    // in a cluster the images are part of it: the same run, with the workloads that a cluster would have named
    let folder = workspace.path().join("pages");
    let filled = Filled::of(&workspace, &folder).await;
    let workload = |kind: &str, name: &str, image: &str| WorkloadFacts {
        kind: kind.to_owned(),
        name: name.to_owned(),
        images: vec![ContainerImage { container: "main".to_owned(), image: image.to_owned() }],
    };
    let workloads = |release: &str| {
        let web = workload("Deployment", "pxbbq-web", &format!("quay.io/pxbbq-web:{release}"));
        vec![workload("StatefulSet", "mongo", "mongo:6.0.5"), web]
    };
    let in_a_cluster = |verdict: &mut VerdictDocument| {
        verdict.before.as_mut().expect("a baseline").workloads = workloads("v4.2");
        verdict.after.workloads = workloads("v4.3");
    };
    filled.put("cluster", "r1", in_a_cluster).await;
    let served = Served::start(&workspace, &["--store", &format!("file://{}", folder.display())]);
    let shown = glance(&served.get("/apps/cluster").body, "cluster", "r1");
    assert_eq!(shown[..2], ["aaaaaaaa → bbbbbbbb", "Deployment pxbbq-web v4.2 → v4.3"]);
    assert_eq!(shown[2..], changes[1..]);
    let run = served.get("/apps/cluster/runs/r1").body;
    let images = between(&run, "<table class=\"images\">", "</table>").map(text).expect("a table of images");
    assert!(images.contains("Deployment pxbbq-web quay.io/pxbbq-web:v4.2 quay.io/pxbbq-web:v4.3"), "{images}");
    assert!(images.contains("StatefulSet mongo mongo:6.0.5 same"), "{images}");
}
