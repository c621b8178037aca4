//! Validators and filters of partial indexes, each written in two ways that mean the same.

use mongodb::{
    Database as Mongo,
    bson::{Document, doc},
};

use super::{
    database::{self, Collection, Kind},
    random::Random,
    server,
};

/// The name of the collection of [`defined`].
pub(super) const DEFINED: &str = "defined";

/// A validator and the filter of a partial index.
#[derive(Debug, Clone)]
pub(super) struct Definitions {
    validator: Document,
    filter: Document,
}

/// A collection with both, and other words for them.
pub(super) fn defined(random: &mut Random) -> (Collection, Definitions) {
    let mut collection = database::collection(random, Kind::Plain);
    let [filter, other_filter] = either_way(random, &filters());
    let [validator, other_validator] = either_way(random, &[filters(), validators()].concat());
    collection.options.insert("validator", validator);
    collection.options.insert("validationAction", "warn");
    collection.indexes.retain(|index| !index.contains_key("expireAfterSeconds"));
    collection.indexes.push(index(&filter));
    (collection, Definitions { validator: other_validator, filter: other_filter })
}

fn either_way(random: &mut Random, pairs: &[[Document; 2]]) -> [Document; 2] {
    let mut pair = random.pick(pairs);
    if random.one_in(2) {
        pair.reverse();
    }
    pair
}

fn filters() -> Vec<[Document; 2]> {
    vec![
        [doc! {"k": 5}, doc! {"k": 5.0}],
        [doc! {"k": {"$gte": 0, "$lt": 9_i64}}, doc! {"k": {"$lt": 9, "$gte": 0.0}}],
        [doc! {"k": {"$gte": 0}, "u": {"$exists": true}}, doc! {"u": {"$exists": 1}, "k": {"$gte": 0_i64}}],
        [doc! {"k": {"$type": 16}}, doc! {"k": {"$type": "int"}}],
    ]
}

/// What the filter of an index cannot say.
fn validators() -> Vec<[Document; 2]> {
    let schema = doc! {"required": ["k"], "properties": {"k": {"bsonType": "int", "minimum": 0}, "$oid": {}}};
    let other = doc! {"properties": {"$oid": {}, "k": {"minimum": 0.0, "bsonType": "int"}}, "required": ["k"]};
    vec![
        [doc! {"$jsonSchema": schema}, doc! {"$jsonSchema": other}],
        [
            doc! {"$or": [{"k": {"$in": [1, 2]}, "u": 3}, {"s": "a"}]},
            doc! {"$or": [{"u": 3.0, "k": {"$in": [1.0, 2_i64]}}, {"s": "a"}]},
        ],
    ]
}

fn index(filter: &Document) -> Document {
    doc! {"key": {"k": 1, "u": 1}, "name": "partial", "partialFilterExpression": filter.clone()}
}

/// Writes the definitions of the collection in the other words.
pub(super) async fn rewrite(mongo: &Mongo, name: &str, definitions: &Definitions) {
    server::run(mongo, doc! {"collMod": name, "validator": definitions.validator.clone()}).await;
    server::run(mongo, doc! {"dropIndexes": name, "index": "partial"}).await;
    server::create_indexes(mongo, name, &[index(&definitions.filter)]).await;
}
