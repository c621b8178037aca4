//! Converts a BSON document to canonical Extended JSON and keeps the order of its keys. Names that Extended JSON cannot express
//! are escaped ([`escape_field_name`]).
//!
//! A string of invalid UTF-8 is written as its bytes, `{"$bytes": "02000000ff00", "$type": 2}`: such data exist, and one of them
//! must not hide all other metrics. Names of invalid UTF-8, duplicate keys, wrong lengths and trailing bytes are errors:
//! otherwise two captures could be equal although the documents are not.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bson::{
    RawArray, RawDocument,
    raw::{RawBsonRef, RawElement},
    spec::ElementType,
};
use serde_json::{Map, Value, json};
use taster_text::escape_field_name;

/// MongoDB's own limit of nesting.
const MAX_DEPTH: u32 = 100;

/// Converts `bytes`, exactly one document.
pub(crate) fn extended_json(bytes: &[u8]) -> Result<Value, String> {
    let document = RawDocument::from_bytes(bytes).map_err(|error| error.to_string())?;
    object(document, MAX_DEPTH)
}

fn object(document: &RawDocument, depth: u32) -> Result<Value, String> {
    let deeper = depth.checked_sub(1).ok_or_else(|| format!("it is nested more than {MAX_DEPTH} levels deep"))?;
    let mut map = Map::new();
    for item in elements(document) {
        let (element, bytes) = item?;
        let key = element.key();
        let value = element_value(&element, bytes, deeper)?;
        if map.insert(escape_field_name(key.as_str()).into_owned(), value).is_some() {
            return Err(format!("the key `{key}` occurs twice"));
        }
    }
    Ok(Value::Object(map))
}

fn list(array: &RawArray, depth: u32) -> Result<Value, String> {
    let deeper = depth.checked_sub(1).ok_or_else(|| format!("it is nested more than {MAX_DEPTH} levels deep"))?;
    // an array is a document with the names 0, 1, …
    let document = RawDocument::from_bytes(array.as_bytes()).map_err(|error| error.to_string())?;
    elements(document)
        .map(|item| {
            let (element, bytes) = item?;
            element_value(&element, bytes, deeper)
        })
        .collect()
}

/// The elements of a document, each with the bytes of its value.
fn elements(document: &RawDocument) -> impl Iterator<Item = Result<(RawElement<'_>, &[u8]), String>> {
    let mut end = size_of::<i32>();
    document.iter_elements().map(move |element| {
        let element = element.map_err(|error| error.to_string())?;
        // type, name, NUL
        let start = end + 1 + element.key().as_str().len() + 1;
        end = start + element.size();
        let bytes = document.as_bytes().get(start..end).ok_or("its lengths contradict each other")?;
        Ok((element, bytes))
    })
}

fn element_value(element: &RawElement<'_>, bytes: &[u8], depth: u32) -> Result<Value, String> {
    match element.value() {
        Ok(value) => convert(value, depth),
        Err(_) if is_invalid_text(element.element_type(), bytes) => {
            Ok(json!({"$bytes": hex::encode(bytes), "$type": element.element_type() as u8}))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Whether a value is a string, complete and not UTF-8.
fn is_invalid_text(kind: ElementType, bytes: &[u8]) -> bool {
    let is_text = matches!(kind, ElementType::String | ElementType::JavaScriptCode | ElementType::Symbol);
    let Some((length, [text @ .., 0])) = bytes.split_first_chunk::<4>() else { return false };
    is_text && usize::try_from(i32::from_le_bytes(*length)) == Ok(text.len() + 1) && std::str::from_utf8(text).is_err()
}

/// Format: <https://github.com/mongodb/specifications/blob/master/source/extended-json/extended-json.md>.
fn convert(value: RawBsonRef<'_>, depth: u32) -> Result<Value, String> {
    Ok(match value {
        RawBsonRef::Double(number) => json!({"$numberDouble": double(number)}),
        RawBsonRef::String(text) => text.into(),
        RawBsonRef::Array(array) => list(array, depth)?,
        RawBsonRef::Document(document) => object(document, depth)?,
        RawBsonRef::Boolean(flag) => flag.into(),
        RawBsonRef::Null => Value::Null,
        RawBsonRef::RegularExpression(regex) => {
            let mut options: Vec<char> = regex.options.as_str().chars().collect();
            options.sort_unstable();
            let options: String = options.into_iter().collect();
            json!({"$regularExpression": {"pattern": regex.pattern.as_str(), "options": options}})
        }
        RawBsonRef::JavaScriptCode(code) => json!({"$code": code}),
        RawBsonRef::JavaScriptCodeWithScope(code) => {
            // two levels of JSON: parsers count both
            json!({"$code": code.code, "$scope": object(code.scope, depth.saturating_sub(1))?})
        }
        RawBsonRef::Int32(number) => json!({"$numberInt": number.to_string()}),
        RawBsonRef::Int64(number) => json!({"$numberLong": number.to_string()}),
        RawBsonRef::Timestamp(at) => json!({"$timestamp": {"t": at.time, "i": at.increment}}),
        RawBsonRef::Binary(binary) => {
            let subtype = u8::from(binary.subtype);
            json!({"$binary": {"base64": BASE64_STANDARD.encode(binary.bytes), "subType": format!("{subtype:02x}")}})
        }
        RawBsonRef::ObjectId(id) => json!({"$oid": id.to_hex()}),
        RawBsonRef::DateTime(at) => json!({"$date": {"$numberLong": at.timestamp_millis().to_string()}}),
        RawBsonRef::Symbol(text) => json!({"$symbol": text}),
        RawBsonRef::Decimal128(number) => json!({"$numberDecimal": number.to_string()}),
        RawBsonRef::Undefined => json!({"$undefined": true}),
        RawBsonRef::MinKey => json!({"$minKey": 1}),
        RawBsonRef::MaxKey => json!({"$maxKey": 1}),
        RawBsonRef::DbPointer(_) => return Err("it contains a DBPointer, which MongoDB no longer supports".to_owned()),
    })
}

fn double(number: f64) -> String {
    match number {
        x if x.is_nan() => "NaN".to_owned(),
        x if x.is_infinite() => if x > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
        // with a point or an exponent, and the fewest digits that parse to the same number
        x => format!("{x:?}"),
    }
}

#[cfg(test)]
mod tests {
    use bson::{RawBson, oid::ObjectId, raw::cstr, rawdoc, spec::BinarySubtype};

    use super::*;

    #[test]
    fn every_type_in_the_order_it_stands() {
        let document = rawdoc! {
            "z": 1, "a": 2_i64, "d": 0.5, "whole": 3.0, "nan": f64::NAN, "s": "text", "f": false, "n": RawBson::Null,
            "oid": ObjectId::from_bytes([7; 12]), "at": bson::DateTime::from_millis(-5),
            "ts": bson::Timestamp { time: 1, increment: 2 }, "nested": {"b": 1, "a": [1, {"k": 2}]},
            "bin": bson::Binary { subtype: BinarySubtype::Generic, bytes: vec![1, 2, 3, 4] },
            "re": bson::Regex { pattern: "^a".try_into().unwrap(), options: "xi".try_into().unwrap() },
            "dec": "12.50".parse::<bson::Decimal128>().unwrap(), "min": RawBson::MinKey, "max": RawBson::MaxKey,
        };
        insta::assert_snapshot!(extended_json(document.as_bytes()).unwrap(), @r#"{"z":{"$numberInt":"1"},"a":{"$numberLong":"2"},"d":{"$numberDouble":"0.5"},"whole":{"$numberDouble":"3.0"},"nan":{"$numberDouble":"NaN"},"s":"text","f":false,"n":null,"oid":{"$oid":"070707070707070707070707"},"at":{"$date":{"$numberLong":"-5"}},"ts":{"$timestamp":{"t":1,"i":2}},"nested":{"b":{"$numberInt":"1"},"a":[{"$numberInt":"1"},{"k":{"$numberInt":"2"}}]},"bin":{"$binary":{"base64":"AQIDBA==","subType":"00"}},"re":{"$regularExpression":{"pattern":"^a","options":"ix"}},"dec":{"$numberDecimal":"12.50"},"min":{"$minKey":1},"max":{"$maxKey":1}}"#);
    }

    #[test]
    fn what_is_not_one_sound_document_is_refused() {
        let mut bad_utf8 = rawdoc! {"xy": "a"}.into_bytes();
        let place = bad_utf8.iter().position(|b| *b == b'x').unwrap();
        bad_utf8[place] = 0xff;
        let twice = [&[19_u8, 0, 0, 0][..], b"\x10a\0\x01\0\0\0\x10a\0\x02\0\0\0\0"].concat();
        let mut over = rawdoc! {"a": 1}.into_bytes();
        over.push(0);
        let mut deep = rawdoc! {};
        for _ in 0..150 {
            let mut outer = rawdoc! {};
            outer.append(cstr!("a"), deep);
            deep = outer;
        }
        let cases = [Vec::new(), vec![5, 0, 0, 0], bad_utf8, twice, over, deep.into_bytes()];
        let texts = cases.map(|bytes| extended_json(&bytes).unwrap_err());
        insta::assert_snapshot!(texts.join("\n"), @r"
        BSON error. Kind: Malformed BSON bytes. Message: document too short.
        BSON error. Kind: Malformed BSON bytes. Message: document too short.
        BSON error. Kind: Invalid UTF-8.
        the key `a` occurs twice
        BSON error. Kind: Malformed BSON bytes. Message: document length incorrect.
        it is nested more than 100 levels deep
        ");
    }

    #[test]
    fn strings_of_invalid_utf8_are_told_apart_by_their_bytes() {
        let shown = |texts: [&[u8]; 2]| {
            let mut bytes = rawdoc! {"a": "¿", "b": [1, {"c": "¿", "d": "é"}]}.into_bytes();
            let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with("¿".as_bytes())).collect();
            for (place, text) in places.into_iter().zip(texts) {
                bytes[place..place + 2].copy_from_slice(text);
            }
            extended_json(&bytes).unwrap().to_string()
        };
        insta::assert_snapshot!(shown([b"\xff\xfe", b"\xff\xff"]), @r#"{"a":{"$bytes":"03000000fffe00","$type":2},"b":[{"$numberInt":"1"},{"c":{"$bytes":"03000000ffff00","$type":2},"d":"é"}]}"#);
        insta::assert_snapshot!(shown(["¿".as_bytes(), b"\xff\xff"]), @r#"{"a":"¿","b":[{"$numberInt":"1"},{"c":{"$bytes":"03000000ffff00","$type":2},"d":"é"}]}"#);
        let alike = rawdoc! {"a": {"$bytes": "03000000fffe00", "$type": 2}};
        insta::assert_snapshot!(extended_json(alike.as_bytes()).unwrap(), @r#"{"a":{"$$bytes":"03000000fffe00","$type":{"$numberInt":"2"}}}"#);
    }

    #[test]
    fn scopes_within_scopes_can_be_read_back() {
        let nested = |levels: u32| {
            let mut scope = rawdoc! {"a": 1};
            for _ in 0..levels {
                let code = bson::RawJavaScriptCodeWithScope { code: "f".to_owned(), scope };
                scope = rawdoc! {};
                scope.append(cstr!("c"), RawBson::JavaScriptCodeWithScope(code));
            }
            extended_json(scope.as_bytes())
        };
        let most = nested(49).unwrap().to_string();
        serde_json::from_str::<Value>(&most).unwrap();
        insta::assert_snapshot!(nested(50).unwrap_err(), @"it is nested more than 100 levels deep");
        insta::assert_snapshot!(nested(99).unwrap_err(), @"it is nested more than 100 levels deep");
    }

    #[test]
    fn a_document_that_would_read_as_a_value_is_told_apart_from_it() {
        let shown = |document: bson::RawDocumentBuf| extended_json(document.as_bytes()).unwrap().to_string();
        assert_eq!(shown(rawdoc! {"a": 5_i64}), r#"{"a":{"$numberLong":"5"}}"#);
        assert_eq!(shown(rawdoc! {"a": {"$numberLong": "5"}}), r#"{"a":{"$$numberLong":"5"}}"#);
        assert_eq!(shown(rawdoc! {"a": {"$$numberLong": "5"}}), r#"{"a":{"$$$numberLong":"5"}}"#);
        assert_eq!(
            shown(rawdoc! {"$oid": {"key": 1_i64}, "$$oid": 1_i64}),
            r#"{"$$oid":{"key":{"$numberLong":"1"}},"$$$oid":{"$numberLong":"1"}}"#
        );
        assert_eq!(shown(rawdoc! {"a": [{"$code": "f", "$scope": {}}]}), r#"{"a":[{"$$code":"f","$scope":{}}]}"#);
        let operators = rawdoc! {"validator": {"$jsonSchema": {"required": ["a"]}, "a": {"$gt": "5", "$exists": true}}};
        assert_eq!(
            shown(operators),
            r#"{"validator":{"$jsonSchema":{"required":["a"]},"a":{"$gt":"5","$exists":true}}}"#
        );
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = extended_json(&bytes);
        }
    }
}
