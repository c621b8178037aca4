//! Groups and what is accumulated in them: `$group`, `$bucket`, `$bucketAuto`.

use super::{
    at::At,
    expression,
    names::{ACCUMULATORS, Kind},
    options::{fields, options, path, single, text, whole_from},
    refused::Refused,
    tree::Node,
    unlisted,
};

/// `{_id: EXPRESSION, total: {$sum: "$total"}}`.
pub(super) fn group(group: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
    group.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        if *name == "_id" { expression::check(value, &at) } else { accumulated(name, value, &at) }
    })
}

/// `{groupBy, boundaries, default, output}`.
pub(super) fn bucket(bucket: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
    options(bucket, &["groupBy", "boundaries", "default", "output"], at, |name, value, at| match name {
        "output" => output(value, at),
        _ => expression::check(value, at),
    })
}

/// `{groupBy, buckets, output, granularity}`.
pub(super) fn bucket_auto(bucket: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
    options(bucket, &["groupBy", "buckets", "output", "granularity"], at, |name, value, at| match name {
        "output" => output(value, at),
        "buckets" => whole_from(1, value, at),
        "granularity" => text(value, at),
        _ => expression::check(value, at),
    })
}

fn output(value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    let fields = fields(value, "a document", at)?;
    fields.iter().try_for_each(|(name, value)| accumulated(name, value, &at.field(name)))
}

/// `{$sum: "$total"}`.
fn accumulated(name: &str, value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    path(name, at)?;
    let (accumulator, argument) = single(fields(value, "a document", at)?, "an accumulator", at)?;
    let at = at.field(accumulator);
    if !ACCUMULATORS.contains(&accumulator) {
        return Err(unlisted::refuse(Kind::Accumulator, accumulator, &at));
    }
    expression::check(argument, &at)
}
