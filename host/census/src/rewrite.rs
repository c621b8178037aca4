//! Taking a declared change off a document again: a field that was added, or one that has another type.

use taster_model::{BsonType, FieldPath};

use crate::raw::{ARRAY, DOCUMENT, Element, Elements, Unreadable};

/// What is done to the field at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rewrite {
    /// It is left out, whatever it is. What was taken off says where it stood.
    Remove,
    /// It stays, as null, whatever it is: how many there are and where they stand is not taken off.
    Blank,
    /// It is left out if it is of this type.
    RemoveIf(u8),
    /// It is brought back from the second type to the first.
    Retype(BsonType, BsonType),
}

/// Says that values of several types were taken off. No type of BSON.
pub(crate) const MIXED: u8 = 0xFD;

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rewritten {
    /// The field with the change taken off; nothing where nothing is left of it.
    pub(crate) element: Vec<u8>,
    /// What was taken off: the elements as they were, one after the other.
    pub(crate) taken: Vec<u8>,
    /// Type of what was taken off; [`MIXED`] where there are several.
    pub(crate) kind: u8,
    /// In how many places.
    pub(crate) done: u32,
    /// Places where it could be and is not.
    pub(crate) absent: u32,
    /// Places where it is of another type, or of a value that has no origin.
    pub(crate) other: u32,
    /// Places where it still is of the type that it is to be brought back to.
    pub(crate) still: u32,
}

/// Takes a change of the field at `path` off the top-level field that the path begins with. Arrays are stepped into.
pub(crate) fn rewrite(element: Element<'_>, path: &FieldPath, how: Rewrite) -> Result<Rewritten, Unreadable> {
    let mut result = Rewritten::default();
    let mut out = Vec::with_capacity(element.bytes.len());
    field(element, &path.names()[1..], how, &mut out, &mut result)?;
    result.element = out;
    Ok(result)
}

fn field(
    element: Element<'_>,
    rest: &[String],
    how: Rewrite,
    out: &mut Vec<u8>,
    result: &mut Rewritten,
) -> Result<(), Unreadable> {
    if rest.is_empty() {
        leaf(element, how, out, result);
        return Ok(());
    }
    match element.kind() {
        DOCUMENT | ARRAY => {
            out.extend_from_slice(element.head());
            nested(element, rest, how, out, result)
        }
        _ => {
            result.absent += 1;
            out.extend_from_slice(element.bytes);
            Ok(())
        }
    }
}

/// The inside of a document or an array, with its new length.
fn nested(
    element: Element<'_>,
    rest: &[String],
    how: Rewrite,
    out: &mut Vec<u8>,
    result: &mut Rewritten,
) -> Result<(), Unreadable> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let mut found = false;
    for inner in Elements::of(element.value())? {
        let inner = inner?;
        if element.kind() == ARRAY {
            if inner.is_nested() {
                out.extend_from_slice(inner.head());
                nested(inner, rest, how, out, result)?;
            } else {
                out.extend_from_slice(inner.bytes);
            }
        } else if inner.name() == rest[0].as_bytes() {
            found = true;
            field(inner, &rest[1..], how, out, result)?;
        } else {
            out.extend_from_slice(inner.bytes);
        }
    }
    if element.kind() == DOCUMENT && !found {
        result.absent += 1;
    }
    out.push(0);
    let length = u32::try_from(out.len() - start).map_err(|_| Unreadable)?;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

fn leaf(element: Element<'_>, how: Rewrite, out: &mut Vec<u8>, result: &mut Rewritten) {
    match how {
        Rewrite::RemoveIf(kind) if element.kind() != kind => {
            result.other += 1;
            out.extend_from_slice(element.bytes);
            return;
        }
        // the same value elsewhere is another one
        Rewrite::Remove => result.taken.extend_from_slice(&(out.len() as u32).to_le_bytes()),
        Rewrite::RemoveIf(_) => {}
        Rewrite::Blank => {
            out.push(0x0A);
            out.extend_from_slice(&element.head()[1..]);
        }
        Rewrite::Retype(from, to) => {
            let value = (element.kind() == to.code()).then(|| inverse(from, to, element.value())).flatten();
            let Some(value) = value else {
                if element.kind() == from.code() {
                    result.still += 1;
                    out.extend_from_slice(element.bytes);
                    return;
                }
                // a value of a third type is none of the declaration's business
                if element.kind() == to.code() {
                    result.other += 1;
                }
                out.extend_from_slice(element.bytes);
                return;
            };
            out.push(from.code());
            out.extend_from_slice(&element.head()[1..]);
            out.extend_from_slice(&value);
        }
    }
    result.kind = if result.done == 0 || result.kind == element.kind() { element.kind() } else { MIXED };
    result.done += 1;
    result.taken.extend_from_slice(element.bytes);
}

/// The value that became this one, where only one could have.
fn inverse(from: BsonType, to: BsonType, value: &[u8]) -> Option<Vec<u8>> {
    let number = whole(to, value)?;
    Some(match from {
        BsonType::Int => i32::try_from(number).ok()?.to_le_bytes().to_vec(),
        BsonType::Long => number.to_le_bytes().to_vec(),
        BsonType::Double => double(number)?.to_le_bytes().to_vec(),
        _ => return None,
    })
}

/// A whole number as a double. `None` where several are one double.
#[expect(clippy::cast_precision_loss, reason = "none is lost up to 2^53")]
fn double(number: i64) -> Option<f64> {
    (number.unsigned_abs() <= 1 << 53).then_some(number as f64)
}

fn whole(kind: BsonType, value: &[u8]) -> Option<i64> {
    match kind {
        BsonType::Int => Some(i32::from_le_bytes(value.try_into().ok()?).into()),
        BsonType::Long => Some(i64::from_le_bytes(value.try_into().ok()?)),
        BsonType::Double => {
            let value = f64::from_le_bytes(value.try_into().ok()?);
            // the very double: not -0.0, not one that was rounded
            double(value as i64).filter(|whole| whole.to_bits() == value.to_bits()).map(|_| value as i64)
        }
        BsonType::String => {
            let text = std::str::from_utf8(value.get(4..value.len().checked_sub(1)?)?).ok()?;
            let number: i64 = text.parse().ok()?;
            // canonical: `+1`, `01` and `-0` are others' texts
            (number.to_string() == text).then_some(number)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, rawdoc};

    use super::*;

    fn path(text: &str) -> FieldPath {
        text.to_owned().try_into().unwrap()
    }

    /// Rewrites the first field of a document.
    fn of(document: &RawDocumentBuf, at: &str, how: Rewrite) -> (RawDocumentBuf, Rewritten) {
        let element = Elements::of(document.as_bytes()).unwrap().next().unwrap().unwrap();
        let result = rewrite(element, &path(at), how).unwrap();
        let mut bytes = ((result.element.len() + 5) as u32).to_le_bytes().to_vec();
        bytes.extend_from_slice(&result.element);
        bytes.push(0);
        (RawDocumentBuf::from_bytes(bytes).unwrap(), result)
    }

    #[test]
    fn nested_fields_are_taken_off_and_lengths_follow() {
        let (left, result) = of(&rawdoc! {"a": {"x": 1, "b": {"c": true, "d": 2}}}, "a.b.c", Rewrite::RemoveIf(0x08));
        assert_eq!(left, rawdoc! {"a": {"x": 1, "b": {"d": 2}}});
        assert_eq!((result.done, result.absent, result.other), (1, 0, 0));
        assert_eq!(result.taken, b"\x08c\0\x01");
    }

    #[test]
    fn arrays_are_stepped_into_and_gaps_are_counted() {
        let document = rawdoc! {"items": [{"vat": 1, "sku": "a"}, {"sku": "b"}, {"vat": "x"}, 7]};
        let (left, result) = of(&document, "items.vat", Rewrite::RemoveIf(0x10));
        assert_eq!(left, rawdoc! {"items": [{"sku": "a"}, {"sku": "b"}, {"vat": "x"}, 7]});
        assert_eq!((result.done, result.absent, result.other), (1, 1, 1));
    }

    #[test]
    fn only_what_has_one_origin_is_brought_back() {
        let (int, long, double, text) = (BsonType::Int, BsonType::Long, BsonType::Double, BsonType::String);
        let cases = [
            (rawdoc! {"a": "42"}, int, text, Some(rawdoc! {"a": 42})),
            (rawdoc! {"a": "-7"}, long, text, Some(rawdoc! {"a": -7_i64})),
            (rawdoc! {"a": "042"}, int, text, None),
            (rawdoc! {"a": "+42"}, int, text, None),
            (rawdoc! {"a": "-0"}, int, text, None),
            (rawdoc! {"a": "3000000000"}, int, text, None),
            (rawdoc! {"a": 5_i64}, int, long, Some(rawdoc! {"a": 5})),
            (rawdoc! {"a": 3_000_000_000_i64}, int, long, None),
            (rawdoc! {"a": 5}, long, int, Some(rawdoc! {"a": 5_i64})),
            (rawdoc! {"a": 5}, double, int, Some(rawdoc! {"a": 5.0})),
            (rawdoc! {"a": (1_i64 << 53) + 2}, double, long, None),
            (rawdoc! {"a": 5.0}, int, double, Some(rawdoc! {"a": 5})),
            (rawdoc! {"a": -0.0}, int, double, None),
            (rawdoc! {"a": 5.5}, long, double, None),
            (rawdoc! {"a": f64::NAN}, long, double, None),
        ];
        for (document, from, to, expected) in cases {
            let (left, result) = of(&document, "a", Rewrite::Retype(from, to));
            assert_eq!(result.done, u32::from(expected.is_some()), "{document:?}");
            assert_eq!(left, expected.unwrap_or(document));
        }
    }
}
