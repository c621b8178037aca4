//! Rules: how a metric may change, in a configuration or in a probe's own expectation.

use std::{borrow::Cow, fmt, str::FromStr};

use bigdecimal::BigDecimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::MAX_DECIMAL_EXPONENT;

/// How a metric may change across the sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Not at all.
    Equal,
    /// By at most so much, up or down.
    Within(Tolerance),
    /// It may only grow.
    NeverDecreases,
    /// It may only shrink.
    NeverIncreases,
    /// In any way, if its value after the sync is within these bounds, inclusive.
    Between(Bound, Bound),
    /// Entries may be added, not removed or changed. For sets, documents (by top-level key) and censuses.
    Superset,
    /// Entries may be removed, not added or changed.
    Subset,
    /// In any way.
    Ignore,
    /// It should not exist: it says why nothing is known of something, and its finding is `unknown`. Meant for a probe's
    /// own expectations.
    Absent,
}

/// How much a number may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tolerance {
    /// By at most this amount.
    Absolute(Bound),
    /// By at most this fraction of its value before the sync: `1%` is 0.01.
    Relative(Bound),
}

/// A number exactly as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    value: BigDecimal,
    text: String,
}

impl Bound {
    /// The exact number.
    #[must_use]
    pub fn value(&self) -> &BigDecimal {
        &self.value
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An invalid rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RuleError(String);

const VALID_RULES: &str = "`equal`, `never-decreases`, `never-increases`, `superset`, `subset`, `ignore`, `within: 1%`, \
                     `within: {abs: 5}` or `between: [lo, hi]`";

impl Rule {
    /// A rule without parameters.
    fn from_keyword(keyword: &str) -> Result<Self, RuleError> {
        Ok(match keyword {
            "equal" => Self::Equal,
            "never-decreases" => Self::NeverDecreases,
            "never-increases" => Self::NeverIncreases,
            "superset" => Self::Superset,
            "subset" => Self::Subset,
            "ignore" => Self::Ignore,
            "absent" => Self::Absent,
            _ => return Err(RuleError(format!("unknown rule `{keyword}`: expected {VALID_RULES}"))),
        })
    }
}

impl Bound {
    fn parse(text: &str) -> Result<Self, RuleError> {
        let (digits, percent) = match text.strip_suffix('%') {
            Some(digits) => (digits.trim(), true),
            None => (text, false),
        };
        // BigDecimal would expand `1e999999999` to a billion digits
        let exponent = digits.split_once(['e', 'E']).map_or(Ok(0), |(_, e)| e.parse::<i64>());
        let is_small = digits.len() <= 100 && exponent.is_ok_and(|e| e.saturating_abs() <= MAX_DECIMAL_EXPONENT);
        let value = BigDecimal::from_str(digits)
            .ok()
            .filter(|_| is_small)
            .ok_or_else(|| RuleError(format!("`{text}` is not a number or a ratio such as `1%`")))?;
        let value = if percent { value / BigDecimal::from(100) } else { value };
        Ok(Self { value, text: text.to_owned() })
    }

    fn parse_tolerance(text: &str) -> Result<Self, RuleError> {
        let bound = Self::parse(text)?;
        if bound.value < 0 {
            return Err(RuleError(format!("`{text}` is negative: a tolerance is 0 or more")));
        }
        Ok(bound)
    }
}

/// A scalar of YAML or JSON, kept as text so that decimals stay exact.
struct Scalar(String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a ratio such as `1%`")
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Scalar, E> {
                Ok(Scalar(v.trim().to_owned()))
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Result<Scalar, E> {
                Ok(Scalar(v.to_string()))
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Scalar, E> {
                Ok(Scalar(v.to_string()))
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Result<Scalar, E> {
                // the shortest text that reads back as this double is what was written
                Ok(Scalar(v.to_string()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Rule;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a rule: {VALID_RULES}")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Rule, E> {
                Rule::from_keyword(text.trim()).map_err(E::custom)
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Rule, A::Error> {
                let key: String =
                    map.next_key()?.ok_or_else(|| de::Error::custom(format!("expected {VALID_RULES}")))?;
                let rule = match key.as_str() {
                    "within" => Rule::Within(map.next_value::<Tolerance>()?),
                    "between" => {
                        let (lo, hi): (Scalar, Scalar) = map.next_value()?;
                        let lo = Bound::parse(&lo.0).map_err(de::Error::custom)?;
                        let hi = Bound::parse(&hi.0).map_err(de::Error::custom)?;
                        if lo.value > hi.value {
                            return Err(de::Error::custom(format!("between: {lo} is greater than {hi}")));
                        }
                        Rule::Between(lo, hi)
                    }
                    other => return Err(de::Error::custom(format!("unknown rule `{other}`: expected {VALID_RULES}"))),
                };
                match map.next_key::<String>()? {
                    None => Ok(rule),
                    Some(more) => Err(de::Error::custom(format!("expected one rule, found `{key}` and `{more}`"))),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl<'de> Deserialize<'de> for Tolerance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Tolerance;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`1%`, a number, `{abs: 5}` or `{rel: 1%}`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Tolerance, E> {
                let text = text.trim();
                let bound = Bound::parse_tolerance(text).map_err(E::custom)?;
                Ok(if text.ends_with('%') { Tolerance::Relative(bound) } else { Tolerance::Absolute(bound) })
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Result<Tolerance, E> {
                self.visit_str(&v.to_string())
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Tolerance, E> {
                self.visit_str(&v.to_string())
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Result<Tolerance, E> {
                self.visit_str(&v.to_string())
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Tolerance, A::Error> {
                let Some((key, Scalar(text))) = map.next_entry::<String, Scalar>()? else {
                    return Err(de::Error::custom("expected `{abs: 5}` or `{rel: 1%}`"));
                };
                let bound = Bound::parse_tolerance(&text).map_err(de::Error::custom)?;
                if let Some(more) = map.next_key::<String>()? {
                    return Err(de::Error::custom(format!("expected one tolerance, found `{key}` and `{more}`")));
                }
                match key.as_str() {
                    "abs" if text.ends_with('%') => {
                        Err(de::Error::custom("`abs` takes a number: write a ratio as `rel`"))
                    }
                    "abs" => Ok(Tolerance::Absolute(bound)),
                    "rel" => Ok(Tolerance::Relative(bound)),
                    other => Err(de::Error::custom(format!("unknown tolerance `{other}`: expected `abs` or `rel`"))),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl FromStr for Rule {
    type Err = RuleError;
    /// Parses the text of a probe's own expectation, which is written as in a configuration: `never-decreases`,
    /// `{within: 1%}`.
    fn from_str(text: &str) -> Result<Self, RuleError> {
        if text.len() > 200 {
            return Err(RuleError(format!("the rule has {} bytes; at most 200 are allowed", text.len())));
        }
        let text = text.trim();
        if text.starts_with('{') {
            serde_saphyr::from_str(text).map_err(|error| RuleError(first_line(&error.to_string())))
        } else {
            Self::from_keyword(text)
        }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equal => f.write_str("equal"),
            Self::Within(Tolerance::Absolute(bound)) => write!(f, "within {{abs: {bound}}}"),
            Self::Within(Tolerance::Relative(bound)) => write!(f, "within {{rel: {bound}}}"),
            Self::NeverDecreases => f.write_str("never-decreases"),
            Self::NeverIncreases => f.write_str("never-increases"),
            Self::Between(lo, hi) => write!(f, "between [{lo}, {hi}]"),
            Self::Superset => f.write_str("superset"),
            Self::Subset => f.write_str("subset"),
            Self::Ignore => f.write_str("ignore"),
            Self::Absent => f.write_str("absent"),
        }
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let one = |serializer: S, key: &str, value: serde_json::Value| {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(key, &value)?;
            map.end()
        };
        match self {
            Self::Within(Tolerance::Absolute(bound)) => {
                one(serializer, "within", serde_json::json!({"abs": bound.text}))
            }
            Self::Within(Tolerance::Relative(bound)) => {
                one(serializer, "within", serde_json::json!({"rel": bound.text}))
            }
            Self::Between(lo, hi) => one(serializer, "between", serde_json::json!([lo.text, hi.text])),
            keyword => serializer.collect_str(keyword),
        }
    }
}

impl JsonSchema for Rule {
    fn schema_name() -> Cow<'static, str> {
        "Rule".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How a metric may change across the sync.",
            "oneOf": [
                {"enum": ["equal", "never-decreases", "never-increases", "superset", "subset", "ignore", "absent"]},
                {"type": "object", "required": ["within"], "additionalProperties": false, "properties": {
                    "within": {"oneOf": [
                        {"type": ["number", "string"]},
                        {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false,
                         "properties": {"abs": {"type": ["number", "string"]}, "rel": {"type": ["number", "string"]}}}
                    ]}
                }},
                {"type": "object", "required": ["between"], "additionalProperties": false, "properties": {
                    "between": {"type": "array", "items": {"type": ["number", "string"]}, "minItems": 2, "maxItems": 2}
                }}
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_reads_back_from_what_it_writes() {
        let texts = [
            "equal",
            "never-decreases",
            "never-increases",
            "superset",
            "subset",
            "ignore",
            "{within: 1%}",
            "{within: 5}",
            "{within: {abs: 0.10}}",
            "{within: {rel: 0.5%}}",
            "{between: [1, 2.50]}",
        ];
        for text in texts {
            let rule: Rule = text.parse().unwrap();
            let json = serde_json::to_string(&rule).unwrap();
            assert_eq!(serde_json::from_str::<Rule>(&json).unwrap(), rule, "{text} as {json}");
        }
    }

    #[test]
    fn a_bound_may_be_as_large_as_a_metric() {
        // in quotes: YAML reads plain numbers as doubles
        for text in [r#"{between: [0, "1e8192"]}"#, r#"{within: "1e+7000"}"#] {
            assert_eq!(text.parse::<Rule>().map(|_| ()), Ok(()), "{text}");
        }
    }

    #[test]
    fn an_invalid_rule_is_an_error() {
        for text in [
            "equals",
            "{within: -1}",
            "{within: x}",
            "{between: [2, 1]}",
            "{within: 1, between: [1, 2]}",
            "{}",
            "{within: {abs: 5%}}",
            "{within: 1e999999999}",
            r#"{between: [0, "1e8193"]}"#,
            r#"{within: "1E-9223372036854775808"}"#,
        ] {
            let error = text.parse::<Rule>().unwrap_err().to_string();
            assert!(!error.is_empty(), "{text}");
        }
    }

    #[test]
    fn a_bound_has_the_exponents_of_a_metric() {
        // in quotes: YAML reads a plain number as a double, which has smaller exponents
        for (text, is_valid) in [
            (r#"{between: [0, "1E+7000"]}"#, true),
            (r#"{between: [0, "1E+8192"]}"#, true),
            (r#"{between: [0, "1E+8193"]}"#, false),
            (r#"{within: "1E-8192"}"#, true),
            (r#"{within: "1E-8193"}"#, false),
        ] {
            let rule = text.parse::<Rule>();
            assert_eq!(rule.is_ok(), is_valid, "{text}: {rule:?}");
        }
        let Rule::Between(_, hi) = r#"{between: [0, "1E+8192"]}"#.parse().unwrap() else { panic!() };
        assert_eq!(hi.value(), &BigDecimal::from_str("1E+8192").unwrap());
    }

    #[test]
    fn one_percent_is_a_hundredth() {
        let Rule::Within(Tolerance::Relative(bound)) = "{within: 1%}".parse().unwrap() else { panic!() };
        assert_eq!(bound.value(), &BigDecimal::from_str("0.01").unwrap());
    }
}
