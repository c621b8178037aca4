//! [`DeclaredValue`]: a value that an added field may have, as a declared change states it.

use bson::{Bson, doc};
use serde_json::{Value, json};
use taster_model::{AddedField, BsonType};

use crate::{decimal::Decimal, raw::Element};

/// A value that an added field may have. It equals the same BSON bytes; of decimals, the same number.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredValue {
    kind: BsonType,
    bytes: Vec<u8>,
}

impl DeclaredValue {
    /// The value that `written` states, as Extended JSON or as the plain JSON of `kind`: `5` for any number, an RFC 3339 time
    /// for a date, 24 hexadecimal digits for an id. Fails if it is not of that type.
    pub fn parse(written: &Value, kind: BsonType) -> Result<Self, String> {
        let invalid = || format!("`{written}` is not a value of type {kind}");
        let value = Bson::try_from(as_extended_json(written, kind)).map_err(|_| invalid())?;
        if value.element_type() as u8 != kind.code() {
            return Err(invalid());
        }
        let document = bson::RawDocumentBuf::try_from(&doc! {"": value}).map_err(|_| invalid())?;
        // length, type and the empty name before it; the end of the document after it
        let bytes = document.as_bytes();
        Ok(Self { kind, bytes: bytes[6..bytes.len() - 1].to_vec() })
    }

    /// Those of an added field. A value that is not of the field's type, which a configuration refuses, equals no value.
    pub(crate) fn all_of(change: &AddedField) -> Vec<Self> {
        let parse = |value| {
            Self::parse(value, change.field_type)
                .unwrap_or_else(|_| Self { kind: change.field_type, bytes: Vec::new() })
        };
        change.values.iter().map(parse).collect()
    }

    pub(crate) fn is_value_of(&self, element: Element<'_>) -> bool {
        if element.kind() != self.kind.code() {
            return false;
        }
        match (decimal(self.kind, &self.bytes), decimal(self.kind, element.value())) {
            (Some(own), Some(found)) => own == found,
            _ => self.bytes == element.value(),
        }
    }
}

/// Plain JSON as the Extended JSON of a type.
fn as_extended_json(written: &Value, kind: BsonType) -> Value {
    let key = match (kind, written) {
        (BsonType::Int, Value::Number(_)) => "$numberInt",
        (BsonType::Long, Value::Number(_)) => "$numberLong",
        (BsonType::Double, Value::Number(_)) => "$numberDouble",
        (BsonType::Decimal, Value::Number(_) | Value::String(_)) => "$numberDecimal",
        (BsonType::Date, Value::String(_)) => "$date",
        (BsonType::ObjectId, Value::String(_)) => "$oid",
        _ => return written.clone(),
    };
    match written {
        Value::String(text) => json!({key: text}),
        number => json!({key: number.to_string()}),
    }
}

fn decimal(kind: BsonType, value: &[u8]) -> Option<Decimal> {
    if kind != BsonType::Decimal {
        return None;
    }
    let number = bson::Decimal128::from_bytes(value.try_into().ok()?);
    Decimal::parse(&number.to_string())
}

#[cfg(test)]
mod tests {
    use bson::{Decimal128, RawDocumentBuf, oid::ObjectId, rawdoc};

    use super::*;
    use crate::raw::Elements;

    fn is_value(declared: &Value, kind: BsonType, found: &RawDocumentBuf) -> bool {
        let element = Elements::of_document(found.as_bytes()).unwrap().next().unwrap().unwrap();
        DeclaredValue::parse(declared, kind).unwrap().is_value_of(element)
    }

    #[test]
    fn plain_json_is_a_value_of_the_declared_type() {
        let decimal = |text: &str| text.parse::<Decimal128>().unwrap();
        let oid = ObjectId::parse_str("65a1b2c3d4e5f60718293a4b").unwrap();
        let date = bson::DateTime::parse_rfc3339_str("2026-01-02T03:04:05Z").unwrap();
        for (declared, kind, found, expected) in [
            (json!(false), BsonType::Bool, rawdoc! {"a": false}, true),
            (json!(false), BsonType::Bool, rawdoc! {"a": true}, false),
            (json!(0), BsonType::Int, rawdoc! {"a": 0}, true),
            (json!(0), BsonType::Int, rawdoc! {"a": 0_i64}, false),
            (json!(0), BsonType::Long, rawdoc! {"a": 0_i64}, true),
            (json!(0), BsonType::Double, rawdoc! {"a": 0.0}, true),
            (json!(0.1), BsonType::Double, rawdoc! {"a": 0.1}, true),
            (json!(0), BsonType::Double, rawdoc! {"a": -0.0}, false),
            (json!(0), BsonType::Decimal, rawdoc! {"a": decimal("0.00")}, true),
            (json!("12.30"), BsonType::Decimal, rawdoc! {"a": decimal("12.3")}, true),
            (json!("12.30"), BsonType::Decimal, rawdoc! {"a": decimal("12.31")}, false),
            (json!("NaN"), BsonType::Decimal, rawdoc! {"a": decimal("NaN")}, true),
            (json!("new"), BsonType::String, rawdoc! {"a": "new"}, true),
            (json!("new"), BsonType::String, rawdoc! {"a": "ne"}, false),
            (json!(null), BsonType::Null, rawdoc! {"a": null}, true),
            (json!([]), BsonType::Array, rawdoc! {"a": []}, true),
            (json!({"b": 1}), BsonType::Object, rawdoc! {"a": {"b": 1}}, true),
            (json!({"b": 1}), BsonType::Object, rawdoc! {"a": {"b": 1_i64}}, false),
            (json!("2026-01-02T03:04:05Z"), BsonType::Date, rawdoc! {"a": date}, true),
            (json!({"$date": "2026-01-02T03:04:05Z"}), BsonType::Date, rawdoc! {"a": date}, true),
            (json!("65a1b2c3d4e5f60718293a4b"), BsonType::ObjectId, rawdoc! {"a": oid}, true),
        ] {
            assert_eq!(is_value(&declared, kind, &found), expected, "{declared} {kind} {found:?}");
        }
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        for (declared, kind) in [
            (json!("false"), BsonType::Bool),
            (json!(0.5), BsonType::Int),
            (json!(3_000_000_000_u64), BsonType::Int),
            (json!({"$numberLong": "1"}), BsonType::Int),
            (json!("yesterday"), BsonType::Date),
            (json!("12,3"), BsonType::Decimal),
            (json!("65a1"), BsonType::ObjectId),
            (json!(1), BsonType::String),
            (json!(["a"]), BsonType::Object),
        ] {
            let error = DeclaredValue::parse(&declared, kind).unwrap_err();
            assert_eq!(error, format!("`{declared}` is not a value of type {kind}"));
        }
    }
}
