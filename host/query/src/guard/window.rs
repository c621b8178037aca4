//! `$setWindowFields`: `{partitionBy, sortBy, output: {field: {$sum: "$a", window: {documents: [-1, 0]}}}}`.

use super::{
    at::At,
    expression,
    names::{ACCUMULATORS, Kind, WINDOW_OPERATORS},
    options::{fields, options, path, sort, text},
    refused::Refused,
    tree::Node,
    unlisted,
};

/// Reads the stage.
pub(super) fn check(stage: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
    options(stage, &["partitionBy", "sortBy", "output"], at, |name, value, at| match name {
        "partitionBy" => expression::check(value, at),
        "sortBy" => sort(fields(value, "a document", at)?, at),
        _ => fields(value, "a document", at)?.iter().try_for_each(|(name, value)| {
            let at = at.field(name);
            path(name, &at)?;
            computed(fields(value, "a window operator", &at)?, &at)
        }),
    })
}

/// One operator and perhaps its window.
fn computed(output: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
    if output.iter().filter(|(name, _)| *name != "window").count() != 1 {
        return Err(Refused::shape("a document with one window operator and perhaps a `window`", at));
    }
    output.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        match *name {
            "window" => bounds(value, &at),
            _ if ACCUMULATORS.contains(name) || WINDOW_OPERATORS.contains(name) => expression::check(value, &at),
            _ => Err(unlisted::refuse(Kind::WindowOperator, name, &at)),
        }
    })
}

/// `{documents: ["unbounded", "current"]}`, `{range: [-7, 0], unit: "day"}`.
fn bounds(window: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    options(fields(window, "a document", at)?, &["documents", "range", "unit"], at, |name, value, at| match name {
        "unit" => text(value, at),
        _ => match value {
            Node::Array(bounds) if bounds.len() == 2 => {
                bounds.iter().enumerate().try_for_each(|(number, value)| match value {
                    Node::Text("unbounded" | "current") => Ok(()),
                    _ if value.number().is_some() => Ok(()),
                    _ => Err(Refused::shape("a number, \"current\" or \"unbounded\"", &at.index(number))),
                })
            }
            _ => Err(Refused::shape("an array of two bounds", at)),
        },
    })
}
