//! Rewrites a field of a document: removes it, blanks it, or converts it back to another type.

use taster_model::{BsonType, FieldPath};

use crate::{
    declared_value::DeclaredValue,
    raw::{ARRAY, DOCUMENT, Element, Elements, Unreadable},
};

/// What is done with the field at a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rewrite<'a> {
    /// It is removed. What was removed includes its position.
    Remove,
    /// It is replaced by null, so that the number and positions of such fields still matter.
    Blank,
    /// It is removed if it has this type and, unless there are none, one of these values.
    RemoveIf(u8, &'a [DeclaredValue]),
    /// It is converted back from the second type to the first.
    Retype(BsonType, BsonType),
}

/// The type of removed values of several types. Not a BSON type.
pub(crate) const MIXED: u8 = 0xFD;

/// The result of a rewrite.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rewritten {
    /// The rewritten top-level field; empty if it was removed.
    pub(crate) element: Vec<u8>,
    /// The original elements that were removed or replaced, one after the other.
    pub(crate) removed: Vec<u8>,
    /// Type of those elements; [`MIXED`] if they have several types.
    pub(crate) kind: u8,
    /// Number of places that were rewritten.
    pub(crate) changed: u32,
    /// Number of places where the field does not exist.
    pub(crate) absent: u32,
    /// Number of places where the field has another type or value, or a value that cannot be converted back.
    pub(crate) other: u32,
    /// Number of places where the field still has its original type.
    pub(crate) original: u32,
}

/// Rewrites the field at `path` within its top-level field. Elements of arrays are rewritten one by one.
pub(crate) fn rewrite(element: Element<'_>, path: &FieldPath, operation: Rewrite<'_>) -> Result<Rewritten, Unreadable> {
    let mut result = Rewritten::default();
    let mut out = Vec::with_capacity(element.bytes.len());
    rewrite_field(element, &path.names()[1..], operation, &mut out, &mut result)?;
    result.element = out;
    Ok(result)
}

fn rewrite_field(
    element: Element<'_>,
    rest: &[String],
    operation: Rewrite<'_>,
    out: &mut Vec<u8>,
    result: &mut Rewritten,
) -> Result<(), Unreadable> {
    if rest.is_empty() {
        rewrite_leaf(element, operation, out, result);
        return Ok(());
    }
    match element.kind() {
        DOCUMENT | ARRAY => {
            out.extend_from_slice(element.head());
            rewrite_nested(element, rest, operation, out, result)
        }
        _ => {
            result.absent += 1;
            out.extend_from_slice(element.bytes);
            Ok(())
        }
    }
}

/// Rewrites the fields of a document or array, and updates its length.
fn rewrite_nested(
    element: Element<'_>,
    rest: &[String],
    operation: Rewrite<'_>,
    out: &mut Vec<u8>,
    result: &mut Rewritten,
) -> Result<(), Unreadable> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let mut found = false;
    for inner in Elements::of_document(element.value())? {
        let inner = inner?;
        if element.kind() == ARRAY {
            if inner.is_nested() {
                out.extend_from_slice(inner.head());
                rewrite_nested(inner, rest, operation, out, result)?;
            } else {
                out.extend_from_slice(inner.bytes);
            }
        } else if inner.name() == rest[0].as_bytes() {
            found = true;
            rewrite_field(inner, &rest[1..], operation, out, result)?;
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

fn rewrite_leaf(element: Element<'_>, operation: Rewrite<'_>, out: &mut Vec<u8>, result: &mut Rewritten) {
    match operation {
        Rewrite::RemoveIf(kind, values) if element.kind() != kind || !is_one_of(values, element) => {
            result.other += 1;
            out.extend_from_slice(element.bytes);
            return;
        }
        // the same value at another position must have another hash
        Rewrite::Remove => result.removed.extend_from_slice(&(out.len() as u32).to_le_bytes()),
        Rewrite::RemoveIf(..) => {}
        Rewrite::Blank => {
            out.push(0x0A);
            out.extend_from_slice(&element.head()[1..]);
        }
        Rewrite::Retype(from, to) => {
            let value = (element.kind() == to.code()).then(|| original_value(from, to, element.value())).flatten();
            let Some(value) = value else {
                if element.kind() == from.code() {
                    result.original += 1;
                    out.extend_from_slice(element.bytes);
                    return;
                }
                // a value of a third type is not covered by the declaration
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
    result.kind = if result.changed == 0 || result.kind == element.kind() { element.kind() } else { MIXED };
    result.changed += 1;
    result.removed.extend_from_slice(element.bytes);
}

/// Whether an element has one of the values, if there are any.
fn is_one_of(values: &[DeclaredValue], element: Element<'_>) -> bool {
    values.is_empty() || values.iter().any(|value| value.is_value_of(element))
}

/// The original value, if only one value converts to this one.
fn original_value(from: BsonType, to: BsonType, value: &[u8]) -> Option<Vec<u8>> {
    let number = whole_number(to, value)?;
    Some(match from {
        BsonType::Int => i32::try_from(number).ok()?.to_le_bytes().to_vec(),
        BsonType::Long => number.to_le_bytes().to_vec(),
        BsonType::Double => exact_double(number)?.to_le_bytes().to_vec(),
        _ => return None,
    })
}

/// A whole number as a double. `None`: several whole numbers have the same double.
#[expect(clippy::cast_precision_loss, reason = "none is lost up to 2^53")]
fn exact_double(number: i64) -> Option<f64> {
    (number.unsigned_abs() <= 1 << 53).then_some(number as f64)
}

fn whole_number(kind: BsonType, value: &[u8]) -> Option<i64> {
    match kind {
        BsonType::Int => Some(i32::from_le_bytes(value.try_into().ok()?).into()),
        BsonType::Long => Some(i64::from_le_bytes(value.try_into().ok()?)),
        BsonType::Double => {
            let value = f64::from_le_bytes(value.try_into().ok()?);
            // exactly this double: not -0.0, and not rounded
            exact_double(value as i64).filter(|whole| whole.to_bits() == value.to_bits()).map(|_| value as i64)
        }
        BsonType::String => {
            let text = std::str::from_utf8(value.get(4..value.len().checked_sub(1)?)?).ok()?;
            let number: i64 = text.parse().ok()?;
            // only the canonical text: not `+1`, `01` or `-0`
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
    fn rewrite_first_field(document: &RawDocumentBuf, at: &str, operation: Rewrite<'_>) -> (RawDocumentBuf, Rewritten) {
        let element = Elements::of_document(document.as_bytes()).unwrap().next().unwrap().unwrap();
        let result = rewrite(element, &path(at), operation).unwrap();
        let mut bytes = ((result.element.len() + 5) as u32).to_le_bytes().to_vec();
        bytes.extend_from_slice(&result.element);
        bytes.push(0);
        (RawDocumentBuf::from_bytes(bytes).unwrap(), result)
    }

    #[test]
    fn nested_fields_are_removed_and_lengths_are_updated() {
        let (left, result) = rewrite_first_field(
            &rawdoc! {"a": {"x": 1, "b": {"c": true, "d": 2}}},
            "a.b.c",
            Rewrite::RemoveIf(0x08, &[]),
        );
        assert_eq!(left, rawdoc! {"a": {"x": 1, "b": {"d": 2}}});
        assert_eq!((result.changed, result.absent, result.other), (1, 0, 0));
        assert_eq!(result.removed, b"\x08c\0\x01");
    }

    #[test]
    fn elements_of_arrays_are_rewritten_and_counted() {
        let document = rawdoc! {"items": [{"vat": 1, "sku": "a"}, {"sku": "b"}, {"vat": "x"}, 7]};
        let (left, result) = rewrite_first_field(&document, "items.vat", Rewrite::RemoveIf(0x10, &[]));
        assert_eq!(left, rawdoc! {"items": [{"sku": "a"}, {"sku": "b"}, {"vat": "x"}, 7]});
        assert_eq!((result.changed, result.absent, result.other), (1, 1, 1));
    }

    #[test]
    fn only_values_with_one_original_are_converted_back() {
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
            let (left, result) = rewrite_first_field(&document, "a", Rewrite::Retype(from, to));
            assert_eq!(result.changed, u32::from(expected.is_some()), "{document:?}");
            assert_eq!(left, expected.unwrap_or(document));
        }
    }
}
