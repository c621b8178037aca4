//! Stages of a pipeline.

use super::{
    at::At,
    expression, filter, geo, group,
    names::Kind,
    options::{computed_paths, fields, flag, name, options, path, single, sort, text_path, whole_from},
    pipeline::{self, Place},
    refused::Refused,
    series,
    tree::Node,
    unlisted,
    walk::Walk,
    window,
};

/// Reads a stage: one field, its name on the list, its value in the form that the name wants.
pub(super) fn check(stage: &[(&str, Node<'_>)], place: Place, walk: &mut Walk<'_>, at: &At<'_>) -> Result<(), Refused> {
    walk.stage(at)?;
    let (stage, value) = single(stage, "the stage", at)?;
    let at = &at.field(stage);
    match stage {
        "$match" => filter::check(fields(value, "a filter", at)?, at),
        "$project" | "$addFields" | "$set" => computed_paths(fields(value, "a document", at)?, at),
        "$sort" => sort(fields(value, "a document", at)?, at),
        "$unset" => match value {
            Node::Array(items) => {
                items.iter().enumerate().try_for_each(|(number, item)| text_path(item, &at.index(number)))
            }
            _ => text_path(value, at),
        },
        "$group" => group::group(fields(value, "a document", at)?, at),
        "$bucket" => group::bucket(fields(value, "a document", at)?, at),
        "$bucketAuto" => group::bucket_auto(fields(value, "a document", at)?, at),
        "$limit" => whole_from(1, value, at),
        "$skip" => whole_from(0, value, at),
        "$count" => match value {
            Node::Text(text) => name(text, at),
            _ => Err(Refused::shape("the name of a field", at)),
        },
        "$unwind" => unwind(value, at),
        "$replaceRoot" => {
            options(fields(value, "a document", at)?, &["newRoot"], at, |_, value, at| expression::check(value, at))
        }
        "$sortByCount" | "$replaceWith" | "$redact" => expression::check(value, at),
        "$densify" => series::densify(fields(value, "a document", at)?, at),
        "$fill" => series::fill(fields(value, "a document", at)?, at),
        "$setWindowFields" => window::check(fields(value, "a document", at)?, at),
        "$geoNear" if place.is_at_a_collection() => geo::near_stage(fields(value, "a document", at)?, at),
        "$geoNear" => Err(Refused::misplaced("$geoNear", "it is the first stage on a collection, or none", at)),
        "$lookup" => pipeline::lookup(value, place, walk, at),
        "$graphLookup" => pipeline::graph_lookup(value, walk, at),
        "$unionWith" => pipeline::union(value, place, walk, at),
        "$facet" => pipeline::facet(value, place, walk, at),
        "$documents" => pipeline::documents(value, place, at),
        _ => Err(unlisted::refuse(Kind::Stage, stage, at)),
    }
}

/// Whether a stage may give documents when it gets none.
pub(super) fn makes_documents(stage: &[(&str, Node<'_>)]) -> bool {
    matches!(stage, [("$unionWith" | "$facet" | "$densify", _)])
}

fn unwind(value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    let source = |value: &Node<'_>, at: &At<'_>| match value {
        Node::Text(text) => match text.strip_prefix('$') {
            Some(name) => path(name, at),
            None => Err(Refused::shape("a path that begins with $", at)),
        },
        _ => Err(Refused::shape("a path that begins with $", at)),
    };
    let Node::Document(fields) = value else { return source(value, at) };
    let known = ["path", "includeArrayIndex", "preserveNullAndEmptyArrays"];
    options(fields, &known, at, |option, value, at| match option {
        "path" => source(value, at),
        "includeArrayIndex" => text_path(value, at),
        _ => flag(value, at),
    })
}
