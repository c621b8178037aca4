//! Property tests of the guard: random bytes, damaged documents, and generated pipelines.

use std::collections::BTreeSet;

use bson::{Document, doc};
use proptest::prelude::*;

use super::{raw, request};

/// Sub-pipelines as a program would write them, over what is granted and what is not.
fn stage(depth: u32) -> BoxedStrategy<Document> {
    let name = prop_oneof![
        6 => Just("orders"), 6 => Just("items"), 3 => Just("few"), 3 => Just("fewer"), 3 => Just("both"),
        1 => Just("secret"), 1 => Just("peep"), 1 => Just("hidden"), 1 => Just("random"), 1 => Just("system.views"),
    ];
    let leaf = prop_oneof![
        8 => Just(doc! {"$match": {"a": 1}}), 4 => Just(doc! {"$limit": 3}),
        4 => name.clone().prop_map(|from| doc! {"$unionWith": from}),
        4 => name.clone().prop_map(|from| doc! {"$lookup": {"from": from, "localField": "a", "foreignField": "b", "as": "c"}}),
        2 => name.clone().prop_map(|from| doc! {"$graphLookup": {"from": from, "startWith": "$a", "connectFromField": "a", "connectToField": "b", "as": "c", "maxDepth": 3}}),
        1 => Just(doc! {"$out": "x"}), 1 => Just(doc! {"$match": {"$where": "1"}}), 1 => bson_value().prop_map(|value| doc! {"$set": {"a": value}}),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let inner = prop::collection::vec(stage(depth - 1), 0..3);
    prop_oneof![
        2 => leaf,
        1 => (name.clone(), inner.clone()).prop_map(|(from, inner)| doc! {"$lookup": {"from": from, "pipeline": inner, "as": "c"}}),
        1 => (name, inner.clone()).prop_map(|(from, inner)| doc! {"$unionWith": {"coll": from, "pipeline": inner}}),
        1 => inner.prop_map(|inner| doc! {"$facet": {"a": inner}}),
    ]
    .boxed()
}

/// Every collection that a pipeline names, whatever else is in it.
fn named(value: &bson::Bson, found: &mut BTreeSet<String>) {
    match value {
        bson::Bson::Document(fields) => fields.iter().for_each(|(name, value)| {
            if let ("from" | "coll" | "$unionWith", bson::Bson::String(collection)) = (name.as_str(), value) {
                found.insert(collection.clone());
            }
            named(value, found);
        }),
        bson::Bson::Array(items) => items.iter().for_each(|item| named(item, found)),
        _ => {}
    }
}

fn bson_value() -> impl Strategy<Value = bson::Bson> {
    let name = prop_oneof![
        Just("a".to_owned()),
        Just("$gt".to_owned()),
        Just("$expr".to_owned()),
        Just("$literal".to_owned()),
        Just("$out".to_owned()),
        Just("$where".to_owned()),
        Just("$function".to_owned()),
        Just("$and".to_owned()),
        Just("$elemMatch".to_owned()),
        Just("$cond".to_owned()),
        Just("$not".to_owned()),
        "[$a-z.]{0,4}",
    ];
    let leaf = prop_oneof![
        any::<i32>().prop_map(bson::Bson::Int32),
        any::<f64>().prop_map(bson::Bson::Double),
        Just(bson::Bson::Null),
        prop_oneof![Just("$$NOW".to_owned()), Just("$a".to_owned()), Just("$$ROOT.a".to_owned()), "[$a-z.]{0,5}"]
            .prop_map(bson::Bson::String),
    ];
    leaf.prop_recursive(6, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(bson::Bson::Array),
            prop::collection::vec((name.clone(), inner), 0..4)
                .prop_map(|fields| bson::Bson::Document(fields.into_iter().collect())),
        ]
    })
}

/// Names that must not get past the guard unless `$literal` makes data of them.
fn forbidden(value: &bson::Bson) -> bool {
    match value {
        bson::Bson::Document(fields) => fields.iter().any(|(name, value)| {
            matches!(name.as_str(), "$out" | "$where" | "$function") || name != "$literal" && forbidden(value)
        }),
        bson::Bson::Array(items) => items.iter().any(forbidden),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = request().filter(&bytes);
        let _ = request().pipeline(std::slice::from_ref(&bytes));
        let _ = request().projection(&bytes);
        let _ = request().variables(&bytes);
    }

    #[test]
    fn damage_never_panics(value in bson_value(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = raw(&doc! {"a": value});
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = request().filter(&bytes);
        let _ = request().sort(&bytes);
        let _ = request().collation(&bytes);
    }

    #[test]
    fn nothing_forbidden_passes(value in bson_value()) {
        let hidden = forbidden(&value);
        for stage in [doc! {"$match": value.clone()}, doc! {"$project": {"a": value.clone()}}, doc! {"$group": {"_id": value}}] {
            let bytes = raw(&stage);
            prop_assert!(request().pipeline(&[bytes]).is_err() || !hidden, "{}", stage);
        }
    }

    #[test]
    fn what_is_named_is_granted_and_what_is_beneath_it_is_read(stages in prop::collection::vec(stage(3), 1..4)) {
        // by hand, not by the guard: what each name that may be read is made of
        const BENEATH: [(&str, &[&str]); 5] = [
            ("orders", &[]),
            ("items", &[]),
            ("few", &["orders"]),
            ("fewer", &["ungranted_view", "orders", "items"]),
            ("both", &["few", "orders", "items"]),
        ];
        let bytes: Vec<_> = stages.iter().map(raw).collect();
        if let Ok(checked) = request().pipeline(&bytes) {
            let pipeline = bson::Bson::Array(stages.into_iter().map(Into::into).collect());
            prop_assert!(!forbidden(&pipeline), "{}", pipeline);
            let mut names = BTreeSet::new();
            named(&pipeline, &mut names);
            let mut wanted = BTreeSet::new();
            for name in &names {
                let beneath = BENEATH.iter().find(|(known, _)| known == name);
                prop_assert!(beneath.is_some(), "{} in {}", name, pipeline);
                wanted.insert(name.as_str());
                wanted.extend(beneath.unwrap().1);
            }
            prop_assert!(checked.reads().names().eq(wanted), "{:?}", checked.reads());
        }
    }
}
