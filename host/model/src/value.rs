//! Metrics and their values.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The largest exponent of a decimal, negative ones included. Exponents of Decimal128, and of sums of them, are smaller; exact
/// arithmetic with very large ones would never end.
pub const MAX_DECIMAL_EXPONENT: i64 = 8192;
/// The most bytes of a decimal's text. Exact sums of Decimal128 values have fewer digits.
pub const MAX_DECIMAL_BYTES: usize = 16 << 10;

/// Labels of a metric, ordered by key so that equal sets are equal values.
pub type Labels = BTreeMap<String, String>;

/// One metric that a probe returned. Name and labels together are unique in a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metric {
    /// `[a-z][a-z0-9_.]*`, at most 128 bytes.
    pub name: String,
    /// Label keys follow the same rule as names; label values are free text.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Its value.
    pub value: Value,
    /// Unit, as in OpenTelemetry: `1`, `By`, `ms`, `{order}`.
    pub unit: String,
}

/// One typed value, stored as `{"integer": 1041}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Value {
    /// A count or another whole number.
    Integer(i64),
    /// A measured number.
    Real(Real),
    /// An exact decimal as text: `-12.50`, `1E+3`, `NaN`, `Infinity`.
    Decimal(String),
    /// Text, compared byte by byte.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// A set of texts.
    Set(BTreeSet<String>),
    /// Any other BSON value, as canonical Extended JSON. The order of keys is kept and matters in comparisons: an index on
    /// `{a: 1, b: 1}` differs from one on `{b: 1, a: 1}`.
    Document(serde_json::Value),
    /// The id of a census.
    Census(String),
}

impl Value {
    /// The value as verdicts show it: plain JSON without its kind (`1041`, `"12.50"`, `["a", "b"]`).
    #[must_use]
    pub fn plain(&self) -> serde_json::Value {
        match self {
            Self::Integer(n) => (*n).into(),
            Self::Real(r) => r.plain(),
            Self::Decimal(text) | Self::Text(text) | Self::Census(text) => text.clone().into(),
            Self::Flag(b) => (*b).into(),
            Self::Set(items) => items.iter().cloned().collect::<Vec<_>>().into(),
            Self::Document(document) => document.clone(),
        }
    }

    /// The kind of the value, as in the WIT interface.
    #[must_use]
    pub fn kind(&self) -> ValueKind {
        match self {
            Self::Integer(_) => ValueKind::Integer,
            Self::Real(_) => ValueKind::Real,
            Self::Decimal(_) => ValueKind::Decimal,
            Self::Text(_) => ValueKind::Text,
            Self::Flag(_) => ValueKind::Flag,
            Self::Set(_) => ValueKind::Set,
            Self::Document(_) => ValueKind::Document,
            Self::Census(_) => ValueKind::Census,
        }
    }
}

/// The kinds of metric values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each variant is documented at `Value`")]
pub enum ValueKind {
    Integer,
    Real,
    Decimal,
    Text,
    Flag,
    Set,
    Document,
    Census,
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Decimal => "decimal",
            Self::Text => "text",
            Self::Flag => "flag",
            Self::Set => "set",
            Self::Document => "document",
            Self::Census => "census",
        })
    }
}

/// A double in which NaN equals NaN and -0 equals 0. NaN and the infinities are stored as text, because JSON has no numbers
/// for them.
#[derive(Debug, Clone, Copy, JsonSchema)]
#[schemars(with = "serde_json::Value")]
pub struct Real(pub f64);

impl Real {
    fn plain(self) -> serde_json::Value {
        match serde_json::Number::from_f64(self.0) {
            Some(number) => number.into(),
            None => self.to_string().into(),
        }
    }
}

impl PartialEq for Real {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || (self.0.is_nan() && other.0.is_nan())
    }
}

impl fmt::Display for Real {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            x if x.is_nan() => f.write_str("NaN"),
            x if x.is_infinite() => f.write_str(if x > 0.0 { "Infinity" } else { "-Infinity" }),
            x => write!(f, "{x}"),
        }
    }
}

impl Serialize for Real {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.plain().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Real {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(f64),
            Text(String),
        }
        match Raw::deserialize(deserializer)? {
            Raw::Number(x) => Ok(Self(x)),
            Raw::Text(text) => match text.as_str() {
                "NaN" => Ok(Self(f64::NAN)),
                "Infinity" => Ok(Self(f64::INFINITY)),
                "-Infinity" => Ok(Self(f64::NEG_INFINITY)),
                _ => Err(serde::de::Error::custom(format!("`{text}` is not a number"))),
            },
        }
    }
}
