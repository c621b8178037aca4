//! Other collections: named in stages, behind views, and on the server's side of the fence.
#![expect(clippy::too_many_lines, reason = "a table is as long as it is")]

use bson::{Bson, Document, doc};
use taster_query::FindOptions;

use super::{
    Call, Case,
    Expected::{Answer, Documents, Refused},
    on, stages,
};
use crate::support::raw;

pub(super) fn other_collections() -> Vec<Case> {
    let lookup =
        |from: &str| doc! {"$lookup": {"from": from, "localField": "_id", "foreignField": "order", "as": "found"}};
    let graph = |from: &str| doc! {"$graphLookup": {"from": from, "startWith": "$_id", "connectFromField": "order", "connectToField": "_id", "as": "found", "maxDepth": 3, "depthField": "d", "restrictSearchWithMatch": {"sku": {"$ne": "x"}}}};
    vec![
        stages("lookup", [lookup("items"), doc! {"$unwind": "$found"}], Documents(10)),
        stages(
            "lookup by a pipeline",
            [
                doc! {"$lookup": {"from": "items", "let": {"o": "$_id"}, "pipeline": [{"$match": {"$expr": {"$eq": ["$order", "$$o"]}}}], "as": "found"}},
                doc! {"$unwind": "$found"},
            ],
            Documents(10),
        ),
        stages(
            "lookup both ways",
            [
                doc! {"$lookup": {"from": "items", "localField": "_id", "foreignField": "order", "pipeline": [{"$limit": 1}], "as": "found"}},
            ],
            Documents(10),
        ),
        stages("lookup in itself", [lookup("orders")], Documents(10)),
        stages("lookup in a view", [lookup("few")], Documents(10)),
        stages("lookup in a time series", [lookup("ticks")], Documents(10)),
        stages("lookup in what is absent", [lookup("gone")], Documents(10)),
        stages(
            "lookup in documents",
            [
                doc! {"$lookup": {"let": {"t": "$total"}, "pipeline": [{"$documents": [{"a": 1}, {"a": "$$t"}]}], "as": "found"}},
                doc! {"$unwind": "$found"},
            ],
            Documents(20),
        ),
        stages(
            "lookup in a lookup",
            [doc! {"$lookup": {"from": "items", "pipeline": [lookup("orders")], "as": "found"}}],
            Documents(10),
        ),
        stages("graphLookup", [graph("items")], Documents(10)),
        stages("graphLookup in a view", [graph("few")], Documents(10)),
        stages(
            "a lookup in a facet",
            [doc! {"$facet": {"a": [lookup("items")], "b": [{"$unionWith": "items"}]}}],
            Documents(1),
        ),
        on("gone", "a facet on what is absent", [doc! {"$facet": {"a": []}}], Documents(1)),
    ]
}

pub(super) fn unions() -> Vec<Case> {
    vec![
        stages("unionWith", [doc! {"$unionWith": "items"}], Documents(20)),
        stages(
            "unionWith a pipeline",
            [doc! {"$unionWith": {"coll": "items", "pipeline": [{"$limit": 2}]}}],
            Documents(12),
        ),
        stages("unionWith a view", [doc! {"$unionWith": "few"}], Documents(15)),
        stages("unionWith documents", [doc! {"$unionWith": {"pipeline": [{"$documents": [{"a": 1}]}]}}], Documents(11)),
        stages(
            "eight levels",
            [(0..8).fold(doc! {"$limit": 1}, |inner, _| doc! {"$unionWith": {"coll": "items", "pipeline": [inner]}})],
            Answer,
        ),
        on("gone", "a union on what is absent", [doc! {"$unionWith": "items"}], Documents(10)),
    ]
}

pub(super) fn namespaces_refused() -> Vec<Case> {
    let lookup = |from: Bson| doc! {"$lookup": {"from": from, "localField": "a", "foreignField": "b", "as": "found"}};
    let piped = |from: &str, inner: Document| doc! {"$lookup": {"from": from, "pipeline": [inner], "as": "found"}};
    let deep = (0..9).fold(doc! {"$limit": 1}, |inner, _| doc! {"$unionWith": {"coll": "items", "pipeline": [inner]}});
    vec![
        on("secret", "an aggregate on a secret", [], Refused("T0226")),
        on("system.js", "an aggregate on the server's code", [], Refused("T0227")),
        on("system.views", "an aggregate on the views", [], Refused("T0227")),
        on("system.buckets.ticks", "an aggregate on buckets", [], Refused("T0227")),
        on("$cmd.aggregate", "an aggregate on the database", [], Refused("T0227")),
        on("orders\0", "an aggregate with NUL", [], Refused("T0227")),
        on("", "an aggregate on nothing", [], Refused("T0227")),
        on("Orders", "an aggregate in other letters", [], Refused("T0226")),
        on("private_view", "a view that was not granted", [], Refused("T0226")),
        stages("lookup a secret", [lookup("secret".into())], Refused("T0226")),
        stages("lookup in code", [lookup("system.js".into())], Refused("T0227")),
        stages("lookup in buckets", [lookup("system.buckets.ticks".into())], Refused("T0227")),
        stages("lookup in the profile", [lookup("system.profile".into())], Refused("T0227")),
        stages(
            "lookup in another database",
            [lookup(doc! {"db": "admin", "coll": "system.users"}.into())],
            Refused("T0225"),
        ),
        stages(
            "lookup in a chunk cache",
            [lookup(doc! {"db": "config", "coll": "cache.chunks.x"}.into())],
            Refused("T0225"),
        ),
        stages("lookup by number", [lookup(1.into())], Refused("T0225")),
        stages("lookup with a dollar", [lookup("$cmd".into())], Refused("T0227")),
        stages("lookup in a view that is not granted", [lookup("private_view".into())], Refused("T0226")),
        stages(
            "lookup without a collection",
            [doc! {"$lookup": {"pipeline": [{"$match": {}}], "as": "a"}}],
            Refused("T0225"),
        ),
        stages("lookup without a place", [doc! {"$lookup": {"from": "items", "pipeline": []}}], Refused("T0225")),
        stages(
            "an internal option of lookup",
            [doc! {"$lookup": {"from": "items", "pipeline": [], "as": "a", "_internalCollation": {"locale": "de"}}}],
            Refused("T0232"),
        ),
        stages(
            "an unknown option of lookup",
            [doc! {"$lookup": {"from": "items", "pipeline": [], "as": "a", "unwinding": {}}}],
            Refused("T0224"),
        ),
        stages(
            "lookup lets NOW",
            [doc! {"$lookup": {"from": "items", "let": {"NOW": 1}, "pipeline": [], "as": "a"}}],
            Refused("T0225"),
        ),
        stages(
            "lookup lets it compute",
            [doc! {"$lookup": {"from": "items", "let": {"a": {"$function": {}}}, "pipeline": [], "as": "a"}}],
            Refused("T0230"),
        ),
        stages("out in a lookup", [piped("items", doc! {"$out": "x"})], Refused("T0228")),
        stages(
            "merge in a lookup in a facet",
            [doc! {"$facet": {"a": [piped("items", doc! {"$merge": "x"})]}}],
            Refused("T0228"),
        ),
        stages("a secret in a lookup", [piped("items", lookup("secret".into()))], Refused("T0226")),
        stages(
            "a secret in a lookup in a facet",
            [doc! {"$facet": {"a": [piped("items", lookup("secret".into()))]}}],
            Refused("T0226"),
        ),
        stages("a secret in a union in a lookup", [piped("items", doc! {"$unionWith": "secret"})], Refused("T0226")),
        stages("where in a lookup", [piped("items", doc! {"$match": {"$where": "1"}})], Refused("T0230")),
        stages("change stream in a lookup", [piped("items", doc! {"$changeStream": {}})], Refused("T0232")),
        stages("documents in a lookup on a collection", [piped("items", doc! {"$documents": []})], Refused("T0242")),
        stages(
            "documents out of nothing",
            [doc! {"$lookup": {"pipeline": [{"$documents": {"$range": [0, 9]}}], "as": "a"}}],
            Refused("T0225"),
        ),
        stages(
            "documents second",
            [doc! {"$unionWith": {"pipeline": [{"$documents": []}, {"$documents": []}]}}],
            Refused("T0242"),
        ),
        stages(
            "a pipeline as a document",
            [doc! {"$lookup": {"from": "items", "pipeline": {"0": {"$limit": 1}}, "as": "a"}}],
            Refused("T0225"),
        ),
        stages(
            "graphLookup a secret",
            [
                doc! {"$graphLookup": {"from": "secret", "startWith": 1, "connectFromField": "a", "connectToField": "b", "as": "c", "maxDepth": 0}},
            ],
            Refused("T0226"),
        ),
        stages(
            "graphLookup with where",
            [
                doc! {"$graphLookup": {"from": "items", "startWith": 1, "connectFromField": "a", "connectToField": "b", "as": "c", "maxDepth": 0, "restrictSearchWithMatch": {"$where": "1"}}},
            ],
            Refused("T0230"),
        ),
        stages(
            "graphLookup without end",
            [
                doc! {"$graphLookup": {"from": "items", "startWith": 1, "connectFromField": "a", "connectToField": "b", "as": "c"}},
            ],
            Refused("T0225"),
        ),
        stages(
            "graphLookup too far",
            [
                doc! {"$graphLookup": {"from": "items", "startWith": 1, "connectFromField": "a", "connectToField": "b", "as": "c", "maxDepth": 101}},
            ],
            Refused("T0225"),
        ),
        stages("unionWith a secret", [doc! {"$unionWith": "secret"}], Refused("T0226")),
        stages(
            "unionWith a secret and a pipeline",
            [doc! {"$unionWith": {"coll": "secret", "pipeline": []}}],
            Refused("T0226"),
        ),
        stages("unionWith another database", [doc! {"$unionWith": {"db": "admin", "coll": "items"}}], Refused("T0224")),
        stages("unionWith buckets", [doc! {"$unionWith": "system.buckets.ticks"}], Refused("T0227")),
        stages(
            "unionWith a secret in a union",
            [doc! {"$unionWith": {"coll": "items", "pipeline": [{"$unionWith": "secret"}]}}],
            Refused("T0226"),
        ),
        stages("unionWith nothing", [doc! {"$unionWith": {}}], Refused("T0225")),
        stages("nine levels", [deep], Refused("T0222")),
    ]
}

pub(super) fn views() -> Vec<Case> {
    let lookup = |from: &str| doc! {"$lookup": {"from": from, "localField": "a", "foreignField": "b", "as": "found"}};
    let find = |collection, name, expected| Case {
        name,
        collection,
        call: Call::Find(raw(&doc! {}), FindOptions::default()),
        expected,
    };
    vec![
        on("few", "a view", [], Documents(5)),
        on("chain", "a view of a view", [], Documents(5)),
        on("through", "a view of a view that was not granted", [], Documents(10)),
        on("tree", "a view with a graphLookup as applications write it", [], Documents(10)),
        find("chain", "a find in a view of a view", Documents(5)),
        on("peep", "a view of a secret", [], Refused("T0240")),
        on("peep_lookup", "a view that looks up a secret", [], Refused("T0240")),
        on("peep_facet", "a view that hides a secret in a facet", [], Refused("T0240")),
        on("peep_view", "a view of a view of a secret", [], Refused("T0240")),
        on("random_view", "a view at random", [], Refused("T0241")),
        on("now_view", "a view of this moment", [], Refused("T0241")),
        on("code_view", "a view that runs code", [], Refused("T0241")),
        find("peep", "a find in a view of a secret", Refused("T0240")),
        find("peep_view", "a find in a view of a view of a secret", Refused("T0240")),
        find("now_view", "a find in a view of this moment", Refused("T0241")),
        stages("lookup in a view of a secret", [lookup("peep")], Refused("T0240")),
        stages("lookup in a view of a view of a secret", [lookup("peep_view")], Refused("T0240")),
        stages("union with a view of a secret", [doc! {"$unionWith": "peep_lookup"}], Refused("T0240")),
        stages(
            "a view of a secret in a facet",
            [doc! {"$facet": {"a": [doc! {"$unionWith": "peep"}]}}],
            Refused("T0240"),
        ),
        stages(
            "graphLookup in a view of a secret",
            [
                doc! {"$graphLookup": {"from": "peep", "startWith": 1, "connectFromField": "a", "connectToField": "b", "as": "c", "maxDepth": 0}},
            ],
            Refused("T0240"),
        ),
        stages("lookup in a view at random", [lookup("random_view")], Refused("T0241")),
        Case {
            name: "a count in a view of a secret",
            collection: "peep",
            call: Call::Count(raw(&doc! {})),
            expected: Refused("T0240"),
        },
        Case {
            name: "values of a view of a secret",
            collection: "peep",
            call: Call::Distinct("a", raw(&doc! {})),
            expected: Refused("T0240"),
        },
        Case {
            name: "the plan of a view of a secret",
            collection: "peep",
            call: Call::Explain(raw(&doc! {}), FindOptions::default()),
            expected: Refused("T0240"),
        },
    ]
}
