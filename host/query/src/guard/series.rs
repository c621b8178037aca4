//! Series with gaps: `$densify` makes the documents that are missing, `$fill` the values.

use super::{
    at::At,
    expression,
    options::{fields, options, path, single, sort, text_path},
    refused::Refused,
    tree::Node,
};

/// Documents that one `$densify` may make for each partition. Hours of eleven years fit.
const DENSIFIED: u32 = 100_000;

/// Units of time and the fewest milliseconds that each has.
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
pub(super) fn densify(stage: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
    options(stage, &["field", "partitionByFields", "range"], at, |name, value, at| match name {
        "field" => text_path(value, at),
        "partitionByFields" => paths(value, at),
        _ => range(fields(value, "a document", at)?, at),
    })
}

fn range(range: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
    options(range, &["step", "unit", "bounds"], at, |_, _, _| Ok(()))?;
    let field = |wanted: &str| range.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value);
    let step = field("step").and_then(Node::number).filter(|step| *step > 0.0);
    let step = step.ok_or_else(|| Refused::shape("a number greater than 0", &at.field("step")))?;
    let at_bounds = &at.field("bounds");
    // "full" and "partition" leave it to the data how many documents are made
    let Some(Node::Array(bounds)) = field("bounds") else {
        return Err(Refused::shape("an array of two numbers or two dates", at_bounds));
    };
    let (low, high, step) = match (bounds.as_slice(), field("unit")) {
        ([Node::Date(low), Node::Date(high)], Some(unit)) => {
            let length = UNITS.iter().find(|(name, _)| matches!(unit, Node::Text(unit) if unit == name));
            let (_, length) = length.ok_or_else(|| {
                Refused::shape(format!("one of {}", UNITS.map(|(name, _)| name).join(", ")), &at.field("unit"))
            })?;
            // only multiples of a unit are dates
            if step.fract() != 0.0 {
                return Err(Refused::shape("a whole number of units", &at.field("step")));
            }
            (Node::Whole(*low).number(), Node::Whole(*high).number(), step * length)
        }
        ([Node::Date(_), Node::Date(_)], None) => {
            return Err(Refused::shape("a document with a `unit`, as the bounds are dates", at));
        }
        ([low, high], None) => (low.number(), high.number(), step),
        _ => (None, None, step),
    };
    let (Some(low), Some(high)) = (low, high) else {
        return Err(Refused::shape("an array of two numbers or two dates", at_bounds));
    };
    if low > high {
        return Err(Refused::shape("an array with the lower bound first", at_bounds));
    }
    // a step that gets lost in a large number would never arrive
    #[expect(clippy::float_cmp, reason = "whether anything changes at all")]
    if low + step == low || high - step == high {
        return Err(Refused::shape("a number that makes a difference to the bounds", &at.field("step")));
    }
    let made = (high - low) / step;
    if made > f64::from(DENSIFIED) {
        #[expect(clippy::cast_sign_loss, reason = "the higher bound is not below the lower one")]
        return Err(Refused::too_much("documents", made as usize, DENSIFIED as usize, at));
    }
    Ok(())
}

/// `{partitionBy, partitionByFields, sortBy, output: {field: {value: 0}, other: {method: "locf"}}}`.
pub(super) fn fill(stage: &[(&str, Node<'_>)], at: &At<'_>) -> Result<(), Refused> {
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
                    Err(Refused::shape("in a $fill with `sortBy`: without an order nothing is last", &at))
                }
                ("method", _) => Err(Refused::shape("\"locf\" or \"linear\"", &at.field("method"))),
                (name, _) => Err(super::options::unknown(name, &["value", "method"], &at.field(name))),
            }
        }),
    })
}

fn paths(value: &Node<'_>, at: &At<'_>) -> Result<(), Refused> {
    match value {
        Node::Array(items) => {
            items.iter().enumerate().try_for_each(|(number, item)| text_path(item, &at.index(number)))
        }
        _ => Err(Refused::shape("an array of paths", at)),
    }
}
