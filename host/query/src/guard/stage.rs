//! Stages of a pipeline.

use super::{
    at::At,
    expression, filter,
    names::{self, Kind},
    options::{self, computed_paths, fields, path, single, sort},
    refused::Refused,
    tree::Node,
};

/// Reads a stage: one field, its name on the list, its value in the form that the name wants.
pub(super) fn check(stage: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
    let (name, value) = single(stage, "the stage", at)?;
    let at = &at.field(name);
    match name {
        "$match" => filter::check(fields(value, "a filter", at)?, at),
        "$project" | "$addFields" | "$set" => computed_paths(fields(value, "a document", at)?, at),
        "$sort" => sort(fields(value, "a document", at)?, at),
        "$unset" => match value {
            Node::Array(items) => {
                items.iter().enumerate().try_for_each(|(number, item)| unset(item, &at.index(number)))
            }
            _ => unset(value, at),
        },
        "$group" => grouped(fields(value, "a document", at)?, at),
        "$limit" | "$skip" => match value.whole() {
            Some(0..) => Ok(()),
            _ => Err(Refused::shape("a whole number that is not negative", at)),
        },
        "$count" => match value {
            Node::Text(name) => path(name, at),
            _ => Err(Refused::shape("the name of a field", at)),
        },
        "$unwind" => unwind(value, at),
        "$bucket" => bucket(fields(value, "a document", at)?, &["groupBy", "boundaries", "default", "output"], at),
        "$bucketAuto" => bucket(fields(value, "a document", at)?, &["groupBy", "buckets", "output", "granularity"], at),
        "$replaceRoot" => options::options(fields(value, "a document", at)?, &["newRoot"], at, |_, value, at| {
            expression::check(value, at)
        }),
        "$sortByCount" | "$replaceWith" | "$redact" => expression::check(value, at),
        _ => Err(names::refuse(Kind::Stage, name, at)),
    }
}

fn unset(value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    match value {
        Node::Text(name) => path(name, at),
        _ => Err(Refused::shape("a path of field names", at)),
    }
}

/// `_id` and accumulated fields.
fn grouped(group: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
    group.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        if *name == "_id" { expression::check(value, &at) } else { accumulated(name, value, &at) }
    })
}

/// `{$sum: "$total"}`.
fn accumulated(name: &str, value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    path(name, at)?;
    let (accumulator, argument) = single(fields(value, "a document", at)?, "an accumulator", at)?;
    let at = at.field(accumulator);
    if !names::ACCUMULATORS.contains(&accumulator) {
        return Err(names::refuse(Kind::Accumulator, accumulator, &at));
    }
    expression::check(argument, &at)
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
    options::options(fields, &known, at, |name, value, at| match (name, value) {
        ("path", _) => source(value, at),
        ("includeArrayIndex", Node::Text(name)) => path(name, at),
        ("includeArrayIndex", _) => Err(Refused::shape("the name of a field", at)),
        (_, Node::Flag) => Ok(()),
        _ => Err(Refused::shape("a flag", at)),
    })
}

fn bucket(bucket: &[(&str, Node<'_>)], known: &[&str], at: &At<'_>) -> Result<(), Refused> {
    options::options(bucket, known, at, |name, value, at| match name {
        "output" => fields(value, "a document", at)?
            .iter()
            .try_for_each(|(name, value)| accumulated(name, value, &at.field(name))),
        _ => expression::check(value, at),
    })
}
