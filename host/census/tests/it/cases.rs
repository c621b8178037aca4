//! Censuses of documents as servers store them: every BSON type, and documents that no driver writes.

use bson::{Bson, RawArrayBuf, RawBson, RawDocumentBuf, doc, oid::ObjectId, rawdoc};
use taster_census::{CensusBuilder, DocumentMarks, Redaction, TtlIndex};
use taster_model::Side;

use crate::fixture::{CensusFixture, bytes, summarize, wrapped};

/// One value of every BSON type.
fn every_type() -> Vec<Bson> {
    let raw: Vec<RawBson> = vec![
        RawBson::Double(f64::NAN),
        RawBson::Double(-0.0),
        RawBson::Double(0.0),
        RawBson::String("text".to_owned()),
        RawBson::Document(rawdoc! {"a": 1, "b": {"c": true}}),
        RawBson::Array(RawArrayBuf::from_iter([1, 2])),
        RawBson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![7; 16] }),
        RawBson::Undefined,
        RawBson::ObjectId(ObjectId::from_bytes([9; 12])),
        RawBson::Boolean(true),
        RawBson::DateTime(bson::DateTime::from_millis(1)),
        RawBson::Null,
        RawBson::RegularExpression(bson::Regex {
            pattern: bson::cstr!("^a").to_owned(),
            options: bson::cstr!("i").to_owned(),
        }),
        RawBson::JavaScriptCode("f()".to_owned()),
        RawBson::Symbol("s".to_owned()),
        RawBson::Int32(1),
        RawBson::Timestamp(bson::Timestamp { time: 1, increment: 2 }),
        RawBson::Int64(1),
        RawBson::Decimal128("1.0".parse().unwrap()),
        RawBson::Decimal128("1.00".parse().unwrap()),
        RawBson::MaxKey,
        RawBson::MinKey,
    ];
    raw.into_iter().map(|value| Bson::try_from(value).unwrap()).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "documents are written where they are handed over")]
fn document(fields: bson::Document) -> Vec<u8> {
    RawDocumentBuf::try_from(&fields).unwrap().into_bytes()
}

#[test]
fn every_type_differs_from_every_other_as_id_and_as_value() {
    let fixture = CensusFixture::new().detailed();
    let as_ids: Vec<_> = every_type().into_iter().map(|value| document(doc! {"_id": value, "x": 1})).collect();
    let difference = fixture.diff(&as_ids, &as_ids);
    assert!(difference.is_clean() && difference.before == 22, "{}", summarize(&difference));
    // each document missing alone
    for (place, one) in as_ids.iter().enumerate() {
        let mut less = as_ids.clone();
        less.remove(place);
        let difference = fixture.diff(&as_ids, &less);
        let id = bson::RawDocument::from_bytes(one).unwrap().get("_id").unwrap().unwrap();
        let id = Bson::try_from(id).unwrap().into_canonical_extjson();
        assert_eq!(difference.documents.missing.ids, [id]);
    }
    for before in every_type() {
        for after in every_type() {
            let (old, new) = (document(doc! {"_id": 1, "x": before.clone()}), document(doc! {"_id": 1, "x": after}));
            let difference = fixture.diff(std::slice::from_ref(&old), std::slice::from_ref(&new));
            assert_eq!(difference.is_clean(), old == new, "{}", summarize(&difference));
        }
    }
}

#[test]
fn values_that_were_swapped_between_documents_are_found() {
    let fixture = CensusFixture::new().detailed();
    // the ids of the last two have the same bits
    let ids = [Bson::Int32(1), Bson::Int32(2), Bson::Int64(3), Bson::DateTime(bson::DateTime::from_millis(3))];
    for (one, two) in [(&ids[0], &ids[1]), (&ids[2], &ids[3])] {
        let shop = |a: i32, b: i32| {
            vec![document(doc! {"_id": one.clone(), "total": a}), document(doc! {"_id": two.clone(), "total": b})]
        };
        let difference = fixture.diff(&shop(5, 9), &shop(9, 5));
        assert_eq!(difference.documents.changed.count, 2);
        assert_eq!(difference.documents.changed.fields["total"], 2);
    }
}

/// A document before and after, with a name for the two.
type Pair = (&'static str, Vec<u8>, Vec<u8>);

fn stored_by_servers_alone() -> Vec<Pair> {
    vec![
        ("nothing but an id", document(doc! {"_id": 1}), document(doc! {"_id": 2})),
        ("no id", wrapped(b"\x10x\0\x01\0\0\0"), wrapped(b"\x10x\0\x02\0\0\0")),
        (
            "one name twice, the other way round",
            wrapped(b"\x10_id\0\x01\0\0\0\x10x\0\x01\0\0\0\x10x\0\x02\0\0\0"),
            wrapped(b"\x10_id\0\x01\0\0\0\x10x\0\x02\0\0\0\x10x\0\x01\0\0\0"),
        ),
        (
            "invalid UTF-8 in a value",
            wrapped(b"\x10_id\0\x01\0\0\0\x02x\0\x02\0\0\0\xFF\0"),
            wrapped(b"\x10_id\0\x01\0\0\0\x02x\0\x02\0\0\0\xFE\0"),
        ),
        (
            "invalid UTF-8 in a name",
            wrapped(b"\x10_id\0\x01\0\0\0\x0A\xFF\0"),
            wrapped(b"\x10_id\0\x01\0\0\0\x0A\xFE\0"),
        ),
        ("an empty name", wrapped(b"\x10_id\0\x01\0\0\0\x0A\0"), wrapped(b"\x10_id\0\x01\0\0\0\x08\0\x01")),
        ("an id of invalid UTF-8", wrapped(b"\x02_id\0\x02\0\0\0\xFF\0"), wrapped(b"\x02_id\0\x02\0\0\0\xFE\0")),
        (
            "an unknown type",
            wrapped(b"\x10_id\0\x01\0\0\0\x10a\0\x01\0\0\0\x42x\0\x01"),
            wrapped(b"\x10_id\0\x01\0\0\0\x10a\0\x01\0\0\0\x42x\0\x02"),
        ),
    ]
}

/// What is found in each of these pairs.
fn summaries(cases: Vec<Pair>) -> String {
    let fixture = CensusFixture::new().detailed();
    let mut lines = Vec::new();
    for (name, before, after) in cases {
        let (before, after) = (vec![before], vec![after]);
        assert!(fixture.diff(&before, &before).is_clean(), "{name}");
        lines.push(format!("{name}\n{}", summarize(&fixture.diff(&before, &after))));
    }
    lines.join("\n\n")
}

#[test]
fn documents_that_only_servers_store_are_compared() {
    insta::assert_snapshot!(summaries(stored_by_servers_alone()), @r#"
        nothing but an id
        1 → 1
        missing 1 [{"$numberInt":"1"}] {}
        extra 1 [{"$numberInt":"2"}] {}

        no id
        1 → 1
        changed 1 [{"$missing":true}] {x: 1}
        paths x

        one name twice, the other way round
        1 → 1
        changed 1 [{"$numberInt":"1"}] {x: 1}
        paths x

        invalid UTF-8 in a value
        1 → 1
        changed 1 [{"$numberInt":"1"}] {x: 1}
        paths x

        invalid UTF-8 in a name
        1 → 1
        changed 1 [{"$numberInt":"1"}] {"\xfe": 1, "\xff": 1}
        paths "\xfe" "\xff"

        an empty name
        1 → 1
        changed 1 [{"$numberInt":"1"}] {"": 1}
        paths ""

        an id of invalid UTF-8
        1 → 1
        missing 1 [{"$bytes":"02000000ff00","$type":2,"$length":6}] {}
        extra 1 [{"$bytes":"02000000fe00","$type":2,"$length":6}] {}

        an unknown type
        1 → 1
        changed 1 [{"$numberInt":"1"}] {}
    "#);
}

#[test]
fn documents_that_are_easily_taken_for_each_other_differ() {
    let cases = vec![
        ("a dot in a name", document(doc! {"_id": 1, "a.b": 1}), document(doc! {"_id": 1, "a": {"b": 1}})),
        ("the order of fields", document(doc! {"_id": 1, "a": 1, "b": 1}), document(doc! {"_id": 1, "b": 1, "a": 1})),
        ("null and missing", document(doc! {"_id": 1, "a": Bson::Null}), document(doc! {"_id": 1})),
    ];
    insta::assert_snapshot!(summaries(cases), @r#"
        a dot in a name
        1 → 1
        changed 1 [{"$numberInt":"1"}] {"a.b": 1, a: 1}
        paths a.b "a.b"

        the order of fields
        1 → 1
        changed 1 [{"$numberInt":"1"}] {(order of fields): 1}

        null and missing
        1 → 1
        changed 1 [{"$numberInt":"1"}] {a: 1}
        paths a
    "#);
}

/// With a digest for each field, each document says it, whatever else happened to others.
#[test]
fn the_order_within_a_field_is_named_in_arrays_and_beside_lost_documents() {
    let items = |fields: [bson::Document; 2]| doc! {"_id": 1, "b": {"deep": [fields.to_vec()]}, "total": 5};
    let before = document(items([doc! {"p": 1, "q": 2}, doc! {"p": 3, "q": 4}]));
    let in_order = ["b (order of fields)"].as_slice();
    let cases = [
        (items([doc! {"q": 2, "p": 1}, doc! {"p": 3, "q": 4}]), in_order),
        (items([doc! {"q": 2, "p": 1}, doc! {"q": 4, "p": 3}]), in_order),
        // the elements exchanged their places, all values or one of them, in another order as well
        (items([doc! {"p": 3, "q": 4}, doc! {"p": 1, "q": 2}]), &["b"]),
        (items([doc! {"p": 3, "q": 2}, doc! {"p": 1, "q": 4}]), &["b"]),
        (items([doc! {"q": 4, "p": 1}, doc! {"q": 2, "p": 3}]), &["b"]),
        // a field went, a value, its type
        (items([doc! {"q": 2}, doc! {"p": 3, "q": 4}]), &["b"]),
        (items([doc! {"q": 2, "p": 5}, doc! {"p": 3, "q": 4}]), &["b"]),
        (items([doc! {"q": 2, "p": 1_i64}, doc! {"p": 3, "q": 4}]), &["b"]),
        (
            doc! {"_id": 1, "b": {"deep": [[{"q": 2, "p": 1}, {"p": 3, "q": 4}]]}, "total": 6},
            &["b (order of fields)", "total"],
        ),
        (doc! {"_id": 1, "b": {"deep": {"0": [{"p": 1, "q": 2}, {"p": 3, "q": 4}]}}, "total": 5}, &["b"]),
    ];
    let (lost, added) = (document(doc! {"_id": 2, "b": {"deep": []}}), document(doc! {"_id": 3, "b": {}}));
    for values in [false, true] {
        let mut fixture = CensusFixture::new().detailed();
        fixture.options.values = values;
        for (after, expected) in &cases {
            let difference = fixture.diff(&[before.clone(), lost.clone()], &[document(after.clone()), added.clone()]);
            let changed = &difference.documents.changed;
            assert_eq!(changed.details[0].fields, *expected, "{after}");
            assert_eq!(changed.fields.keys().collect::<Vec<_>>(), *expected, "{after}");
            assert_eq!((difference.documents.missing.count, difference.documents.extra.count), (1, 1), "{after}");
        }
    }
}

/// What an earlier release recorded has no such digests; it is still compared, and the field is named.
#[test]
fn without_order_free_digests_a_field_is_only_named() {
    let mut fixture = CensusFixture::new().detailed();
    fixture.options.order_free_digests = false;
    let (before, after) = (doc! {"_id": 1, "b": {"p": 1, "q": 2}}, doc! {"_id": 1, "b": {"q": 2, "p": 1}});
    let changed = fixture.diff(&[document(before)], &[document(after)]).documents.changed;
    assert_eq!(
        (changed.details[0].fields.as_slice(), changed.paths.as_slice()),
        (["b".to_owned()].as_slice(), ["b".to_owned()].as_slice())
    );
}

/// Without a digest for each field, few differing documents are found in the fronts of the buckets, and many in whole buckets.
#[test]
fn a_document_in_which_only_the_order_changed_says_so() {
    let fixture = CensusFixture::new();
    let documents =
        |count: i32, fields: fn(i32) -> bson::Document| (0..count).map(fields).map(document).collect::<Vec<_>>();
    for count in [3, 3000] {
        let before = documents(count, |n| doc! {"_id": n, "a": n, "b": {"x": 1, "y": [{"p": 1, "q": 2}]}});
        let turned = documents(count, |n| doc! {"_id": n, "b": {"x": 1, "y": [{"p": 1, "q": 2}]}, "a": n});
        let changed = fixture.diff(&before, &turned).documents.changed;
        assert_eq!(changed.count, u64::try_from(count).unwrap());
        assert_eq!(changed.fields, [("(order of fields)".to_owned(), changed.count)].into());
        let deep = documents(count, |n| doc! {"_id": n, "a": n, "b": {"y": [{"q": 2, "p": 1}], "x": 1}});
        let changed = fixture.diff(&before, &deep).documents.changed;
        assert_eq!((changed.fields.len(), changed.paths), (0, vec!["b (order of fields)".to_owned()]));
        let before_within = documents(count, |n| doc! {"_id": n, "b": {"x": n, "y": {"p": 1, "q": 2}}});
        for turned_within in [
            documents(count, |n| doc! {"_id": n, "b": {"y": {"p": 1, "q": 2}, "x": n}}),
            documents(count, |n| doc! {"_id": n, "b": {"x": n, "y": {"q": 2, "p": 1}}}),
        ] {
            let changed = fixture.diff(&before_within, &turned_within).documents.changed;
            assert_eq!(changed.paths, ["b (order of fields)"]);
        }
        let other = documents(count, |n| doc! {"_id": n, "b": {"y": {"q": 1, "p": 1}, "x": n}});
        assert_eq!(fixture.diff(&before_within, &other).documents.changed.paths, ["b.y.q"]);
        let mut any_order = CensusFixture::new();
        any_order.options.any_order = true;
        assert!(any_order.diff(&before, &turned).is_clean());
        assert!(any_order.diff(&before, &deep).is_clean());
        let elements = documents(count, |n| doc! {"_id": n, "a": n, "b": {"x": 1, "y": [{"p": 2, "q": 1}]}});
        assert!(!any_order.diff(&before, &elements).is_clean());
    }
    let mut any_order = CensusFixture::new();
    any_order.options.any_order = true;
    let array = |items: [i32; 2]| vec![document(doc! {"_id": 1, "a": items.to_vec()})];
    assert!(!any_order.diff(&array([1, 2]), &array([2, 1])).is_clean(), "the order of elements counts");
}

#[test]
fn changed_fields_are_shown_with_the_values_that_were_kept() {
    let mut fixture = CensusFixture::new().detailed();
    fixture.options.values = true;
    fixture.options.redaction = Some(Redaction {
        fields: vec!["email".to_owned().try_into().unwrap(), "card.number".to_owned().try_into().unwrap()],
        ..Redaction::default()
    });
    let before = [document(
        doc! {"_id": 1, "total": 12.345, "state": "open", "email": "a@b", "card": 7, "gone": true, "note": "x".repeat(99)},
    )];
    let after = [document(
        doc! {"_id": 1, "total": 12.35, "state": "open", "email": "c@d", "card": 8, "new": Bson::Null, "note": "y"},
    )];
    let changed = fixture.diff(&before, &after).documents.changed;
    let detail = &changed.details[0];
    assert_eq!(detail.fields, ["card", "email", "gone", "new", "note", "total"]);
    insta::assert_snapshot!(serde_json::to_string(&detail.values).unwrap(), @r#"{"gone":{"before":true},"new":{"after":null},"total":{"before":{"$numberDouble":"12.345"},"after":{"$numberDouble":"12.35"}}}"#);
    let stored = serde_json::to_value(detail).unwrap();
    assert_eq!(&serde_json::from_value::<taster_model::DocumentDetail>(stored).unwrap(), detail, "null is a value");
    // as without values in every other way
    let mut plain = fixture.diff(&before, &after);
    plain.documents.changed.details[0].values.clear();
    fixture.options.values = false;
    assert_eq!(fixture.diff(&before, &after), plain);
}

#[test]
fn documents_of_one_id_are_a_multiset() {
    let fixture = CensusFixture::new();
    let one = |x: i32| wrapped(&[b"\x10x\0", &x.to_le_bytes()[..]].concat());
    let twice = [one(1), one(1), one(2)];
    assert!(fixture.diff(&twice, &[one(2), one(1), one(1)]).is_clean());
    let difference = fixture.diff(&twice, &[one(1), one(2)]);
    assert_eq!((difference.documents.missing.count, difference.documents.changed.count), (1, 0));
    let difference = fixture.diff(&twice, &[one(1), one(3), one(2)]);
    assert_eq!((difference.documents.missing.count, difference.documents.changed.count), (0, 1));
}

#[test]
fn the_largest_documents_and_very_many_fields() {
    let fixture = CensusFixture::new().detailed();
    let large = |last: u8| {
        let mut text = vec![b'x'; (16 << 20) - 100];
        *text.last_mut().unwrap() = last;
        document(doc! {"_id": 1, "text": String::from_utf8(text).unwrap()})
    };
    let difference = fixture.diff(&[large(b'a')], &[large(b'b')]);
    assert_eq!(difference.documents.changed.fields["text"], 1);
    // a top-level map by id: more fields than are remembered
    let map = |last: i32| {
        let mut fields = doc! {"_id": 1};
        fields.extend((0..300_000).map(|n| (format!("k{n}"), Bson::Int32(n % 7))));
        fields.insert("k299999", last);
        document(fields)
    };
    assert!(fixture.diff(&[map(1)], &[map(1)]).is_clean());
    let difference = fixture.diff(&[map(1)], &[map(2)]);
    assert_eq!(difference.documents.changed.count, 1);
    // the key decides which paths have their own sum
    let one = difference.paths == ["k299999"] || difference.paths == ["(other paths)"];
    assert!(one, "{:?}", difference.paths);
}

#[test]
fn names_of_megabytes_are_neither_remembered_nor_stored() {
    let fixture = CensusFixture::new();
    let long = "n".repeat(1 << 20);
    let documents = |last: i32| -> Vec<Vec<u8>> {
        (0..40)
            .map(|n| {
                let mut inner = bson::Document::new();
                inner.extend((0..50).map(|k| (format!("a{k}"), Bson::Int32(if n == 39 { last } else { k }))));
                document(doc! {"_id": n, format!("{n}{long}"): inner})
            })
            .collect()
    };
    let before = documents(1);
    let census = fixture.census(Side::Pre, &before);
    assert!(census.len() < 64 << 10, "{} bytes", census.len());
    let difference = fixture.diff(&before, &documents(2));
    assert_eq!(difference.documents.changed.ids, [serde_json::json!({"$numberInt": "39"})]);
    assert_eq!(difference.paths, ["(other paths)"]);
}

#[test]
fn an_emptied_collection_is_listed_document_by_document() {
    let fixture = CensusFixture::new();
    let before = bytes((0..20_000).map(|n| rawdoc! {"_id": n, "x": n}));
    let after = before[5..6].to_vec();
    let difference = fixture.diff(&before, &after);
    assert_eq!((difference.documents.missing.count, difference.documents.extra.count), (19_999, 0));
    let difference = fixture.diff(&after, &before);
    assert_eq!((difference.documents.extra.count, difference.documents.missing.count), (19_999, 0));
    assert_eq!(fixture.diff(&before, &[]).documents.missing.count, 20_000);
    assert_eq!(fixture.diff(&[], &before).documents.extra.count, 20_000);
}

#[test]
fn too_many_paths_have_the_same_sums_in_any_order() {
    let fixture = CensusFixture::new();
    let documents: Vec<_> =
        (0..300).map(|n| document(doc! {"_id": n, "m": (0..40).map(|k| (format!("k{}", n * 40 + k), Bson::Int32(k))).collect::<bson::Document>()})).collect();
    let forwards: Vec<_> = documents.iter().map(|document| (document.clone(), 0)).collect();
    let mut backwards = forwards.clone();
    backwards.reverse();
    let halves: Vec<_> = backwards.chunks(77).map(<[_]>::to_vec).collect();
    let whole = fixture.parts(Side::Pre, std::slice::from_ref(&forwards)).unwrap();
    assert_eq!(fixture.parts(Side::Pre, &[backwards]).unwrap(), whole);
    assert_eq!(fixture.parts(Side::Pre, &halves).unwrap(), whole);
    let mut edited = documents.clone();
    edited[7] = document(doc! {"_id": 7, "m": {"k280": "other"}});
    let difference = fixture.diff(&documents, &edited);
    assert_eq!(difference.documents.changed.ids, [serde_json::json!({"$numberInt": "7"})]);
    assert!(difference.paths.iter().any(|path| path == "(other paths)"));
}

#[test]
fn changed_paths_are_listed() {
    let shop = |price: i32, city: &str| {
        bytes((0..3).map(|n| {
            rawdoc! {"_id": n, "items": [{"sku": "a", "price": if n == 1 { price } else { 5 }}, {"sku": "b", "price": 2}],
                     "customer": {"city": city, "name": "Ada"}, "a.b": 1}
        }))
    };
    let fixture = CensusFixture::new();
    assert_eq!(fixture.diff(&shop(1, "x"), &shop(2, "y")).paths, ["customer.city", "items[].price"]);
    // sums of paths cannot be compared if a document is missing
    let difference = fixture.diff(&shop(1, "x"), &shop(2, "x")[..2]);
    assert_eq!((difference.documents.changed.count, difference.documents.missing.count), (1, 1));
    assert!(difference.paths.is_empty());
}

#[test]
fn many_buckets_are_compared_with_few() {
    let fixture = CensusFixture::new();
    let orders = |count: i32| bytes((0..count).map(|n| rawdoc! {"_id": n, "x": n}));
    let before = orders(50_000);
    let mut after = before[..20_000].to_vec();
    after.remove(7);
    let difference = fixture.diff(&before, &after);
    assert_eq!(difference.documents.missing.count, 30_001);
    assert_eq!(
        difference.documents.missing.ids[..2],
        [7, 20_000].map(|n| serde_json::json!({"$numberInt": n.to_string()}))
    );
    let difference = fixture.diff(&after, &before);
    assert_eq!((difference.documents.extra.count, difference.documents.changed.count), (30_001, 0));
}

#[test]
fn ignored_fields_are_not_compared() {
    let mut fixture = CensusFixture::new();
    fixture.options.ignored = vec!["seen".to_owned()];
    let shop = |seen: i32, x: i32| bytes([rawdoc! {"_id": 1, "seen": seen, "x": x}]);
    assert!(fixture.diff(&shop(1, 1), &shop(2, 1)).is_clean());
    assert!(!fixture.diff(&shop(1, 1), &shop(1, 2)).is_clean());
    assert!(fixture.diff(&shop(1, 1), &bytes([rawdoc! {"_id": 1, "x": 1}])).is_clean());
}

#[test]
fn only_documents_that_were_due_to_expire_are_not_missing() {
    let mut fixture = CensusFixture::new();
    fixture.options.expiries = vec![TtlIndex { field: "until".to_owned(), seconds: 10, filter: None }];
    let at = |ms: i64| Bson::DateTime(bson::DateTime::from_millis(ms));
    let before = vec![
        document(doc! {"_id": 1, "until": at(0)}),
        document(doc! {"_id": 2, "until": at(90_000)}),
        document(doc! {"_id": 3, "until": [at(95_000), at(1000)]}),
        document(doc! {"_id": 4, "until": "soon"}),
        document(doc! {"_id": 5}),
        document(doc! {"_id": 6, "until": at(0)}),
    ];
    fixture.now = 60_000;
    let difference = fixture.diff(&before, &before[5..]);
    insta::assert_snapshot!(summarize(&difference), @r#"
        6 → 1
        missing 3 [{"$numberInt":"2"} {"$numberInt":"4"} {"$numberInt":"5"}] {}
        expired 2 [{"$numberInt":"1"} {"$numberInt":"3"}] {}
    "#);
}

#[test]
fn redacted_ids_are_paired_and_not_stored() {
    let mut fixture = CensusFixture::new();
    fixture.options.sample = 2;
    fixture.options.redaction =
        Some(Redaction { ids: true, fields: vec!["mail".to_owned().try_into().unwrap()], secret: None });
    let shop = |x: i32| bytes([rawdoc! {"_id": "ada@example.com", "mail": "ada@example.com", "x": x}]);
    let (before, after) = (fixture.census(Side::Pre, &shop(1)), fixture.census(Side::Post, &shop(2)));
    for census in [&before, &after] {
        assert!(!census.windows(3).any(|bytes| bytes == b"ada"));
    }
    let difference = fixture.compare(before, after).unwrap();
    let changed = &difference.documents.changed;
    assert_eq!(changed.ids[0]["$redacted"].as_str().unwrap().len(), 32);
    let detail = &changed.details[0];
    assert_eq!(detail.before.as_ref().unwrap()["x"], serde_json::json!({"$numberInt": "1"}));
    assert_eq!(detail.after.as_ref().unwrap()["x"], serde_json::json!({"$numberInt": "2"}));
    assert!(detail.before.as_ref().unwrap().get("mail").is_none());
}

#[test]
fn bytes_that_are_not_a_document_are_an_error() {
    let fixture = CensusFixture::new();
    for bytes in [&b"\x04\0\0\0"[..], b"\x06\0\0\0\0", b"\xFF\xFF\xFF\xFF\0", b"\x05\0"] {
        let part = vec![(bytes.to_vec(), 0)];
        assert!(fixture.parts(Side::Pre, &[part]).is_err(), "{bytes:?}");
    }
}

#[test]
fn documents_expire_by_the_partial_indexes_that_they_are_in() {
    let mut fixture = CensusFixture::new();
    let index = |field: &str, filter| TtlIndex { field: field.to_owned(), seconds: 10, filter };
    let open = || Some(serde_json::json!({"open": true}));
    fixture.options.expiries = vec![index("seen", None), index("until", open()), index("at", open())];
    let at = |ms: i64| Bson::DateTime(bson::DateTime::from_millis(ms));
    let all = [
        (0, doc! {"_id": 1, "until": at(0)}),
        (1, doc! {"_id": 2, "until": at(0)}),
        (2, doc! {"_id": 3, "until": at(0)}),
        (2, doc! {"_id": 4, "until": at(0), "at": at(0)}),
        (3, doc! {"_id": 5, "until": at(90_000), "at": at(90_000)}),
        (0, doc! {"_id": 6, "seen": at(0), "until": at(90_000)}),
    ];
    fixture.now = 60_000;
    let mut builder = CensusBuilder::new(&fixture.spec(Side::Pre));
    for (expiries, document) in all {
        builder.push_marked(&document.to_vec().unwrap(), DocumentMarks { filter: 0, expiries }).unwrap();
    }
    let difference =
        fixture.compare(fixture.written(builder, Side::Pre).unwrap(), fixture.census(Side::Post, &[])).unwrap();
    insta::assert_snapshot!(summarize(&difference), @r#"
        6 → 0
        missing 3 [{"$numberInt":"1"} {"$numberInt":"3"} {"$numberInt":"5"}] {}
        expired 3 [{"$numberInt":"2"} {"$numberInt":"4"} {"$numberInt":"6"}] {}
    "#);
}
