//! Checks of `$setWindowFields`: `{partitionBy, sortBy, output: {field: {$sum: "$a", window: {documents: [-1, 0]}}}}`.

use super::{
    error::GuardError,
    expression,
    location::Location,
    names::{ACCUMULATORS, NameKind, WINDOW_OPERATORS},
    query_options::sort,
    shape::{fields, options, path, text},
    tree::Node,
    unknown_name,
};

/// Checks the stage.
pub(super) fn check(stage: &[(&str, Node<'_>)], at: &Location<'_>) -> Result<(), GuardError> {
    options(stage, &["partitionBy", "sortBy", "output"], at, |name, value, at| match name {
        "partitionBy" => expression::check(value, at),
        "sortBy" => sort(fields(value, "a document", at)?, at),
        _ => fields(value, "a document", at)?.iter().try_for_each(|(name, value)| {
            let at = at.field(name);
            path(name, &at)?;
            output_field(fields(value, "a window operator", &at)?, &at)
        }),
    })
}

/// One operator, with an optional window.
fn output_field(output: &[(&str, Node<'_>)], at: &Location<'_>) -> Result<(), GuardError> {
    if output.iter().filter(|(name, _)| *name != "window").count() != 1 {
        return Err(GuardError::invalid("a document with one window operator and an optional `window`", at));
    }
    output.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        match *name {
            "window" => bounds(value, &at),
            _ if ACCUMULATORS.contains(name) || WINDOW_OPERATORS.contains(name) => expression::check(value, &at),
            _ => Err(unknown_name::not_listed(NameKind::WindowOperator, name, &at)),
        }
    })
}

/// `{documents: ["unbounded", "current"]}`, `{range: [-7, 0], unit: "day"}`.
fn bounds(window: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    options(fields(window, "a document", at)?, &["documents", "range", "unit"], at, |name, value, at| match name {
        "unit" => text(value, at),
        _ => match value {
            Node::Array(bounds) if bounds.len() == 2 => {
                bounds.iter().enumerate().try_for_each(|(number, value)| match value {
                    Node::Text("unbounded" | "current") => Ok(()),
                    _ if value.number().is_some() => Ok(()),
                    _ => Err(GuardError::invalid("a number, \"current\" or \"unbounded\"", &at.index(number))),
                })
            }
            _ => Err(GuardError::invalid("an array of two bounds", at)),
        },
    })
}
