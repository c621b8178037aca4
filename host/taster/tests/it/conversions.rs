//! Fields that are declared to change their type: each value is what the one before means, or the verdict says that it is not.

use std::str::FromStr as _;

use mongodb::bson::{Bson, DateTime, Decimal128, Document, doc, oid::ObjectId};
use taster_testkit::mongod::Flavour;

use crate::support::{SHOP, ShopDatabase};

/// A declared conversion, two values before, two that they become, and two of the same type that mean something else.
struct Conversion {
    from: &'static str,
    to: &'static str,
    before: [Bson; 2],
    right: [Bson; 2],
    wrong: [Bson; 2],
}

fn conversion(
    from: &'static str,
    to: &'static str,
    before: [impl Into<Bson>; 2],
    right: [impl Into<Bson>; 2],
    wrong: [impl Into<Bson>; 2],
) -> Conversion {
    Conversion { from, to, before: before.map(Into::into), right: right.map(Into::into), wrong: wrong.map(Into::into) }
}

/// Conversions that have no inverse, so that the value before cannot be computed from the one after.
fn conversions() -> Vec<Conversion> {
    let decimal = |text: &str| Decimal128::from_str(text).expect("a decimal");
    let date = |milliseconds: i64| DateTime::from_millis(milliseconds);
    let id = |last: u8| ObjectId::from_bytes([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, last]);
    let moments = ["2026-01-02T03:04:05Z", "2026-01-02T04:04:05.250+01:00"];
    let dates = [date(1_767_323_045_000), date(1_767_323_045_250)];
    vec![
        conversion("double", "decimal", [19.99, 250.0], ["19.99", "250.00"].map(decimal), ["0", "0"].map(decimal)),
        conversion("string", "int", ["42", "-7"], [42, -7], [42, 7]),
        conversion("string", "date", moments, dates, [dates[0], dates[0]]),
        conversion("date", "string", dates, moments, [moments[0], moments[0]]),
        conversion("int", "decimal", [5, 0], ["5.0", "0"].map(decimal), ["5", "1"].map(decimal)),
        conversion("long", "date", [1_767_323_045_000_i64, 0], [dates[0], date(0)], [dates[0], date(1)]),
        conversion("double", "string", [1.5, -2.0], ["1.5", "-2"], ["1.5", "2"]),
        conversion("int", "bool", [0, 3], [false, true], [true, true]),
        conversion("string", "objectId", [id(1).to_hex(), id(2).to_hex()], [id(1), id(2)], [id(1), id(1)]),
        // what a document means as null, nobody can say
        conversion(
            "object",
            "null",
            [doc! {"a": 1}, doc! {"a": 2}],
            [Bson::Null, Bson::Null],
            [Bson::Null, Bson::Null],
        ),
    ]
}

/// A case of a conversion: whether the values come out right, and whether they are to be compared.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Case {
    Right,
    Wrong,
    Ignored,
}

async fn every_conversion(flavour: Flavour) {
    let shop = ShopDatabase::open(flavour, 100).await;
    let workspace = shop.workspace();
    let conversions = conversions();
    let cases = conversions
        .iter()
        .flat_map(|conversion| [Case::Right, Case::Wrong, Case::Ignored].map(|case| (conversion, case)));
    let cases: Vec<(String, &Conversion, Case)> =
        cases.map(|(of, case)| (format!("{}_{}_{case:?}", of.from, of.to), of, case)).collect();
    let changes = cases.iter().map(|(name, Conversion { from, to, .. }, case)| {
        let values = if *case == Case::Ignored { ", values: ignored" } else { "" };
        format!("  - {{collection: {name}, retypedField: v, from: {from}, to: {to}{values}}}\n")
    });
    let names = cases.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>().join(", ");
    workspace.configure(&format!(
        "{SHOP}probes:\n  - {{name: documents, component: census, collections: [{names}]}}\nchanges:\n{}",
        changes.collect::<String>()
    ));
    let documents =
        |values: &[Bson; 2]| [1, 2].into_iter().zip(values).map(|(id, v)| doc! {"_id": id, "v": v}).collect::<Vec<_>>();
    for (name, Conversion { before, .. }, _) in &cases {
        shop.database.collection::<Document>(name).insert_many(documents(before)).await.expect("documents");
    }
    let pre = workspace.taster(&["pre"]);
    assert_eq!(pre.code, 0, "{}", pre.all());
    for (name, Conversion { right, wrong, .. }, case) in &cases {
        let collection = shop.database.collection::<Document>(name);
        for document in documents(if *case == Case::Right { right } else { wrong }) {
            let id = doc! {"_id": document.get("_id")};
            collection.replace_one(id, document).await.expect("an update");
        }
    }
    let post = workspace.taster(&["post", "--format", "json"]);
    assert_eq!(post.code, 1, "{}", post.all());
    let verdict = post.json();
    let findings = verdict["findings"].as_array().expect("findings");
    for (name, Conversion { to, .. }, case) in &cases {
        let of_it = findings.iter().filter(|finding| finding["labels"]["collection"] == name.as_str());
        let outcomes: Vec<&str> = of_it.filter_map(|finding| finding["outcome"].as_str()).collect();
        // the worst one counts
        let worst = ["different", "unknown", "expected"].into_iter().find(|outcome| outcomes.contains(outcome));
        let right = match case {
            Case::Ignored => "expected",
            _ if *to == "null" => "unknown",
            Case::Right => "expected",
            Case::Wrong => "different",
        };
        assert_eq!(worst, Some(right), "{name}: {outcomes:?} {verdict:#}");
    }
    assert!(post.out.contains("converted to the shortest decimal"), "{}", post.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_conversion_is_proven_on_a_standalone_server() {
    every_conversion(Flavour::Standalone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_conversion_is_proven_on_a_replica_set() {
    every_conversion(Flavour::ReplicaSet).await;
}
