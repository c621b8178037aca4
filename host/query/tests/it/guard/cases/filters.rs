//! Cases of filters and find options.

use bson::{Bson, Document, doc};
use taster_query::FindOptions;

use super::{
    Case,
    Expected::{Answer, Documents, Refused},
    find, find_with, options,
};
use crate::support::raw;

pub(super) fn filters() -> Vec<Case> {
    let square = doc! {"type": "Polygon", "coordinates": [[[0, 0], [0, 10], [10, 10], [10, 0], [0, 0]]]};
    let point = doc! {"type": "Point", "coordinates": [1, 1]};
    vec![
        find("everything", doc! {}, Documents(10)),
        find("equality", doc! {"status": "open"}, Documents(5)),
        find("comparison", doc! {"total": {"$gte": 2, "$lt": 5}}, Documents(3)),
        find("or and nor", doc! {"$or": [{"total": 1}, {"total": 2}], "$nor": [{"total": 2}]}, Documents(1)),
        find("in and nin", doc! {"total": {"$in": [1, 2, 3], "$nin": [2]}}, Documents(2)),
        find("a long in", doc! {"total": {"$in": (0..2000).collect::<Vec<i32>>()}}, Documents(10)),
        find("exists", doc! {"none": {"$exists": false}}, Documents(10)),
        find("type", doc! {"total": {"$type": ["int", "long"]}}, Documents(10)),
        find("mod", doc! {"total": {"$mod": [2, 0]}}, Documents(5)),
        find("bits", doc! {"total": {"$bitsAllSet": 1}}, Documents(5)),
        find("size and all", doc! {"tags": {"$size": 2, "$all": ["a"]}}, Documents(10)),
        find("all of elements", doc! {"items": {"$all": [{"$elemMatch": {"sku": "s1"}}]}}, Documents(1)),
        find("elements as documents", doc! {"items": {"$elemMatch": {"sku": "s1", "n": {"$gte": 1}}}}, Documents(1)),
        find("elements as values", doc! {"tags": {"$elemMatch": {"$eq": "a", "$ne": "b"}}}, Documents(10)),
        find("elements by or", doc! {"items": {"$elemMatch": {"$or": [{"sku": "s1"}, {"sku": "s2"}]}}}, Documents(2)),
        find("regex and options", doc! {"status": {"$regex": "^OP", "$options": "i"}}, Documents(5)),
        find(
            "regex as a value",
            doc! {"status": Bson::RegularExpression(bson::Regex { pattern: "^op".to_owned().try_into().unwrap(), options: "i".to_owned().try_into().unwrap() })},
            Documents(5),
        ),
        find("not a regex", doc! {"status": {"$not": {"$regex": "^o"}}}, Documents(5)),
        find("expr", doc! {"$expr": {"$gt": ["$total", {"$add": [3, 4]}]}}, Documents(2)),
        find("text", doc! {"$text": {"$search": "ribs", "$language": "en"}}, Documents(1)),
        find("comment", doc! {"$comment": "why", "total": 1}, Documents(1)),
        find(
            "schema",
            doc! {"$jsonSchema": {"required": ["total"], "properties": {"total": {"bsonType": "int", "minimum": 5}}}},
            Documents(5),
        ),
        find(
            "schema of many keywords",
            doc! {"$jsonSchema": {
                "title": "t", "description": "d", "type": "object", "patternProperties": {"^x": {"type": "number"}}, "minProperties": 1,
                "dependencies": {"a": ["b"]}, "properties": {"tags": {"items": {"type": "string"}, "uniqueItems": true, "maxItems": 3}},
                "anyOf": [{"required": ["total"]}], "not": {"required": ["none"]}, "additionalProperties": true,
            }},
            Documents(10),
        ),
        find("a dotted path", doc! {"items.0.n": {"$gt": 0}}, Documents(10)),
        find("a reference", doc! {"customer.$id": 3}, Documents(1)),
        find("a document as a value", doc! {"items": {"sku": "s3", "n": 1}}, Documents(1)),
        find("within a polygon", doc! {"loc": {"$geoWithin": {"$geometry": square.clone()}}}, Answer),
        find("within a box", doc! {"loc": {"$geoWithin": {"$box": [[0, 0], [3, 3]]}}}, Answer),
        find("within a circle", doc! {"loc": {"$geoWithin": {"$centerSphere": [[0, 0], 0.05]}}}, Answer),
        find("intersects", doc! {"loc": {"$geoIntersects": {"$geometry": square}}}, Answer),
        find("near", doc! {"loc": {"$near": {"$geometry": point.clone(), "$maxDistance": 500_000}}}, Answer),
        find("near on a sphere", doc! {"loc": {"$nearSphere": {"$geometry": point, "$minDistance": 0}}}, Documents(10)),
        find("lookalikes are names of fields", doc! {"＄where": 1}, Documents(0)),
        find("a text that looks like a stage", doc! {"status": "$out"}, Documents(0)),
    ]
}

pub(super) fn filters_refused() -> Vec<Case> {
    vec![
        find("where", doc! {"$where": "sleep(1000)"}, Refused("T0230")),
        find("where below and", doc! {"$and": [{"$or": [{"$where": "1"}]}]}, Refused("T0230")),
        find("where of a field", doc! {"a": {"$where": "1"}}, Refused("T0230")),
        find("where below not", doc! {"a": {"$not": {"$where": "1"}}}, Refused("T0230")),
        find("where below elemMatch", doc! {"a": {"$elemMatch": {"$where": "1"}}}, Refused("T0230")),
        find("where below eq", doc! {"a": {"$eq": {"$where": "1"}}}, Refused("T0230")),
        find("where in a value", doc! {"a": {"b": {"$where": "1"}}}, Refused("T0230")),
        find("where in a schema", doc! {"$jsonSchema": {"$where": "1"}}, Refused("T0230")),
        find("code", doc! {"a": Bson::JavaScriptCode("1".into())}, Refused("T0221")),
        find(
            "code with scope",
            doc! {"a": Bson::JavaScriptCodeWithScope(bson::JavaScriptCodeWithScope { code: "1".into(), scope: doc! {} })},
            Refused("T0221"),
        ),
        find("symbol", doc! {"a": Bson::Symbol("s".into())}, Refused("T0221")),
        find("undefined", doc! {"a": Bson::Undefined}, Refused("T0221")),
        find(
            "function in expr",
            doc! {"$expr": {"$function": {"body": "f", "args": [], "lang": "js"}}},
            Refused("T0230"),
        ),
        find("rand in expr", doc! {"$expr": {"$lt": [{"$rand": {}}, 0.5]}}, Refused("T0231")),
        find("sampleRate", doc! {"$sampleRate": 0.5}, Refused("T0231")),
        find("now in expr", doc! {"$expr": {"$lt": ["$when", "$$NOW"]}}, Refused("T0231")),
        find("always false", doc! {"$alwaysFalse": 1}, Refused("T0224")),
        find("an internal operator", doc! {"a": {"$_internalExprEq": 1}}, Refused("T0232")),
        find("an internal operator at the top", doc! {"$_internalBucketGeoWithin": {}}, Refused("T0232")),
        find("an internal schema keyword", doc! {"$jsonSchema": {"_internalKeyword": 1}}, Refused("T0232")),
        find("a schema elsewhere", doc! {"$jsonSchema": {"$ref": "http://example.com"}}, Refused("T0224")),
        find(
            "an unknown schema keyword",
            doc! {"$jsonSchema": {"properties": {"a": {"format": "date"}}}},
            Refused("T0224"),
        ),
        find("schema as text", doc! {"$jsonSchema": "{}"}, Refused("T0225")),
        find("and of a document", doc! {"$and": {"0": {}}}, Refused("T0225")),
        find("in of a text", doc! {"a": {"$in": "x"}}, Refused("T0225")),
        find("a long regex", doc! {"a": {"$regex": "(a|b)".repeat(300)}}, Refused("T0222")),
        find("a regex with NUL", doc! {"a": {"$regex": "a\0b"}}, Refused("T0225")),
        find("strange flags", doc! {"a": {"$regex": "a", "$options": "g"}}, Refused("T0225")),
        find("text with options", doc! {"$text": {"$search": "a", "$evil": 1}}, Refused("T0224")),
        find(
            "a geometry that computes",
            doc! {"loc": {"$geoWithin": {"$geometry": {"type": "Point", "coordinates": ["$$NOW", 1]}}}},
            Refused("T0225"),
        ),
        find("an unknown shape", doc! {"loc": {"$geoWithin": {"$uniqueDocs": 1}}}, Refused("T0224")),
        find("a lookalike operator", doc! {"a": {"$＄gt": 1}}, Refused("T0224")),
        find("an operator behind a field", doc! {"a": {"b": 1, "$gt": 5}}, Refused("T0225")),
        find("too deep", (0..80).fold(doc! {"a": 1}, |inner, _| doc! {"a": inner}), Refused("T0222")),
        find("too long", doc! {"a": "x".repeat(70_000)}, Refused("T0222")),
    ]
}

pub(super) fn find_options() -> Vec<Case> {
    let sort = |sort: Document| FindOptions { sort: Some(raw(&sort)), ..options() };
    let hint = |hint: &str| FindOptions { hint: Some(hint.to_owned()), ..options() };
    let projection = |projection: Document| FindOptions { projection: Some(raw(&projection)), ..options() };
    let variables = |variables: Document| FindOptions {
        variables: Some(raw(&variables)),
        projection: Some(raw(&doc! {"x": "$$least"})),
        ..options()
    };
    let keys = |count: i32| (0..count).map(|n| (format!("k{n}"), Bson::Int32(1))).collect::<Document>();
    vec![
        find_with(
            "a projection",
            projection(doc! {"total": 1, "_id": 0, "twice": {"$multiply": ["$total", 2]}}),
            Documents(10),
        ),
        find_with("a projection of elements", projection(doc! {"tags": {"$elemMatch": {"$eq": "a"}}}), Documents(10)),
        find_with("a projected slice", projection(doc! {"tags": {"$slice": 1}}), Documents(10)),
        find_with("a positional projection", projection(doc! {"tags.$": 1}), Refused("T0225")),
        find_with("a projection with where", projection(doc! {"a": {"$elemMatch": {"$where": "1"}}}), Refused("T0230")),
        find_with(
            "a projection with the record's place",
            projection(doc! {"a": {"$meta": "recordId"}}),
            Refused("T0225"),
        ),
        find_with("a projection with the sort key", projection(doc! {"a": {"$meta": "sortKey"}}), Refused("T0225")),
        find_with("a sort", sort(doc! {"total": -1, "_id": 1}), Documents(10)),
        find_with("a sort of 32 keys", sort(keys(32)), Documents(10)),
        find_with("a sort of 33 keys", sort(keys(33)), Refused("T0222")),
        find_with("a natural sort", sort(doc! {"$natural": 1}), Refused("T0225")),
        find_with("a sort by text", sort(doc! {"total": "1"}), Refused("T0225")),
        find_with("a sort at random", sort(doc! {"total": {"$meta": "randVal"}}), Refused("T0225")),
        find_with("a hint", hint("status_1"), Documents(10)),
        find_with("a natural hint", hint("$natural"), Refused("T0225")),
        find_with("an empty hint", hint(""), Refused("T0225")),
        find_with("variables", variables(doc! {"least": 5}), Documents(10)),
        find_with("a variable that looks like an expression", variables(doc! {"least": "$$NOW"}), Documents(10)),
        find_with("a variable that is an expression", variables(doc! {"least": {"$rand": {}}}), Refused("T0231")),
        find_with("a variable NOW", variables(doc! {"NOW": 1}), Refused("T0225")),
        find_with("a variable ROOT", variables(doc! {"ROOT": 1}), Refused("T0225")),
        find_with("skip and limit", FindOptions { skip: Some(2), limit: Some(3), ..options() }, Documents(3)),
    ]
}

pub(super) fn collations() -> Vec<Case> {
    let collation = |collation: Document| FindOptions { collation: Some(raw(&collation)), ..options() };
    vec![
        find_with(
            "a collation",
            collation(
                doc! {"locale": "de", "strength": 2, "caseLevel": false, "caseFirst": "off", "numericOrdering": true},
            ),
            Documents(10),
        ),
        find_with(
            "a collation of all options",
            collation(
                doc! {"locale": "fr", "alternate": "shifted", "maxVariable": "punct", "normalization": true, "backwards": true},
            ),
            Documents(10),
        ),
        find_with("a collation without a locale", collation(doc! {"strength": 1}), Refused("T0225")),
        find_with("a collation too strong", collation(doc! {"locale": "de", "strength": 6}), Refused("T0225")),
        find_with("a strength as text", collation(doc! {"locale": "de", "strength": "1"}), Refused("T0225")),
        find_with("a flag as a number", collation(doc! {"locale": "de", "caseLevel": 1}), Refused("T0225")),
        find_with("an unknown collation option", collation(doc! {"locale": "de", "version": "57.1"}), Refused("T0224")),
        find_with("a locale that is none", collation(doc! {"locale": "../../etc"}), Refused("T0225")),
    ]
}
