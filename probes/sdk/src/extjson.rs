//! Extended JSON: parses filters of a configuration, and formats values for labels.
//!
//! The format is MongoDB's (specifications/source/extended-json). Parsing accepts the canonical and the relaxed form; formatting
//! writes the canonical one.

use std::fmt;

use serde_json::{Map, Value as Json};

use crate::{Decimal, Document, Kind, RawDocument, RawValue, ToBson};

/// The limit of nesting, like in the server.
const MAX_DEPTH: usize = 100;

/// Parses a document from Extended JSON. `key` is its path in the configuration, for the error.
pub fn to_document(json: &Json, key: &str) -> Result<Document, String> {
    match json {
        Json::Object(map) => object(map, key, MAX_DEPTH),
        other => Err(format!("{key}: expected a document such as {{\"status\": \"open\"}}, found {other}")),
    }
}

fn object(map: &Map<String, Json>, key: &str, depth: usize) -> Result<Document, String> {
    let mut document = Document::new();
    for (name, json) in map {
        if name.contains('\0') {
            return Err(format!("{key}: a name cannot contain NUL"));
        }
        document.push(name, value(json, &format!("{key}.{name}"), depth)?);
    }
    Ok(document)
}

impl fmt::Debug for RawDocument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&document_text(*self))
    }
}

/// A value of any type, owned.
struct OwnedValue {
    kind: Kind,
    bytes: Vec<u8>,
}

impl OwnedValue {
    fn new(value: impl ToBson) -> Self {
        let mut bytes = Vec::new();
        value.write(&mut bytes);
        Self { kind: value.kind(), bytes }
    }

    fn from_bytes(kind: Kind, bytes: impl Into<Vec<u8>>) -> Self {
        Self { kind, bytes: bytes.into() }
    }
}

impl ToBson for OwnedValue {
    fn kind(&self) -> Kind {
        self.kind
    }
    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.bytes);
    }
}

fn value(json: &Json, key: &str, depth: usize) -> Result<OwnedValue, String> {
    let depth = depth.checked_sub(1).ok_or_else(|| format!("{key}: deeper than {MAX_DEPTH} levels"))?;
    Ok(match json {
        Json::Null => OwnedValue::from_bytes(Kind::NULL, []),
        Json::Bool(flag) => OwnedValue::new(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => i32::try_from(whole).map_or_else(|_| OwnedValue::new(whole), OwnedValue::new),
            (None, Some(double)) => OwnedValue::new(double),
            (None, None) => return Err(format!("{key}: no BSON type can represent the number {number}")),
        },
        Json::String(text) => OwnedValue::new(text.as_str()),
        Json::Array(items) => {
            let mut array = Document::new();
            for (index, item) in items.iter().enumerate() {
                array.push(index.to_string(), value(item, &format!("{key}[{index}]"), depth)?);
            }
            OwnedValue::from_bytes(Kind::ARRAY, array.into_bytes())
        }
        Json::Object(map) => match special(map, key)? {
            Some(value) => value,
            None => OwnedValue::new(object(map, key, depth)?),
        },
    })
}

/// Parses `{"$oid": "…"}` and similar values; `None` for a document or an operator.
fn special(map: &Map<String, Json>, key: &str) -> Result<Option<OwnedValue>, String> {
    let Some((name, json)) = map.iter().next().filter(|_| map.len() == 1) else { return Ok(None) };
    let read = match name.as_str() {
        "$oid" => {
            text(json).and_then(hex).filter(|id| id.len() == 12).map(|id| OwnedValue::from_bytes(Kind::OBJECT_ID, id))
        }
        "$uuid" => text(json)
            .and_then(|text| hex(&text.replace('-', "")))
            .filter(|uuid| uuid.len() == 16)
            .map(|uuid| binary(4, &uuid)),
        "$numberInt" => text(json).and_then(|text| text.parse::<i32>().ok()).map(OwnedValue::new),
        "$numberLong" => text(json).and_then(|text| text.parse::<i64>().ok()).map(OwnedValue::new),
        "$numberDouble" => text(json).and_then(|text| text.parse::<f64>().ok()).map(OwnedValue::new),
        "$numberDecimal" => text(json)
            .and_then(|text| Decimal::parse(text)?.to_bid())
            .map(|bits| OwnedValue::from_bytes(Kind::DECIMAL128, bits.to_le_bytes())),
        "$date" => milliseconds(json).map(|ms| OwnedValue::from_bytes(Kind::DATE, ms.to_le_bytes())),
        "$timestamp" => {
            let part = |name| json.get(name)?.as_u64().and_then(|part| u32::try_from(part).ok());
            part("t").zip(part("i")).map(|(t, i)| {
                OwnedValue::from_bytes(Kind::TIMESTAMP, (u64::from(t) << 32 | u64::from(i)).to_le_bytes())
            })
        }
        "$regularExpression" => {
            let part = |name| json.get(name).and_then(text).filter(|part| !part.contains('\0'));
            part("pattern")
                .zip(part("options"))
                .map(|(pattern, options)| OwnedValue::from_bytes(Kind::REGEX, format!("{pattern}\0{options}\0")))
        }
        "$binary" => json
            .get("base64")
            .and_then(text)
            .and_then(base64)
            .zip(json.get("subType").and_then(text))
            .and_then(|(bytes, subtype)| Some(binary(u8::from_str_radix(subtype, 16).ok()?, &bytes))),
        "$minKey" => Some(OwnedValue::from_bytes(Kind::MIN_KEY, [])),
        "$maxKey" => Some(OwnedValue::from_bytes(Kind::MAX_KEY, [])),
        _ => return Ok(None),
    };
    match read {
        Some(value) => Ok(Some(value)),
        None => Err(format!("{key}: {json} is not a value of Extended JSON's {name}")),
    }
}

fn text(json: &Json) -> Option<&str> {
    json.as_str()
}

fn binary(subtype: u8, bytes: &[u8]) -> OwnedValue {
    let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
    OwnedValue::from_bytes(Kind::BINARY, [&length.to_le_bytes()[..], &[subtype], bytes].concat())
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    digits
        .filter(|digits| digits.len() % 2 == 0)
        .map(|digits| digits.chunks(2).map(|two| two[0] << 4 | two[1]).collect())
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text
        .trim_end_matches('=')
        .bytes()
        .map(|byte| BASE64.iter().position(|other| *other == byte).map(|at| at as u32))
        .collect();
    let mut bytes = Vec::new();
    for chunk in digits?.chunks(4) {
        let bits = chunk.iter().enumerate().fold(0, |bits, (at, digit)| bits | digit << (18 - 6 * at));
        let whole = match chunk.len() {
            1 => return None,
            digits => digits - 1,
        };
        bytes.extend_from_slice(&bits.to_be_bytes()[1..=whole]);
    }
    Some(bytes)
}

/// `{"$numberLong": "…"}` or a text such as `2026-11-23T20:00:00.000Z`, `…+01:00`, `2026-11-23`.
fn milliseconds(json: &Json) -> Option<i64> {
    if let Some(number) = json.get("$numberLong") {
        return text(number)?.parse().ok();
    }
    let (date, time) = match text(json)?.split_once('T') {
        Some((date, time)) => (date, time),
        None => (text(json)?, "00:00:00Z"),
    };
    let days = {
        let mut parts = date.splitn(3, '-').map(digits);
        let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        days_from_civil(year, month, day)
    };
    let (clock, offset) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => return None,
    };
    let offset = match offset {
        "Z" => 0,
        other => {
            let (hours, minutes) = other[1..].split_once(':')?;
            let minutes = digits(hours)? * 60 + digits(minutes)?;
            if other.starts_with('-') { -minutes } else { minutes }
        }
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.splitn(3, ':').map(digits);
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let millis = digits(&format!("{fraction:0<3}")[..3])?;
    Some((((days * 24 + hour) * 60 + minute - offset) * 60 + second) * 1000 + millis)
}

fn digits(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Days since 1970-01-01 in the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Formats a document on one line, similar to canonical Extended JSON. Different documents have different texts.
///
/// This needs two escapes that JSON does not have: a name that begins with a dollar begins with `\$`, so that the document
/// `{"$oid": "x"}` differs from an `ObjectId`, and `\xff` is a byte that is not UTF-8.
#[must_use]
pub fn document_text(document: RawDocument<'_>) -> String {
    let mut out = String::new();
    write_document(&mut out, document, Container::Document, MAX_DEPTH);
    out
}

/// Formats a value on one line, like [`document_text`].
#[must_use]
pub fn value_text(value: RawValue<'_>) -> String {
    let mut out = String::new();
    write_value(&mut out, value, MAX_DEPTH);
    out
}

/// What the elements belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Document,
    Array,
}

impl Container {
    fn brackets(self) -> (char, char) {
        match self {
            Self::Document => ('{', '}'),
            Self::Array => ('[', ']'),
        }
    }
}

fn write_document(out: &mut String, document: RawDocument<'_>, container: Container, depth: usize) {
    let (open, close) = container.brackets();
    out.push(open);
    for (index, element) in document.elements().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        // bytes that are malformed or nested too deeply are shown as bytes: formatting must not fail
        let (Ok(element), Some(depth)) = (element, depth.checked_sub(1)) else {
            out.push('…');
            break;
        };
        if container == Container::Document {
            write_quoted(out, element.name, Quoted::Name);
            out.push_str(": ");
        }
        write_value(out, element.value, depth);
    }
    out.push(close);
}

fn write_value(out: &mut String, value: RawValue<'_>, depth: usize) {
    match value.kind {
        Kind::DOCUMENT | Kind::ARRAY if value.as_document().is_some() => {
            if let Some(document) = value.as_document() {
                let container = if value.kind == Kind::ARRAY { Container::Array } else { Container::Document };
                write_document(out, document, container, depth);
            }
        }
        _ => out.push_str(&scalar_text(value).unwrap_or_else(|| {
            // types that are rare in filters and group keys: type and bytes
            let name = value.kind.name().map_or_else(|| format!("0x{:02x}", value.kind.0), str::to_owned);
            format!("{{\"${name}\": \"{}\"}}", to_hex(value.bytes))
        })),
    }
}

/// What is quoted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoted {
    Name,
    Text,
}

/// Formats a JSON string. A backslash is doubled, so that `\$` and `\x` are unambiguous.
fn write_quoted(out: &mut String, bytes: &[u8], quoted: Quoted) {
    out.push('"');
    if quoted == Quoted::Name && bytes.starts_with(b"$") {
        out.push('\\');
    }
    for chunk in bytes.utf8_chunks() {
        let json = Json::from(chunk.valid()).to_string();
        out.push_str(&json[1..json.len() - 1]);
        for byte in chunk.invalid() {
            out.push_str("\\x");
            out.push_str(&to_hex(&[*byte]));
        }
    }
    out.push('"');
}

fn scalar_text(value: RawValue<'_>) -> Option<String> {
    let tagged = |name: &str, text: &str| format!("{{\"{name}\": \"{text}\"}}");
    Some(match value.kind {
        Kind::DOUBLE => tagged("$numberDouble", &double_text(value.as_f64()?)),
        Kind::INT32 => tagged("$numberInt", &value.as_i64()?.to_string()),
        Kind::INT64 => tagged("$numberLong", &value.as_i64()?.to_string()),
        Kind::DECIMAL128 => tagged("$numberDecimal", &value.as_decimal()?.to_string()),
        Kind::OBJECT_ID => tagged("$oid", &to_hex(value.bytes)),
        Kind::BOOLEAN => (value.bytes == [1]).to_string(),
        Kind::NULL => "null".to_owned(),
        Kind::DATE => format!("{{\"$date\": {{\"$numberLong\": \"{}\"}}}}", value.bits()?),
        Kind::TIMESTAMP => {
            let bits = value.bits()?.cast_unsigned();
            format!("{{\"$timestamp\": {{\"t\": {}, \"i\": {}}}}}", bits >> 32, bits & 0xffff_ffff)
        }
        Kind::STRING => {
            let mut quoted = String::new();
            write_quoted(&mut quoted, value.text_bytes()?, Quoted::Text);
            quoted
        }
        _ => return None,
    })
}

fn double_text(double: f64) -> String {
    if double.is_nan() {
        "NaN".to_owned()
    } else if double.is_infinite() {
        (if double > 0.0 { "Infinity" } else { "-Infinity" }).to_owned()
    } else {
        format!("{double:?}")
    }
}

fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_special_form_is_read() {
        let read = |json| document_text(to_document(&json, "filter").unwrap().as_raw());
        insta::assert_snapshot!(read(json!({"a": 1, "b": 5_000_000_000_i64, "c": 1.5, "d": [true, null, {"e": "x"}]})),
            @r#"{"a": {"$numberInt": "1"}, "b": {"$numberLong": "5000000000"}, "c": {"$numberDouble": "1.5"}, "d": [true, null, {"e": "x"}]}"#);
        insta::assert_snapshot!(read(json!({"_id": {"$oid": "65f0c0ffee65f0c0ffee1234"}, "n": {"$numberLong": "7"},
            "total": {"$gte": {"$numberDecimal": "12.50"}}, "u": {"$uuid": "00112233-4455-6677-8899-aabbccddeeff"},
            "t": {"$timestamp": {"t": 1, "i": 2}}, "m": {"$minKey": 1}, "b": {"$binary": {"base64": "AQIDBA==", "subType": "00"}}})),
            @r#"{"_id": {"$oid": "65f0c0ffee65f0c0ffee1234"}, "n": {"$numberLong": "7"}, "total": {"\$gte": {"$numberDecimal": "12.50"}}, "u": {"$binData": "100000000400112233445566778899aabbccddeeff"}, "t": {"$timestamp": {"t": 1, "i": 2}}, "m": {"$minKey": ""}, "b": {"$binData": "040000000001020304"}}"#);
    }

    #[test]
    fn different_values_read_differently() {
        let id = [0xab; 12];
        let hex = to_hex(&id);
        // length, text, NUL: a string in BSON
        let string = |text: &[u8]| {
            let length = i32::try_from(text.len() + 1).unwrap();
            OwnedValue::from_bytes(Kind::STRING, [&length.to_le_bytes()[..], text, b"\0"].concat())
        };
        let inner = |name: &str, text: &str| OwnedValue::new(Document::new().with(name, text));
        let values = [
            OwnedValue::from_bytes(Kind::OBJECT_ID, id),
            inner("$oid", &hex),
            inner("\\$oid", &hex),
            inner("\\\\$oid", &hex),
            inner("oid", &hex),
            binary(0, &[1]),
            inner("$binData", "010000000001"),
            inner("binData", "010000000001"),
            OwnedValue::from_bytes(Kind::MIN_KEY, []),
            inner("$minKey", ""),
            string(b"\xff"),
            string(b"\xfe"),
            string(b"\xff\xff"),
            string("\u{fffd}".as_bytes()),
            string(b"\\xff"),
            string(b"$a"),
            string(b"\\$a"),
        ];
        let mut texts: Vec<String> =
            values.iter().map(|v| value_text(RawValue { kind: v.kind, bytes: &v.bytes })).collect();
        insta::assert_snapshot!(texts.join("\n"), @r#"
        {"$oid": "abababababababababababab"}
        {"\$oid": "abababababababababababab"}
        {"\\$oid": "abababababababababababab"}
        {"\\\\$oid": "abababababababababababab"}
        {"oid": "abababababababababababab"}
        {"$binData": "010000000001"}
        {"\$binData": "010000000001"}
        {"binData": "010000000001"}
        {"$minKey": ""}
        {"\$minKey": ""}
        "\xff"
        "\xfe"
        "\xff\xff"
        "�"
        "\\xff"
        "$a"
        "\\$a"
        "#);
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), values.len());
    }

    #[test]
    fn names_that_are_no_text_read_differently() {
        let named = |name: &[u8]| {
            let elements = [&[Kind::NULL.0][..], name, b"\0\0"].concat();
            let length = i32::try_from(elements.len() + 4).unwrap();
            document_text(RawDocument::from_bytes(&[&length.to_le_bytes()[..], &elements].concat()).unwrap())
        };
        for (name, text) in [
            (&b"a\xff"[..], r#"{"a\xff": null}"#),
            (b"a\xfe", r#"{"a\xfe": null}"#),
            (b"a\\xff", r#"{"a\\xff": null}"#),
            ("a\u{fffd}".as_bytes(), "{\"a\u{fffd}\": null}"),
            (b"$\xff", r#"{"\$\xff": null}"#),
        ] {
            assert_eq!(named(name), text);
        }
    }

    #[test]
    fn dates_are_read_as_people_write_them() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2024-02-29T12:00:00.250Z", 1_709_208_000_250),
            ("2026-11-23T21:00:00+01:00", 1_795_464_000_000),
            ("2026-11-23", 1_795_392_000_000),
            ("1969-12-31T23:59:59.999Z", -1),
        ] {
            assert_eq!(milliseconds(&json!(text)), Some(expected), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "2026-11-23T25:00:00Z", "2026-11-23T12:00:00", "2026-11-23T12Z"] {
            assert_eq!(milliseconds(&json!(text)), None, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let wrong = |json| to_document(&json, "filter").unwrap_err();
        insta::assert_snapshot!(wrong(json!(3)), @r#"filter: expected a document such as {"status": "open"}, found 3"#);
        insta::assert_snapshot!(wrong(json!({"a": {"$in": [{"$oid": "zz"}]}})),
            @r#"filter.a.$in[0]: "zz" is not a value of Extended JSON's $oid"#);
    }
}
