//! A collection in which names look like Extended JSON, and texts are not UTF-8.

use mongodb::bson::{Bson, Document, doc};

use super::{
    database::{self, Collection, Kind},
    random::{Random, position},
    values::INVALID,
};

/// The name of the collection of [`odd`].
pub(super) const ODD: &str = "odd";

const NAMES: [&str; 6] = ["$oid", "$$oid", "$numberLong", "$date", "$code", "text"];

pub(super) fn odd(random: &mut Random) -> Collection {
    let (ids, number) = (random.below(5), random.below(5));
    let documents = (0..2 + random.below(20)).map(|at| {
        let mut document = database::document(random, at, id(at, ids), number);
        for _ in 0..=random.below(3) {
            document.insert(random.pick(&NAMES), value(random));
        }
        document
    });
    let documents: Vec<Document> = documents.collect();
    let indexes = [
        doc! {"key": {"k": 1}, "name": "$oid"},
        doc! {"key": {"s": -1}, "name": "$numberLong"},
        doc! {"key": {"u": 1}, "name": "$$oid", "unique": true},
    ];
    let indexes = indexes.into_iter().filter(|_| random.one_in(2)).collect();
    Collection { kind: Kind::Plain, options: doc! {}, indexes, documents }
}

/// Different ids of one kind.
fn id(at: usize, kind: usize) -> Bson {
    let number = position(at);
    let text = format!("{INVALID}{number}");
    match kind {
        0 => number.into(),
        1 => text.into(),
        2 => doc! {"a": text}.into(),
        3 => doc! {text: number}.into(),
        _ => Bson::JavaScriptCode(text),
    }
}

fn value(random: &mut Random) -> Bson {
    random.pick(&[
        Bson::Int32(5),
        INVALID.into(),
        format!("a{INVALID}").into(),
        doc! {"x": [INVALID, {"y": INVALID}]}.into(),
        doc! {"$numberLong": "5"}.into(),
        doc! {"$oid": 1, "$date": {"$numberLong": "0"}}.into(),
    ])
}
