//! BSON types that declared changes name, and which conversions between them can be reversed.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A BSON type, by its `$type` alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the server's")]
pub enum BsonType {
    Double,
    String,
    Object,
    Array,
    BinData,
    ObjectId,
    Bool,
    Date,
    Null,
    Regex,
    Int,
    Timestamp,
    Long,
    Decimal,
}

impl BsonType {
    /// The type byte that BSON writes before a value of this type.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Double => 0x01,
            Self::String => 0x02,
            Self::Object => 0x03,
            Self::Array => 0x04,
            Self::BinData => 0x05,
            Self::ObjectId => 0x07,
            Self::Bool => 0x08,
            Self::Date => 0x09,
            Self::Null => 0x0A,
            Self::Regex => 0x0B,
            Self::Int => 0x10,
            Self::Timestamp => 0x11,
            Self::Long => 0x12,
            Self::Decimal => 0x13,
        }
    }
}

impl fmt::Display for BsonType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Double => "double",
            Self::String => "string",
            Self::Object => "object",
            Self::Array => "array",
            Self::BinData => "binData",
            Self::ObjectId => "objectId",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Null => "null",
            Self::Regex => "regex",
            Self::Int => "int",
            Self::Timestamp => "timestamp",
            Self::Long => "long",
            Self::Decimal => "decimal",
        })
    }
}

/// Whether the original value can be computed exactly from the converted one.
#[must_use]
pub fn has_inverse(from: BsonType, to: BsonType) -> bool {
    use BsonType::{Double, Int, Long, String};
    matches!((from, to), (Int, Long | String) | (Long, Int | String) | (Double, Int | Long) | (Int | Long, Double))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_convert_back_exactly() {
        assert!(has_inverse(BsonType::Int, BsonType::Long));
        assert!(has_inverse(BsonType::Int, BsonType::String));
        assert!(has_inverse(BsonType::Double, BsonType::Long));
        assert!(!has_inverse(BsonType::Double, BsonType::String));
        assert!(!has_inverse(BsonType::Double, BsonType::Decimal));
        assert!(!has_inverse(BsonType::Date, BsonType::String));
    }
}
