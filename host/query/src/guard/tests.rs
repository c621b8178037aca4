//! The guard by tables and by chance.

use bson::{Document, RawDocumentBuf, doc, rawdoc};
use insta::assert_snapshot;
use proptest::prelude::*;
use taster_model::Coded;

use super::*;

fn raw(document: &Document) -> Vec<u8> {
    RawDocumentBuf::try_from(document).unwrap().into_bytes()
}

#[expect(clippy::needless_pass_by_value, reason = "reads better in the tables")]
fn filter(document: Document) -> Result<CheckedFilter, Refused> {
    Request::default().filter(&raw(&document))
}

fn stages(stages: impl IntoIterator<Item = Document>) -> Result<CheckedPipeline, Refused> {
    let stages: Vec<_> = stages.into_iter().map(|stage| raw(&stage)).collect();
    Request::default().pipeline(&stages)
}

fn said<T>(checked: Result<T, Refused>) -> String {
    match checked {
        Ok(_) => "allowed".to_owned(),
        Err(refused) => format!("{} {refused}", refused.code()),
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
        assert_eq!(said(filter(document.clone())), "allowed", "{document}");
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
    ] {
        assert_eq!(said(stages([stage.clone()])), "allowed", "{stage}");
    }
}

#[test]
fn refusals_say_what_and_where() {
    assert_snapshot!(said(stages([doc! {"$match": {}}, doc! {"$out": "stolen"}])), @"T0228 stages[1].$out: `$out` writes, and probes only read");
    assert_snapshot!(said(stages([doc! {"$merge": {"into": "orders"}}])), @"T0228 stages[0].$merge: `$merge` writes, and probes only read");
    assert_snapshot!(said(stages([doc! {"$lookup": {"from": "users", "as": "u"}}])), @"T0229 stages[0].$lookup: `$lookup` is not granted to probes yet: it reaches beyond the one collection");
    assert_snapshot!(said(stages([doc! {"$facet": {"a": [{"$out": "x"}]}}])), @"T0229 stages[0].$facet: `$facet` is not granted to probes yet: it reaches beyond the one collection");
    assert_snapshot!(said(stages([doc! {"$setWindowFields": {}}])), @"T0229 stages[0].$setWindowFields: `$setWindowFields` is not granted to probes yet");
    assert_snapshot!(said(stages([doc! {"$changeStream": {}}])), @"T0232 stages[0].$changeStream: `$changeStream` is about the server, not about the data");
    assert_snapshot!(said(stages([doc! {"$_internalInhibitOptimization": {}}])), @"T0232 stages[0].$_internalInhibitOptimization: `$_internalInhibitOptimization` is about the server, not about the data");
    assert_snapshot!(said(stages([doc! {"$sample": {"size": 5}}])), @"T0231 stages[0].$sample: `$sample` answers differently each time, and two captures could not be compared");
    assert_snapshot!(said(stages([doc! {"$nonesuch": 1}])), @"T0224 stages[0].$nonesuch: `$nonesuch` is no stage that probes may use");
    assert_snapshot!(said(stages([doc! {"$match": {}, "$out": "x"}])), @"T0225 stages[0] must be a document with exactly one field: the stage");
    assert_snapshot!(said(stages([doc! {}])), @"T0225 stages[0] must be a document with exactly one field: the stage");
    assert_snapshot!(said(stages([doc! {"$group": {"_id": 1, "n": {"$accumulator": {}}}}])), @"T0230 stages[0].$group.n.$accumulator: `$accumulator` runs JavaScript on the server");
    assert_snapshot!(said(stages([doc! {"$group": {"_id": 1, "n": {"$add": [1, 2]}}}])), @"T0224 stages[0].$group.n.$add: `$add` is no accumulator that probes may use");
    assert_snapshot!(said(stages([doc! {"$group": {"_id": 1, "n": {"$sum": 1, "$max": 1}}}])), @"T0225 stages[0].$group.n must be a document with exactly one field: an accumulator");
    assert_snapshot!(said(stages([doc! {"$addFields": {"a": {"b": [{"$function": {"body": "x"}}]}}}])), @"T0230 stages[0].$addFields.a.b[0].$function: `$function` runs JavaScript on the server");
    assert_snapshot!(said(stages([doc! {"$addFields": {"a": "$$NOW"}}])), @"T0231 stages[0].$addFields.a: `$$NOW` answers differently each time, and two captures could not be compared");
    assert_snapshot!(said(stages([doc! {"$addFields": {"a": "$$USER_ROLES.role"}}])), @"T0232 stages[0].$addFields.a: `$$USER_ROLES` is about the server, not about the data");
    assert_snapshot!(said(stages([doc! {"$addFields": {"a": "$$Nonesuch"}}])), @"T0224 stages[0].$addFields.a: `$$Nonesuch` is no variable that probes may use");
    assert_snapshot!(said(stages([doc! {"$addFields": {"a": {"$let": {"vars": {"x": {"$rand": {}}}, "in": "$$x"}}}}])), @"T0231 stages[0].$addFields.a.$let.vars.x.$rand: `$rand` answers differently each time, and two captures could not be compared");
    assert_snapshot!(said(stages([doc! {"$limit": -1}])), @"T0225 stages[0].$limit must be a whole number that is not negative");
    assert_snapshot!(said(stages([doc! {"$limit": 1.5}])), @"T0225 stages[0].$limit must be a whole number that is not negative");
    assert_snapshot!(said(stages([doc! {"$unwind": {"path": "$a", "evil": 1}}])), @"T0224 stages[0].$unwind.evil: `evil` is no option that probes may use");
    assert_snapshot!(said(stages([doc! {"$project": {"a": {"$meta": "indexKey"}}}])), @r#"T0225 stages[0].$project.a.$meta must be "textScore""#);
    assert_snapshot!(said(stages([doc! {"$sort": {"$natural": 1}}])), @"T0225 stages[0].$sort.$natural must be a path of field names");
    assert_snapshot!(said(filter(doc! {"$where": "sleep(1000)"})), @"T0230 filter.$where: `$where` runs JavaScript on the server");
    assert_snapshot!(said(filter(doc! {"a": {"$elemMatch": {"$and": [{"$where": "1"}]}}})), @"T0230 filter.a.$elemMatch.$and[0].$where: `$where` runs JavaScript on the server");
    assert_snapshot!(said(filter(doc! {"a": {"$eq": {"$gt": 1}}})), @"T0224 filter.a.$eq.$gt: `$gt` is no query operator that probes may use");
    assert_snapshot!(said(filter(doc! {"a": {"b": 1, "$gt": 5}})), @"T0224 filter.a.$gt: `$gt` is no query operator that probes may use");
    assert_snapshot!(said(filter(doc! {"$expr": {"$function": {"body": "f", "args": [], "lang": "js"}}})), @"T0230 filter.$expr.$function: `$function` runs JavaScript on the server");
    assert_snapshot!(said(filter(doc! {"loc": {"$near": [1, 2]}})), @"T0229 filter.loc.$near: `$near` is not granted to probes yet");
    assert_snapshot!(said(filter(doc! {"\u{1b}[31m$evil": {"$\u{1b}[31m": 1}})), @r#"T0224 filter.\u{1b}[31m$evil.$\u{1b}[31m: `$\u{1b}[31m` is no query operator that probes may use"#);
    assert_snapshot!(said(filter(doc! {"a": bson::Bson::JavaScriptCode("x".into())})), @"T0221 filter.a is of the BSON type javascript, which no probe may send");
    assert_snapshot!(said(filter(doc! {"$and": {"0": {}}})), @"T0225 filter.$and must be an array");
    assert_snapshot!(said(Request::default().hint("$natural")), @"T0225 hint must be the name of an index");
    assert_snapshot!(said(Request::default().path("a..b")), @"T0225 path must be a path of field names");
    assert_snapshot!(said(Request::default().collation(&raw(&doc! {"locale": "de", "evil": 1}))), @"T0224 collation.evil: `evil` is no option that probes may use");
    assert_snapshot!(said(Request::default().projection(&raw(&doc! {"a": {"$elemMatch": {"$where": 1}}}))), @"T0230 projection.a.$elemMatch.$where: `$where` runs JavaScript on the server");
    assert_snapshot!(said(Request::default().variables(&raw(&doc! {"NOW": 1}))), @"T0225 variables.NOW must be named like `minimum`: a small letter, then letters, digits and _");
    assert_snapshot!(said(Request::default().filter(b"")), @"T0220 filter is not BSON: document too short");
    assert_snapshot!(said(Request::default().filter(&[5, 0, 0, 0, 0, 0])), @"T0220 filter is not BSON: document length incorrect");
}

#[test]
fn names_stand_once() {
    let mut twice = rawdoc! {"a": 1};
    twice.append(bson::raw::cstr!("a"), 2);
    assert_snapshot!(said(Request::default().filter(twice.as_bytes())), @"T0223 filter.a stands there twice");
    let inner = rawdoc! {"$expr": {"$literal": [twice]}};
    assert_snapshot!(said(Request::default().filter(inner.as_bytes())), @"T0223 filter.$expr.$literal[0].a stands there twice");
}

#[test]
fn requests_have_a_size() {
    let deep = |levels: usize| {
        let mut document = doc! {"a": 1};
        for _ in 1..levels {
            document = doc! {"a": document};
        }
        document
    };
    assert_eq!(said(filter(deep(DEPTH))), "allowed");
    let refused = filter(deep(DEPTH + 1)).unwrap_err().failure();
    assert_eq!((refused.asked.as_deref(), refused.allowed.as_deref()), (Some("65 levels"), Some("64 levels")));

    let long = |bytes: usize| filter(doc! {"a": "x".repeat(bytes)});
    assert_eq!(said(long(REQUEST_BYTES - 100)), "allowed");
    assert_snapshot!(said(long(REQUEST_BYTES)), @"T0222 filter makes it 65549 bytes; a request may have 65536");

    assert_eq!(said(stages(vec![doc! {"$limit": 1}; STAGES])), "allowed");
    assert_snapshot!(said(stages(vec![doc! {"$limit": 1}; STAGES + 1])), @"T0222 stages makes it 101 stages; a request may have 100");

    // all parts of a call count together
    let mut request = Request::default();
    let half = raw(&doc! {"a": "x".repeat(REQUEST_BYTES / 2)});
    request.filter(&half).unwrap();
    assert_snapshot!(said(request.sort(&half)), @"T0222 sort makes it 65562 bytes; a request may have 65536");
}

#[test]
fn variables_are_data() {
    let checked = Request::default().variables(&raw(&doc! {"min": "$$NOW", "x": {"a": 1}})).unwrap();
    assert_eq!(
        Document::try_from(checked.raw()).unwrap(),
        doc! {"min": {"$literal": "$$NOW"}, "x": {"$literal": {"a": 1}}}
    );
    assert!(Request::default().variables(&raw(&doc! {"min": {"$rand": {}}})).is_err());
}

/// Every way in which a stage can be hidden below another name.
#[test]
fn writes_are_refused_wherever_they_hide() {
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
        let _ = Request::default().filter(&bytes);
        let _ = Request::default().pipeline(std::slice::from_ref(&bytes));
        let _ = Request::default().projection(&bytes);
        let _ = Request::default().variables(&bytes);
    }

    #[test]
    fn damage_never_panics(value in bson_value(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = raw(&doc! {"a": value});
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Request::default().filter(&bytes);
        let _ = Request::default().sort(&bytes);
        let _ = Request::default().collation(&bytes);
    }

    #[test]
    fn nothing_forbidden_passes(value in bson_value()) {
        let hidden = forbidden(&value);
        for stage in [doc! {"$match": value.clone()}, doc! {"$project": {"a": value.clone()}}, doc! {"$group": {"_id": value}}] {
            let bytes = raw(&stage);
            prop_assert!(Request::default().pipeline(&[bytes]).is_err() || !hidden, "{}", stage);
        }
    }
}
