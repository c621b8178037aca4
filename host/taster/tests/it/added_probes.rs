//! A probe that is added while a baseline is open begins its own baseline. A changed or renamed one does not.

use mongodb::bson::{Document, doc};
use serde_json::Value;
use taster_testkit::mongod::Flavour;

use crate::support::{FLAVOURS, SHOP, ShopDatabase, Workspace};

const COUNTS: &str = "  - {name: counts, component: document-count}\n";
const CENSUS: &str = "  - {name: census, component: census}\n";

fn configure(workspace: &Workspace, probes: &[&str]) {
    workspace.configure(&format!("{SHOP}probes:\n{}", probes.concat()));
}

fn pre(workspace: &Workspace, run: &str) -> String {
    let ended = workspace.taster(&["pre", "--run", run]);
    assert_eq!(ended.code, 0, "{}", ended.all());
    ended.out
}

fn post(workspace: &Workspace, run: &str, expected: &str) -> Value {
    let ended = workspace.taster(&["post", "--run", run, "--format", "json"]);
    let document = ended.json();
    assert_eq!(document["verdict"], expected, "{}", ended.all());
    document
}

/// The outcome and the reason of each finding about a metric of the orders.
fn about_orders(document: &Value, probe: &str) -> Vec<(String, String)> {
    let findings = document["findings"].as_array().expect("findings").iter();
    let of = findings.filter(|f| f["probe"] == probe && f["labels"]["collection"] == "orders");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    of.map(|finding| (text(&finding["outcome"]), text(&finding["reason"]))).collect()
}

async fn some_orders(shop: &ShopDatabase) -> Vec<Document> {
    use futures_util::TryStreamExt;
    let filter = doc! {"status": "open", "number": {"$mod": [2, 0]}};
    let orders = shop.database.collection::<Document>("orders");
    orders.find(filter).await.expect("orders").try_collect().await.expect("orders")
}

async fn lose(shop: &ShopDatabase, documents: &[Document]) {
    let ids: Vec<_> = documents.iter().map(|document| document.get("_id").expect("an id").clone()).collect();
    assert!(shop.lose(doc! {"_id": {"$in": ids}}).await > 0);
}

const SINCE: &str = "since the probe was added then";

async fn an_added_probe(flavour: Flavour) {
    let shop = ShopDatabase::open(flavour, 300).await;
    let workspace = shop.workspace();
    configure(&workspace, &[COUNTS]);
    pre(&workspace, "a");
    configure(&workspace, &[COUNTS, CENSUS]);
    let text = pre(&workspace, "b");
    assert!(text.contains("Added: census: added since the baseline"), "{text}");
    let shown = workspace.taster(&["baseline", "show"]).out;
    assert!(shown.contains("Added probe: census, compared with run b"), "{shown}");
    let orders = some_orders(&shop).await;
    lose(&shop, &orders).await;
    let document = post(&workspace, "b", "different");
    assert_eq!((&document["before"]["run"], &document["added"][0]["run"]), (&"a".into(), &"b".into()));
    let (counts, census) = (about_orders(&document, "counts"), about_orders(&document, "census"));
    assert!(counts.iter().any(|(outcome, reason)| outcome == "different" && !reason.contains(SINCE)), "{counts:?}");
    assert!(census.iter().any(|(outcome, reason)| outcome == "different" && reason.contains(SINCE)), "{census:?}");
    shop.database.collection::<Document>("orders").insert_many(&orders).await.expect("the orders come back");
    let document = post(&workspace, "b", "same");
    let census = about_orders(&document, "census");
    assert!(!census.is_empty() && census.iter().all(|(_, reason)| reason.contains(SINCE)), "{census:?}");
    // `compare` finds the same two captures again, also when the baseline is closed
    let again = workspace.taster(&["compare", "--run", "b", "--format", "json"]).json();
    assert_eq!(again["findings"], document["findings"]);
    // from now on the probe is like the others
    pre(&workspace, "c");
    let document = post(&workspace, "c", "same");
    assert!(document.get("added").is_none() && !document.to_string().contains(SINCE), "{document}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_added_probe_begins_its_own_baseline() {
    an_added_probe(Flavour::Standalone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_added_probe_on_a_replica_set_begins_its_own_baseline() {
    an_added_probe(Flavour::ReplicaSet).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_added_probe_hides_nothing_that_another_one_has_found() {
    for flavour in FLAVOURS {
        let shop = ShopDatabase::open(flavour, 300).await;
        let workspace = shop.workspace();
        configure(&workspace, &[COUNTS]);
        pre(&workspace, "a");
        lose(&shop, &some_orders(&shop).await).await;
        post(&workspace, "a", "different");
        configure(&workspace, &[COUNTS, CENSUS]);
        pre(&workspace, "b");
        let document = post(&workspace, "b", "different");
        assert!(about_orders(&document, "counts").iter().any(|(outcome, _)| outcome == "different"), "{document}");
        assert!(about_orders(&document, "census").iter().all(|(outcome, _)| outcome == "same"), "{document}");
        // the name is new, the loss is not
        for (run, probes, code) in [
            ("c", "  - {name: numbers, component: document-count}\n", "probe-on-one-side"),
            ("d", "  - {name: counts, component: document-count, collections: [menu]}\n", "options-changed"),
        ] {
            configure(&workspace, &[probes, CENSUS]);
            pre(&workspace, run);
            let document = post(&workspace, run, "unknown");
            let codes: Vec<&Value> =
                document["findings"].as_array().expect("findings").iter().map(|f| &f["code"]).collect();
            assert!(codes.contains(&&code.into()), "{codes:?}");
        }
    }
}
