//! Filters: `{status: "open", total: {$gt: 5}, $or: [...]}`.

use super::{
    at::At,
    expression, geo,
    names::Kind,
    options,
    refused::Refused,
    schema,
    tree::{self, Node},
    unlisted,
};

/// Reads a filter.
pub(super) fn check(fields: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
    fields.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        if name.starts_with('$') { logical(name, value, &at) } else { condition(value, &at) }
    })
}

/// What may stand beside the fields.
fn logical(name: &str, value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    match name {
        "$and" | "$or" | "$nor" => each(value, at, |item, at| match item {
            Node::Document(fields) => check(fields, at),
            _ => Err(Refused::shape("a filter", at)),
        }),
        "$expr" => expression::check(value, at),
        // an annotation for people; the host's own comment goes on the command
        "$comment" => expression::literal(value, at),
        "$text" => options::options(
            options::fields(value, "a document", at)?,
            &["$search", "$language", "$caseSensitive", "$diacriticSensitive"],
            at,
            |_, value, at| match value {
                Node::Text(_) | Node::Flag => Ok(()),
                _ => Err(Refused::shape("text or a flag", at)),
            },
        ),
        "$jsonSchema" => schema::check(value, at),
        _ => Err(unlisted::refuse(Kind::QueryOperator, name, at)),
    }
}

/// What one field must be: a value, or a document of operators.
fn condition(value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    match value {
        Node::Document(fields) if fields.first().is_some_and(|(name, _)| name.starts_with('$')) => {
            operators(fields, at)
        }
        // a `$` after the first field makes the server take the whole document as a value; nobody means that
        _ => expression::literal(value, at),
    }
}

fn operators(fields: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
    fields.iter().try_for_each(|(name, value)| operator(name, value, &at.field(name)))
}

fn operator(name: &str, value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    match name {
        "$eq" | "$gt" | "$gte" | "$lt" | "$lte" | "$ne" | "$exists" | "$type" | "$mod" | "$size" | "$bitsAllClear"
        | "$bitsAllSet" | "$bitsAnyClear" | "$bitsAnySet" => expression::literal(value, at),
        "$in" | "$nin" => each(value, at, expression::literal),
        "$regex" => match value {
            Node::Text(pattern) => tree::pattern(pattern, at),
            Node::Regex => Ok(()),
            _ => Err(Refused::shape("a regular expression", at)),
        },
        "$options" => match value {
            Node::Text(flags) => tree::flags(flags, at),
            _ => Err(Refused::shape("text", at)),
        },
        "$all" => each(value, at, condition),
        "$not" => match value {
            Node::Document(fields) => operators(fields, at),
            Node::Regex => Ok(()),
            _ => Err(Refused::shape("operators or a regular expression", at)),
        },
        "$elemMatch" => elements(value, at),
        "$geoWithin" => geo::within(value, at),
        "$geoIntersects" => geo::intersects(value, at),
        // `find` only; the server itself refuses them in pipelines
        "$near" | "$nearSphere" => geo::near(value, at),
        "$maxDistance" | "$minDistance" => geo::distance(value, at),
        _ => Err(unlisted::refuse(Kind::QueryOperator, name, at)),
    }
}

/// What elements of an array must be: `{$gt: 5}` asks about them, `{a: 5}` about fields of theirs.
pub(super) fn elements(value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    let Node::Document(fields) = value else { return Err(Refused::shape("a filter or operators", at)) };
    match fields.first() {
        Some((first, _)) if first.starts_with('$') && !matches!(*first, "$and" | "$or" | "$nor") => {
            operators(fields, at)
        }
        _ => check(fields, at),
    }
}

fn each(
    value: &Node<'_>,
    at: &At<'_>,
    check: impl Fn(&Node<'_>, &At<'_>) -> Result<(), Refused>,
) -> Result<(), Refused> {
    match value {
        Node::Array(items) => items.iter().enumerate().try_for_each(|(number, item)| check(item, &at.index(number))),
        _ => Err(Refused::shape("an array", at)),
    }
}
