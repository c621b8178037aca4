//! Cases of stages on one collection, and of the expressions in them.
#![expect(clippy::too_many_lines, reason = "a table is as long as it is")]

use bson::{DateTime, doc};

use super::{
    Case,
    Expected::{Answer, Documents, Refused},
    compute, stages,
};

pub(super) fn plain_stages() -> Vec<Case> {
    let day = |n: i64| DateTime::from_millis(n * 86_400_000);
    vec![
        stages("no stages", [], Documents(10)),
        stages(
            "match and project",
            [doc! {"$match": {"total": {"$gt": 3}}}, doc! {"$project": {"total": 1, "s": "$status"}}],
            Documents(6),
        ),
        stages("addFields and unset", [doc! {"$addFields": {"a": 1}}, doc! {"$unset": ["a", "tags"]}], Documents(10)),
        stages(
            "group",
            [doc! {"$group": {"_id": "$status", "n": {"$sum": 1}, "first": {"$min": "$total"}}}],
            Documents(2),
        ),
        stages(
            "top and percentages",
            [
                doc! {"$group": {"_id": null, "t": {"$topN": {"n": 2, "sortBy": {"total": -1}, "output": "$total"}}, "d": {"$stdDevPop": "$total"}}},
            ],
            Documents(1),
        ),
        stages(
            "bucket",
            [
                doc! {"$bucket": {"groupBy": "$total", "boundaries": [0, 5, 10], "default": "other", "output": {"n": {"$sum": 1}}}},
            ],
            Documents(2),
        ),
        stages(
            "bucketAuto",
            [doc! {"$bucketAuto": {"groupBy": "$total", "buckets": 2, "granularity": "1-2-5"}}],
            Answer,
        ),
        stages(
            "sort, skip, limit",
            [doc! {"$sort": {"total": 1}}, doc! {"$skip": 8_i64}, doc! {"$limit": 5.0}],
            Documents(2),
        ),
        stages("a limit as large as can be", [doc! {"$limit": i64::MAX}], Documents(10)),
        stages("count", [doc! {"$count": "n"}], Documents(1)),
        stages(
            "unwind",
            [doc! {"$unwind": {"path": "$tags", "includeArrayIndex": "i", "preserveNullAndEmptyArrays": false}}],
            Documents(20),
        ),
        stages("sortByCount", [doc! {"$sortByCount": "$status"}], Documents(2)),
        stages(
            "replaceRoot",
            [doc! {"$replaceRoot": {"newRoot": {"$mergeObjects": ["$$ROOT", {"a": 1}]}}}],
            Documents(10),
        ),
        stages("replaceWith", [doc! {"$replaceWith": {"x": "$$CURRENT.total"}}], Documents(10)),
        stages(
            "redact",
            [doc! {"$redact": {"$cond": [{"$eq": ["$status", "open"]}, "$$PRUNE", "$$KEEP"]}}],
            Documents(5),
        ),
        stages(
            "densify numbers",
            [
                doc! {"$project": {"total": {"$multiply": ["$total", 2]}}},
                doc! {"$densify": {"field": "total", "range": {"step": 1, "bounds": [0, 20]}}},
            ],
            Documents(20),
        ),
        stages(
            "densify days",
            [
                doc! {"$densify": {"field": "when", "partitionByFields": ["status"], "range": {"step": 1, "unit": "day", "bounds": [day(0), day(10)]}}},
            ],
            Documents(20),
        ),
        stages(
            "fill",
            [
                doc! {"$fill": {"partitionByFields": ["status"], "sortBy": {"total": 1}, "output": {"a": {"method": "locf"}, "b": {"value": 5}}}},
            ],
            Documents(10),
        ),
        stages(
            "linear fill",
            [doc! {"$fill": {"sortBy": {"total": 1}, "output": {"some": {"method": "linear"}}}}],
            Documents(10),
        ),
        stages(
            "geoNear",
            [
                doc! {"$geoNear": {"near": {"type": "Point", "coordinates": [1, 1]}, "distanceField": "d", "spherical": true, "maxDistance": 1e7, "query": {"status": "open"}, "key": "loc"}},
            ],
            Documents(5),
        ),
        stages(
            "windows",
            [doc! {"$setWindowFields": {"partitionBy": "$status", "sortBy": {"total": 1}, "output": {
                "r": {"$rank": {}}, "d": {"$denseRank": {}}, "n": {"$documentNumber": {}}, "l": {"$shift": {"output": "$total", "by": 1, "default": 0}},
                "s": {"$sum": "$total", "window": {"documents": ["unbounded", "current"]}}, "e": {"$expMovingAvg": {"input": "$total", "N": 2}},
                "c": {"$covariancePop": ["$total", "$_id"]}, "f": {"$locf": "$some"}, "g": {"$linearFill": "$some"},
            }}}],
            Documents(10),
        ),
        stages(
            "windows over time",
            [doc! {"$setWindowFields": {"sortBy": {"when": 1}, "output": {
                "s": {"$avg": "$total", "window": {"range": [-2, 0], "unit": "day"}},
                "v": {"$derivative": {"input": "$total", "unit": "day"}, "window": {"range": [-1, 0], "unit": "day"}},
                "i": {"$integral": {"input": "$total", "unit": "day"}},
            }}}],
            Documents(10),
        ),
        stages(
            "facets",
            [doc! {"$facet": {"a": [{"$count": "n"}], "b": [{"$sort": {"total": 1}}, {"$limit": 1}]}}],
            Documents(1),
        ),
        stages("a hundred stages", std::array::from_fn::<_, 100, _>(|_| doc! {"$skip": 0}), Documents(10)),
    ]
}

pub(super) fn stages_refused() -> Vec<Case> {
    let mut cases = vec![
        stages("out", [doc! {"$out": "stolen"}], Refused("T0228")),
        stages("out to another database", [doc! {"$out": {"db": "other", "coll": "stolen"}}], Refused("T0228")),
        stages(
            "merge",
            [doc! {"$match": {}}, doc! {"$merge": {"into": "orders", "whenMatched": [{"$set": {"a": 1}}]}}],
            Refused("T0228"),
        ),
        stages("merge into orders", [doc! {"$merge": "orders"}], Refused("T0228")),
        stages("two fields", [doc! {"$match": {}, "$out": "x"}], Refused("T0225")),
        stages("no field", [doc! {}], Refused("T0225")),
        stages("a stage without a dollar", [doc! {"match": {}}], Refused("T0224")),
        stages("a stage in capitals", [doc! {"$MATCH": {}}], Refused("T0224")),
        stages("a stage with a blank", [doc! {"$out ": "x"}], Refused("T0224")),
        stages("an unknown stage", [doc! {"$nonesuch": 1}], Refused("T0224")),
        stages("an option of the command", [doc! {"fromMongos": true}], Refused("T0224")),
        stages("needsMerge", [doc! {"$match": {}}, doc! {"needsMerge": true}], Refused("T0224")),
        stages("exchange", [doc! {"exchange": {"policy": "broadcast"}}], Refused("T0224")),
        stages(
            "accumulator",
            [
                doc! {"$group": {"_id": 1, "a": {"$accumulator": {"init": "f", "accumulate": "f", "merge": "f", "accumulateArgs": [], "lang": "js"}}}},
            ],
            Refused("T0230"),
        ),
        stages(
            "an internal accumulator",
            [doc! {"$group": {"_id": 1, "a": {"$_internalJsReduce": {}}}}],
            Refused("T0232"),
        ),
        stages(
            "an expression as an accumulator",
            [doc! {"$group": {"_id": 1, "a": {"$add": [1, 2]}}}],
            Refused("T0224"),
        ),
        stages("an internal option of group", [doc! {"$group": {"_id": 1, "$doingMerge": true}}], Refused("T0225")),
        stages("a negative limit", [doc! {"$limit": -1}], Refused("T0225")),
        stages("a limit of nothing", [doc! {"$limit": 0}], Refused("T0225")),
        stages("a limit past all numbers", [doc! {"$limit": 9_223_372_036_854_775_808.0}], Refused("T0225")),
        stages("a limit as text", [doc! {"$limit": "5"}], Refused("T0225")),
        stages("a negative skip", [doc! {"$skip": -5}], Refused("T0225")),
        stages("an option of unwind", [doc! {"$unwind": {"path": "$a", "evil": 1}}], Refused("T0224")),
        stages("a count with a dollar", [doc! {"$count": "$n"}], Refused("T0225")),
        stages("a sort that computes", [doc! {"$sort": {"a": {"$rand": {}}}}], Refused("T0231")),
        stages(
            "densify without bounds",
            [doc! {"$densify": {"field": "a", "range": {"step": 1, "bounds": "full"}}}],
            Refused("T0225"),
        ),
        stages(
            "densify by partition",
            [doc! {"$densify": {"field": "a", "range": {"step": 1, "bounds": "partition"}}}],
            Refused("T0225"),
        ),
        stages(
            "densify in place",
            [doc! {"$densify": {"field": "a", "range": {"step": 0, "bounds": [0, 1]}}}],
            Refused("T0225"),
        ),
        stages(
            "densify backwards",
            [doc! {"$densify": {"field": "a", "range": {"step": -1, "bounds": [0, 1]}}}],
            Refused("T0225"),
        ),
        stages(
            "densify without end",
            [doc! {"$densify": {"field": "a", "range": {"step": 1e-9, "bounds": [0, 1]}}}],
            Refused("T0222"),
        ),
        stages(
            "densify a large number",
            [doc! {"$densify": {"field": "a", "range": {"step": 0.1, "bounds": [9e15, 9e15 + 2.0]}}}],
            Refused("T0225"),
        ),
        stages(
            "densify milliseconds",
            [
                doc! {"$densify": {"field": "a", "range": {"step": 1, "unit": "millisecond", "bounds": [DateTime::from_millis(0), DateTime::now()]}}},
            ],
            Refused("T0222"),
        ),
        stages(
            "densify an unknown unit",
            [
                doc! {"$densify": {"field": "a", "range": {"step": 1, "unit": "fortnight", "bounds": [DateTime::MIN, DateTime::MIN]}}},
            ],
            Refused("T0225"),
        ),
        stages("fill without an order", [doc! {"$fill": {"output": {"a": {"method": "locf"}}}}], Refused("T0225")),
        stages(
            "an unknown way to fill",
            [doc! {"$fill": {"sortBy": {"a": 1}, "output": {"a": {"method": "magic"}}}}],
            Refused("T0225"),
        ),
        stages(
            "geoNear second",
            [doc! {"$match": {}}, doc! {"$geoNear": {"near": [1, 1], "distanceField": "d"}}],
            Refused("T0242"),
        ),
        stages(
            "geoNear with where",
            [doc! {"$geoNear": {"near": [1, 1], "distanceField": "d", "query": {"$where": "1"}}}],
            Refused("T0230"),
        ),
        stages("geoNear that computes", [doc! {"$geoNear": {"near": "$$NOW", "distanceField": "d"}}], Refused("T0225")),
        stages(
            "a window with a function",
            [doc! {"$setWindowFields": {"output": {"a": {"$function": {}}}}}],
            Refused("T0230"),
        ),
        stages(
            "an internal window",
            [doc! {"$setWindowFields": {"output": {"a": {"$_internalThing": 1}}}}],
            Refused("T0232"),
        ),
        stages(
            "two window operators",
            [doc! {"$setWindowFields": {"output": {"a": {"$sum": 1, "$max": 1}}}}],
            Refused("T0225"),
        ),
        stages("a facet in a facet", [doc! {"$facet": {"a": [{"$facet": {"b": []}}]}}], Refused("T0242")),
        stages("a facet with a merge", [doc! {"$facet": {"a": [{"$merge": "x"}]}}], Refused("T0228")),
        stages("a facet with a dollar", [doc! {"$facet": {"$a": []}}], Refused("T0225")),
        stages("documents by themselves", [doc! {"$documents": [{"a": 1}]}], Refused("T0242")),
        stages("too many stages", std::array::from_fn::<_, 101, _>(|_| doc! {"$skip": 0}), Refused("T0222")),
        stages(
            "too many stages in facets",
            [doc! {"$facet": {"a": vec![doc! {"$skip": 0}; 60], "b": vec![doc! {"$skip": 0}; 60]}}],
            Refused("T0222"),
        ),
    ];
    for (stage, code) in [
        ("$changeStream", "T0232"),
        ("$changeStreamSplitLargeEvent", "T0232"),
        ("$collStats", "T0232"),
        ("$currentOp", "T0232"),
        ("$indexStats", "T0232"),
        ("$listLocalSessions", "T0232"),
        ("$listSessions", "T0232"),
        ("$listSampledQueries", "T0232"),
        ("$listCatalog", "T0232"),
        ("$listClusterCatalog", "T0232"),
        ("$planCacheStats", "T0232"),
        ("$queryStats", "T0232"),
        ("$querySettings", "T0232"),
        ("$shardedDataDistribution", "T0232"),
        ("$operationMetrics", "T0232"),
        ("$mergeCursors", "T0232"),
        ("$queue", "T0232"),
        ("$backupCursor", "T0232"),
        ("$setVariableFromSubPipeline", "T0232"),
        ("$_internalInhibitOptimization", "T0232"),
        ("$_internalUnpackBucket", "T0232"),
        ("$_internalSearchMongotRemote", "T0232"),
        ("$sample", "T0231"),
        ("$search", "T0243"),
        ("$searchMeta", "T0243"),
        ("$vectorSearch", "T0243"),
        ("$rankFusion", "T0243"),
        ("$scoreFusion", "T0243"),
        ("$listSearchIndexes", "T0243"),
        ("$sql", "T0224"),
        ("$https", "T0224"),
        ("$externalFunction", "T0224"),
        ("$emit", "T0224"),
    ] {
        cases.push(stages(stage, [doc! {stage: {}}], Refused(code)));
    }
    cases
}

pub(super) fn expressions() -> Vec<Case> {
    vec![
        compute("let", doc! {"$let": {"vars": {"a": "$total"}, "in": {"$add": ["$$a", 1]}}}, Documents(10)),
        compute(
            "map and filter",
            doc! {"$map": {"input": {"$filter": {"input": "$items", "as": "i", "cond": {"$gt": ["$$i.n", 0]}}}, "as": "x", "in": "$$x.sku"}},
            Documents(10),
        ),
        compute(
            "reduce",
            doc! {"$reduce": {"input": "$tags", "initialValue": "", "in": {"$concat": ["$$value", "$$this"]}}},
            Documents(10),
        ),
        compute(
            "switch and convert",
            doc! {"$switch": {"branches": [{"case": {"$gt": ["$total", 5]}, "then": {"$convert": {"input": "$total", "to": "string", "onError": "x"}}}], "default": "$$REMOVE"}},
            Documents(10),
        ),
        compute(
            "dates",
            doc! {"$dateToString": {"date": {"$dateFromString": {"dateString": "2020-01-01"}}, "format": "%Y"}},
            Documents(10),
        ),
        compute("regexMatch", doc! {"$regexMatch": {"input": "$status", "regex": "^o", "options": "i"}}, Documents(10)),
        compute(
            "a field with a dollar",
            doc! {"$getField": {"field": {"$literal": "$price"}, "input": "$$ROOT"}},
            Documents(10),
        ),
        compute(
            "setField with a dollar",
            doc! {"$setField": {"field": {"$literal": "$price"}, "input": "$$ROOT", "value": 1}},
            Documents(10),
        ),
        compute("unsetField", doc! {"$unsetField": {"field": {"$literal": "a.b"}, "input": "$$ROOT"}}, Documents(10)),
        compute(
            "what literal holds is data",
            doc! {"$literal": {"$out": "x", "a": {"$where": ["$$NOW"]}}},
            Documents(10),
        ),
        compute("sortArray", doc! {"$sortArray": {"input": "$tags", "sortBy": -1}}, Documents(10)),
        compute(
            "function",
            doc! {"$function": {"body": "function() { return 1 }", "args": [], "lang": "js"}},
            Refused("T0230"),
        ),
        compute("function in an array", doc! {"a": [{"b": {"$function": {}}}]}, Refused("T0230")),
        compute("function in a branch", doc! {"$cond": [true, 1, {"$function": {}}]}, Refused("T0230")),
        compute("function in a variable", doc! {"$let": {"vars": {"a": {"$function": {}}}, "in": 1}}, Refused("T0230")),
        compute("a stage as an expression", doc! {"$lookup": {"from": "secret"}}, Refused("T0224")),
        compute("rand", doc! {"$rand": {}}, Refused("T0231")),
        compute("createObjectId", doc! {"$createObjectId": {}}, Refused("T0231")),
        compute("now", "$$NOW", Refused("T0231")),
        compute("now with a path", "$$NOW.a", Refused("T0231")),
        compute("cluster time", "$$CLUSTER_TIME", Refused("T0231")),
        compute("roles of the user", "$$USER_ROLES", Refused("T0232")),
        compute("search meta", "$$SEARCH_META", Refused("T0243")),
        compute("js scope", "$$JS_SCOPE", Refused("T0232")),
        compute("an unknown variable", "$$NONESUCH", Refused("T0224")),
        compute("a dollar behind root", "$$ROOT.$a", Refused("T0225")),
        compute("a lonely dollar", "$", Refused("T0225")),
        compute("two lonely dollars", "$$", Refused("T0224")),
        compute("an empty part", "$a..b", Refused("T0225")),
        compute("a path with NUL", "$a\0b", Refused("T0225")),
        compute("a hashed key", doc! {"$toHashedIndexKey": "$a"}, Refused("T0232")),
        compute("an internal expression", doc! {"$_internalFindAllValuesAtPath": "a"}, Refused("T0232")),
        compute("two operators", doc! {"$add": [1, 2], "$multiply": [1, 2]}, Refused("T0225")),
        compute("an operator behind a computed field", doc! {"a": 1, "$add": [1, 2]}, Refused("T0225")),
        compute("let NOW", doc! {"$let": {"vars": {"NOW": 1}, "in": 1}}, Refused("T0225")),
        compute("let CURRENT", doc! {"$let": {"vars": {"CURRENT": "$a"}, "in": "$b"}}, Refused("T0225")),
        compute("map as ROOT", doc! {"$map": {"input": [], "as": "ROOT", "in": 1}}, Refused("T0225")),
        compute(
            "a long regex in an expression",
            doc! {"$regexMatch": {"input": "a", "regex": "x".repeat(2000)}},
            Refused("T0222"),
        ),
        compute("meta of a search", doc! {"$meta": "searchScore"}, Refused("T0225")),
    ]
}
