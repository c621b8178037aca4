//! Tests of the guard by tables, and by properties in [`properties`].

mod properties;

use std::sync::LazyLock;

use bson::{Document, RawDocumentBuf, doc, rawdoc};
use insta::assert_snapshot;
use taster_model::{CollectionGrant, Diagnostic};

use super::{context::Scope, *};
use crate::{collection::Collection, grant::Grant, limits::Limits};

/// `orders`, `items`, `gone`, the views over them and a view over what is not granted.
static GRANT: LazyLock<Grant> = LazyLock::new(|| Grant {
    probe: "p".to_owned(),
    collections: ["orders", "items", "gone", "few", "fewer", "peep", "random", "both", "round", "hidden"]
        .map(|name| CollectionGrant { name: name.to_owned(), role: "any".to_owned() })
        .to_vec(),
    limits: Limits::default(),
    setting: "probes[p].limits".to_owned(),
});

static COLLECTIONS: LazyLock<Vec<Collection>> = LazyLock::new(|| {
    let plain = ["orders", "items", "secret"].map(|name| doc! {"name": name, "type": "collection"});
    let view = |name: &str, on: &str, pipeline: Vec<Document>| {
        doc! {"name": name, "type": "view", "options": {"viewOn": on, "pipeline": pipeline}}
    };
    let views = [
        view("few", "orders", vec![doc! {"$match": {"a": 1}}]),
        view("ungranted_view", "orders", vec![]),
        view("fewer", "ungranted_view", vec![doc! {"$unionWith": "items"}]),
        view(
            "peep",
            "orders",
            vec![doc! {"$facet": {"a": [{"$lookup": {"from": "secret", "as": "s", "pipeline": []}}]}}],
        ),
        view("hidden", "peep", vec![]),
        view("random", "orders", vec![doc! {"$sample": {"size": 1}}]),
        view(
            "both",
            "few",
            vec![
                doc! {"$graphLookup": {"from": "items", "startWith": "$a", "connectFromField": "a", "connectToField": "b", "as": "c"}},
            ],
        ),
        view("round", "round", vec![]),
    ];
    let entries = plain.into_iter().chain(views);
    entries.map(|entry| Collection::from_entry(&RawDocumentBuf::try_from(&entry).unwrap()).unwrap().unwrap()).collect()
});

fn request() -> Request<'static> {
    Request::new(Scope::new(&GRANT, &COLLECTIONS))
}

fn raw(document: &Document) -> Vec<u8> {
    RawDocumentBuf::try_from(document).unwrap().into_bytes()
}

#[expect(clippy::needless_pass_by_value, reason = "reads better in the tables")]
fn filter(document: Document) -> Result<CheckedFilter, GuardError> {
    request().filter(&raw(&document))
}

fn stages(stages: impl IntoIterator<Item = Document>) -> Result<CheckedPipeline, GuardError> {
    let stages: Vec<_> = stages.into_iter().map(|stage| raw(&stage)).collect();
    request().pipeline(&stages)
}

fn outcome<T>(checked: Result<T, GuardError>) -> String {
    match checked {
        Ok(_) => "allowed".to_owned(),
        Err(error) => format!("{} {error}", error.code()),
    }
}

#[test]
fn plain_filters_are_allowed() {
    for document in [
        doc! {},
        doc! {"status": "open"},
        doc! {"total": {"$gt": 5, "$lte": 10.5}},
        doc! {"$or": [{"a": 1}, {"b": {"$exists": false}}], "$nor": [{"a": {"$type": ["int", "long"]}}]},
        doc! {"items": {"$elemMatch": {"sku": "x", "n": {"$gte": 2}}}},
        doc! {"items": {"$elemMatch": {"$gte": 2, "$lt": 9}}},
        doc! {"items": {"$elemMatch": {"$or": [{"a": 1}, {"b": 1}]}}},
        doc! {"items": {"$all": ["a", {"$elemMatch": {"b": 1}}], "$size": 2}},
        doc! {"name": {"$not": {"$regex": "^a", "$options": "i"}}},
        doc! {"n": {"$mod": [4, 0]}, "bits": {"$bitsAllSet": 5}},
        doc! {"n": {"$in": [1, "2", null, {"a": {"b": 1}}], "$nin": []}},
        doc! {"$expr": {"$gt": ["$a", {"$add": ["$b", "$$minimum"]}]}},
        doc! {"$text": {"$search": "ribs", "$language": "en"}},
        doc! {"$jsonSchema": {"required": ["a"], "properties": {"a": {"bsonType": "int"}}}},
        doc! {"a.b.0.c": {"deep": {"er": [1, {"x": 2}]}}},
        doc! {"ref.$id": 5},
    ] {
        assert_eq!(outcome(filter(document.clone())), "allowed", "{document}");
    }
}

#[test]
fn plain_stages_are_allowed() {
    for stage in [
        doc! {"$match": {"a": 1}},
        doc! {"$project": {"_id": 0, "a": "$b", "c.d": {"$concat": ["x", "$e"]}, "f": {"g": 1}}},
        doc! {"$addFields": {"a": {"$cond": [{"$eq": ["$b", 1]}, "x", {"$literal": {"$out": "not a stage"}}]}}},
        doc! {"$set": {"a": {"$map": {"input": "$b", "as": "x", "in": {"$multiply": ["$$x.n", 2]}}}}},
        doc! {"$unset": "a"},
        doc! {"$unset": ["a", "b.c"]},
        doc! {"$group": {"_id": {"s": "$status"}, "n": {"$sum": 1}, "top": {"$max": "$total"}, "c": {"$count": {}}}},
        doc! {"$group": {"_id": null, "n": {"$topN": {"n": 3, "sortBy": {"a": -1}, "output": "$b"}}}},
        doc! {"$sort": {"a": 1, "b.c": -1, "score": {"$meta": "textScore"}}},
        doc! {"$limit": 5},
        doc! {"$limit": 5.0},
        doc! {"$skip": 5_i64},
        doc! {"$count": "n"},
        doc! {"$unwind": "$items"},
        doc! {"$unwind": {"path": "$items.x", "includeArrayIndex": "i", "preserveNullAndEmptyArrays": true}},
        doc! {"$bucket": {"groupBy": "$a", "boundaries": [0, 5, 10], "default": "x", "output": {"n": {"$sum": 1}}}},
        doc! {"$bucketAuto": {"groupBy": "$a", "buckets": 4, "output": {"n": {"$sum": 1}}, "granularity": "R5"}},
        doc! {"$sortByCount": {"$toLower": "$a"}},
        doc! {"$replaceRoot": {"newRoot": {"$mergeObjects": ["$$ROOT", "$a"]}}},
        doc! {"$replaceWith": "$a"},
        doc! {"$redact": {"$cond": [{"$eq": ["$a", 1]}, "$$PRUNE", "$$DESCEND"]}},
        doc! {"$lookup": {"from": "items", "localField": "a", "foreignField": "b", "as": "c"}},
        doc! {"$lookup": {"from": "few", "let": {"x": "$a"}, "pipeline": [{"$match": {"$expr": {"$eq": ["$b", "$$x"]}}}], "as": "c"}},
        doc! {"$lookup": {"pipeline": [{"$documents": [{"a": "$$x"}]}], "let": {"x": 1}, "as": "c"}},
        doc! {"$graphLookup": {"from": "items", "startWith": "$a", "connectFromField": "a", "connectToField": "b", "as": "c", "maxDepth": 5, "restrictSearchWithMatch": {"d": {"$gt": 1}}}},
        doc! {"$unionWith": "gone"},
        doc! {"$unionWith": {"coll": "fewer", "pipeline": [{"$unionWith": {"pipeline": [{"$documents": []}]}}]}},
        doc! {"$facet": {"a": [{"$count": "n"}], "b": [{"$lookup": {"from": "items", "as": "c", "pipeline": []}}]}},
        doc! {"$geoNear": {"near": {"type": "Point", "coordinates": [13.4, 52.5]}, "distanceField": "d", "spherical": true, "query": {"a": 1}}},
        doc! {"$densify": {"field": "n", "partitionByFields": ["a"], "range": {"step": 0.5, "bounds": [0, 100]}}},
        doc! {"$fill": {"sortBy": {"t": 1}, "output": {"a": {"method": "linear"}, "b": {"value": "$c"}}}},
        doc! {"$setWindowFields": {"partitionBy": "$a", "sortBy": {"t": 1}, "output": {"r": {"$rank": {}}, "s": {"$sum": "$n", "window": {"documents": ["unbounded", "current"]}}}}},
    ] {
        assert_eq!(outcome(stages([stage.clone()])), "allowed", "{stage}");
    }
}

#[test]
fn errors_name_the_operator_and_its_location() {
    assert_snapshot!(outcome(stages([doc! {"$match": {}}, doc! {"$out": "stolen"}])), @"T0228 stages[1].$out: `$out` writes; probes can only read");
    assert_snapshot!(outcome(stages([doc! {"$merge": {"into": "orders"}}])), @"T0228 stages[0].$merge: `$merge` writes; probes can only read");
    assert_snapshot!(outcome(stages([doc! {"$lookup": {"from": "secret", "as": "u"}}])), @"T0226 stages[0].$lookup.from: collection `secret` is not granted to probe `p`");
    assert_snapshot!(outcome(stages([doc! {"$facet": {"a": [{"$out": "x"}]}}])), @"T0228 stages[0].$facet.a[0].$out: `$out` writes; probes can only read");
    assert_snapshot!(outcome(stages([doc! {"$changeStream": {}}])), @"T0232 stages[0].$changeStream: `$changeStream` concerns the server, not the data");
    assert_snapshot!(outcome(stages([doc! {"$_internalInhibitOptimization": {}}])), @"T0232 stages[0].$_internalInhibitOptimization: `$_internalInhibitOptimization` concerns the server, not the data");
    assert_snapshot!(outcome(stages([doc! {"$sample": {"size": 5}}])), @"T0231 stages[0].$sample: `$sample` returns different results each time, so two captures could not be compared");
    assert_snapshot!(outcome(stages([doc! {"$nonesuch": 1}])), @"T0224 stages[0].$nonesuch: stage `$nonesuch` is not available to probes");
    assert_snapshot!(outcome(stages([doc! {"$match": {}, "$out": "x"}])), @"T0225 stages[0] must be a document with exactly one field: the stage");
    assert_snapshot!(outcome(stages([doc! {}])), @"T0225 stages[0] must be a document with exactly one field: the stage");
    assert_snapshot!(outcome(stages([doc! {"$group": {"_id": 1, "n": {"$accumulator": {}}}}])), @"T0230 stages[0].$group.n.$accumulator: `$accumulator` runs JavaScript on the server");
    assert_snapshot!(outcome(stages([doc! {"$group": {"_id": 1, "n": {"$add": [1, 2]}}}])), @"T0224 stages[0].$group.n.$add: accumulator `$add` is not available to probes; it is an expression operator");
    assert_snapshot!(outcome(stages([doc! {"$group": {"_id": 1, "n": {"$sum": 1, "$max": 1}}}])), @"T0225 stages[0].$group.n must be a document with exactly one field: an accumulator");
    assert_snapshot!(outcome(stages([doc! {"$addFields": {"a": {"b": [{"$function": {"body": "x"}}]}}}])), @"T0230 stages[0].$addFields.a.b[0].$function: `$function` runs JavaScript on the server");
    assert_snapshot!(outcome(stages([doc! {"$addFields": {"a": "$$NOW"}}])), @"T0231 stages[0].$addFields.a: `$$NOW` returns different results each time, so two captures could not be compared");
    assert_snapshot!(outcome(stages([doc! {"$addFields": {"a": "$$USER_ROLES.role"}}])), @"T0232 stages[0].$addFields.a: `$$USER_ROLES` concerns the server, not the data");
    assert_snapshot!(outcome(stages([doc! {"$addFields": {"a": "$$Nonesuch"}}])), @"T0224 stages[0].$addFields.a: variable `$$Nonesuch` is not available to probes");
    assert_snapshot!(outcome(stages([doc! {"$addFields": {"a": {"$let": {"vars": {"x": {"$rand": {}}}, "in": "$$x"}}}}])), @"T0231 stages[0].$addFields.a.$let.vars.x.$rand: `$rand` returns different results each time, so two captures could not be compared");
    assert_snapshot!(outcome(stages([doc! {"$limit": -1}])), @"T0225 stages[0].$limit must be an integer of at least 1");
    assert_snapshot!(outcome(stages([doc! {"$limit": 1.5}])), @"T0225 stages[0].$limit must be an integer of at least 1");
    assert_snapshot!(outcome(stages([doc! {"$unwind": {"path": "$a", "evil": 1}}])), @"T0224 stages[0].$unwind.evil: option `evil` is not available to probes");
    assert_snapshot!(outcome(stages([doc! {"$project": {"a": {"$meta": "indexKey"}}}])), @r#"T0225 stages[0].$project.a.$meta must be "textScore""#);
    assert_snapshot!(outcome(stages([doc! {"$sort": {"$natural": 1}}])), @"T0225 stages[0].$sort.$natural must be a field path");
    assert_snapshot!(outcome(filter(doc! {"$where": "sleep(1000)"})), @"T0230 filter.$where: `$where` runs JavaScript on the server");
    assert_snapshot!(outcome(filter(doc! {"a": {"$elemMatch": {"$and": [{"$where": "1"}]}}})), @"T0230 filter.a.$elemMatch.$and[0].$where: `$where` runs JavaScript on the server");
    assert_snapshot!(outcome(filter(doc! {"a": {"$eq": {"$gt": 1}}})), @"T0225 filter.a.$eq.$gt must be a field name: values cannot contain operators");
    assert_snapshot!(outcome(filter(doc! {"a": {"b": 1, "$gt": 5}})), @"T0225 filter.a.$gt must be a field name: values cannot contain operators");
    assert_snapshot!(outcome(filter(doc! {"$expr": {"$function": {"body": "f", "args": [], "lang": "js"}}})), @"T0230 filter.$expr.$function: `$function` runs JavaScript on the server");
    assert_snapshot!(outcome(filter(doc! {"\u{1b}[31m$evil": {"$\u{1b}[31m": 1}})), @r#"T0224 filter.\u{1b}[31m$evil.$\u{1b}[31m: query operator `$\u{1b}[31m` is not available to probes"#);
    assert_snapshot!(outcome(filter(doc! {"a": bson::Bson::JavaScriptCode("x".into())})), @"T0221 filter.a has the BSON type javascript, which probes cannot send");
    assert_snapshot!(outcome(filter(doc! {"$and": {"0": {}}})), @"T0225 filter.$and must be an array");
    assert_snapshot!(outcome(request().hint("$natural")), @"T0225 hint must be an index name");
    assert_snapshot!(outcome(request().path("a..b")), @"T0225 path must be a field path");
    assert_snapshot!(outcome(request().collation(&raw(&doc! {"locale": "de", "evil": 1}))), @"T0224 collation.evil: option `evil` is not available to probes");
    assert_snapshot!(outcome(request().projection(&raw(&doc! {"a": {"$elemMatch": {"$where": 1}}}))), @"T0230 projection.a.$elemMatch.$where: `$where` runs JavaScript on the server");
    assert_snapshot!(outcome(request().variables(&raw(&doc! {"NOW": 1}))), @"T0225 variables.NOW must be a variable name: a lower-case letter, then letters, digits and _");
    assert_snapshot!(outcome(request().filter(b"")), @"T0220 filter is not BSON: document too short");
    assert_snapshot!(outcome(request().filter(&[5, 0, 0, 0, 0, 0])), @"T0220 filter is not BSON: document length incorrect");
}

#[test]
fn collections_are_checked_at_every_level() {
    let lookup = |from: &str| doc! {"$lookup": {"from": from, "as": "a", "pipeline": []}};
    let mut outcomes = Vec::new();
    for stage in [
        lookup("secret"),
        lookup("system.js"),
        lookup("orders\0"),
        lookup(""),
        doc! {"$lookup": {"from": {"db": "admin", "coll": "system.users"}, "as": "a", "pipeline": []}},
        doc! {"$lookup": {"as": "a", "pipeline": [{"$match": {}}]}},
        doc! {"$lookup": {"from": "orders", "as": "a", "pipeline": [{"$documents": []}]}},
        doc! {"$lookup": {"from": "orders", "as": "a", "pipeline": [{"$merge": "x"}]}},
        doc! {"$lookup": {"from": "orders", "as": "a", "let": {"NOW": 1}, "pipeline": []}},
        doc! {"$lookup": {"from": "orders", "as": "a", "_internalCollation": {}}},
        doc! {"$graphLookup": {"from": "secret", "startWith": 1, "connectFromField": "a", "connectToField": "b", "as": "c", "maxDepth": 1}},
        doc! {"$graphLookup": {"from": "orders", "startWith": 1, "connectFromField": "a", "connectToField": "b", "as": "c"}},
        doc! {"$unionWith": "secret"},
        doc! {"$unionWith": {"coll": "orders", "pipeline": [{"$unionWith": "secret"}]}},
        doc! {"$facet": {"a": [{"$facet": {"b": []}}]}},
        doc! {"$facet": {"a": [{"$lookup": {"from": "orders", "as": "a", "pipeline": [lookup("peep")]}}]}},
        lookup("random"),
        lookup("hidden"),
        doc! {"$documents": []},
        doc! {"$search": {}},
        doc! {"$lookpu": {}},
    ] {
        outcomes.push(outcome(stages([stage])));
    }
    assert_snapshot!(outcomes.join("\n"), @r#"
        T0226 stages[0].$lookup.from: collection `secret` is not granted to probe `p`
        T0227 stages[0].$lookup.from: `system.js` is a system collection or not a valid name; it cannot be granted
        T0227 stages[0].$lookup.from: `orders\u{0}` is a system collection or not a valid name; it cannot be granted
        T0227 stages[0].$lookup.from: `` is a system collection or not a valid name; it cannot be granted
        T0225 stages[0].$lookup.from must be the name of a collection of this database
        T0225 stages[0].$lookup.pipeline must be a pipeline that begins with $documents, because no collection is named
        T0242 stages[0].$lookup.pipeline[0].$documents: `$documents` is not allowed here: it must be the first stage in the pipeline of a $lookup or $unionWith without a collection
        T0228 stages[0].$lookup.pipeline[0].$merge: `$merge` writes; probes can only read
        T0225 stages[0].$lookup.let.NOW must be a variable name, which begins with a lower-case letter
        T0232 stages[0].$lookup._internalCollation: `_internalCollation` concerns the server, not the data
        T0226 stages[0].$graphLookup.from: collection `secret` is not granted to probe `p`
        T0225 stages[0].$graphLookup must be a document with `maxDepth`, at most 100
        T0226 stages[0].$unionWith: collection `secret` is not granted to probe `p`
        T0226 stages[0].$unionWith.pipeline[0].$unionWith: collection `secret` is not granted to probe `p`
        T0242 stages[0].$facet.a[0].$facet: `$facet` is not allowed here: $facet cannot be nested in $facet
        T0240 stages[0].$facet.a[0].$lookup.pipeline[0].$lookup.from: view `peep` cannot be read: definition.pipeline[0].$facet.a[0].$lookup.from: collection `secret` is not granted to probe `p`
        T0241 stages[0].$lookup.from: view `random` cannot be read: definition.pipeline[0].$sample: `$sample` returns different results each time, so two captures could not be compared
        T0240 stages[0].$lookup.from: view `hidden` cannot be read: definition.viewOn: view `peep` cannot be read: definition.pipeline[0].$facet.a[0].$lookup.from: collection `secret` is not granted to probe `p`
        T0242 stages[0].$documents: `$documents` is not allowed here: it must be the first stage in the pipeline of a $lookup or $unionWith without a collection
        T0243 stages[0].$search: `$search` queries a search index, which lags behind the data and ranks results by its own rules
        T0224 stages[0].$lookpu: stage `$lookpu` is not available to probes; did you mean `$lookup`?
    "#);
}

#[test]
fn a_view_reads_everything_beneath_it() {
    let reads = |name: &str| request().target(name).map(|target| target.reads().names().collect::<Vec<_>>().join(" "));
    assert_eq!(reads("orders").unwrap(), "orders");
    assert_eq!(reads("gone").unwrap(), "gone");
    assert_eq!(reads("fewer").unwrap(), "fewer items orders ungranted_view");
    assert_eq!(reads("both").unwrap(), "both few items orders");
    assert_eq!(reads("round").unwrap(), "round");
    let failure = reads("hidden").map_err(|error| error.failure()).unwrap_err();
    assert_snapshot!(failure, @"T0240: collection: view `hidden` cannot be read: definition.viewOn: view `peep` cannot be read: definition.pipeline[0].$facet.a[0].$lookup.from: collection `secret` is not granted to probe `p` (asked: secret; allowed: both, few, fewer, gone, hidden, items, orders, peep, random, round; setting: probes[p].collections)");
    let pipeline = stages([doc! {"$facet": {"a": [{"$unionWith": "few"}]}}, doc! {"$unionWith": "gone"}]).unwrap();
    assert_eq!(pipeline.reads().names().collect::<Vec<_>>(), ["few", "gone", "orders"]);
}

#[test]
fn nested_pipelines_share_the_limits() {
    let nested = |levels: usize| {
        (0..levels).fold(doc! {"$limit": 1}, |inner, _| doc! {"$unionWith": {"coll": "orders", "pipeline": [inner]}})
    };
    assert_eq!(outcome(stages([nested(8)])), "allowed");
    assert_snapshot!(outcome(stages([nested(9)])), @"T0222 stages[0].$unionWith.pipeline[0].$unionWith.pipeline[0].$unionWith.pipeline[0].$unionWith.pipeline[0].$unionWith.pipeline[0].$unionWith.pipeline[0].$unionWith.pipeline[0].$unionWith.pipeline[0].$unionWith.pipeline: the request has 9 nested pipelines; the limit is 8");
    let many = |stages: usize| doc! {"$facet": {"a": vec![doc! {"$limit": 1}; stages / 2], "b": vec![doc! {"$limit": 1}; stages - stages / 2]}};
    assert_eq!(outcome(stages([many(STAGES - 1)])), "allowed");
    assert_snapshot!(outcome(stages([many(STAGES)])), @"T0222 stages[0].$facet.b[49]: the request has 101 stages; the limit is 100");
}

#[test]
fn duplicate_fields_are_refused() {
    let mut twice = rawdoc! {"a": 1};
    twice.append(bson::raw::cstr!("a"), 2);
    assert_snapshot!(outcome(request().filter(twice.as_bytes())), @"T0223 filter.a appears twice in its document");
    let inner = rawdoc! {"$expr": {"$literal": [twice]}};
    assert_snapshot!(outcome(request().filter(inner.as_bytes())), @"T0223 filter.$expr.$literal[0].a appears twice in its document");
}

#[test]
fn requests_are_limited_in_size() {
    let deep = |levels: usize| {
        let mut document = doc! {"a": 1};
        for _ in 1..levels {
            document = doc! {"a": document};
        }
        document
    };
    assert_eq!(outcome(filter(deep(DEPTH))), "allowed");
    let failure = filter(deep(DEPTH + 1)).unwrap_err().failure();
    assert_eq!((failure.asked.as_deref(), failure.allowed.as_deref()), (Some("65 levels"), Some("64 levels")));

    let long = |bytes: usize| filter(doc! {"a": "x".repeat(bytes)});
    assert_eq!(outcome(long(REQUEST_BYTES - 100)), "allowed");
    assert_snapshot!(outcome(long(REQUEST_BYTES)), @"T0222 filter: the request has 65 549 bytes; the limit is 65 536");

    assert_eq!(outcome(stages(vec![doc! {"$limit": 1}; STAGES])), "allowed");
    assert_snapshot!(outcome(stages(vec![doc! {"$limit": 1}; STAGES + 1])), @"T0222 stages: the request has 101 stages; the limit is 100");

    // all parts of a call count together
    let mut request = request();
    let half = raw(&doc! {"a": "x".repeat(REQUEST_BYTES / 2)});
    request.filter(&half).unwrap();
    assert_snapshot!(outcome(request.sort(&half)), @"T0222 sort: the request has 65 562 bytes; the limit is 65 536");
}

#[test]
fn variables_are_literals() {
    let checked = request().variables(&raw(&doc! {"min": "$$NOW", "x": {"a": 1}})).unwrap();
    assert_eq!(
        Document::try_from(checked.raw()).unwrap(),
        doc! {"min": {"$literal": "$$NOW"}, "x": {"$literal": {"a": 1}}}
    );
    assert!(request().variables(&raw(&doc! {"min": {"$rand": {}}})).is_err());
}

/// Every place below another name where a stage could be put.
#[test]
fn writes_are_refused_at_every_level() {
    let write = || doc! {"$out": "x"};
    for stage in [
        doc! {"$match": {"$expr": write()}},
        doc! {"$match": write()},
        doc! {"$match": {"a": write()}},
        doc! {"$match": {"a": {"$eq": write()}}},
        doc! {"$match": {"$and": [write()]}},
        doc! {"$project": {"a": write()}},
        doc! {"$project": write()},
        doc! {"$group": {"_id": write()}},
        doc! {"$group": {"_id": 1, "a": write()}},
        doc! {"$group": {"_id": 1, "a": {"$push": write()}}},
        doc! {"$bucket": {"groupBy": "$a", "boundaries": [1, 2], "default": write()}},
        doc! {"$bucket": {"groupBy": "$a", "boundaries": [1, 2], "output": {"a": {"$push": [write()]}}}},
        doc! {"$replaceRoot": {"newRoot": {"a": {"b": write()}}}},
        doc! {"$redact": {"$switch": {"branches": [{"case": write(), "then": 1}]}}},
        doc! {"$sortByCount": {"$let": {"vars": {"a": write()}, "in": 1}}},
        doc! {"$unwind": write()},
        doc! {"$unset": [write()]},
        doc! {"$sort": {"a": write()}},
        doc! {"$count": write()},
        doc! {"$limit": write()},
    ] {
        assert!(stages([stage.clone()]).is_err(), "{stage}");
    }
}
