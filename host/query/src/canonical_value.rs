//! Canonical forms of single values in definitions.

use bson::{Bson, Document};

/// A document with its fields in the order of their names.
pub(crate) fn sorted(fields: impl IntoIterator<Item = (String, Bson)>) -> Document {
    let mut fields: Vec<_> = fields.into_iter().collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields.into_iter().collect()
}

/// A whole number in its smallest type: `int`, else `long`.
pub(crate) fn number(value: Bson) -> Bson {
    /// Beyond it, a double is not exactly one whole number.
    const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = match value {
        Bson::Int64(number) => number,
        Bson::Double(number) if number.fract() == 0.0 && number.abs() <= MAX_EXACT => number as i64,
        _ => return value,
    };
    i32::try_from(whole).map_or(Bson::Int64(whole), Bson::Int32)
}

/// A flag, however it was written.
pub(crate) fn flag(value: Bson) -> Bson {
    match number(value) {
        Bson::Int32(number) => Bson::Boolean(number != 0),
        value => value,
    }
}
