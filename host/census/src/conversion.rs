//! What a value becomes when a field is converted to another type, so that the converted value can be proven after the sync.
//!
//! `pre` records a digest of the converted value under each reading of the conversion; `post` records one of the value that
//! it finds. A conversion is proven for a document if they agree under one reading.

use serde::{Deserialize, Serialize};
use taster_model::{BsonType, FieldPath, RetypedField, ValueCheck};

use crate::{
    decimal::{Decimal, HalfwayTo},
    raw::{Elements, Unreadable},
};

/// A declared conversion whose values are proven.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conversion {
    /// The field.
    pub path: FieldPath,
    /// The old type.
    pub from: BsonType,
    /// The new type.
    pub to: BsonType,
    /// Digits after the point to which numbers may be rounded. `None`: they may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounding: Option<u8>,
}

/// One way to convert a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// There is one converted value.
    Value,
    /// The shortest decimal that denotes the double.
    ShortestDecimal,
    /// The exact value of the double, with the 34 digits of a decimal.
    ExactDecimal,
    /// 15 digits, as `$toDecimal` gives them.
    FifteenDigits,
    /// Rounded, as declared. Rounding starts from the shortest decimal or from the exact value.
    Rounded(RoundedFrom, HalfwayTo),
    /// A date as text.
    DateText,
    /// Milliseconds since 1970.
    Milliseconds,
    /// Seconds since 1970.
    Seconds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RoundedFrom {
    Shortest,
    Exact,
}

/// Digits of a BSON decimal.
const DECIMAL_DIGITS: usize = 34;
/// Digits that `$toDecimal` keeps of a double.
const TO_DECIMAL_DIGITS: usize = 15;

/// Whether values of the first type have a meaning as values of the second one.
fn has_meaning(from: BsonType, to: BsonType) -> bool {
    !plain_readings(from, to).is_empty()
}

fn is_number(kind: BsonType) -> bool {
    matches!(kind, BsonType::Int | BsonType::Long | BsonType::Double | BsonType::Decimal)
}

fn plain_readings(from: BsonType, to: BsonType) -> &'static [Reading] {
    use BsonType::{BinData, Bool, Date, Double, ObjectId, String, Timestamp};
    match (from, to) {
        _ if from == to => &[],
        (Double, BsonType::Decimal) => &[Reading::ShortestDecimal, Reading::ExactDecimal, Reading::FifteenDigits],
        (String, Date) | (Date, String) => &[Reading::DateText, Reading::Milliseconds, Reading::Seconds],
        (Date, to) if is_number(to) => &[Reading::Milliseconds, Reading::Seconds],
        (from, Date) if is_number(from) => &[Reading::Milliseconds, Reading::Seconds],
        (Timestamp | ObjectId, Date) => &[Reading::Seconds],
        (from, to)
            if (is_number(from) || from == Bool || from == String) && (is_number(to) || to == Bool || to == String) =>
        {
            &[Reading::Value]
        }
        (String, ObjectId | BinData) | (ObjectId | BinData, String) => &[Reading::Value],
        _ => &[],
    }
}

impl Conversion {
    /// The conversion of a declared change. `None`: its values are not to be proven, or they cannot be.
    pub(crate) fn of(change: &RetypedField) -> Option<Self> {
        let RetypedField { path, from, to, rounding, values } = change;
        (*values == ValueCheck::Compared && has_meaning(*from, *to)).then(|| Self {
            path: path.clone(),
            from: *from,
            to: *to,
            rounding: *rounding,
        })
    }

    /// Every way to convert a value, the most usual first.
    pub(crate) fn readings(&self) -> Vec<Reading> {
        let mut readings = plain_readings(self.from, self.to).to_vec();
        if self.rounding.is_some() && (is_number(self.to) || self.to == BsonType::String) {
            for from in [RoundedFrom::Shortest, RoundedFrom::Exact] {
                readings.extend([HalfwayTo::Even, HalfwayTo::Larger].map(|halfway| Reading::Rounded(from, halfway)));
            }
        }
        readings
    }

    /// How reports name a reading.
    pub(crate) fn reading_name(&self, reading: Reading) -> String {
        match reading {
            Reading::Value => "the same value".to_owned(),
            Reading::ShortestDecimal => "the shortest decimal".to_owned(),
            Reading::ExactDecimal => "the exact value".to_owned(),
            Reading::FifteenDigits => "15 digits, as `$toDecimal` gives them".to_owned(),
            Reading::Rounded(..) => match self.rounding.unwrap_or_default() {
                1 => "rounded to 1 digit".to_owned(),
                digits => format!("rounded to {digits} digits"),
            },
            Reading::DateText => "a date as text".to_owned(),
            Reading::Milliseconds => "milliseconds".to_owned(),
            Reading::Seconds => "seconds".to_owned(),
        }
    }

    /// What the fields in `removed`, as they were before the sync, become under a reading. `None`: nothing.
    pub(crate) fn converted(&self, removed: &[u8], reading: Reading) -> Option<Vec<u8>> {
        all(removed, self.from, |value| self.converted_value(value, reading))
    }

    /// The fields in `removed`, as they are after the sync, in the form of [`Conversion::converted`].
    pub(crate) fn found(&self, removed: &[u8]) -> Option<Vec<u8>> {
        all(removed, self.to, |value| self.found_value(value))
    }

    fn converted_value(&self, value: &[u8], reading: Reading) -> Option<Vec<u8>> {
        use BsonType::{BinData, Bool, Date, ObjectId, String, Timestamp};
        match (self.from, self.to) {
            (Date, _) => match reading {
                Reading::DateText | Reading::Milliseconds => Some(number_form(int64(value)?)),
                // only if nothing is lost
                Reading::Seconds => {
                    let milliseconds = int64(value)?;
                    (milliseconds % 1000 == 0).then(|| number_form(milliseconds / 1000))
                }
                _ => None,
            },
            (Timestamp, Date) => {
                let seconds = u32::from_le_bytes(value.get(4..8)?.try_into().ok()?);
                Some(number_form(i64::from(seconds) * 1000))
            }
            (ObjectId, Date) => {
                let seconds = u32::from_be_bytes(value.get(..4)?.try_into().ok()?);
                Some(number_form(i64::from(seconds) * 1000))
            }
            (String, Date) if reading == Reading::DateText => date_of_text(text(value)?).map(number_form),
            (_, Date) => {
                let number = number(self.from, value, RoundedFrom::Shortest)?.to_integer()?;
                let milliseconds = if reading == Reading::Seconds { number.checked_mul(1000)? } else { number };
                Some(number_form(milliseconds))
            }
            (ObjectId, String) => Some(value.to_vec()),
            (String, ObjectId) => hex::decode(text(value)?).ok().filter(|id| id.len() == 12),
            (BinData, String) => uuid_of_binary(value),
            (String, BinData) => uuid_of_text(text(value)?),
            (_, Bool) => Some(vec![u8::from(truth(self.from, value)?)]),
            (Bool, String) => Some(vec![u8::from(truth(Bool, value)?)]),
            (Bool, _) => Some(form_of(self.to, &Decimal::of_integer(i64::from(truth(Bool, value)?)))?),
            _ => self.converted_number(value, reading),
        }
    }

    fn converted_number(&self, value: &[u8], reading: Reading) -> Option<Vec<u8>> {
        let read = |from| number(self.from, value, from);
        let number = match reading {
            Reading::Value | Reading::ShortestDecimal => read(RoundedFrom::Shortest)?,
            Reading::ExactDecimal => read(RoundedFrom::Exact)?.with_significant_digits(DECIMAL_DIGITS, HalfwayTo::Even),
            Reading::FifteenDigits => {
                read(RoundedFrom::Exact)?.with_significant_digits(TO_DECIMAL_DIGITS, HalfwayTo::Even)
            }
            Reading::Rounded(from, halfway) => read(from)?.with_fraction_digits(self.rounding?, halfway),
            Reading::DateText | Reading::Milliseconds | Reading::Seconds => return None,
        };
        form_of(self.to, &number)
    }

    fn found_value(&self, value: &[u8]) -> Option<Vec<u8>> {
        use BsonType::{BinData, Bool, Date, ObjectId, String};
        match (self.from, self.to) {
            (_, Date) => Some(number_form(int64(value)?)),
            (Date, String) => {
                let text = text(value)?;
                let milliseconds = date_of_text(text).or_else(|| Decimal::parse(text)?.to_integer())?;
                Some(number_form(milliseconds))
            }
            (Date, _) => Some(number_form(number(self.to, value, RoundedFrom::Exact)?.to_integer()?)),
            (ObjectId, String) => hex::decode(text(value)?).ok().filter(|id| id.len() == 12),
            (String, ObjectId) => Some(value.to_vec()),
            (BinData, String) => uuid_of_text(text(value)?),
            (String, BinData) => uuid_of_binary(value),
            (_, Bool) => Some(vec![u8::from(truth(Bool, value)?)]),
            (Bool, String) => Some(vec![u8::from(truth(String, value)?)]),
            _ => form_of(self.to, &number(self.to, value, RoundedFrom::Shortest)?),
        }
    }
}

/// The forms of all fields one after the other, each with its length. `None`: one has another type, or no form.
fn all(removed: &[u8], kind: BsonType, form: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for element in Elements::of_fields(removed) {
        let element = element.map_err(|Unreadable| ()).ok().filter(|element| element.kind() == kind.code())?;
        let form = form(element.value())?;
        out.extend_from_slice(&(form.len() as u32).to_le_bytes());
        out.extend_from_slice(&form);
    }
    Some(out)
}

/// The form of a number as a value of type `to`: equal values have the same form.
fn form_of(to: BsonType, number: &Decimal) -> Option<Vec<u8>> {
    match to {
        BsonType::Int => Some(number_form(i64::from(i32::try_from(number.to_integer()?).ok()?))),
        BsonType::Long => Some(number_form(number.to_integer()?)),
        BsonType::Double => Some(number.to_double().to_bits().to_le_bytes().to_vec()),
        BsonType::Decimal | BsonType::String => Some(number.to_string().into_bytes()),
        _ => None,
    }
}

fn number_form(number: i64) -> Vec<u8> {
    number.to_string().into_bytes()
}

fn int64(value: &[u8]) -> Option<i64> {
    Some(i64::from_le_bytes(value.try_into().ok()?))
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value.get(4..value.len().checked_sub(1)?)?).ok()
}

/// The number that a value is, or denotes.
fn number(kind: BsonType, value: &[u8], from: RoundedFrom) -> Option<Decimal> {
    match kind {
        BsonType::Int => Some(Decimal::of_integer(i32::from_le_bytes(value.try_into().ok()?).into())),
        BsonType::Long => Some(Decimal::of_integer(int64(value)?)),
        BsonType::Double => {
            let number = f64::from_le_bytes(value.try_into().ok()?);
            match from {
                RoundedFrom::Shortest => Decimal::shortest(number),
                RoundedFrom::Exact => Decimal::exact(number),
            }
        }
        BsonType::Decimal => Decimal::parse(&bson::Decimal128::from_bytes(value.try_into().ok()?).to_string()),
        BsonType::String => Decimal::parse(text(value)?),
        _ => None,
    }
}

/// Whether a value is true: a number other than zero, or a text that says so.
fn truth(kind: BsonType, value: &[u8]) -> Option<bool> {
    match kind {
        BsonType::Bool => match value {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        },
        BsonType::String => match text(value)?.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => Some(!number(kind, value, RoundedFrom::Exact)?.is_zero()),
    }
}

/// Milliseconds since 1970 of a date in RFC 3339, or in ISO 8601 without a zone, which is UTC. Smaller parts of a second are cut,
/// as a BSON date has none.
fn date_of_text(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_nanosecond().div_euclid(1_000_000) as i64);
    }
    // a number is no date, though it may be read as a year
    if text.len() < "2026-01-01".len() {
        return None;
    }
    let local = text.parse::<jiff::civil::DateTime>().ok()?;
    let time = jiff::tz::Offset::UTC.to_timestamp(local).ok()?;
    Some(time.as_nanosecond().div_euclid(1_000_000) as i64)
}

/// The 16 bytes of a UUID, from a binary value.
fn uuid_of_binary(value: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = value.split_first_chunk::<4>()?;
    let (_, bytes) = rest.split_first()?;
    (i32::from_le_bytes(*length) == 16 && bytes.len() == 16).then(|| bytes.to_vec())
}

/// The 16 bytes of a UUID, from its text.
fn uuid_of_text(text: &str) -> Option<Vec<u8>> {
    let digits: String = text.trim().chars().filter(|c| *c != '-').collect();
    hex::decode(digits).ok().filter(|bytes| bytes.len() == 16)
}

#[cfg(test)]
mod tests {
    use bson::{Bson, DateTime, rawdoc};

    use super::*;

    fn conversion(from: &str, to: &str, rounding: Option<u8>) -> Conversion {
        let kind = |name: &str| serde_json::from_value(name.into()).unwrap();
        Conversion { path: "v".to_owned().try_into().unwrap(), from: kind(from), to: kind(to), rounding }
    }

    /// The element of one value, without the document around it.
    fn element(value: impl Into<Bson>) -> Vec<u8> {
        let document = bson::RawDocumentBuf::try_from(&bson::doc! {"v": value.into()}).unwrap();
        let bytes = document.as_bytes();
        bytes[4..bytes.len() - 1].to_vec()
    }

    /// The readings under which the one value becomes the other.
    fn proven(conversion: &Conversion, before: impl Into<Bson>, after: impl Into<Bson>) -> Vec<String> {
        let (before, after) = (element(before), element(after));
        let Some(found) = conversion.found(&after) else { return Vec::new() };
        let readings = conversion.readings().into_iter();
        let agreeing = readings.filter(|reading| conversion.converted(&before, *reading).as_ref() == Some(&found));
        let mut names: Vec<String> = agreeing.map(|reading| conversion.reading_name(reading)).collect();
        names.dedup();
        names
    }

    fn decimal(text: &str) -> Bson {
        Bson::Decimal128(text.parse().unwrap())
    }

    fn date(text: &str) -> Bson {
        Bson::DateTime(DateTime::parse_rfc3339_str(text).unwrap())
    }

    #[test]
    fn doubles_become_decimals_by_three_readings() {
        let to_decimal = conversion("double", "decimal", None);
        assert_eq!(proven(&to_decimal, 250.0, decimal("250")).len(), 3);
        assert_eq!(proven(&to_decimal, 19.99, decimal("0")), [""; 0]);
        let shortest = ["the shortest decimal", "15 digits, as `$toDecimal` gives them"];
        assert_eq!(proven(&to_decimal, 19.99, decimal("19.9900000000000")), shortest);
        assert_eq!(proven(&to_decimal, 0.1 + 0.2, decimal("0.30000000000000004")), ["the shortest decimal"]);
        assert_eq!(proven(&to_decimal, 0.1 + 0.2, decimal("0.300000000000000")), shortest[1..]);
        assert_eq!(proven(&to_decimal, 0.1, decimal("0.1000000000000000055511151231257827")), ["the exact value"]);
        assert_eq!(proven(&to_decimal, 19.991, decimal("19.99")), [""; 0]);
        let cents = conversion("double", "decimal", Some(2));
        assert_eq!(proven(&cents, 19.991, decimal("19.99")), ["rounded to 2 digits"]);
        assert_eq!(proven(&cents, 2.675, decimal("2.68")), ["rounded to 2 digits"], "from its shortest decimal");
        assert_eq!(proven(&cents, 2.675, decimal("2.67")), ["rounded to 2 digits"], "from its exact value");
        assert_eq!(proven(&cents, 19.99, decimal("19.98")), [""; 0]);
        assert_eq!(proven(&to_decimal, f64::NAN, decimal("NaN")).len(), 3);
    }

    #[test]
    fn numbers_and_texts() {
        for (from, to, before, after, is_proven) in [
            ("string", "int", Bson::from("007"), Bson::from(7), true),
            ("string", "int", " 7 ".into(), 7.into(), true),
            ("string", "int", "7.0".into(), 7.into(), true),
            ("string", "int", "7".into(), 0.into(), false),
            ("string", "int", "seven".into(), 0.into(), false),
            ("string", "int", "7.5".into(), 7.into(), false),
            ("string", "long", "9007199254740993".into(), 9_007_199_254_740_993_i64.into(), true),
            ("string", "double", "0.1".into(), 0.1.into(), true),
            ("string", "double", "0.1".into(), 0.2.into(), false),
            ("string", "decimal", "1e3".into(), decimal("1000"), true),
            ("int", "decimal", 5.into(), decimal("5.00"), true),
            ("int", "decimal", 5.into(), decimal("50"), false),
            ("decimal", "double", decimal("19.99"), 19.99.into(), true),
            ("decimal", "long", decimal("19.99"), 19_i64.into(), false),
            ("decimal", "long", decimal("19.00"), 19_i64.into(), true),
            ("double", "string", 19.99.into(), "19.99".into(), true),
            ("double", "string", 5.0.into(), "5".into(), true),
            ("double", "string", 5.0.into(), "5.0".into(), true),
            ("double", "string", 1e21.into(), "1e+21".into(), true),
            ("double", "string", 19.99.into(), "19.9".into(), false),
            ("int", "bool", 7.into(), true.into(), true),
            ("int", "bool", 0.into(), true.into(), false),
            ("double", "bool", 0.0.into(), false.into(), true),
            ("bool", "int", true.into(), 1.into(), true),
            ("bool", "string", true.into(), "TRUE".into(), true),
            ("string", "bool", "false".into(), true.into(), false),
            ("string", "bool", "yes".into(), true.into(), false),
        ] {
            let conversion = conversion(from, to, None);
            let readings = proven(&conversion, before.clone(), after.clone());
            assert_eq!(!readings.is_empty(), is_proven, "{from} {before} → {to} {after}: {readings:?}");
        }
        let rounded = conversion("decimal", "long", Some(0));
        assert_eq!(proven(&rounded, decimal("19.99"), 20_i64), ["rounded to 0 digits"]);
    }

    #[test]
    fn dates() {
        let time = "2026-01-02T03:04:05Z";
        for (from, to, before, after, reading) in [
            ("string", "date", Bson::from(time), date(time), "a date as text"),
            ("string", "date", "2026-01-02T04:04:05+01:00".into(), date(time), "a date as text"),
            ("string", "date", "2026-01-02 03:04:05".into(), date(time), "a date as text"),
            ("string", "date", "2026-01-02".into(), date("2026-01-02T00:00:00Z"), "a date as text"),
            ("string", "date", "1767323045000".into(), date(time), "milliseconds"),
            ("string", "date", "1767323045".into(), date(time), "seconds"),
            ("string", "date", time.into(), date("1970-01-01T00:00:00Z"), ""),
            ("date", "string", date(time), "2026-01-02T03:04:05.000Z".into(), "a date as text"),
            ("date", "string", date(time), "2026-01-02".into(), ""),
            ("long", "date", 1_767_323_045_000_i64.into(), date(time), "milliseconds"),
            ("int", "date", 1_767_323_045.into(), date(time), "seconds"),
            ("date", "long", date(time), 1_767_323_045_000_i64.into(), "milliseconds"),
            ("date", "double", date(time), 1_767_323_045.0.into(), "seconds"),
            ("date", "long", date("2026-01-02T03:04:05.678Z"), 1_767_323_045_i64.into(), ""),
        ] {
            let readings = proven(&conversion(from, to, None), before.clone(), after.clone());
            let first = readings.first().map(String::as_str).unwrap_or_default();
            assert_eq!(first, reading, "{from} {before} → {to} {after}");
        }
    }

    #[test]
    fn ids_and_uuids() {
        let id = bson::oid::ObjectId::parse_str("65a000000000000000000001").unwrap();
        let to_id = conversion("string", "objectId", None);
        assert_eq!(proven(&to_id, "65A000000000000000000001", id), ["the same value"]);
        assert_eq!(proven(&to_id, "65a000000000000000000002", id), [""; 0]);
        assert_eq!(proven(&conversion("objectId", "string", None), id, id.to_hex()), ["the same value"]);
        let created = date("2024-01-11T14:49:36Z");
        assert_eq!(proven(&conversion("objectId", "date", None), id, created), ["seconds"]);
        let uuid = bson::Uuid::parse_str("936da01f-9abd-4d9d-80c7-02af85c822a8").unwrap();
        let to_binary = conversion("string", "binData", None);
        assert_eq!(proven(&to_binary, "936DA01F-9ABD-4D9D-80C7-02AF85C822A8", uuid), ["the same value"]);
        assert_eq!(proven(&to_binary, "936da01f-9abd-4d9d-80c7-02af85c822a9", uuid), [""; 0]);
    }

    #[test]
    fn several_fields_are_converted_one_by_one() {
        let conversion = conversion("string", "int", None);
        let fields = |document: bson::RawDocumentBuf| document.as_bytes()[4..document.as_bytes().len() - 1].to_vec();
        let before = fields(rawdoc! {"0": "1", "1": "23"});
        let converted = conversion.converted(&before, Reading::Value);
        assert!(converted.is_some());
        assert_eq!(conversion.found(&fields(rawdoc! {"0": 1, "1": 23})), converted);
        assert_ne!(conversion.found(&fields(rawdoc! {"0": 12, "1": 3})), converted);
        assert_eq!(conversion.found(&fields(rawdoc! {"0": 1, "1": "23"})), None, "one is not converted");
    }

    #[test]
    fn some_conversions_have_no_meaning() {
        use BsonType::{Array, Date, Int, Null, Object, ObjectId, String};
        for (from, to) in [(Object, Null), (String, Array), (Int, ObjectId), (Null, Date), (Int, Int)] {
            assert!(!has_meaning(from, to), "{from} → {to}");
        }
    }
}
