//! The difference between two numbers: the amount, the percentage, and a pair of bars.

use bigdecimal::{BigDecimal, Signed, ToPrimitive, Zero};
use serde_json::Value;
use taster_text::{group_number, grouped};

/// Width of the longer bar, in the units of the drawing.
pub(super) const WIDTH: f64 = 160.0;
/// The difference is drawn at least this wide, so that even a difference of one in a million is visible.
const MIN_GAP: f64 = 2.0;
/// Longer texts are not parsed as numbers.
const MAX_LENGTH: usize = 48;
/// Significant digits of a number that is shown as a power of ten.
const PRECISION: u64 = 6;
/// A greater exponent is outside the range of a double.
const MAX_EXPONENT: u32 = 330;

/// The exact value of a numeric metric. A verdict holds decimals as text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Amount(BigDecimal);

impl Amount {
    /// The value of a JSON number, or of a text that is a number and nothing else.
    #[must_use]
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Self::parse(&number.to_string()),
            Value::String(text) => Self::parse(text),
            _ => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let digits = digits.strip_prefix('-').unwrap_or(digits);
        let digit = |byte: u8| byte.is_ascii_digit() || byte == b'.';
        let plain = digits.bytes().all(digit) && digits.starts_with(|c: char| c.is_ascii_digit());
        // check the exponent first: `1e999999999` would be written out with a billion digits
        let small = exponent.parse::<i32>().is_ok_and(|exponent| exponent.unsigned_abs() <= MAX_EXPONENT);
        (text.len() <= MAX_LENGTH && plain && small).then(|| text.parse().ok().map(Self)).flatten()
    }

    /// The value as a double, which is precise enough for a drawing.
    #[must_use]
    pub(super) fn as_f64(&self) -> f64 {
        self.0.to_f64().unwrap_or_default()
    }
}

/// How a number changed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Delta {
    /// `−34`, `+1 035.30`.
    pub(super) by: String,
    /// `−1.1 %`. `None` if the number was zero before.
    pub(super) percent: Option<String>,
    /// `None` if one of the numbers is negative, because a bar cannot have a negative length.
    pub(super) bars: Option<Bars>,
}

/// Two bars that start at zero, and the gap between their ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bars {
    /// Length of the upper bar.
    pub(super) before: String,
    /// Length of the lower bar.
    pub(super) after: String,
    /// Where the gap begins.
    pub(super) from: String,
    /// Length of the gap.
    pub(super) gap: String,
    /// Whether the number became smaller.
    pub(super) lost: bool,
}

impl Delta {
    /// The difference between two numbers; `None` if they are equal.
    #[must_use]
    pub(super) fn between(before: &Amount, after: &Amount) -> Option<Self> {
        let by = &after.0 - &before.0;
        if by.is_zero() {
            return None;
        }
        let sign = if by.is_negative() { "−" } else { "+" };
        let percent = (!before.0.is_zero()).then(|| {
            let percent = by.to_f64().unwrap_or_default() / before.as_f64().abs() * 100.0;
            ratio(sign, percent.abs())
        });
        Some(Self { by: format!("{sign}{}", written(&by.abs())), percent, bars: Bars::of(before, after) })
    }
}

impl Bars {
    fn of(before: &Amount, after: &Amount) -> Option<Self> {
        if before.0.is_negative() || after.0.is_negative() {
            return None;
        }
        let (before, after) = (before.as_f64(), after.as_f64());
        let longest = before.max(after);
        if !longest.is_normal() {
            return None;
        }
        let (before, after) = (before / longest * WIDTH, after / longest * WIDTH);
        let gap = (before - after).abs().max(MIN_GAP);
        let length = |length: f64| format!("{length:.1}");
        Some(Self {
            before: length(before),
            after: length(after),
            from: length(WIDTH - gap),
            gap: length(gap),
            lost: after < before,
        })
    }
}

/// `−1.1 %`, `+45 %`, `under 0.1 %`.
fn ratio(sign: &str, percent: f64) -> String {
    match percent {
        p if p < 0.1 => "under 0.1 %".to_owned(),
        p if p < 10.0 => format!("{sign}{p:.1} %"),
        p if p < 1e9 => format!("{sign}{} %", grouped(p.round().to_u64().unwrap_or(u64::MAX))),
        p => format!("{sign}{p:.1e} %"),
    }
}

/// The number with its integer digits in groups of three. A very long number is shown as a power of ten.
fn written(amount: &BigDecimal) -> String {
    let text = amount.to_plain_string();
    if text.len() > MAX_LENGTH {
        return amount.with_prec(PRECISION).normalized().to_scientific_notation().to_lowercase();
    }
    group_number(&text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The amount, the percentage, and the gap between the bars.
    type DeltaParts = (String, Option<String>, Option<Gap>);

    /// The gap between the ends of two bars.
    #[derive(Debug, PartialEq)]
    struct Gap {
        from: String,
        length: String,
        lost: bool,
    }

    impl Gap {
        fn lost(from: &str, length: &str) -> Self {
            Self { from: from.to_owned(), length: length.to_owned(), lost: true }
        }

        fn gained(from: &str, length: &str) -> Self {
            Self { lost: false, ..Self::lost(from, length) }
        }
    }

    fn delta(before: &Value, after: &Value) -> Option<DeltaParts> {
        let delta = Delta::between(&Amount::of(before)?, &Amount::of(after)?)?;
        let gap = delta.bars.map(|bars| Gap { from: bars.from, length: bars.gap, lost: bars.lost });
        Some((delta.by, delta.percent, gap))
    }

    #[expect(clippy::unnecessary_wraps, reason = "tests compare it with the result of `delta`, which is an `Option`")]
    fn expected(by: &str, percent: Option<&str>, gap: Option<Gap>) -> Option<DeltaParts> {
        Some((by.to_owned(), percent.map(str::to_owned), gap))
    }

    #[test]
    fn a_difference_has_a_sign_a_percentage_and_a_length() {
        assert_eq!(delta(&json!(200), &json!(150)), expected("−50", Some("−25 %"), Some(Gap::lost("120.0", "40.0"))));
        assert_eq!(delta(&json!(150), &json!(200)), expected("+50", Some("+33 %"), Some(Gap::gained("120.0", "40.0"))));
        assert_eq!(
            delta(&json!(200_000), &json!(199_999)),
            expected("−1", Some("under 0.1 %"), Some(Gap::lost("158.0", "2.0")))
        );
        assert_eq!(delta(&json!(0), &json!(1234)), expected("+1 234", None, Some(Gap::gained("0.0", "160.0"))));
        assert_eq!(delta(&json!(-5), &json!(5)), expected("+10", Some("+200 %"), None));
        assert_eq!(delta(&json!(7), &json!(7)), None);
    }

    #[test]
    fn decimals_are_subtracted_exactly() {
        let by = |before: &str, after: &str| delta(&json!(before), &json!(after)).map(|(by, ..)| by);
        assert_eq!(by("82451.85", "81416.55").as_deref(), Some("−1 035.30"));
        assert_eq!(by("0.1", "0.3").as_deref(), Some("+0.2"));
        assert_eq!(
            by("1", "1.000000000000000000000000000000001").as_deref(),
            Some("+0.000000000000000000000000000000001")
        );
        assert_eq!(by("1.0", "1.00"), None);
        assert_eq!(by("1e300", "2e300").as_deref(), Some("+1e300"));
    }

    #[test]
    fn text_that_is_not_a_number_is_not_drawn() {
        for text in [
            "",
            "NaN",
            "Infinity",
            "-Infinity",
            "1e999999999",
            "0x10",
            "1_000",
            "12 345",
            "v1.2",
            "1.2.3",
            ".5",
            "+1",
            "١",
        ] {
            assert_eq!(Amount::of(&json!(text)), None, "{text}");
        }
        assert_eq!(Amount::of(&json!("9".repeat(1 << 20))), None);
        assert_eq!(Amount::of(&json!(true)), None);
    }
}
