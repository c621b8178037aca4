//! A migration that rewrites every document of a large collection, while a few are lost and altered: with the change
//! declared, exactly those are reported.

use std::collections::BTreeSet;

use mongodb::bson::{Bson, Document, doc, oid::ObjectId};
use serde_json::Value;

use crate::support::{SHOP, ShopDatabase};

/// The number of documents: a million in `make nightly`.
fn document_count() -> u64 {
    std::env::var("TASTER_TEST_DOCUMENTS").map_or(100_000, |count| count.parse().expect("a number of documents"))
}

const CONFIGURATION: &str = r#"probes:
  - {name: documents, component: census, collections: [orders], config: {detail: fields}}
changes:
  - {collection: orders, addedField: archived, type: bool, reason: "v4.3 adds the archive flag"}
  - {collection: orders, retypedField: number, from: int, to: long}
"#;

/// The order of that number in the shop.
async fn id(shop: &ShopDatabase, number: i32) -> ObjectId {
    let orders = shop.database.collection::<Document>("orders");
    let order = orders.find_one(doc! {"number": number}).await.expect("an answer").expect("an order");
    order.get_object_id("_id").expect("an id")
}

fn shown(ids: &[ObjectId]) -> BTreeSet<String> {
    ids.iter().map(|id| Bson::from(*id).into_canonical_extjson().to_string()).collect()
}

fn named(set: &Value) -> BTreeSet<String> {
    let ids: BTreeSet<String> = set["ids"].as_array().expect("ids").iter().map(Value::to_string).collect();
    assert_eq!(set["count"], ids.len());
    ids
}

#[tokio::test]
async fn among_many_rewritten_documents_exactly_the_twelve_others_are_reported() {
    let documents = document_count();
    let shop = ShopDatabase::standalone(documents).await;
    let workspace = shop.workspace();
    workspace.configure(&format!("{SHOP}{CONFIGURATION}"));
    let pre = workspace.taster(&["pre"]);
    assert_eq!(pre.code, 0, "{}", pre.all());

    let orders = shop.database.collection::<Document>("orders");
    let (mut lost, mut altered) = (Vec::new(), Vec::new());
    let count = i32::try_from(documents).expect("a small number");
    // the shop's first order has the number 100 000
    for n in 0..7 {
        lost.push(id(&shop, 100_000 + n * (count / 8)).await);
    }
    for n in 0..5 {
        altered.push(id(&shop, 100_007 + n * (count / 5 - 7)).await);
    }
    let rewrite = vec![doc! {"$set": {"archived": false, "number": {"$toLong": "$number"}}}];
    let done = orders.update_many(doc! {}, rewrite).await.expect("the migration");
    assert_eq!(done.modified_count, documents);
    orders.delete_many(doc! {"_id": {"$in": &lost}}).await.expect("a loss");
    // one of every sort: a value, a nested one, a field gone, a field too many, and the migrated field itself
    let alterations = [
        doc! {"$set": {"status": "eaten"}},
        doc! {"$set": {"customer.name": "Nobody"}},
        doc! {"$unset": {"tags": 1}},
        doc! {"$set": {"surprise": 1}},
        doc! {"$inc": {"number": 1_000_000_000_i64}},
    ];
    for (id, alteration) in altered.iter().zip(alterations) {
        orders.update_one(doc! {"_id": id}, alteration).await.expect("an alteration");
    }

    let post = workspace.taster(&["post", "--format", "json"]);
    assert_eq!(post.code, 1, "{}", post.all());
    let verdict = post.json();
    let findings = verdict["findings"].as_array().expect("findings");
    let census = findings.iter().find(|finding| finding["metric"] == "documents").expect("a finding");
    assert_eq!(named(&census["documents"]["missing"]), shown(&lost), "{census:#}");
    assert_eq!(named(&census["documents"]["changed"]), shown(&altered), "{census:#}");
    assert_eq!(census["documents"]["extra"]["count"], 0);
    let fields: BTreeSet<&String> =
        census["documents"]["changed"]["fields"].as_object().expect("fields").keys().collect();
    assert_eq!(
        fields,
        BTreeSet::from(["customer", "number", "status", "surprise", "tags"].map(String::from)).iter().collect()
    );
    let different: Vec<&Value> = findings.iter().filter(|finding| finding["outcome"] == "different").collect();
    assert_eq!(different.len(), 1, "{different:#?}");
    let expected = findings.iter().filter(|finding| finding["outcome"] == "expected").count();
    assert_eq!(expected, 2, "both changes happened: {findings:#?}");
}
