//! Exact `Decimal128` numbers: a coefficient and a power of ten.

use std::fmt;

/// The greatest valid coefficient. IEEE 754 reads a greater one as 0.
const MAX_COEFFICIENT: u128 = 10_u128.pow(34) - 1;
const BIAS: i32 = 6176;

/// A decimal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decimal {
    /// `coefficient × 10^exponent`. Zero has no sign.
    Finite {
        /// At most 34 digits.
        coefficient: i128,
        /// -6176 to 6111.
        exponent: i32,
    },
    /// Infinity, or minus infinity.
    Infinite {
        /// Whether it is minus infinity.
        negative: bool,
    },
    /// Not a number.
    NaN,
}

impl Decimal {
    /// From the 128 bits of the binary integer encoding that BSON stores (IEEE 754-2008, section 3.5.2).
    #[must_use]
    pub fn from_bid(bits: u128) -> Self {
        let negative = bits >> 127 == 1;
        let combination = (bits >> 122) as u32 & 0x1f;
        let (exponent, coefficient) = match combination {
            0x1f => return Self::NaN,
            0x1e => return Self::Infinite { negative },
            // the second form has an implicit leading 0b100: always above the greatest coefficient, so zero
            0x18.. => ((bits >> 111) as u32 & 0x3fff, 0),
            _ => ((bits >> 113) as u32 & 0x3fff, bits & ((1 << 113) - 1)),
        };
        let coefficient = if coefficient > MAX_COEFFICIENT { 0 } else { coefficient.cast_signed() };
        let coefficient = if negative { -coefficient } else { coefficient };
        Self::Finite { coefficient, exponent: exponent.cast_signed() - BIAS }
    }

    /// The shortest decimal that parses to this double: 0.1 is 0.1, not the 0.1000000000000000055… of its bits, so that sums of
    /// amounts in doubles are what people expect.
    #[must_use]
    pub fn from_double(double: f64) -> Self {
        if double.is_nan() {
            return Self::NaN;
        }
        if double.is_infinite() {
            return Self::Infinite { negative: double < 0.0 };
        }
        let whole = double as i64;
        // most doubles in databases are integers; above 2^53 the shortest text has fewer digits than the integer
        #[expect(clippy::float_cmp, clippy::cast_precision_loss, reason = "exactly equal is the question")]
        if whole.unsigned_abs() < 1 << 53 && whole as f64 == double {
            return Self::from(whole);
        }
        if let Some(cents) = Self::with_few_decimals(double) {
            return cents;
        }
        let text = format!("{double:e}");
        let (digits, exponent) = text.split_once('e').expect("`{:e}` writes an exponent");
        let fraction = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let coefficient = digits.replace('.', "").parse().expect("at most 17 digits");
        let exponent: i32 = exponent.parse().expect("an exponent of three digits");
        Self::Finite { coefficient, exponent: exponent - i32::try_from(fraction).expect("at most 16 digits") }
    }

    /// The fast way for amounts of money: if `n / 10^k` gives exactly this double, it also parses to it, and at most one decimal of
    /// fewer than 16 digits does.
    fn with_few_decimals(double: f64) -> Option<Self> {
        for (power, exponent) in [(10.0, -1), (100.0, -2), (1000.0, -3), (10_000.0, -4)] {
            let scaled = (double * power).round();
            #[expect(clippy::float_cmp, reason = "exactly equal is the question")]
            if scaled.abs() < 1e15 && scaled / power == double {
                return Some(Self::Finite { coefficient: i128::from(scaled as i64), exponent });
            }
        }
        None
    }

    /// The binary integer encoding; `None` if the number does not fit.
    #[must_use]
    pub fn to_bid(self) -> Option<u128> {
        match self {
            Self::NaN => Some(0x1f << 122),
            Self::Infinite { negative } => Some((u128::from(negative) << 127) | (0x1e << 122)),
            Self::Finite { coefficient, exponent } => {
                let biased = u128::try_from(exponent + BIAS).ok().filter(|biased| *biased < 12288)?;
                let size = coefficient.unsigned_abs();
                (size <= MAX_COEFFICIENT).then_some((u128::from(coefficient < 0) << 127) | (biased << 113) | size)
            }
        }
    }

    /// Parses text such as `-12.50`, `1E+3`, `NaN`, `Infinity`. Keeps trailing zeros.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "NaN" => return Some(Self::NaN),
            "Infinity" => return Some(Self::Infinite { negative: false }),
            "-Infinity" => return Some(Self::Infinite { negative: true }),
            _ => {}
        }
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let coefficient = format!("{whole}{fraction}").parse().ok()?;
        let exponent = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        Some(Self::Finite { coefficient, exponent })
    }

    /// The same number without trailing zeros, so that equal numbers compare as equal.
    #[must_use]
    pub fn normalized(self) -> Self {
        match self {
            Self::Finite { coefficient: 0, .. } => Self::Finite { coefficient: 0, exponent: 0 },
            Self::Finite { mut coefficient, mut exponent } => {
                while coefficient % 10 == 0 {
                    coefficient /= 10;
                    exponent += 1;
                }
                Self::Finite { coefficient, exponent }
            }
            other => other,
        }
    }
}

impl From<i64> for Decimal {
    fn from(whole: i64) -> Self {
        Self::Finite { coefficient: whole.into(), exponent: 0 }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NaN => f.write_str("NaN"),
            Self::Infinite { negative } => f.write_str(if *negative { "-Infinity" } else { "Infinity" }),
            Self::Finite { coefficient, exponent } => {
                let sign = if *coefficient < 0 { "-" } else { "" };
                f.write_str(&scaled(sign, &coefficient.unsigned_abs().to_string(), *exponent))
            }
        }
    }
}

/// `digits × 10^exponent` as text: plain if that is short, otherwise `1.5E+300`.
#[must_use]
pub fn scaled(sign: &str, digits: &str, exponent: i32) -> String {
    const LONGEST_PLAIN: usize = 40;
    let shift = exponent.unsigned_abs() as usize;
    let length = digits.len();
    if exponent == 0 {
        format!("{sign}{digits}")
    } else if exponent > 0 && length + shift <= LONGEST_PLAIN {
        format!("{sign}{digits}{}", "0".repeat(shift))
    } else if exponent < 0 && shift < length {
        let (whole, fraction) = digits.split_at(length - shift);
        format!("{sign}{whole}.{fraction}")
    } else if exponent < 0 && shift <= LONGEST_PLAIN {
        format!("{sign}0.{}{digits}", "0".repeat(shift - length))
    } else {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        format!("{sign}{first}{dot}{rest}E{:+}", i64::from(exponent) + i64::try_from(length).unwrap_or(i64::MAX) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_read_back_from_what_they_encode() {
        for text in [
            "0",
            "1",
            "-1",
            "12.50",
            "0.001",
            "-0.5",
            "1E+41",
            "9999999999999999999999999999999999",
            "1.5E+300",
            "1E-100",
            "NaN",
            "Infinity",
            "-Infinity",
        ] {
            let decimal = Decimal::parse(text).unwrap();
            assert_eq!(decimal.to_string(), text);
            assert_eq!(Decimal::from_bid(decimal.to_bid().unwrap()), decimal, "{text}");
        }
        for text in ["", "x", "1.x", "1.-5", "1e", "--1"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn encodings_out_of_the_specification() {
        // bson-corpus: 1, and a coefficient that is too large, which reads as 0
        assert_eq!(Decimal::from_bid(0x3040_0000_0000_0000_0000_0000_0000_0001), Decimal::from(1));
        let too_large = 0x6c10_0000_0000_0000_0000_0000_0000_0000;
        assert!(matches!(Decimal::from_bid(too_large), Decimal::Finite { coefficient: 0, .. }));
        assert_eq!(Decimal::from_bid(0x7800 << 112), Decimal::Infinite { negative: false });
        assert_eq!(Decimal::from_bid(0xfc00 << 112), Decimal::NaN);
    }

    #[test]
    fn a_double_is_the_shortest_decimal_that_reads_back() {
        for (double, text) in [
            (0.1, "0.1"),
            (-2.5, "-2.5"),
            (3.0, "3"),
            (-0.0, "0"),
            (1234.56, "1234.56"),
            (-0.0625, "-0.0625"),
            (0.015_625, "0.015625"),
            (99_999_999_999_999.9, "99999999999999.9"),
            (999_999_999_999_999.9, "999999999999999.9"),
            (1e300, "1E+300"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e22, "10000000000000000000000"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (5e-324, "5E-324"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(Decimal::from_double(double).normalized().to_string(), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn the_fast_way_agrees_with_the_shortest_text(cents in -10_i64.pow(14)..10_i64.pow(14), power in 0_u32..6) {
            #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
            let double = cents as f64 / 10_f64.powi(power.cast_signed());
            let shortest = Decimal::parse(&format!("{double:e}")).unwrap().normalized();
            proptest::prop_assert_eq!(Decimal::from_double(double).normalized(), shortest);
        }
    }

    #[test]
    fn normalized_numbers_are_equal_when_they_are_the_same() {
        let one = Decimal::from(100).normalized();
        assert_eq!(Decimal::parse("1E+2").unwrap().normalized(), one);
        assert_eq!(Decimal::parse("100.00").unwrap().normalized(), one);
    }
}
