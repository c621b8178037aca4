//! Exact decimal numbers of any length, for the values that conversions give.

use std::fmt;

/// A decimal number. Equal numbers are equal: `1.50` and `15E-1` are the same, and so are `0` and `-0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decimal {
    Finite {
        sign: Sign,
        /// Without leading and trailing zeros; empty if the number is zero.
        digits: String,
        /// The number is `digits` times ten to the power of this.
        exponent: i64,
    },
    Infinity {
        sign: Sign,
    },
    NotANumber,
}

/// The sign of a number. Zero is positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Positive,
    Negative,
}

impl Sign {
    fn symbol(self) -> &'static str {
        match self {
            Self::Positive => "",
            Self::Negative => "-",
        }
    }
}

/// How a number between two others is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HalfwayTo {
    /// To the even last digit, as IEEE 754 and banks do.
    Even,
    /// Away from zero, as people do.
    Larger,
}

/// Longer texts are no numbers that a migration converts.
const MAX_TEXT_BYTES: usize = 2000;
/// Exponents beyond this are no such numbers either.
const MAX_EXPONENT: i64 = 100_000;

impl Decimal {
    fn new(sign: Sign, digits: &str, mut exponent: i64) -> Self {
        let digits = digits.trim_start_matches('0');
        let significant = digits.trim_end_matches('0');
        exponent += count(digits) - count(significant);
        if significant.is_empty() {
            return Self::Finite { sign: Sign::Positive, digits: String::new(), exponent: 0 };
        }
        Self::Finite { sign, digits: significant.to_owned(), exponent }
    }

    pub(crate) fn of_integer(number: i64) -> Self {
        let sign = if number < 0 { Sign::Negative } else { Sign::Positive };
        Self::new(sign, &number.unsigned_abs().to_string(), 0)
    }

    /// The number that a text denotes: `-12.50`, `1E+3`, `NaN`, `Infinity`. Blanks around it are ignored.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        if text.len() > MAX_TEXT_BYTES {
            return None;
        }
        let (sign, unsigned) = match text.as_bytes().first()? {
            b'-' => (Sign::Negative, &text[1..]),
            b'+' => (Sign::Positive, &text[1..]),
            _ => (Sign::Positive, text),
        };
        match unsigned.to_ascii_lowercase().as_str() {
            "nan" => return Some(Self::NotANumber),
            "inf" | "infinity" => return Some(Self::Infinity { sign }),
            _ => {}
        }
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        if exponent.abs() > MAX_EXPONENT {
            return None;
        }
        Some(Self::new(sign, &format!("{whole}{fraction}"), exponent - count(fraction)))
    }

    /// The shortest number that is nearer to this double than to any other.
    pub(crate) fn shortest(number: f64) -> Option<Self> {
        Self::parse(&format!("{number:e}"))
    }

    /// Exactly this double, which may have hundreds of digits.
    pub(crate) fn exact(number: f64) -> Option<Self> {
        // the smallest double has 1074 digits after the point
        if number.is_finite() { Self::parse(&format!("{number:.1074}")) } else { Self::shortest(number) }
    }

    /// The number rounded to this many digits in all.
    pub(crate) fn with_significant_digits(&self, wanted: usize, halfway: HalfwayTo) -> Self {
        match self {
            Self::Finite { digits, exponent, .. } if digits.len() > wanted => {
                self.rounded_at(exponent + count(&digits[wanted..]), halfway)
            }
            _ => self.clone(),
        }
    }

    /// The number rounded to this many digits after the point.
    pub(crate) fn with_fraction_digits(&self, wanted: u8, halfway: HalfwayTo) -> Self {
        self.rounded_at(-i64::from(wanted), halfway)
    }

    /// The number rounded to a multiple of ten to the power of `place`.
    fn rounded_at(&self, place: i64, halfway: HalfwayTo) -> Self {
        let Self::Finite { sign, digits, exponent } = self else { return self.clone() };
        let Some(dropped) = usize::try_from(place - exponent).ok().filter(|dropped| *dropped > 0) else {
            return self.clone();
        };
        let (kept, rest) = match digits.len().checked_sub(dropped) {
            Some(kept) => digits.split_at(kept),
            // all digits are dropped, and zeros before them
            None => ("", "0"),
        };
        let is_half = rest.starts_with('5') && rest[1..].bytes().all(|digit| digit == b'0');
        let is_odd = kept.bytes().last().is_some_and(|digit| (digit - b'0') % 2 == 1);
        let up = if is_half { halfway == HalfwayTo::Larger || is_odd } else { rest.as_bytes()[0] >= b'5' };
        let kept = if up { incremented(kept) } else { kept.to_owned() };
        Self::new(*sign, &kept, place)
    }

    /// The whole number, if it is one and fits.
    pub(crate) fn to_integer(&self) -> Option<i64> {
        let Self::Finite { sign, digits, exponent } = self else { return None };
        if digits.is_empty() {
            return Some(0);
        }
        let zeros = usize::try_from(*exponent).ok().filter(|zeros| *zeros < 20)?;
        format!("{}{digits}{}", sign.symbol(), "0".repeat(zeros)).parse().ok()
    }

    /// The nearest double.
    pub(crate) fn to_double(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    pub(crate) fn is_zero(&self) -> bool {
        matches!(self, Self::Finite { digits, .. } if digits.is_empty())
    }
}

/// How many digits: at most some thousands.
fn count(digits: &str) -> i64 {
    i64::try_from(digits.len()).unwrap_or(i64::MAX)
}

/// The digits of the next larger whole number.
fn incremented(digits: &str) -> String {
    let mut digits = digits.as_bytes().to_vec();
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return String::from_utf8_lossy(&digits).into_owned();
        }
        *digit = b'0';
    }
    format!("1{}", String::from_utf8_lossy(&digits))
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finite { digits, .. } if digits.is_empty() => f.write_str("0"),
            Self::Finite { sign, digits, exponent } => write!(f, "{}{digits}e{exponent}", sign.symbol()),
            Self::Infinity { sign } => write!(f, "{}inf", sign.symbol()),
            Self::NotANumber => f.write_str("NaN"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> Option<String> {
        Decimal::parse(text).map(|number| number.to_string())
    }

    #[test]
    fn equal_numbers_have_one_form() {
        for (text, form) in [
            ("19.99", "1999e-2"),
            ("19.9900000000000", "1999e-2"),
            ("1.999E+1", "1999e-2"),
            ("+19.99", "1999e-2"),
            (" 0019.990 ", "1999e-2"),
            ("250", "25e1"),
            ("2.5e2", "25e1"),
            ("-0.0", "0"),
            (".5", "5e-1"),
            ("5.", "5e0"),
            ("NaN", "NaN"),
            ("-Infinity", "-inf"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(form), "{text}");
        }
        for text in ["", ".", "-", "1e", "e1", "1,5", "0x10", "1 2", "1e9999999999", "١"] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn doubles_have_a_shortest_and_an_exact_value() {
        let third = 0.1 + 0.2;
        assert_eq!(Decimal::shortest(third).unwrap().to_string(), "30000000000000004e-17");
        let exact = Decimal::exact(third).unwrap().to_string();
        assert_eq!(exact, "3000000000000000444089209850062616169452667236328125e-52");
        let rounded = Decimal::exact(third).unwrap().with_significant_digits(15, HalfwayTo::Even);
        assert_eq!(rounded.to_string(), "3e-1");
        for number in [5e-324, f64::MAX] {
            assert_eq!(Decimal::exact(number).unwrap().to_double().to_bits(), number.to_bits());
        }
        assert_eq!(Decimal::exact(f64::NAN), Some(Decimal::NotANumber));
    }

    #[test]
    fn halves_are_rounded_as_asked() {
        let round = |text: &str, digits, halfway| {
            Decimal::parse(text).unwrap().with_fraction_digits(digits, halfway).to_string()
        };
        for (text, digits, even, larger) in [
            ("2.345", 2, "234e-2", "235e-2"),
            ("2.355", 2, "236e-2", "236e-2"),
            ("-2.345", 2, "-234e-2", "-235e-2"),
            ("2.3451", 2, "235e-2", "235e-2"),
            ("0.5", 0, "0", "1e0"),
            ("1.5", 0, "2e0", "2e0"),
            ("0.05", 0, "0", "0"),
            ("0.95", 1, "1e0", "1e0"),
            ("9.999", 2, "1e1", "1e1"),
            ("7", 2, "7e0", "7e0"),
        ] {
            assert_eq!(round(text, digits, HalfwayTo::Even), even, "{text}");
            assert_eq!(round(text, digits, HalfwayTo::Larger), larger, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_double_survives(number in any::<f64>().prop_filter("NaN differs from itself", |n| !n.is_nan())) {
            // a negative zero becomes a zero
            let expected = (number + 0.0).to_bits();
            prop_assert_eq!(Decimal::shortest(number).unwrap().to_double().to_bits(), expected);
            prop_assert_eq!(Decimal::exact(number).unwrap().to_double().to_bits(), expected);
        }

        #[test]
        fn an_integer_survives(number in any::<i64>()) {
            prop_assert_eq!(Decimal::of_integer(number).to_integer(), Some(number));
        }
    }
}
