//! Bytes that two parsers might read in two ways, and the calls beside `find` and `aggregate`.

use bson::doc;
use taster_query::{AggregateOptions, FindOptions};

use super::{
    Call, Case,
    Expected::{Answer, Documents, Refused},
    ORDERS, options,
};
use crate::support::raw;

/// A document of these elements, whether or not they are valid.
fn document(elements: &[&[u8]]) -> Vec<u8> {
    let inner = elements.concat();
    let length = i32::try_from(inner.len() + 5).unwrap();
    [&length.to_le_bytes()[..], &inner, &[0]].concat()
}

fn holding(kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
    [&[kind], name.as_bytes(), &[0], value].concat()
}

fn text(name: &str, value: &str) -> Vec<u8> {
    let length = i32::try_from(value.len() + 1).unwrap();
    holding(2, name, &[&length.to_le_bytes()[..], value.as_bytes(), &[0]].concat())
}

/// Bytes that two parsers might read in two ways.
pub(super) fn encodings() -> Vec<Case> {
    let filter = |name, bytes, code| Case {
        name,
        collection: ORDERS,
        call: Call::Find(bytes, FindOptions::default()),
        expected: Refused(code),
    };
    let stage = |name, bytes, code| Case {
        name,
        collection: ORDERS,
        call: Call::Aggregate(vec![bytes], AggregateOptions::default()),
        expected: Refused(code),
    };
    let empty = document(&[]);
    let twice =
        document(&[&text("from", "items"), &text("from", "secret"), &text("as", "a"), &holding(4, "pipeline", &empty)]);
    let out = document(&[&text("$out", "x")]);
    let mut behind = document(&[&text("a", "b")]);
    // an end before the end
    let length = behind.len();
    behind[length - 2] = 0;
    behind.push(0);
    behind[0] += 1;
    vec![
        filter("no bytes", Vec::new(), "T0220"),
        filter("too short", vec![4, 0, 0, 0], "T0220"),
        filter("bytes behind the end", [&empty[..], &[0]].concat(), "T0220"),
        filter("two documents", [&empty[..], &empty[..]].concat(), "T0220"),
        filter("a length that is too large", vec![99, 0, 0, 0, 0], "T0220"),
        filter("an end before the end", behind, "T0220"),
        filter("an unknown type", document(&[&holding(0x20, "a", &[])]), "T0220"),
        filter("a name that is no text", document(&[&[0x0a, 0xff, 0xfe, 0]]), "T0220"),
        filter("a text that is no text", document(&[&holding(2, "a", &[3, 0, 0, 0, 0xff, 0xfe, 0])]), "T0220"),
        filter("a flag that is neither", document(&[&holding(8, "a", &[7])]), "T0220"),
        filter("a name twice", document(&[&text("a", "1"), &text("a", "2")]), "T0223"),
        filter("a pointer", document(&[&holding(12, "a", &[&[2, 0, 0, 0, b'x', 0][..], &[0; 12]].concat())]), "T0221"),
        filter(
            "an array that is not numbered",
            document(&[&holding(4, "$and", &document(&[&holding(3, "$where", &empty)]))]),
            "T0220",
        ),
        filter(
            "an array out of order",
            document(&[&holding(4, "$or", &document(&[&holding(3, "1", &empty), &holding(3, "0", &empty)]))]),
            "T0220",
        ),
        stage("from twice", document(&[&holding(3, "$lookup", &twice)]), "T0223"),
        stage("a stage twice", document(&[&holding(3, "$match", &empty), &holding(3, "$match", &empty)]), "T0223"),
        stage(
            "a pipeline that is not numbered",
            document(&[&holding(
                3,
                "$unionWith",
                &document(&[&text("coll", "items"), &holding(4, "pipeline", &document(&[&holding(3, "x", &out)]))]),
            )]),
            "T0220",
        ),
        stage("a stage that is no document", vec![1, 2, 3], "T0220"),
    ]
}

pub(super) fn other_calls() -> Vec<Case> {
    let case = |name, collection, call, expected| Case { name, collection, call, expected };
    let nothing = || raw(&doc! {});
    let hinted = |hint: &str| AggregateOptions { hint: Some(hint.to_owned()), ..AggregateOptions::default() };
    let with = |name: &str, value: i32| AggregateOptions {
        variables: Some(raw(&doc! {name: value})),
        ..AggregateOptions::default()
    };
    let least = || vec![raw(&doc! {"$match": {"$expr": {"$gte": ["$total", "$$least"]}}})];
    vec![
        case("a count", ORDERS, Call::Count(raw(&doc! {"status": "open"})), Documents(5)),
        case("a count with where", ORDERS, Call::Count(raw(&doc! {"$where": "1"})), Refused("T0230")),
        case("a count of a secret", "secret", Call::Count(nothing()), Refused("T0226")),
        case("values", ORDERS, Call::Distinct("items.sku", nothing()), Documents(10)),
        case("values with where", ORDERS, Call::Distinct("a", raw(&doc! {"$where": "1"})), Refused("T0230")),
        case("values of a strange path", ORDERS, Call::Distinct("$where", nothing()), Refused("T0225")),
        case("values of an empty path", ORDERS, Call::Distinct("", nothing()), Refused("T0225")),
        case("values of a secret", "secret", Call::Distinct("a", nothing()), Refused("T0226")),
        case("a plan", ORDERS, Call::Explain(raw(&doc! {"status": "open"}), options()), Answer),
        case("a plan of a view", "few", Call::Explain(nothing(), options()), Answer),
        case("a plan with where", ORDERS, Call::Explain(raw(&doc! {"$where": "1"}), options()), Refused("T0230")),
        case("a plan of a secret", "secret", Call::Explain(nothing(), options()), Refused("T0226")),
        case("a find in a secret", "secret", Call::Find(nothing(), options()), Refused("T0226")),
        case("a find in code", "system.js", Call::Find(nothing(), options()), Refused("T0227")),
        case("a find in a time series", "ticks", Call::Find(nothing(), options()), Documents(5)),
        case("a find in buckets", "system.buckets.ticks", Call::Find(nothing(), options()), Refused("T0227")),
        case("an aggregate with a hint", ORDERS, Call::Aggregate(vec![], hinted("status_1")), Documents(10)),
        case("an aggregate with a natural hint", ORDERS, Call::Aggregate(vec![], hinted("$natural")), Refused("T0225")),
        case("an aggregate with variables", ORDERS, Call::Aggregate(least(), with("least", 5)), Documents(5)),
        case("an aggregate with a variable NOW", ORDERS, Call::Aggregate(vec![], with("NOW", 5)), Refused("T0225")),
    ]
}
