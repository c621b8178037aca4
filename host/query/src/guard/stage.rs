//! Stages with options of their own that contain no pipeline: `$unwind`, `$geoNear`, `$graphLookup`, `$documents`.

use super::{
    context::Context,
    error::GuardError,
    expression, filter, geo,
    location::Location,
    position::{Input, Position},
    shape::{fields, flag, options, path, text_path, unknown},
    tree::Node,
};

/// How many links `$graphLookup` can follow from one document. Each step is a query of its own.
const MAX_GRAPH_DEPTH: i64 = 100;

/// Whether a stage may return documents when it receives none.
pub(super) fn makes_documents(stage: &[(&str, Node<'_>)]) -> bool {
    matches!(stage, [("$unionWith" | "$facet" | "$densify", _)])
}

/// `"$path"`, or `{path, includeArrayIndex, preserveNullAndEmptyArrays}`.
pub(super) fn unwind(value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    let source = |value: &Node<'_>, at: &Location<'_>| match value {
        Node::Text(text) => match text.strip_prefix('$') {
            Some(name) => path(name, at),
            None => Err(GuardError::invalid("a path that begins with $", at)),
        },
        _ => Err(GuardError::invalid("a path that begins with $", at)),
    };
    let Node::Document(fields) = value else { return source(value, at) };
    let known = ["path", "includeArrayIndex", "preserveNullAndEmptyArrays"];
    options(fields, &known, at, |option, value, at| match option {
        "path" => source(value, at),
        "includeArrayIndex" => text_path(value, at),
        _ => flag(value, at),
    })
}

/// `{near, distanceField, spherical, maxDistance, minDistance, query, distanceMultiplier, includeLocs, key}`.
pub(super) fn geo_near(stage: &[(&str, Node<'_>)], at: &Location<'_>) -> Result<(), GuardError> {
    const KNOWN: [&str; 9] = [
        "near",
        "distanceField",
        "spherical",
        "maxDistance",
        "minDistance",
        "query",
        "distanceMultiplier",
        "includeLocs",
        "key",
    ];
    options(stage, &KNOWN, at, |name, value, at| match name {
        "near" => match value {
            Node::Document(_) => geo::geometry(value, at),
            _ => geo::coordinates(value, at),
        },
        "query" => filter::check(fields(value, "a filter", at)?, at),
        "spherical" => flag(value, at),
        "maxDistance" | "minDistance" | "distanceMultiplier" => geo::distance(value, at),
        _ => text_path(value, at),
    })
}

/// `{from, startWith, connectFromField, connectToField, as, maxDepth, depthField, restrictSearchWithMatch}`.
pub(super) fn graph_lookup(node: &Node<'_>, context: &mut Context<'_>, at: &Location<'_>) -> Result<(), GuardError> {
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
        return Err(GuardError::invalid("a document with `from`, the name of a collection", at));
    }
    // in a granted view, the operator has accepted the number of steps
    if !has("maxDepth") && !context.is_in_view() {
        return Err(GuardError::invalid(format!("a document with `maxDepth`, at most {MAX_GRAPH_DEPTH}"), at));
    }
    graph.iter().try_for_each(|(key, value)| {
        let at = &at.field(key);
        match *key {
            "from" => context.collection(value, at),
            "startWith" => expression::check(value, at),
            "connectFromField" | "connectToField" | "as" | "depthField" => text_path(value, at),
            "maxDepth" => match value.integer() {
                Some(0..=MAX_GRAPH_DEPTH) => Ok(()),
                Some(1..) if context.is_in_view() => Ok(()),
                _ => Err(GuardError::invalid(format!("an integer from 0 to {MAX_GRAPH_DEPTH}"), at)),
            },
            "restrictSearchWithMatch" => filter::check(fields(value, "a filter", at)?, at),
            _ => Err(unknown(key, &KNOWN, at)),
        }
    })
}

/// `[{a: 1}, …]`, each document an expression.
pub(super) fn documents(node: &Node<'_>, position: Position, at: &Location<'_>) -> Result<(), GuardError> {
    if position.index > 0 || position.input != Input::DocumentsStage {
        let reason = "it must be the first stage in the pipeline of a $lookup or $unionWith without a collection";
        return Err(GuardError::misplaced("$documents", reason, at));
    }
    let Node::Array(documents) = node else { return Err(GuardError::invalid("an array of documents", at)) };
    documents.iter().enumerate().try_for_each(|(index, document)| {
        let at = &at.index(index);
        // an operator could make an unlimited number of documents out of a few bytes
        expression::computed(fields(document, "a document", at)?, at)
    })
}
