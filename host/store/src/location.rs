//! The check that a document lies at the key that its contents belong to.

use crate::error::StoreError;

/// Refuses an object whose `field` is not the one of its key: it was copied there from another key.
pub(crate) fn check_location<T: PartialEq + std::fmt::Display>(
    key: &str,
    field: &'static str,
    found: &T,
    expected: &T,
) -> Result<(), StoreError> {
    if found == expected {
        return Ok(());
    }
    Err(StoreError::Misplaced { key: key.to_owned(), field, found: found.to_string(), expected: expected.to_string() })
}
