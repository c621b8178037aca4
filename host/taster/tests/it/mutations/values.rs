//! Random values of every type, and the smallest alterations of a value.

use mongodb::bson::{
    Binary, Bson, DateTime, Decimal128, Document, JavaScriptCodeWithScope, RawDocumentBuf, Regex, Timestamp, doc,
    oid::ObjectId, spec::BinarySubtype,
};

use super::random::Random;

/// Names of fields that are easily taken for something else. None of them may be in a configuration.
const ODD_NAMES: [&str; 9] = ["a.b", "$set", "", "ключ", "with space", "__proto__", "_ID", "null", "e\u{301}"];

/// Stands in any text for bytes that are not UTF-8, of which a [`Document`] cannot hold any. Numbers and ids hardly have these
/// bytes by accident, as they might those of one character.
pub(super) const INVALID: &str = "¿¿";

/// The bytes that the server keeps. Documents that compare as equal may differ in them: NaN, field order, −0.
pub(super) fn bytes(document: &Document) -> Vec<u8> {
    raw(document).into_bytes()
}

/// What is sent to the server: with bytes that are not UTF-8 instead of [`INVALID`].
pub(super) fn raw(document: &Document) -> RawDocumentBuf {
    let mut bytes = RawDocumentBuf::try_from(document).expect("a document that can be written").into_bytes();
    let mark = INVALID.as_bytes();
    for at in 0..bytes.len() {
        if bytes[at..].starts_with(mark) {
            bytes[at..at + mark.len()].fill(0xFF);
        }
    }
    RawDocumentBuf::from_bytes(bytes).expect("a document of the same length")
}

fn value_bytes(value: &Bson) -> Vec<u8> {
    bytes(&doc! {"v": value.clone()})
}

pub(super) fn decimal(text: &str) -> Bson {
    Bson::Decimal128(text.parse::<Decimal128>().expect("a decimal"))
}

pub(super) fn object_id(random: &mut Random) -> ObjectId {
    let mut id = [0; 12];
    id[..8].copy_from_slice(&random.bits().to_be_bytes());
    id[8..].copy_from_slice(&random.bits().to_be_bytes()[..4]);
    ObjectId::from_bytes(id)
}

/// A field's name, and rarely a very long one.
pub(super) fn name(random: &mut Random) -> String {
    if random.one_in(12) { "long".repeat(60) } else { random.pick(&ODD_NAMES).to_owned() }
}

/// A value of any type, at most `depth` levels deep.
pub(super) fn value(random: &mut Random, depth: usize) -> Bson {
    match random.below(if depth == 0 { 17 } else { 21 }) {
        0 => Bson::Double(random.pick(&[f64::NAN, -0.0, 0.0, f64::INFINITY, 5.0, 19.99, f64::MIN_POSITIVE])),
        1 => Bson::String(random.pick(&["", "a", "ä", "a\0b", "same", "007", "\u{1F600}"]).to_owned()),
        2 => Bson::Boolean(random.one_in(2)),
        3 => Bson::Null,
        4 => Bson::Int32(random.pick(&[0, 1, -1, 5, i32::MAX, i32::MIN])),
        5 => Bson::Int64(random.pick(&[0, 5, i64::MAX, i64::MIN, 1 << 53, (1 << 53) + 1])),
        6 => decimal(random.pick(&["0", "-0", "1.0", "1.00", "NaN", "1E+10", "19.99"])),
        7 => Bson::DateTime(DateTime::from_millis(i64::from(random.number(i32::MAX)) * 999 - (1 << 39))),
        8 => Bson::Timestamp(Timestamp { time: random.below(1 << 30) as u32 + 1, increment: random.below(9) as u32 }),
        9 => binary(random),
        10 => Bson::ObjectId(object_id(random)),
        11 => {
            let options = random.pick(&["", "i", "im"]).to_owned();
            Bson::RegularExpression(Regex {
                pattern: "^a".try_into().expect("text"),
                options: options.try_into().expect("text"),
            })
        }
        12 => Bson::JavaScriptCode("return 1".to_owned()),
        13 => Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope { code: "x".to_owned(), scope: doc! {"x": 1} }),
        14 => Bson::Symbol("symbol".to_owned()),
        15 => random.pick(&[Bson::MinKey, Bson::MaxKey]),
        16 => Bson::Undefined,
        17 | 18 => Bson::Array((0..random.below(4)).map(|_| value(random, depth - 1)).collect()),
        _ => Bson::Document((0..random.below(4)).map(|_| (name(random), value(random, depth - 1))).collect()),
    }
}

fn binary(random: &mut Random) -> Bson {
    let subtype = random.pick(&[BinarySubtype::Generic, BinarySubtype::Uuid, BinarySubtype::UserDefined(0x80)]);
    let bytes = [random.bits().to_le_bytes(), random.bits().to_le_bytes()].concat();
    Bson::Binary(Binary { subtype, bytes })
}

/// Another value that differs as little as its type allows.
pub(super) fn altered(random: &mut Random, old: &Bson) -> Bson {
    for _ in 0..8 {
        let new = candidate(random, old);
        if value_bytes(&new) != value_bytes(old) {
            return new;
        }
    }
    Bson::String("altered".to_owned())
}

fn candidate(random: &mut Random, old: &Bson) -> Bson {
    let first = random.one_in(2);
    match old {
        Bson::Int32(n) if first => Bson::Double(f64::from(*n)),
        Bson::Int32(n) => random.pick(&[Bson::Int64((*n).into()), Bson::Int32(n.wrapping_add(1))]),
        Bson::Int64(n) => i32::try_from(*n).ok().filter(|_| first).map_or(Bson::Int64(n ^ 1), Bson::Int32),
        Bson::Double(n) if *n == 0.0 => Bson::Double(-*n),
        // the neighbour; of NaN another NaN
        Bson::Double(n) => Bson::Double(f64::from_bits(n.to_bits() ^ 1)),
        Bson::String(text) if first => Bson::Symbol(text.clone()),
        Bson::String(text) if random.one_in(2) => {
            Bson::String(format!("{text}{}", random.pick(&[" ", "\0", "\u{301}"])))
        }
        // of the same length
        Bson::String(text) => {
            Bson::String(text.chars().take(text.chars().count().saturating_sub(1)).chain(['z']).collect())
        }
        Bson::Symbol(text) | Bson::JavaScriptCode(text) => Bson::String(text.clone()),
        Bson::Boolean(yes) => random.pick(&[Bson::Boolean(!yes), Bson::Int32((*yes).into())]),
        Bson::DateTime(date) => Bson::DateTime(DateTime::from_millis(date.timestamp_millis() ^ 1)),
        Bson::Timestamp(at) => Bson::Timestamp(Timestamp { increment: at.increment ^ 1, ..*at }),
        Bson::Binary(old) => Bson::Binary(altered_binary(random, old)),
        Bson::ObjectId(id) => {
            let mut bytes = id.bytes();
            bytes[random.below(12)] ^= 1;
            Bson::ObjectId(ObjectId::from_bytes(bytes))
        }
        Bson::Decimal128(number) => {
            let mut bytes = number.bytes();
            // the last bit of the number, or its sign
            *bytes.get_mut(if first { 0 } else { 15 }).expect("16 bytes") ^= if first { 1 } else { 0x80 };
            Bson::Decimal128(Decimal128::from_bytes(bytes))
        }
        Bson::Array(items) => altered_array(random, items),
        Bson::Document(fields) => Bson::Document(altered_fields(random, fields)),
        Bson::Null => random.pick(&[Bson::Undefined, Bson::Boolean(false)]),
        Bson::MinKey => Bson::MaxKey,
        Bson::Undefined => Bson::Null,
        _ => value(random, 1),
    }
}

fn altered_binary(random: &mut Random, old: &Binary) -> Binary {
    let mut new = old.clone();
    if random.one_in(4) || new.bytes.is_empty() {
        new.subtype = BinarySubtype::UserDefined(0x81);
    } else {
        let at = random.below(new.bytes.len());
        new.bytes[at] ^= 1 << random.below(8);
    }
    new
}

fn altered_array(random: &mut Random, items: &[Bson]) -> Bson {
    let mut items = items.to_vec();
    match random.below(4) {
        0 => items.reverse(),
        1 => items.push(Bson::Null),
        2 => return Bson::Document(items.into_iter().enumerate().map(|(n, item)| (n.to_string(), item)).collect()),
        _ if items.is_empty() => items.push(Bson::Null),
        _ => {
            let at = random.below(items.len());
            items[at] = altered(random, &items[at]);
        }
    }
    Bson::Array(items)
}

/// A document with one field altered, removed, added, renamed or moved. `_id` stays.
pub(super) fn altered_fields(random: &mut Random, old: &Document) -> Document {
    let mut fields: Vec<(String, Bson)> = old.clone().into_iter().collect();
    let first = usize::from(old.contains_key("_id"));
    if fields.len() <= first {
        fields.push(("new".to_owned(), Bson::Null));
        return fields.into_iter().collect();
    }
    let at = first + random.below(fields.len() - first);
    match random.below(8) {
        0 => {
            fields.remove(at);
        }
        1 => fields.push((format!("new{}", random.below(100)), value(random, 1))),
        2 => fields[at].0.push('2'),
        3 => {
            let field = fields.remove(at);
            fields.insert(first, field);
        }
        _ => fields[at].1 = altered(random, &fields[at].1),
    }
    fields.into_iter().collect()
}
