//! Pipelines and their stages, including the stages that contain pipelines: `$lookup`, `$unionWith`, `$facet`. They are one
//! module because each stage may contain a pipeline, and each pipeline contains stages.

use super::{
    context::Context,
    error::GuardError,
    expression, filter, gaps, group,
    location::Location,
    names::NameKind,
    position::{Input, Position},
    query_options::{computed_fields, sort},
    shape::{fields, integer_from, name, options, single, text_path, unknown},
    stage,
    tree::Node,
    unknown_name, window,
};

/// The most nested pipelines. The server's own limit is 20, including the views that they read.
const MAX_NESTED: usize = 8;

/// Checks the pipeline of a view.
pub(super) fn check_view(stages: &Node<'_>, context: &mut Context<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    check_stages(stages, Position::top_level(0), context, at)
}

/// Checks the pipeline within a stage.
fn check_nested(
    stages: &Node<'_>,
    outer: Position,
    input: Input,
    context: &mut Context<'_>,
    at: &Location<'_>,
) -> Result<(), GuardError> {
    let depth = outer.depth + 1;
    if depth > MAX_NESTED {
        return Err(GuardError::too_much("nested pipelines", depth, MAX_NESTED, at));
    }
    let in_facet = outer.in_facet || input == Input::Facet;
    check_stages(stages, Position { index: 0, input, depth, in_facet }, context, at)
}

fn check_stages(
    stages: &Node<'_>,
    first: Position,
    context: &mut Context<'_>,
    at: &Location<'_>,
) -> Result<(), GuardError> {
    let Node::Array(stages) = stages else { return Err(GuardError::invalid("an array of stages", at)) };
    let begins_with_documents = stages.first().is_some_and(|stage| match stage {
        Node::Document(fields) => matches!(fields.as_slice(), [("$documents", _)]),
        _ => false,
    });
    if first.input == Input::DocumentsStage && !begins_with_documents {
        return Err(GuardError::invalid("a pipeline that begins with $documents, because no collection is named", at));
    }
    stages.iter().enumerate().try_for_each(|(index, stage)| {
        let at = &at.index(index);
        check_stage(fields(stage, "a stage", at)?, Position { index, ..first }, context, at)
    })
}

/// Checks a stage: one field, whose name is on the list and whose value is valid for that name.
pub(super) fn check_stage(
    stage: &[(&str, Node<'_>)],
    position: Position,
    context: &mut Context<'_>,
    at: &Location<'_>,
) -> Result<(), GuardError> {
    context.count_stage(at)?;
    let (stage, value) = single(stage, "the stage", at)?;
    let at = &at.field(stage);
    match stage {
        "$match" => filter::check(fields(value, "a filter", at)?, at),
        "$project" | "$addFields" | "$set" => computed_fields(fields(value, "a document", at)?, at),
        "$sort" => sort(fields(value, "a document", at)?, at),
        "$unset" => match value {
            Node::Array(items) => {
                items.iter().enumerate().try_for_each(|(index, item)| text_path(item, &at.index(index)))
            }
            _ => text_path(value, at),
        },
        "$group" => group::group(fields(value, "a document", at)?, at),
        "$bucket" => group::bucket(fields(value, "a document", at)?, at),
        "$bucketAuto" => group::bucket_auto(fields(value, "a document", at)?, at),
        "$limit" => integer_from(1, value, at),
        "$skip" => integer_from(0, value, at),
        "$count" => match value {
            Node::Text(text) => name(text, at),
            _ => Err(GuardError::invalid("a field name", at)),
        },
        "$unwind" => stage::unwind(value, at),
        "$replaceRoot" => {
            options(fields(value, "a document", at)?, &["newRoot"], at, |_, value, at| expression::check(value, at))
        }
        "$sortByCount" | "$replaceWith" | "$redact" => expression::check(value, at),
        "$densify" => gaps::densify(fields(value, "a document", at)?, at),
        "$fill" => gaps::fill(fields(value, "a document", at)?, at),
        "$setWindowFields" => window::check(fields(value, "a document", at)?, at),
        "$geoNear" if position.is_first_on_collection() => stage::geo_near(fields(value, "a document", at)?, at),
        "$geoNear" => {
            Err(GuardError::misplaced("$geoNear", "it must be the first stage of a pipeline on a collection", at))
        }
        "$lookup" => lookup(value, position, context, at),
        "$graphLookup" => stage::graph_lookup(value, context, at),
        "$unionWith" => union_with(value, position, context, at),
        "$facet" => facet(value, position, context, at),
        "$documents" => stage::documents(value, position, at),
        _ => Err(unknown_name::not_listed(NameKind::Stage, stage, at)),
    }
}

/// `{from, localField, foreignField, let, pipeline, as}`.
fn lookup(node: &Node<'_>, position: Position, context: &mut Context<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    const KNOWN: [&str; 6] = ["from", "localField", "foreignField", "let", "pipeline", "as"];
    let lookup = fields(node, "a document", at)?;
    let has = |wanted: &str| lookup.iter().any(|(name, _)| *name == wanted);
    if !has("as") {
        return Err(GuardError::invalid("a document with `as`, the field for the results", at));
    }
    let input = if has("from") { Input::Collection } else { Input::DocumentsStage };
    if input == Input::DocumentsStage && !has("pipeline") {
        return Err(GuardError::invalid(
            "a document with `from`, or with a `pipeline` that begins with $documents",
            at,
        ));
    }
    lookup.iter().try_for_each(|(key, value)| {
        let at = &at.field(key);
        match *key {
            "from" => context.collection(value, at),
            "localField" | "foreignField" | "as" => text_path(value, at),
            "let" => expression::bindings(value, at),
            "pipeline" => check_nested(value, position, input, context, at),
            _ => Err(unknown(key, &KNOWN, at)),
        }
    })
}

/// `"collection"`, `{coll, pipeline}`, or `{pipeline}` of `$documents`.
fn union_with(
    node: &Node<'_>,
    position: Position,
    context: &mut Context<'_>,
    at: &Location<'_>,
) -> Result<(), GuardError> {
    let Node::Document(union) = node else { return context.collection(node, at) };
    let input = if union.iter().any(|(key, _)| *key == "coll") { Input::Collection } else { Input::DocumentsStage };
    if input == Input::DocumentsStage && !union.iter().any(|(key, _)| *key == "pipeline") {
        return Err(GuardError::invalid(
            "a collection, {coll, pipeline}, or a `pipeline` that begins with $documents",
            at,
        ));
    }
    union.iter().try_for_each(|(key, value)| {
        let at = &at.field(key);
        match *key {
            "coll" => context.collection(value, at),
            "pipeline" => check_nested(value, position, input, context, at),
            _ => Err(unknown(key, &["coll", "pipeline"], at)),
        }
    })
}

/// `{branch: [stage, …], …}`.
fn facet(node: &Node<'_>, position: Position, context: &mut Context<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    if position.in_facet {
        return Err(GuardError::misplaced("$facet", "$facet cannot be nested in $facet", at));
    }
    fields(node, "a document of pipelines", at)?.iter().try_for_each(|(branch, stages)| {
        let at = &at.field(branch);
        name(branch, at)?;
        check_nested(stages, position, Input::Facet, context, at)
    })
}
