//! The canonical form of a query that is part of a definition: a validator, or the filter of a partial index. Queries that match
//! the same documents for a reason that is in their syntax have the same form; what an expression (`$expr`) means is not looked
//! into.

use bson::{Bson, Document};

use crate::canonical_value::{flag, number, sorted};

/// The aliases of `$type`, with their numbers.
const TYPES: [(i32, &str); 21] = [
    (-1, "minKey"),
    (1, "double"),
    (2, "string"),
    (3, "object"),
    (4, "array"),
    (5, "binData"),
    (6, "undefined"),
    (7, "objectId"),
    (8, "bool"),
    (9, "date"),
    (10, "null"),
    (11, "regex"),
    (12, "dbPointer"),
    (13, "javascript"),
    (14, "symbol"),
    (15, "javascriptWithScope"),
    (16, "int"),
    (17, "timestamp"),
    (18, "long"),
    (19, "decimal"),
    (127, "maxKey"),
];

/// The canonical form of a query. The order of its conditions does not matter, that of a document that values are compared with
/// does.
pub(crate) fn query(query: Document) -> Document {
    sorted(query.into_iter().map(|(name, value)| {
        let value = match (name.as_str(), value) {
            ("$and" | "$or" | "$nor", Bson::Array(items)) => each_document(items, self::query),
            ("$jsonSchema", Bson::Document(inner)) => schema(inner).into(),
            (name, value) if name.starts_with('$') => value,
            (_, value) => condition(value),
        };
        (name, value)
    }))
}

/// What a field is compared with: operators, or a value.
fn condition(value: Bson) -> Bson {
    match value {
        Bson::Document(operators) if first_name(&operators).starts_with('$') => {
            sorted(operators.into_iter().map(|(name, value)| operator(name, value))).into()
        }
        value => literal(value),
    }
}

fn operator(name: String, value: Bson) -> (String, Bson) {
    let value = match (name.as_str(), value) {
        ("$eq" | "$ne" | "$gt" | "$gte" | "$lt" | "$lte" | "$in" | "$nin" | "$size" | "$mod", value) => literal(value),
        ("$not", value) => condition(value),
        ("$all", Bson::Array(items)) => Bson::Array(items.into_iter().map(condition).collect()),
        ("$elemMatch", Bson::Document(inner)) => match first_name(&inner) {
            "$and" | "$or" | "$nor" | "$expr" | "$jsonSchema" => query(inner).into(),
            name if name.starts_with('$') => condition(inner.into()),
            _ => query(inner).into(),
        },
        ("$exists", value) => flag(value),
        ("$type", Bson::Array(items)) => Bson::Array(items.into_iter().map(alias).collect()),
        ("$type", value) => alias(value),
        (_, value) => value,
    };
    (name, value)
}

fn first_name(document: &Document) -> &str {
    document.keys().next().map_or("", String::as_str)
}

/// A value that is compared with: equal numbers of different types are equal there, also within documents.
fn literal(value: Bson) -> Bson {
    match value {
        Bson::Document(fields) => {
            Bson::Document(fields.into_iter().map(|(name, value)| (name, literal(value))).collect())
        }
        Bson::Array(items) => Bson::Array(items.into_iter().map(literal).collect()),
        value => number(value),
    }
}

/// `16` → `"int"`
fn alias(value: Bson) -> Bson {
    let known = number(value.clone()).as_i32().and_then(|number| TYPES.iter().find(|(of, _)| *of == number));
    known.map_or(value, |(_, alias)| Bson::from(*alias))
}

/// The canonical form of a JSON Schema.
fn schema(inner: Document) -> Document {
    sorted(inner.into_iter().map(|(name, value)| {
        let value = match (name.as_str(), value) {
            ("properties" | "patternProperties" | "dependencies", Bson::Document(named)) => {
                let named = named.into_iter().map(|(name, value)| (name, schema_or_value(value)));
                sorted(named).into()
            }
            ("items" | "additionalItems" | "additionalProperties" | "not", value) => schema_or_value(value),
            ("allOf" | "anyOf" | "oneOf", Bson::Array(items)) => each_document(items, schema),
            ("enum", value) => literal(value),
            (_, value) => number(value),
        };
        (name, value)
    }))
}

fn schema_or_value(value: Bson) -> Bson {
    match value {
        Bson::Document(inner) => schema(inner).into(),
        Bson::Array(items) => each_document(items, schema),
        value => value,
    }
}

fn each_document(items: Vec<Bson>, canonical: impl Fn(Document) -> Document) -> Bson {
    let each = items.into_iter().map(|item| match item {
        Bson::Document(inner) => canonical(inner).into(),
        other => other,
    });
    Bson::Array(each.collect())
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    /// Documents that differ in the order of their fields compare as equal, and texts do not show types.
    fn bytes(one: &Document) -> Vec<u8> {
        query(one.clone()).to_vec().unwrap()
    }

    #[test]
    fn queries_of_one_meaning_have_one_form() {
        for (one, other) in [
            (doc! {"a": 5}, doc! {"a": 5.0}),
            (doc! {"a": 5_i64}, doc! {"a": 5.0}),
            (doc! {"a": 5_000_000_000_i64}, doc! {"a": 5e9}),
            (doc! {"a": 1, "b": {"$gt": 1, "$lt": 5}}, doc! {"b": {"$lt": 5.0, "$gt": 1}, "a": 1}),
            (doc! {"a": {"$type": 16}}, doc! {"a": {"$type": "int"}}),
            (doc! {"a": {"$type": [2.0, "long"]}}, doc! {"a": {"$type": ["string", 18_i64]}}),
            (doc! {"a": {"$exists": true}}, doc! {"a": {"$exists": 1.0}}),
            (doc! {"$or": [{"a": 1, "b": {"x": 1}}]}, doc! {"$or": [{"b": {"x": 1.0}, "a": 1.0}]}),
            (doc! {"a": {"$not": {"$gt": 1, "$type": 1}}}, doc! {"a": {"$not": {"$type": "double", "$gt": 1.0}}}),
            (doc! {"a": {"$elemMatch": {"x": 1, "y": 2}}}, doc! {"a": {"$elemMatch": {"y": 2.0, "x": 1}}}),
            (doc! {"a": {"$elemMatch": {"$gt": 1, "$lt": 2}}}, doc! {"a": {"$elemMatch": {"$lt": 2.0, "$gt": 1}}}),
            (
                doc! {"$jsonSchema": {"required": ["a"], "properties": {"a": {"bsonType": "int", "minimum": 1}, "b": {}}}},
                doc! {"$jsonSchema": {"properties": {"b": {}, "a": {"minimum": 1.0, "bsonType": "int"}}, "required": ["a"]}},
            ),
        ] {
            assert_eq!(bytes(&one), bytes(&other), "{one} {other}");
        }
    }

    #[test]
    fn queries_of_another_meaning_have_another_form() {
        for (one, other) in [
            (doc! {"a": 5}, doc! {"a": 5.5}),
            (doc! {"a": 5}, doc! {"a": "5"}),
            (doc! {"a": {"x": 1, "y": 2}}, doc! {"a": {"y": 2, "x": 1}}),
            (doc! {"a": {"$in": [{"x": 1, "y": 2}]}}, doc! {"a": {"$in": [{"y": 2, "x": 1}]}}),
            (doc! {"a": {"$type": "number"}}, doc! {"a": {"$type": "int"}}),
            (doc! {"a": {"$type": 99}}, doc! {"a": {"$type": 16}}),
            (
                doc! {"$expr": {"$eq": [{"$toString": "$a"}, {"$toString": 5}]}},
                doc! {"$expr": {"$eq": [{"$toString": "$a"}, {"$toString": 5.0}]}},
            ),
            (doc! {"$jsonSchema": {"enum": [{"x": 1, "y": 2}]}}, doc! {"$jsonSchema": {"enum": [{"y": 2, "x": 1}]}}),
            (
                doc! {"$jsonSchema": {"items": [{}, {"minimum": 1}]}},
                doc! {"$jsonSchema": {"items": [{"minimum": 1}, {}]}},
            ),
            (doc! {"a": f64::NAN}, doc! {"a": 0}),
        ] {
            assert_ne!(bytes(&one), bytes(&other), "{one} {other}");
        }
    }
}
