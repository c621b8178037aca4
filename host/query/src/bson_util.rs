//! Small BSON helpers: field names, whole numbers, encoding.

use bson::{Bson, Document, RawDocumentBuf, raw::CString};
use taster_model::{Failure, Refusal};

/// The name of a field of a command.
pub(crate) fn key(name: &'static str) -> CString {
    CString::try_from(name.to_owned()).expect("names of options contain no NUL")
}

/// A whole number. Servers send one as whichever numeric type is large enough.
pub(crate) fn integer(value: Option<&Bson>) -> Option<i64> {
    match value? {
        Bson::Int32(number) => Some((*number).into()),
        Bson::Int64(number) => Some(*number),
        Bson::Double(number) if number.fract() == 0.0 => Some(*number as i64),
        _ => None,
    }
}

/// A document as bytes.
pub(crate) fn encode(document: &Document) -> Result<Vec<u8>, Failure> {
    RawDocumentBuf::try_from(document).map(RawDocumentBuf::into_bytes).map_err(|error| {
        Failure::refused(
            Refusal::Unavailable,
            "T0212",
            format!("the server's reply cannot be encoded as BSON: {error}"),
        )
    })
}
