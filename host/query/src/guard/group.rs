//! Checks of `$group`, `$bucket` and `$bucketAuto`.

use super::{
    error::GuardError,
    expression,
    location::Location,
    names::{ACCUMULATORS, NameKind},
    shape::{fields, integer_from, options, path, single, text},
    tree::Node,
    unknown_name,
};

/// `{_id: EXPRESSION, total: {$sum: "$total"}}`.
pub(super) fn group(group: &[(&str, Node<'_>)], at: &Location<'_>) -> Result<(), GuardError> {
    group.iter().try_for_each(|(name, value)| {
        let at = at.field(name);
        if *name == "_id" { expression::check(value, &at) } else { accumulator(name, value, &at) }
    })
}

/// `{groupBy, boundaries, default, output}`.
pub(super) fn bucket(bucket: &[(&str, Node<'_>)], at: &Location<'_>) -> Result<(), GuardError> {
    options(bucket, &["groupBy", "boundaries", "default", "output"], at, |name, value, at| match name {
        "output" => output(value, at),
        _ => expression::check(value, at),
    })
}

/// `{groupBy, buckets, output, granularity}`.
pub(super) fn bucket_auto(bucket: &[(&str, Node<'_>)], at: &Location<'_>) -> Result<(), GuardError> {
    options(bucket, &["groupBy", "buckets", "output", "granularity"], at, |name, value, at| match name {
        "output" => output(value, at),
        "buckets" => integer_from(1, value, at),
        "granularity" => text(value, at),
        _ => expression::check(value, at),
    })
}

fn output(value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    let fields = fields(value, "a document", at)?;
    fields.iter().try_for_each(|(name, value)| accumulator(name, value, &at.field(name)))
}

/// `{$sum: "$total"}`.
fn accumulator(name: &str, value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    path(name, at)?;
    let (accumulator, argument) = single(fields(value, "a document", at)?, "an accumulator", at)?;
    let at = at.field(accumulator);
    if !ACCUMULATORS.contains(&accumulator) {
        return Err(unknown_name::not_listed(NameKind::Accumulator, accumulator, &at));
    }
    expression::check(argument, &at)
}
