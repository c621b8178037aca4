//! Pipelines and the pipelines within them: `$lookup`, `$unionWith`, `$facet`, `$graphLookup`, `$documents`.

use super::{
    at::At,
    expression, filter,
    options::{self, fields, name},
    refused::Refused,
    stage,
    tree::Node,
    walk::Walk,
};

/// Pipelines within one another. The server's own limit is 20, the views that they read included.
const NESTED: usize = 8;
/// How many times `$graphLookup` may follow its links from one document: each step is a query of its own.
const GRAPH_DEPTH: i64 = 100;

/// Where a stage stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// How many stages come before it.
    pub(super) number: usize,
    input: Input,
    /// How many pipelines are around this one.
    nested: usize,
    /// Whether one of them is a branch of `$facet`, or this one is.
    in_facet: bool,
}

/// Where the documents of a pipeline come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    Collection,
    /// From `$documents`, for no collection is named.
    Itself,
    /// From the pipeline around it.
    Facet,
}

impl Place {
    /// A stage of the request's own pipeline.
    pub(super) fn outermost(number: usize) -> Self {
        Self { number, input: Input::Collection, nested: 0, in_facet: false }
    }

    /// Whether a collection's documents arrive as they are.
    pub(super) fn is_at_a_collection(self) -> bool {
        self.number == 0 && self.input == Input::Collection
    }
}

/// The pipeline of a view.
pub(super) fn of_view(stages: &Node<'_>, walk: &mut Walk<'_>, at: &At<'_>) -> Result<(), Refused> {
    each(stages, Place::outermost(0), walk, at)
}

fn within(stages: &Node<'_>, around: Place, input: Input, walk: &mut Walk<'_>, at: &At<'_>) -> Result<(), Refused> {
    let nested = around.nested + 1;
    if nested > NESTED {
        return Err(Refused::too_much("pipelines within one another", nested, NESTED, at));
    }
    let in_facet = around.in_facet || input == Input::Facet;
    each(stages, Place { number: 0, input, nested, in_facet }, walk, at)
}

fn each(stages: &Node<'_>, first: Place, walk: &mut Walk<'_>, at: &At<'_>) -> Result<(), Refused> {
    let Node::Array(stages) = stages else { return Err(Refused::shape("an array of stages", at)) };
    let begins_with_documents = stages.first().is_some_and(|stage| match stage {
        Node::Document(fields) => matches!(fields.as_slice(), [("$documents", _)]),
        _ => false,
    });
    if first.input == Input::Itself && !begins_with_documents {
        return Err(Refused::shape("a pipeline that begins with $documents, as no collection is named", at));
    }
    stages.iter().enumerate().try_for_each(|(number, stage)| {
        let at = &at.index(number);
        stage::check(fields(stage, "a stage", at)?, Place { number, ..first }, walk, at)
    })
}

/// `{from, localField, foreignField, let, pipeline, as}`.
pub(super) fn lookup(node: &Node<'_>, place: Place, walk: &mut Walk<'_>, at: &At<'_>) -> Result<(), Refused> {
    const KNOWN: [&str; 6] = ["from", "localField", "foreignField", "let", "pipeline", "as"];
    let lookup = fields(node, "a document", at)?;
    let has = |wanted: &str| lookup.iter().any(|(name, _)| *name == wanted);
    if !has("as") {
        return Err(Refused::shape("a document with `as`, the field for what was found", at));
    }
    let input = if has("from") { Input::Collection } else { Input::Itself };
    if input == Input::Itself && !has("pipeline") {
        return Err(Refused::shape("a document with `from`, or with a `pipeline` that begins with $documents", at));
    }
    lookup.iter().try_for_each(|(key, value)| {
        let at = &at.field(key);
        match *key {
            "from" => walk.collection(value, at),
            "localField" | "foreignField" | "as" => options::text_path(value, at),
            "let" => options::bound(value, at),
            "pipeline" => within(value, place, input, walk, at),
            _ => Err(options::unknown(key, &KNOWN, at)),
        }
    })
}

/// `{from, startWith, connectFromField, connectToField, as, maxDepth, depthField, restrictSearchWithMatch}`.
pub(super) fn graph_lookup(node: &Node<'_>, walk: &mut Walk<'_>, at: &At<'_>) -> Result<(), Refused> {
    const KNOWN: [&str; 8] = [
        "from",
        "startWith",
        "connectFromField",
        "connectToField",
        "as",
        "maxDepth",
        "depthField",
        "restrictSearchWithMatch",
    ];
    let graph = fields(node, "a document", at)?;
    let has = |wanted: &str| graph.iter().any(|(name, _)| *name == wanted);
    if !has("from") {
        return Err(Refused::shape("a document with `from`, the name of a collection", at));
    }
    // whoever grants a view grants the steps that it takes
    if !has("maxDepth") && !walk.is_in_view() {
        return Err(Refused::shape(
            format!("a document with `maxDepth`, how many links to follow: at most {GRAPH_DEPTH}"),
            at,
        ));
    }
    graph.iter().try_for_each(|(key, value)| {
        let at = &at.field(key);
        match *key {
            "from" => walk.collection(value, at),
            "startWith" => expression::check(value, at),
            "connectFromField" | "connectToField" | "as" | "depthField" => options::text_path(value, at),
            "maxDepth" => match value.whole() {
                Some(0..=GRAPH_DEPTH) => Ok(()),
                Some(1..) if walk.is_in_view() => Ok(()),
                _ => Err(Refused::shape(format!("a whole number from 0 to {GRAPH_DEPTH}"), at)),
            },
            "restrictSearchWithMatch" => filter::check(fields(value, "a filter", at)?, at),
            _ => Err(options::unknown(key, &KNOWN, at)),
        }
    })
}

/// `"collection"`, `{coll, pipeline}`, or `{pipeline}` of `$documents`.
pub(super) fn union(node: &Node<'_>, place: Place, walk: &mut Walk<'_>, at: &At<'_>) -> Result<(), Refused> {
    let Node::Document(union) = node else { return walk.collection(node, at) };
    let input = if union.iter().any(|(key, _)| *key == "coll") { Input::Collection } else { Input::Itself };
    if input == Input::Itself && !union.iter().any(|(key, _)| *key == "pipeline") {
        return Err(Refused::shape("a collection, {coll, pipeline}, or a `pipeline` that begins with $documents", at));
    }
    union.iter().try_for_each(|(key, value)| {
        let at = &at.field(key);
        match *key {
            "coll" => walk.collection(value, at),
            "pipeline" => within(value, place, input, walk, at),
            _ => Err(options::unknown(key, &["coll", "pipeline"], at)),
        }
    })
}

/// `{branch: [stage, …], …}`.
pub(super) fn facet(node: &Node<'_>, place: Place, walk: &mut Walk<'_>, at: &At<'_>) -> Result<(), Refused> {
    if place.in_facet {
        return Err(Refused::misplaced("$facet", "a branch of $facet has none of its own", at));
    }
    fields(node, "a document of pipelines", at)?.iter().try_for_each(|(branch, stages)| {
        let at = &at.field(branch);
        name(branch, at)?;
        within(stages, place, Input::Facet, walk, at)
    })
}

/// `[{a: 1}, …]`, computed like any expression.
pub(super) fn documents(node: &Node<'_>, place: Place, at: &At<'_>) -> Result<(), Refused> {
    if place.number > 0 || place.input != Input::Itself {
        let why = "it begins the pipeline of a $lookup or $unionWith that names no collection";
        return Err(Refused::misplaced("$documents", why, at));
    }
    let Node::Array(documents) = node else { return Err(Refused::shape("an array of documents", at)) };
    documents.iter().enumerate().try_for_each(|(number, document)| {
        let at = &at.index(number);
        // an operator might make documents without end out of a few bytes
        expression::computed(fields(document, "a document", at)?, at)
    })
}
