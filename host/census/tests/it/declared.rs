//! Declared changes are proven; every other change is still found.

use bson::{Bson, Document, RawDocumentBuf, doc};
use serde_json::json;
use taster_model::{DocumentSet, Side};

use crate::fixture::{CensusFixture, summarize};

fn raw(documents: &[Document]) -> Vec<Vec<u8>> {
    documents.iter().map(|document| RawDocumentBuf::try_from(document).unwrap().into_bytes()).collect()
}

/// Orders before a migration.
fn orders(count: i32) -> Vec<Document> {
    (0..count)
        .map(|n| {
            doc! {"_id": n, "total": n * 3, "price": f64::from(n), "note": format!("n{n}"), "customer": {"name": "Ada", "age": n},
                  "items": [{"sku": "a", "qty": n}, {"sku": "b", "qty": 1}]}
        })
        .collect()
}

fn migrated(orders: &[Document], change: impl Fn(&mut Document)) -> Vec<Document> {
    let mut orders = orders.to_vec();
    orders.iter_mut().for_each(change);
    orders
}

fn nested<'a>(order: &'a mut Document, name: &str) -> &'a mut Document {
    order.get_document_mut(name).unwrap()
}

/// A kind of change: what is declared, and what the migration does.
type Kind = (serde_json::Value, fn(&mut Document));

fn kinds() -> Vec<Kind> {
    let change = |fields: serde_json::Value| {
        let mut change = json!({"collection": "orders"});
        change.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        change
    };
    vec![
        (change(json!({"addedField": "archived", "type": "bool"})), |o| {
            o.insert("archived", false);
        }),
        (change(json!({"addedField": "customer.vip", "type": "bool"})), |o| {
            nested(o, "customer").insert("vip", true);
        }),
        (change(json!({"addedField": "items.vat", "type": "int"})), |o| {
            for item in o.get_array_mut("items").unwrap() {
                item.as_document_mut().unwrap().insert("vat", 7);
            }
        }),
        (change(json!({"renamedField": "note", "to": "remark"})), |o| {
            let note = o.remove("note").unwrap();
            o.insert("remark", note);
        }),
        (change(json!({"retypedField": "total", "from": "int", "to": "long"})), |o| {
            o.insert("total", i64::from(o.get_i32("total").unwrap()));
        }),
        (change(json!({"retypedField": "total", "from": "int", "to": "string"})), |o| {
            o.insert("total", o.get_i32("total").unwrap().to_string());
        }),
        (change(json!({"retypedField": "price", "from": "double", "to": "long"})), |o| {
            o.insert("price", o.get_f64("price").unwrap() as i64);
        }),
        (change(json!({"retypedField": "customer.age", "from": "int", "to": "double"})), |o| {
            let age = nested(o, "customer").get_i32("age").unwrap();
            nested(o, "customer").insert("age", f64::from(age));
        }),
        (change(json!({"retypedField": "items.qty", "from": "int", "to": "long"})), |o| {
            for item in o.get_array_mut("items").unwrap() {
                let item = item.as_document_mut().unwrap();
                item.insert("qty", i64::from(item.get_i32("qty").unwrap()));
            }
        }),
        (change(json!({"removedField": "note"})), |o| {
            o.remove("note");
        }),
        (change(json!({"removedField": "customer.age"})), |o| {
            nested(o, "customer").remove("age");
        }),
        (change(json!({"retypedField": "price", "from": "double", "to": "string"})), |o| {
            o.insert("price", format!("{:.2}", o.get_f64("price").unwrap()));
        }),
    ]
}

/// What is found of the other changes that [`altered`] makes, whatever is declared.
const OTHER_CHANGES: &str = r#"50 → 50
missing 1 [{"$numberInt":"30"}] {}
extra 1 [{"$numberInt":"99"}] {}
changed 2 [{"$numberInt":"20"} {"$numberInt":"21"}] {extra: 1, items: 1}"#;

/// One document is lost, two are altered otherwise, one is new, and three are not migrated.
fn altered(migrated: &[Document], before: &[Document]) -> Vec<Document> {
    let mut dirty = migrated.to_vec();
    dirty[7..10].clone_from_slice(&before[7..10]);
    dirty[20].insert("extra", "x");
    dirty[21].insert("items", "none");
    dirty.remove(30);
    dirty.push(doc! {"_id": 99});
    dirty
}

fn ids(set: &DocumentSet) -> Vec<&str> {
    set.ids.iter().map(|id| id["$numberInt"].as_str().unwrap()).collect()
}

#[test]
fn every_kind_is_proven_and_every_other_change_is_found() {
    let before = orders(50);
    let mut lines = Vec::new();
    for (declared, migrate) in kinds() {
        let fixture = CensusFixture::new().detailed().declares(json!([declared]));
        let clean = migrated(&before, migrate);
        let difference = fixture.diff(&raw(&before), &raw(&clean));
        assert!(difference.is_clean(), "{}", summarize(&difference));
        assert_eq!(difference.changes[0].happened, 50, "{}", summarize(&difference));

        let difference = fixture.diff(&raw(&before), &raw(&altered(&clean, &before)));
        let summary = summarize(&difference);
        let documents = &difference.documents;
        assert_eq!(ids(&documents.missing), ["30"], "{summary}");
        assert_eq!(ids(&documents.extra), ["99"]);
        assert_eq!(ids(&documents.changed), ["20", "21"], "{summary}");
        assert_eq!(ids(&difference.changes[0].not_happened), ["7", "8", "9"], "{summary}");
        assert_eq!(difference.changes[0].happened, 44);
        let (others, change) = summary.rsplit_once('\n').unwrap();
        assert_eq!(others, OTHER_CHANGES, "{summary}");
        lines.push(change.to_owned());

        // it did not happen at all
        let difference = fixture.diff(&raw(&before), &raw(&before));
        assert!(difference.is_clean());
        assert_eq!((difference.changes[0].happened, difference.changes[0].not_happened.count), (0, 50));

        // without the declaration, every document has changed
        let fixture = CensusFixture::new();
        assert_eq!(fixture.diff(&raw(&before), &raw(&clean)).documents.changed.count, 50);
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
        added field orders: archived (bool): happened 44, not 3 [{"$numberInt":"7"} {"$numberInt":"8"} {"$numberInt":"9"}] {}, already 0
        added field orders: customer.vip (bool): happened 44, not 3 [{"$numberInt":"7"} {"$numberInt":"8"} {"$numberInt":"9"}] {}, already 0
        added field orders: items.vat (int): happened 44, not 3 [{"$numberInt":"7"} {"$numberInt":"8"} {"$numberInt":"9"}] {}, already 0
        renamed field orders: note → remark: happened 44, not 3 [{"$numberInt":"7"} {"$numberInt":"8"} {"$numberInt":"9"}] {}, already 0
        retyped field orders: total (int → long): happened 44, not 3 [{"$numberInt":"7"} {"$numberInt":"8"} {"$numberInt":"9"}] {}, already 0
        retyped field orders: total (int → string): happened 44, not 3 [{"$numberInt":"7"} {"$numberInt":"8"} {"$numberInt":"9"}] {}, already 0
        retyped field orders: price (double → long): happened 44, not 3 [{"$numberInt":"7"} {"$numberInt":"8"} {"$numberInt":"9"}] {}, already 0
        retyped field orders: customer.age (int → double): happened 44, not 3 [{"$numberInt":"7"} {"$numberInt":"8"} {"$numberInt":"9"}] {}, already 0
        retyped field orders: items.qty (int → long): happened 44, not 3 [{"$numberInt":"7"} {"$numberInt":"8"} {"$numberInt":"9"}] {}, already 0
        removed field orders: note: happened 44, not 3 [{"$numberInt":"7"} {"$numberInt":"8"} {"$numberInt":"9"}] {}, already 0
        removed field orders: customer.age: happened 44, not 3 [{"$numberInt":"7"} {"$numberInt":"8"} {"$numberInt":"9"}] {}, already 0
        retyped field orders: price (double → string): happened 44, not 3 [{"$numberInt":"7"} {"$numberInt":"8"} {"$numberInt":"9"}] {}, already 0
    "#);
}

/// Documents with this field, before and after a migration.
fn valued(values: &[Bson]) -> Vec<Vec<u8>> {
    let documents: Vec<Document> =
        (0..).zip(values).map(|(id, v): (i32, _)| doc! {"_id": id, "v": v.clone(), "note": "n"}).collect();
    raw(&documents)
}

fn decimal(text: &str) -> Bson {
    Bson::Decimal128(text.parse().unwrap())
}

#[test]
fn a_conversion_is_proven_by_the_converted_values() {
    let retyped = |from: &str, to: &str| json!({"collection": "orders", "retypedField": "v", "from": from, "to": to});
    let date = |millis| Bson::DateTime(bson::DateTime::from_millis(millis));
    let cases: [(_, [Bson; 2], [Bson; 2], [Bson; 2]); 8] = [
        (
            retyped("double", "decimal"),
            [19.99.into(), 250.0.into()],
            [decimal("19.99"), decimal("250")],
            [decimal("0"), decimal("0")],
        ),
        (retyped("string", "int"), ["7".into(), "008".into()], [7.into(), 8.into()], [0.into(), 0.into()]),
        (
            retyped("string", "date"),
            ["1970-01-01T00:00:01Z".into(), "1970-01-02".into()],
            [date(1000), date(86_400_000)],
            [date(0), date(0)],
        ),
        (
            retyped("date", "string"),
            [date(1000), date(2000)],
            ["1970-01-01T00:00:01.000Z".into(), "1970-01-01T00:00:02Z".into()],
            ["".into(), "".into()],
        ),
        (retyped("int", "decimal"), [1.into(), 2.into()], [decimal("1"), decimal("2.0")], [decimal("0"), decimal("0")]),
        (retyped("long", "date"), [1000_i64.into(), 2_i64.into()], [date(1000), date(2)], [date(0), date(0)]),
        (
            retyped("double", "string"),
            [19.99.into(), 5.0.into()],
            ["19.99".into(), "5".into()],
            ["0".into(), "0".into()],
        ),
        (retyped("int", "bool"), [0.into(), 2.into()], [false.into(), true.into()], [true.into(), false.into()]),
    ];
    for (declared, before, right, wrong) in cases {
        let fixture = CensusFixture::new().declares(json!([declared]));
        let difference = fixture.diff(&valued(&before), &valued(&right));
        assert!(difference.is_clean(), "{declared}: {}", summarize(&difference));
        assert_eq!(difference.changes[0].happened, 2, "{declared}");
        assert_eq!(difference.changes[0].readings.values().sum::<u64>(), 2, "{declared}");
        let difference = fixture.diff(&valued(&before), &valued(&wrong));
        assert_eq!(difference.documents.changed.count, 2, "{declared}: {}", summarize(&difference));
        // converted in one document only, and altered there
        let difference = fixture.diff(&valued(&before), &valued(&[before[0].clone(), wrong[1].clone()]));
        assert_eq!(difference.documents.changed.count, 1, "{declared}: {}", summarize(&difference));
        assert_eq!(difference.changes[0].not_happened.count, 1, "{declared}");
    }
}

#[test]
fn milliseconds_and_seconds_exclude_each_other() {
    let declared = json!([{"collection": "orders", "retypedField": "v", "from": "long", "to": "date"}]);
    let fixture = CensusFixture::new().declares(declared);
    let date = |millis| Bson::DateTime(bson::DateTime::from_millis(millis));
    let before = valued(&[0_i64.into(), 5_i64.into(), 7_i64.into()]);
    for (after, is_proven) in [
        ([date(0), date(5), date(7)], true),
        ([date(0), date(5000), date(7000)], true),
        ([date(0), date(5), date(7000)], false),
    ] {
        let difference = fixture.diff(&before, &valued(&after));
        assert!(difference.is_clean(), "{}", summarize(&difference));
        assert_eq!(difference.changes[0].unproven_reason.is_none(), is_proven, "{}", summarize(&difference));
    }
}

#[test]
fn the_values_of_one_document_are_not_those_of_another() {
    let declared = json!([{"collection": "orders", "retypedField": "v", "from": "string", "to": "int"}]);
    let fixture = CensusFixture::new().declares(declared);
    let difference = fixture.diff(&valued(&["1".into(), "2".into()]), &valued(&[2.into(), 1.into()]));
    assert_eq!(difference.documents.changed.count, 2, "the values were swapped");
}

#[test]
fn rounding_is_proven_only_where_it_is_declared() {
    let declared = |rounding: Option<u8>| {
        let mut change = json!({"collection": "orders", "retypedField": "v", "from": "double", "to": "decimal"});
        if let Some(digits) = rounding {
            change["rounding"] = digits.into();
        }
        CensusFixture::new().declares(json!([change]))
    };
    let (before, rounded) = (valued(&[19.994.into(), 1.0.into()]), valued(&[decimal("19.99"), decimal("1.00")]));
    assert_eq!(declared(None).diff(&before, &rounded).documents.changed.count, 1);
    let difference = declared(Some(2)).diff(&before, &rounded);
    assert!(difference.is_clean(), "{}", summarize(&difference));
    let readings: Vec<(&str, u64)> = difference.changes[0].readings.iter().map(|(k, v)| (k.as_str(), *v)).collect();
    assert_eq!(readings, [("rounded to 2 digits", 1), ("the shortest decimal", 1)]);
    assert_eq!(declared(Some(3)).diff(&before, &rounded).documents.changed.count, 1);
}

#[test]
fn a_conversion_without_a_meaning_proves_nothing() {
    let declared = |values: &str| {
        let change =
            json!({"collection": "orders", "retypedField": "v", "from": "object", "to": "null", "values": values});
        CensusFixture::new().declares(json!([change]))
    };
    let (before, after) = (valued(&[doc! {"a": 1}.into()]), valued(&[Bson::Null]));
    let difference = declared("compared").diff(&before, &after);
    assert!(difference.changes[0].unproven_reason.as_ref().unwrap().contains("values: ignored"));
    assert_eq!(difference.documents.changed.count, 0, "the field is what is unproven, and nothing else differs");
    let difference = declared("ignored").diff(&before, &after);
    assert!(difference.is_clean() && difference.changes[0].happened == 1, "{}", summarize(&difference));
    // a declaration that the baseline does not know
    let mut fixture = CensusFixture::new()
        .declares(json!([{"collection": "orders", "retypedField": "v", "from": "string", "to": "int", "rounding": 0}]));
    fixture.changes_before = Some(
        serde_json::from_value(json!([{"collection": "orders", "retypedField": "v", "from": "string", "to": "int"}]))
            .unwrap(),
    );
    let difference = fixture.diff(&valued(&["1".into()]), &valued(&[1.into()]));
    assert!(difference.changes[0].unproven_reason.as_ref().unwrap().contains("was not declared when the baseline"));
}

#[test]
fn changes_of_several_fields_at_once() {
    let before = orders(20);
    let chosen = [0, 1, 3, 4, 7, 8, 11];
    let kinds = kinds();
    let declared: Vec<_> = chosen.iter().map(|index| kinds[*index].0.clone()).collect();
    let fixture = CensusFixture::new().declares(declared.into());
    let clean = migrated(&before, |order| chosen.iter().for_each(|index| kinds[*index].1(order)));
    let difference = fixture.diff(&raw(&before), &raw(&clean));
    assert!(difference.is_clean(), "{}", summarize(&difference));
    assert!(difference.changes.iter().all(|change| change.happened == 20), "{}", summarize(&difference));
    // a value that changed in addition
    let mut dirty = clean;
    dirty[3].insert("total", 10_i64);
    let difference = fixture.diff(&raw(&before), &raw(&dirty));
    assert_eq!(difference.documents.changed.ids, [json!({"$numberInt": "3"})]);
}

#[test]
fn documents_that_already_had_the_change_are_counted_separately() {
    for (declared, migrate) in kinds() {
        if declared.get("removedField").is_some() {
            continue;
        }
        let fixture = CensusFixture::new().declares(json!([declared]));
        let mut before = orders(10);
        before[..4].iter_mut().for_each(migrate);
        let after = migrated(&orders(10), migrate);
        let difference = fixture.diff(&raw(&before), &raw(&after));
        assert!(difference.is_clean(), "{}", summarize(&difference));
        assert_eq!(
            (difference.changes[0].happened, difference.changes[0].already_before),
            (6, 4),
            "{}",
            summarize(&difference)
        );
    }
}

#[test]
fn a_removal_that_is_declared_after_the_baseline_is_unproven() {
    let before = orders(5);
    for (declared, migrate) in kinds() {
        let fixture = CensusFixture::new().declares(json!([declared]));
        let late = fixture.changes[0].kind.must_be_declared_before_sync();
        let fixture = CensusFixture { changes_before: Some(Vec::new()), ..fixture };
        let difference = fixture.diff(&raw(&before), &raw(&migrated(&before, migrate)));
        assert_eq!(difference.changes[0].unproven_reason.is_some(), late, "{}", summarize(&difference));
        assert_eq!(difference.is_clean(), !late, "{}", summarize(&difference));
    }
}

#[test]
fn a_declaration_that_is_withdrawn_excuses_nothing() {
    let before = orders(5);
    for (declared, migrate) in kinds() {
        let known = CensusFixture::new().declares(json!([declared])).changes;
        let fixture = CensusFixture { changes_before: Some(known), ..CensusFixture::new() };
        let census = fixture.census(Side::Pre, &raw(&before));
        // the options of the baseline hold for both sides
        let mut after = CensusFixture { key: fixture.key.clone(), ..CensusFixture::new() };
        after.options.prepare_for_changes(fixture.changes_before.as_deref().unwrap());
        let census_after = |documents: &[Document]| after.census(Side::Post, &raw(documents));
        let difference = fixture.compare(census.clone(), census_after(&migrated(&before, migrate))).unwrap();
        assert_eq!(difference.documents.changed.count, 5, "{}", summarize(&difference));
        assert!(fixture.compare(census, census_after(&before)).unwrap().is_clean());
    }
}

#[test]
fn removed_and_added_documents_are_covered_up_to_their_limit() {
    let fixture = |most: u64| {
        CensusFixture::new().declares(json!([
            {"collection": "orders", "removedDocuments": {"status": "cancelled"}, "maxDocuments": most},
            {"collection": "orders", "addedDocuments": {"seed": true}, "maxDocuments": most},
        ]))
    };
    let marked = |ids: &[i32], mark: u8| -> Vec<(Vec<u8>, u8)> {
        raw(&ids.iter().map(|n| doc! {"_id": *n}).collect::<Vec<_>>()).into_iter().map(|d| (d, mark)).collect()
    };
    let mut lines = Vec::new();
    for most in [2, 1] {
        let fixture = fixture(most);
        // 1 and 2 match the filter before the sync, 11 and 12 the other one after it; 3 is lost, 4 is new
        let before = fixture.parts(Side::Pre, &[marked(&[1, 2, 5], 1), marked(&[3, 6], 0)]).unwrap();
        let after = fixture.parts(Side::Post, &[marked(&[5, 6, 4], 0), marked(&[11, 12], 1)]).unwrap();
        lines.push(summarize(&fixture.compare(before, after).unwrap()));
    }
    insta::assert_snapshot!(lines.join("\n\n"), @r#"
        5 → 5
        missing 1 [{"$numberInt":"3"}] {}
        extra 1 [{"$numberInt":"4"}] {}
        removed documents orders: happened 2, not 1 [{"$numberInt":"5"}] {}, already 0
        added documents orders: happened 2, not 0 [] {}, already 0

        5 → 5
        missing 3 [{"$numberInt":"1"} {"$numberInt":"2"} {"$numberInt":"3"}] {}
        extra 3 [{"$numberInt":"4"} {"$numberInt":"11"} {"$numberInt":"12"}] {}
        removed documents orders: happened 0, not 1 [{"$numberInt":"5"}] {}, already 0
        added documents orders: happened 0, not 0 [] {}, already 0
    "#);
}

#[test]
fn a_field_that_only_some_documents_must_have() {
    let fixture = CensusFixture::new()
        .declares(json!([{"collection": "orders", "addedField": "vip", "type": "bool", "present": "some"}]));
    let before = orders(4);
    let mut after = before.clone();
    after[2].insert("vip", true);
    let difference = fixture.diff(&raw(&before), &raw(&after));
    assert!(difference.is_clean());
    assert_eq!((difference.changes[0].happened, difference.changes[0].not_happened.count), (1, 0));
    // a field of another type is not the declared one
    after[3].insert("vip", "yes");
    assert_eq!(fixture.diff(&raw(&before), &raw(&after)).documents.changed.count, 1);
}

#[test]
fn a_value_of_a_third_type_is_not_covered_by_a_retyping() {
    let fixture = CensusFixture::new()
        .declares(json!([{"collection": "orders", "retypedField": "customer.age", "from": "int", "to": "long"}]));
    let age = |value: Bson| doc! {"_id": 1, "customer": {"age": value}};
    let diff = |before: Bson, after: Bson| fixture.diff(&raw(&[age(before)]), &raw(&[age(after)]));
    let difference = diff(Bson::Null, Bson::Null);
    assert!(difference.is_clean() && difference.changes[0].not_happened.count == 0);
    assert!(!diff(Bson::Null, Bson::Int64(1)).is_clean());
    assert!(!diff(Bson::Int32(1), Bson::Int64(2)).is_clean());
    assert!(diff(Bson::Int32(1), Bson::Int64(1)).is_clean());
}

/// Compares one document with one declared change: whether it is clean, and whether the change happened in it.
fn compare_one(declared: serde_json::Value, before: Document, after: Document) -> (bool, u64, u64) {
    let fixture = CensusFixture::new().declares(vec![declared].into());
    let difference = fixture.diff(&raw(&[before]), &raw(&[after]));
    (difference.is_clean(), difference.changes[0].happened, difference.changes[0].not_happened.count)
}

#[test]
fn a_retyping_within_arrays_is_proven_in_every_element() {
    let declared = || json!({"collection": "orders", "retypedField": "items.price", "from": "double", "to": "string"});
    let compare_items = |before: Bson, after: Bson| {
        compare_one(declared(), doc! {"_id": 1, "items": before}, doc! {"_id": 1, "items": after})
    };
    let priced = |price: Bson| Bson::Document(doc! {"price": price});
    let list = |items: Vec<Bson>| Bson::Array(items);
    let two = || list(vec![priced(1.0.into()), priced(2.0.into())]);
    assert_eq!(compare_items(two(), list(vec![priced("1".into()), priced("2".into())])), (true, 1, 0));
    let none = Bson::Document(Document::new());
    for wrong in [
        list(vec![priced("1".into()), none.clone()]),
        list(vec![priced("1".into()), priced(2.0.into())]),
        list(vec![priced("1".into()), priced(7.into())]),
        list(vec![priced("1".into())]),
        list(vec![none, priced("1".into()), priced("2".into())]),
    ] {
        assert!(!compare_items(two(), wrong.clone()).0, "{wrong}");
    }
    let mixed = || list(vec![priced("1".into()), priced(2.0.into())]);
    assert_eq!(compare_items(mixed(), mixed()), (true, 0, 1), "it did not happen everywhere");
}

#[test]
fn the_position_of_a_separate_field_matters() {
    let vat = |declared: bool, before: Document, after: Document| {
        let mut fixture = CensusFixture::new();
        fixture.options.separate =
            vec!["items.vat".to_owned().try_into().unwrap(), "c.b".to_owned().try_into().unwrap()];
        if declared {
            fixture = fixture.declares(json!([{"collection": "orders", "removedField": "items.vat"}]));
        }
        fixture.diff(&raw(&[before]), &raw(&[after])).is_clean()
    };
    for declared in [false, true] {
        let items = |first: Document, second: Document| doc! {"_id": 1, "items": [first, second]};
        assert!(!vat(declared, items(doc! {"vat": 1}, doc! {}), items(doc! {}, doc! {"vat": 1})));
        assert!(!vat(declared, doc! {"_id": 1, "c": {"b": 1, "x": 2}}, doc! {"_id": 1, "c": {"x": 2, "b": 1}}));
        assert!(vat(declared, doc! {"_id": 1, "c": {"b": 1, "x": 2}}, doc! {"_id": 1, "c": {"b": 1, "x": 2}}));
    }
}

#[test]
fn an_added_field_must_be_complete_and_of_its_type_in_all_documents() {
    let vat = || json!({"collection": "orders", "addedField": "items.vat", "type": "int"});
    let half = || doc! {"_id": 1, "items": [{"vat": 1}, {"sku": "b"}]};
    assert_eq!(compare_one(vat(), half(), half()), (true, 0, 1));
    // an empty array has no element that could have it
    for items in [Bson::Array(Vec::new()), Bson::Array(vec![7.into()])] {
        let order = || doc! {"_id": 1, "items": items.clone()};
        assert_eq!(compare_one(vat(), order(), order()), (true, 0, 0));
    }
    let flag = || json!({"collection": "orders", "addedField": "flag", "type": "bool"});
    let text = || doc! {"_id": 1, "flag": "x"};
    assert_eq!(compare_one(flag(), text(), text()), (true, 0, 1));
    // a document that cannot be read to its end counts as not migrated
    let fixture = CensusFixture::new().declares(json!([flag()]));
    let unreadable = [crate::fixture::wrapped(b"\x10_id\0\x01\0\0\0\x42x\0\x01")];
    assert_eq!(fixture.diff(&unreadable, &unreadable).changes[0].not_happened.count, 1);
}
