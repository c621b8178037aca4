//! Exact comparison of integers, doubles and decimals.

use std::{cmp::Ordering, str::FromStr};

use bigdecimal::{BigDecimal, Zero};
use taster_model::{MAX_DECIMAL_BYTES, MAX_DECIMAL_EXPONENT, Value};

/// The number in a metric value.
#[derive(Debug, Clone)]
pub(crate) enum Number {
    /// Not a number; equal to itself.
    NaN,
    /// Beyond every finite number.
    Infinite { negative: bool },
    /// A finite number; of a double the exact decimal that it represents.
    Finite(BigDecimal),
}

impl Number {
    /// The number in `value`. `None`: the value is not of a numeric kind. `Err`: its text is not a number.
    pub(crate) fn from_value(value: &Value) -> Option<Result<Self, String>> {
        match value {
            Value::Integer(n) => Some(Ok(Self::Finite(BigDecimal::from(*n)))),
            Value::Real(real) => Some(Self::from_double(real.0)),
            Value::Decimal(text) => Some(Self::from_text(text)),
            _ => None,
        }
    }

    fn from_double(x: f64) -> Result<Self, String> {
        if x.is_nan() {
            return Ok(Self::NaN);
        }
        if x.is_infinite() {
            return Ok(Self::Infinite { negative: x < 0.0 });
        }
        BigDecimal::try_from(x).map(Self::Finite).map_err(|error| format!("{x}: {error}"))
    }

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "NaN" | "-NaN" => return Ok(Self::NaN),
            "Infinity" | "+Infinity" => return Ok(Self::Infinite { negative: false }),
            "-Infinity" => return Ok(Self::Infinite { negative: true }),
            _ => {}
        }
        let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        // a capture may have been edited: `BigDecimal` would expand `1E+999999999` to a billion digits
        let is_bounded = text.len() <= MAX_DECIMAL_BYTES
            && exponent.parse::<i64>().is_ok_and(|exponent| exponent.saturating_abs() <= MAX_DECIMAL_EXPONENT);
        // BigDecimal would accept `1_000`
        let is_plain = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'));
        BigDecimal::from_str(text)
            .ok()
            .filter(|_| is_bounded && is_plain)
            .map(Self::Finite)
            .ok_or_else(|| format!("`{}` is not a decimal", crate::show::short(text)))
    }

    /// Whether it is 0, -0, 0.00 or 0E+3.
    pub(crate) fn is_zero(&self) -> bool {
        matches!(self, Self::Finite(x) if x.is_zero())
    }

    /// The order of two numbers; `None` if only one of them is NaN.
    pub(crate) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::NaN, Self::NaN) => Some(Ordering::Equal),
            (Self::NaN, _) | (_, Self::NaN) => None,
            (Self::Finite(a), Self::Finite(b)) => Some(a.cmp(b)),
            (Self::Infinite { negative: a }, Self::Infinite { negative: b }) => Some(b.cmp(a)),
            (Self::Infinite { negative }, Self::Finite(_)) => {
                Some(if *negative { Ordering::Less } else { Ordering::Greater })
            }
            (Self::Finite(_), Self::Infinite { negative }) => {
                Some(if *negative { Ordering::Greater } else { Ordering::Less })
            }
        }
    }

    /// The exact number, if it is finite.
    pub(crate) fn finite(&self) -> Option<&BigDecimal> {
        match self {
            Self::Finite(x) => Some(x),
            _ => None,
        }
    }
}

/// Whether `after` differs from `before` by at most `bound`.
pub(crate) fn within_absolute(before: &BigDecimal, after: &BigDecimal, bound: &BigDecimal) -> bool {
    (after - before).abs() <= *bound
}

/// Whether `after` differs from `before` by at most the fraction `bound` of `|before|`. If `before` is 0, `after` must be 0.
pub(crate) fn within_relative(before: &BigDecimal, after: &BigDecimal, bound: &BigDecimal) -> bool {
    (after - before).abs() <= before.abs() * bound
}

#[cfg(test)]
mod tests {
    use taster_model::Real;

    use super::*;

    fn decimal(text: &str) -> Number {
        Number::from_value(&Value::Decimal(text.to_owned())).unwrap().unwrap()
    }

    fn real(x: f64) -> Number {
        Number::from_value(&Value::Real(Real(x))).unwrap().unwrap()
    }

    #[test]
    fn doubles_convert_exactly() {
        let Number::Finite(tenth) = real(0.1) else { panic!() };
        assert_eq!(tenth.to_plain_string(), "0.1000000000000000055511151231257827021181583404541015625",);
        assert_eq!(real(5e-324).order(&real(0.0)), Some(Ordering::Greater));
        assert_eq!(real(f64::MAX).order(&real(f64::INFINITY)), Some(Ordering::Less));
        assert_eq!(real(-0.0).order(&real(0.0)), Some(Ordering::Equal));
        assert_eq!(real(f64::NAN).order(&real(f64::NAN)), Some(Ordering::Equal));
        assert_eq!(real(f64::NAN).order(&real(1.0)), None);
        assert_eq!(real(f64::NEG_INFINITY).order(&real(f64::INFINITY)), Some(Ordering::Less));
    }

    #[test]
    fn decimals_compare_by_value() {
        for (a, b, order) in [
            ("1.0", "1.00", Ordering::Equal),
            ("1E+3", "1000", Ordering::Equal),
            // the engine lets them pass
            ("1E+8192", "9E+8191", Ordering::Greater),
            ("1E-8192", "0", Ordering::Greater),
            ("-1E+8192", "-Infinity", Ordering::Greater),
            ("-0", "0.000", Ordering::Equal),
            ("9.999999999999999999999999999999999E+6144", "Infinity", Ordering::Less),
            ("1E-6176", "0", Ordering::Greater),
            ("-Infinity", "-1", Ordering::Less),
        ] {
            assert_eq!(decimal(a).order(&decimal(b)), Some(order), "{a} {b}");
        }
    }

    #[test]
    fn an_invalid_decimal_is_an_error() {
        for text in
            ["", "1_000", "12,5", "1E+999999999", "1E-9223372036854775808", "1E+", "0x10", " 1", &"9".repeat(30_000)]
        {
            assert!(Number::from_value(&Value::Decimal(text.to_owned())).unwrap().is_err(), "{text}");
        }
    }

    #[test]
    fn only_zero_is_within_a_fraction_of_zero() {
        let number = |text: &str| BigDecimal::from_str(text).unwrap();
        assert!(!within_relative(&number("0"), &number("0.0000001"), &number("0.5")));
        assert!(within_relative(&number("-100"), &number("-99"), &number("0.01")));
        assert!(!within_relative(&number("-100"), &number("-98.999"), &number("0.01")));
        assert!(within_absolute(&number("10"), &number("5"), &number("5")));
    }
}
