//! Checks of the stages that fill gaps: `$densify` adds missing documents, `$fill` missing values.

use super::{
    error::GuardError,
    expression,
    location::Location,
    query_options::sort,
    shape::{fields, options, path, single, text_path, unknown},
    tree::Node,
};

/// The most documents that one `$densify` can add for each partition: enough for every hour of eleven years.
const MAX_ADDED: u32 = 100_000;

/// Units of time, each with its least number of milliseconds.
const UNITS: [(&str, f64); 9] = [
    ("millisecond", 1.0),
    ("second", 1e3),
    ("minute", 6e4),
    ("hour", 3.6e6),
    ("day", 8.64e7),
    ("week", 6.048e8),
    ("month", 28.0 * 8.64e7),
    ("quarter", 90.0 * 8.64e7),
    ("year", 365.0 * 8.64e7),
];

/// `{field, partitionByFields, range: {step, unit, bounds: [LOW, HIGH]}}`.
pub(super) fn densify(stage: &[(&str, Node<'_>)], at: &Location<'_>) -> Result<(), GuardError> {
    options(stage, &["field", "partitionByFields", "range"], at, |name, value, at| match name {
        "field" => text_path(value, at),
        "partitionByFields" => paths(value, at),
        _ => range(fields(value, "a document", at)?, at),
    })
}

fn range(range: &[(&str, Node<'_>)], at: &Location<'_>) -> Result<(), GuardError> {
    options(range, &["step", "unit", "bounds"], at, |_, _, _| Ok(()))?;
    let field = |wanted: &str| range.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value);
    let step = field("step").and_then(Node::number).filter(|step| *step > 0.0);
    let step = step.ok_or_else(|| GuardError::invalid("a number greater than 0", &at.field("step")))?;
    let at_bounds = &at.field("bounds");
    // with "full" and "partition" the number of added documents would depend on the data
    let Some(Node::Array(bounds)) = field("bounds") else {
        return Err(GuardError::invalid("an array of two numbers or two dates", at_bounds));
    };
    let (low, high, step) = match (bounds.as_slice(), field("unit")) {
        ([Node::Date(low), Node::Date(high)], Some(unit)) => {
            let length = UNITS.iter().find(|(name, _)| matches!(unit, Node::Text(unit) if unit == name));
            let (_, length) = length.ok_or_else(|| {
                GuardError::invalid(format!("one of {}", UNITS.map(|(name, _)| name).join(", ")), &at.field("unit"))
            })?;
            // a date plus a fraction of a unit is not defined
            if step.fract() != 0.0 {
                return Err(GuardError::invalid("a whole number of units", &at.field("step")));
            }
            (Node::Integer(*low).number(), Node::Integer(*high).number(), step * length)
        }
        ([Node::Date(_), Node::Date(_)], None) => {
            return Err(GuardError::invalid("a document with a `unit`, as the bounds are dates", at));
        }
        ([low, high], None) => (low.number(), high.number(), step),
        _ => (None, None, step),
    };
    let (Some(low), Some(high)) = (low, high) else {
        return Err(GuardError::invalid("an array of two numbers or two dates", at_bounds));
    };
    if low > high {
        return Err(GuardError::invalid("an array with the lower bound first", at_bounds));
    }
    // a step that is too small to change a large number would never reach the end
    #[expect(clippy::float_cmp, reason = "tests whether the addition changes anything")]
    if low + step == low || high - step == high {
        return Err(GuardError::invalid(
            "large enough to change the bounds when it is added to them",
            &at.field("step"),
        ));
    }
    let added = (high - low) / step;
    if added > f64::from(MAX_ADDED) {
        #[expect(clippy::cast_sign_loss, reason = "the higher bound is not below the lower one")]
        return Err(GuardError::too_much("documents added by $densify", added as usize, MAX_ADDED as usize, at));
    }
    Ok(())
}

/// `{partitionBy, partitionByFields, sortBy, output: {field: {value: 0}, other: {method: "locf"}}}`.
pub(super) fn fill(stage: &[(&str, Node<'_>)], at: &Location<'_>) -> Result<(), GuardError> {
    let sorted = stage.iter().any(|(name, _)| *name == "sortBy");
    options(stage, &["partitionBy", "partitionByFields", "sortBy", "output"], at, |name, value, at| match name {
        "partitionBy" => expression::check(value, at),
        "partitionByFields" => paths(value, at),
        "sortBy" => sort(fields(value, "a document", at)?, at),
        _ => fields(value, "a document", at)?.iter().try_for_each(|(name, value)| {
            let at = at.field(name);
            path(name, &at)?;
            match single(fields(value, "{value} or {method}", &at)?, "`value` or `method`", &at)? {
                ("value", value) => expression::check(value, &at.field("value")),
                ("method", Node::Text("locf" | "linear")) if sorted => Ok(()),
                ("method", Node::Text("locf" | "linear")) => {
                    Err(GuardError::invalid("in a $fill with `sortBy`, because the methods depend on the order", &at))
                }
                ("method", _) => Err(GuardError::invalid("\"locf\" or \"linear\"", &at.field("method"))),
                (name, _) => Err(unknown(name, &["value", "method"], &at.field(name))),
            }
        }),
    })
}

fn paths(value: &Node<'_>, at: &Location<'_>) -> Result<(), GuardError> {
    match value {
        Node::Array(items) => {
            items.iter().enumerate().try_for_each(|(number, item)| text_path(item, &at.index(number)))
        }
        _ => Err(GuardError::invalid("an array of paths", at)),
    }
}
