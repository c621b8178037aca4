//! Checks of filters: `{status: "open", total: {$gt: 5}, $or: [...]}`.

use super::{
    error::GuardError,
    expression, geo,
    location::Location,
    names::NameKind,
    schema,
    shape::{fields, options},
    tree::{self, Node},
    unknown_name,
};

/// Checks a filter.
pub(super) fn check(fields: &[(&str, Node<'_>)], at: &Location<'_>) -> Result<(), GuardError> {
    fields.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        if name.starts_with('$') { top_level(name, value, &at) } else { condition(value, &at) }
    })
}

/// Checks a top-level operator.
fn top_level(name: &str, value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    match name {
        "$and" | "$or" | "$nor" => each(value, at, |item, at| match item {
            Node::Document(fields) => check(fields, at),
            _ => Err(GuardError::invalid("a filter", at)),
        }),
        "$expr" => expression::check(value, at),
        // an annotation for people; the host's own comment is an option of the command
        "$comment" => expression::literal(value, at),
        "$text" => options(
            fields(value, "a document", at)?,
            &["$search", "$language", "$caseSensitive", "$diacriticSensitive"],
            at,
            |_, value, at| match value {
                Node::Text(_) | Node::Bool => Ok(()),
                _ => Err(GuardError::invalid("a string or a boolean", at)),
            },
        ),
        "$jsonSchema" => schema::check(value, at),
        _ => Err(unknown_name::not_listed(NameKind::QueryOperator, name, at)),
    }
}

/// Checks the condition of one field: a value, or a document of operators.
fn condition(value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    match value {
        Node::Document(fields) if fields.first().is_some_and(|(name, _)| name.starts_with('$')) => {
            operators(fields, at)
        }
        // if only a later field begins with `$`, the server compares with the whole document; that is refused as a mistake
        _ => expression::literal(value, at),
    }
}

fn operators(fields: &[(&str, Node<'_>)], at: &Location<'_>) -> Result<(), GuardError> {
    fields.iter().try_for_each(|(name, value)| operator(name, value, &at.field(name)))
}

fn operator(name: &str, value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    match name {
        "$eq" | "$gt" | "$gte" | "$lt" | "$lte" | "$ne" | "$exists" | "$type" | "$mod" | "$size" | "$bitsAllClear"
        | "$bitsAllSet" | "$bitsAnyClear" | "$bitsAnySet" => expression::literal(value, at),
        "$in" | "$nin" => each(value, at, expression::literal),
        "$regex" => match value {
            Node::Text(pattern) => tree::pattern(pattern, at),
            Node::Regex => Ok(()),
            _ => Err(GuardError::invalid("a regular expression", at)),
        },
        "$options" => match value {
            Node::Text(flags) => tree::flags(flags, at),
            _ => Err(GuardError::invalid("a string", at)),
        },
        "$all" => each(value, at, condition),
        "$not" => match value {
            Node::Document(fields) => operators(fields, at),
            Node::Regex => Ok(()),
            _ => Err(GuardError::invalid("operators or a regular expression", at)),
        },
        "$elemMatch" => elements(value, at),
        "$geoWithin" => geo::within(value, at),
        "$geoIntersects" => geo::intersects(value, at),
        // `find` only; the server itself refuses them in pipelines
        "$near" | "$nearSphere" => geo::near(value, at),
        "$maxDistance" | "$minDistance" => geo::distance(value, at),
        _ => Err(unknown_name::not_listed(NameKind::QueryOperator, name, at)),
    }
}

/// Checks a condition on array elements: `{$gt: 5}` is about the elements, `{a: 5}` about their fields.
pub(super) fn elements(value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    let Node::Document(fields) = value else { return Err(GuardError::invalid("a filter or operators", at)) };
    match fields.first() {
        Some((first, _)) if first.starts_with('$') && !matches!(*first, "$and" | "$or" | "$nor") => {
            operators(fields, at)
        }
        _ => check(fields, at),
    }
}

fn each(
    value: &Node<'_>,
    at: &Location<'_>,
    check: impl Fn(&Node<'_>, &Location<'_>) -> Result<(), GuardError>,
) -> Result<(), GuardError> {
    match value {
        Node::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| check(item, &at.index(index))),
        _ => Err(GuardError::invalid("an array", at)),
    }
}
