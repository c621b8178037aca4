//! Finds the least or the greatest value, in the server's order of types and values.

use std::cmp::Ordering;

use taster_probe::{Decimal, Document, Kind, RawValue, group::number};

/// Which extreme is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExtremeKind {
    Least,
    Greatest,
}

/// The extreme of the values so far.
#[derive(Debug, Clone)]
pub(crate) struct Extreme {
    end: ExtremeKind,
    best: Option<(Kind, Vec<u8>)>,
    values: u64,
}

impl Extreme {
    pub(crate) fn new(end: ExtremeKind) -> Self {
        Self { end, best: None, values: 0 }
    }

    /// Adds a value. Null does not count, like in the server's `$min` and `$max`.
    pub(crate) fn add(&mut self, value: RawValue<'_>) {
        if matches!(value.kind, Kind::NULL | Kind::UNDEFINED) {
            return;
        }
        self.values += 1;
        let better = match &self.best {
            None => true,
            Some((kind, bytes)) => {
                let order = compare(value, RawValue { kind: *kind, bytes });
                order == if self.end == ExtremeKind::Least { Ordering::Less } else { Ordering::Greater }
            }
        };
        if better {
            self.best = Some((value.kind, value.bytes.to_vec()));
        }
    }

    /// How many values were added.
    pub(crate) fn values(&self) -> u64 {
        self.values
    }

    /// `{v: VALUE}`, or `{}` if there was no value.
    pub(crate) fn document(&self) -> Document {
        match &self.best {
            Some((kind, bytes)) => Document::new().with("v", RawValue { kind: *kind, bytes }),
            None => Document::new(),
        }
    }
}

/// The order of the server (reference/bson-type-comparison-order) for scalars. Documents, arrays and rare types of the same rank
/// are ordered by their bytes, so that the result does not depend on the order of the values.
fn compare(a: RawValue<'_>, b: RawValue<'_>) -> Ordering {
    let scalar = match (rank(a.kind), rank(b.kind)) {
        (x, y) if x != y => x.cmp(&y),
        (NUMBERS, _) => match (number(a), number(b)) {
            (Some(a), Some(b)) => compare_numbers(a, b),
            _ => Ordering::Equal,
        },
        (STRINGS, _) => a.text_bytes().cmp(&b.text_bytes()),
        (DATES, _) => a.bits().cmp(&b.bits()),
        (TIMESTAMPS, _) => a.bits().map(i64::cast_unsigned).cmp(&b.bits().map(i64::cast_unsigned)),
        _ => Ordering::Equal,
    };
    // 1 and 1.0 are the same number, but only one of them can be shown
    scalar.then(a.kind.cmp(&b.kind)).then_with(|| a.bytes.cmp(b.bytes))
}

const NUMBERS: u8 = 2;
const STRINGS: u8 = 3;
const DATES: u8 = 9;
const TIMESTAMPS: u8 = 10;

fn rank(kind: Kind) -> u8 {
    match kind {
        Kind::MIN_KEY => 0,
        Kind::NULL | Kind::UNDEFINED => 1,
        Kind::INT32 | Kind::INT64 | Kind::DOUBLE | Kind::DECIMAL128 => NUMBERS,
        Kind::STRING | Kind::SYMBOL => STRINGS,
        Kind::DOCUMENT => 4,
        Kind::ARRAY => 5,
        Kind::BINARY => 6,
        Kind::OBJECT_ID => 7,
        Kind::BOOLEAN => 8,
        Kind::DATE => DATES,
        Kind::TIMESTAMP => TIMESTAMPS,
        Kind::REGEX => 11,
        Kind::DB_POINTER => 12,
        Kind::CODE => 13,
        Kind::CODE_WITH_SCOPE => 14,
        _ => 15,
    }
}

fn compare_numbers(a: Decimal, b: Decimal) -> Ordering {
    let place = |number| match number {
        Decimal::NaN => 0,
        Decimal::Infinite { negative: true } => 1,
        Decimal::Finite { .. } => 2,
        Decimal::Infinite { negative: false } => 3,
    };
    let (Decimal::Finite { coefficient: left, exponent }, Decimal::Finite { coefficient: right, exponent: other }) =
        (a, b)
    else {
        return place(a).cmp(&place(b));
    };
    if exponent == other {
        return left.cmp(&right);
    }
    if left.signum() != right.signum() || left == 0 {
        return left.signum().cmp(&right.signum());
    }
    let sizes = compare_sizes((left.unsigned_abs(), exponent), (right.unsigned_abs(), other));
    if left < 0 { sizes.reverse() } else { sizes }
}

/// Compares two positive numbers by the position of their first digit, then digit by digit.
fn compare_sizes(a: (u128, i32), b: (u128, i32)) -> Ordering {
    let (left, right) = (a.0.to_string(), b.0.to_string());
    let first = |digits: &str, exponent: i32| i64::from(exponent) + i64::try_from(digits.len()).unwrap_or(i64::MAX);
    first(&left, a.1).cmp(&first(&right, b.1)).then_with(|| left.trim_end_matches('0').cmp(right.trim_end_matches('0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_all_types_are_compared_exactly() {
        let ordered = [
            "NaN",
            "-Infinity",
            "-1E+40",
            "-12.6",
            "-12.50",
            "0",
            "1E-100",
            "0.1",
            "0.10000000000000000001",
            "1",
            "2.5",
            "9007199254740993",
            "1E+40",
            "Infinity",
        ];
        for (i, a) in ordered.iter().enumerate() {
            for (j, b) in ordered.iter().enumerate() {
                let order = compare_numbers(Decimal::parse(a).unwrap(), Decimal::parse(b).unwrap());
                assert_eq!(order, i.cmp(&j), "{a} {b}");
            }
        }
        let same = compare_numbers(Decimal::parse("1.00").unwrap(), Decimal::parse("1").unwrap());
        assert_eq!(same, Ordering::Equal);
    }

    #[test]
    fn the_extreme_does_not_depend_on_the_order_of_values() {
        let json = serde_json::json!({"a": 1, "b": 1.0, "c": null, "d": {"$numberDecimal": "0.5"}, "e": "x", "f": {"$date": "2026-01-01"}});
        let values = taster_probe::extjson::to_document(&json, "values").unwrap();
        let values: Vec<_> = values.as_raw().elements().map(|element| element.unwrap().value).collect();
        for end in [ExtremeKind::Least, ExtremeKind::Greatest] {
            let (mut forth, mut back) = (Extreme::new(end), Extreme::new(end));
            for value in &values {
                forth.add(*value);
            }
            for value in values.iter().rev() {
                back.add(*value);
            }
            assert_eq!(forth.document(), back.document());
            assert_eq!((forth.values(), back.values()), (5, 5), "null does not count");
        }
        assert!(Extreme::new(ExtremeKind::Least).document().is_empty());
    }
}
