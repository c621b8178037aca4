//! Small values that are kept beside the digests of fields, so that a changed field can be shown with both values.
//!
//! ```text
//! for each field: type u8, 0 if the value is not kept | length u8 | value
//! ```

use serde_json::Value;

use crate::{Redaction, listed::id_value_extended_json, raw::Element, record::ByteReader};

/// Longest value that is kept: an `ObjectId`, a UUID, a decimal, and most names and states.
const MAX_VALUE_BYTES: usize = 64;
/// Bytes of values that are kept of one document. Fields beyond them have digests only.
const MAX_DOCUMENT_BYTES: usize = 1 << 10;

/// Collects the values of one document.
#[derive(Debug, Default)]
pub(crate) struct ValueWriter {
    bytes: Vec<u8>,
    kept: usize,
}

impl ValueWriter {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.kept = 0;
    }

    /// Adds the next field. The value of a redacted one is not written.
    pub(crate) fn push(&mut self, element: Element<'_>, redaction: Option<&Redaction>) {
        let value = element.value();
        let is_small = value.len() <= MAX_VALUE_BYTES && self.kept + value.len() <= MAX_DOCUMENT_BYTES;
        if element.is_nested() || !is_small || is_redacted(redaction, element) {
            self.bytes.push(0);
            return;
        }
        self.kept += value.len();
        self.bytes.push(element.kind());
        self.bytes.push(value.len() as u8);
        self.bytes.extend_from_slice(value);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Whether a top-level field, or anything that its path begins with, is redacted.
fn is_redacted(redaction: Option<&Redaction>, element: Element<'_>) -> bool {
    let mut paths = redaction.into_iter().flat_map(|redaction| &redaction.fields);
    paths.any(|path| path.top_level_name().as_bytes() == element.name())
}

/// A value that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeptValue<'a> {
    kind: u8,
    bytes: &'a [u8],
}

impl KeptValue<'_> {
    /// In canonical Extended JSON.
    pub(crate) fn to_json(self) -> Value {
        id_value_extended_json(self.kind, self.bytes)
    }
}

/// The values of this many fields. `None`: the bytes are not what [`ValueWriter`] writes.
pub(crate) fn read(bytes: &[u8], fields: usize) -> Option<Vec<Option<KeptValue<'_>>>> {
    let mut rest = ByteReader(bytes);
    let mut values = Vec::with_capacity(fields);
    for _ in 0..fields {
        let [kind] = *rest.take::<1>()?;
        values.push(match kind {
            0 => None,
            kind => {
                let [length] = *rest.take::<1>()?;
                Some(KeptValue { kind, bytes: rest.slice(usize::from(length))? })
            }
        });
    }
    rest.0.is_empty().then_some(values)
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;
    use crate::raw::Elements;

    #[test]
    fn small_scalars_are_kept_within_the_budget() {
        let text = |length: usize| "x".repeat(length);
        let mut document =
            doc! {"a": 5, "b": {"c": 1}, "d": text(59), "e": text(60), "f": [1], "secret": 7, "g": bson::Bson::Null};
        for number in 0..20 {
            document.insert(format!("n{number}"), text(59));
        }
        let bytes = document.to_vec().unwrap();
        let redaction = Redaction { fields: vec!["secret".to_owned().try_into().unwrap()], ..Redaction::default() };
        let mut writer = ValueWriter::default();
        let elements: Vec<Element<'_>> = Elements::of_document(&bytes).unwrap().collect::<Result<_, _>>().unwrap();
        for element in &elements {
            writer.push(*element, Some(&redaction));
        }
        let values = read(writer.bytes(), elements.len()).unwrap();
        let shown = |place: usize| values[place].map(|value| value.to_json().to_string());
        assert_eq!(shown(0).as_deref(), Some(r#"{"$numberInt":"5"}"#));
        assert_eq!((shown(1), shown(3), shown(4), shown(5)), (None, None, None, None));
        assert_eq!(shown(2), Some(format!("\"{}\"", text(59))));
        assert_eq!(shown(6).as_deref(), Some("null"));
        let kept = values[7..].iter().flatten().count();
        assert_eq!(kept, (MAX_DOCUMENT_BYTES - 4 - 64) / 64, "{kept}");
        // cut short
        assert_eq!(read(&writer.bytes()[..writer.bytes().len() - 1], elements.len()), None);
        assert_eq!(read(writer.bytes(), elements.len() - 1), None);
    }
}
