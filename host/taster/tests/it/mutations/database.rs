//! A database as plain data: what the generator makes, upgrades change and the truth compares.

use std::{collections::BTreeMap, fmt};

use mongodb::bson::{Binary, Bson, DateTime, Document, doc, spec::BinarySubtype};

use super::{
    random::{Random, position},
    values::{self, decimal, object_id},
};

/// By name.
pub(super) type Database = BTreeMap<String, Collection>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Capped,
    Clustered,
    TimeSeries,
    View,
}

/// A collection or a view.
#[derive(Debug, Clone)]
pub(super) struct Collection {
    pub(super) kind: Kind,
    /// Of the command `create`.
    pub(super) options: Document,
    /// Of the command `createIndexes`, without `_id_`.
    pub(super) indexes: Vec<Document>,
    pub(super) documents: Vec<Document>,
}

impl Collection {
    /// Whether its documents can be altered one by one.
    pub(super) fn is_editable(&self) -> bool {
        matches!(self.kind, Kind::Plain | Kind::Capped | Kind::Clustered)
    }

    /// Its TTL indexes.
    pub(super) fn ttl_indexes(&self) -> Vec<&Document> {
        self.indexes.iter().filter(|index| index.contains_key("expireAfterSeconds")).collect()
    }

    /// Whether some of its documents may expire.
    pub(super) fn expires(&self) -> bool {
        !self.ttl_indexes().is_empty()
    }
}

impl fmt::Display for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = |document: &Document| Bson::from(document.clone()).into_canonical_extjson().to_string();
        writeln!(f, "{:?} {}", self.kind, json(&self.options))?;
        for index in &self.indexes {
            writeln!(f, "    index {}", json(index))?;
        }
        for document in self.documents.iter().take(8) {
            writeln!(f, "    {}", json(document))?;
        }
        let more = self.documents.len().saturating_sub(8);
        if more > 0 { writeln!(f, "    … and {more} more documents") } else { Ok(()) }
    }
}

/// Names that are easily taken for something else.
const NAMES: [&str; 12] =
    ["orders", "Orders", "a.b", "with space", "öäü 漢字", "null", "123", "~", "orders.", "_id", "system_like", "-x"];

/// When documents of a TTL index were due, and when they will be.
pub(super) const PAST: i64 = 1_600_000_000_000;
pub(super) const FUTURE: i64 = 4_000_000_000_000;

/// A database of a few collections, each with a few documents.
pub(super) fn generate(random: &mut Random) -> Database {
    let mut database = Database::new();
    for number in 0..2 + random.below(3) {
        let name = match random.below(14) {
            0 => format!("{number}{}", "long".repeat(25)),
            1.. => random.pick(&NAMES).to_owned(),
        };
        let kind = match random.below(16) {
            0 => Kind::Capped,
            1 => Kind::Clustered,
            2 => Kind::TimeSeries,
            _ => Kind::Plain,
        };
        database.entry(name).or_insert_with(|| collection(random, kind));
    }
    // measurements have no `k`
    let read: Vec<String> =
        database.iter().filter(|(_, c)| c.kind != Kind::TimeSeries).map(|(name, _)| name.clone()).collect();
    if !read.is_empty() && random.one_in(3) {
        // it matches every document: nothing against nothing is unknown
        let pipeline = vec![doc! {"$match": {"k": {"$gte": -random.number(9)}}}];
        let options = doc! {"viewOn": random.pick(&read), "pipeline": pipeline};
        let view = Collection { kind: Kind::View, options, indexes: Vec::new(), documents: Vec::new() };
        database.insert("a view".to_owned(), view);
    }
    database
}

pub(super) fn collection(random: &mut Random, kind: Kind) -> Collection {
    let options = options(random, kind);
    // a bucket of a census holds about 500 documents
    let count = if random.one_in(25) { 1200 } else { random.below(24) + 1 };
    let ids = random.below(9);
    let number = random.below(5);
    let documents = (0..count).map(|at| match kind {
        Kind::TimeSeries => measurement(random, at),
        _ => {
            let id = id(random, at, ids);
            document(random, at, id, number)
        }
    });
    let documents: Vec<Document> = documents.collect();
    let mut indexes = Vec::new();
    if matches!(kind, Kind::Plain | Kind::Capped | Kind::Clustered) {
        indexes = self::indexes(random, kind);
    }
    Collection { kind, options, indexes, documents }
}

fn options(random: &mut Random, kind: Kind) -> Document {
    match kind {
        Kind::Capped => doc! {"capped": true, "size": 1_048_576, "max": 5000},
        Kind::Clustered => doc! {"clusteredIndex": {"key": {"_id": 1}, "unique": true}},
        Kind::TimeSeries => doc! {"timeseries": {"timeField": "t", "metaField": "m"}},
        Kind::View => doc! {},
        Kind::Plain => match random.below(6) {
            0 => doc! {"validator": {"k": {"$gte": 0}}, "validationAction": "warn"},
            1 => doc! {"collation": {"locale": "en", "strength": 2}},
            2 => {
                doc! {"validator": {"$jsonSchema": {"required": ["k"]}}, "validationLevel": "moderate", "validationAction": "warn"}
            }
            _ => doc! {},
        },
    }
}

fn indexes(random: &mut Random, kind: Kind) -> Vec<Document> {
    let choices = [
        doc! {"key": {"s": 1}, "name": "s_1"},
        doc! {"key": {"k": 1, "s": -1}, "name": "odd name", "sparse": true},
        doc! {"key": {"u": 1}, "name": "u", "unique": true, "partialFilterExpression": {"u": {"$exists": true}}},
        doc! {"key": {"s": 1}, "name": "collated", "collation": {"locale": "de", "strength": 1}},
        doc! {"key": {"_id": "hashed"}, "name": "hashed"},
        doc! {"key": {"o.x": 1}, "name": "nested", "hidden": true},
    ];
    let mut indexes: Vec<Document> = choices.into_iter().filter(|_| random.one_in(4)).collect();
    if kind == Kind::Plain && random.one_in(5) {
        indexes.push(doc! {"key": {"t": 1}, "name": "ttl", "expireAfterSeconds": 60});
    }
    indexes
}

/// Different ids of one kind, or of all kinds. `at` makes them different as numbers, too.
fn id(random: &mut Random, at: usize, kind: usize) -> Bson {
    let number = position(at);
    match if kind == 8 { random.below(8) } else { kind } {
        0 => number.into(),
        1 => Bson::Double(f64::from(number)),
        2 => Bson::String(format!("id {number}")),
        3 => Bson::ObjectId(object_id(random)),
        4 => Bson::Document(doc! {"a": number, "b": {"c": null}}),
        5 => Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: number.to_be_bytes().to_vec() }),
        6 if at == 0 => random.pick(&[Bson::Null, Bson::MinKey, Bson::MaxKey, Bson::Double(f64::NAN)]),
        6 => decimal(&format!("{number}.0")),
        _ => Bson::DateTime(DateTime::from_millis(number.into())),
    }
}

/// `k` counts, `n` has one type in the whole collection, `s` is a text, `o` a subdocument, `t` a date of a TTL index, `u` is unique.
pub(super) fn document(random: &mut Random, at: usize, id: Bson, number: usize) -> Document {
    let mut document = doc! {"_id": id, "k": position(at)};
    if !random.one_in(8) {
        document.insert("n", self::number(random, number));
    }
    document.insert("s", random.pick(&["a", "A", "b", ""]));
    document.insert("o", doc! {"x": position(at), "y": values::value(random, 1)});
    document.insert("u", position(at) * 1000);
    let times = [PAST, FUTURE].map(DateTime::from_millis);
    if random.one_in(2) {
        document.insert("t", random.pick(&times));
    }
    for _ in 0..random.below(4) {
        document.insert(values::name(random), values::value(random, 2));
    }
    document
}

fn number(random: &mut Random, kind: usize) -> Bson {
    let number = random.number(1000);
    match kind {
        0 => number.into(),
        1 => i64::from(number).into(),
        2 => Bson::Double(f64::from(number) / 4.0 + 0.99),
        3 => Bson::String(number.to_string()),
        _ => Bson::DateTime(DateTime::from_millis(1_700_000_000_000 + i64::from(number) * 1001)),
    }
}

fn measurement(random: &mut Random, at: usize) -> Document {
    let time = DateTime::from_millis(FUTURE / 2 + i64::from(position(at)) * 1000);
    doc! {"_id": position(at), "t": time, "m": random.number(3), "v": f64::from(random.number(99))}
}
