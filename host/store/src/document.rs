//! Stored documents: JSON with a checksum, so that an altered one is an error.
//!
//! A document is stored as indented JSON whose last key is `checksum`: `sha256:` and the SHA-256, in hexadecimal, of the
//! same indented JSON without that key. Reading accepts only the exact bytes that writing produced.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use taster_model::{Capture, schema};

use crate::error::StoreError;

const CHECKSUM: &str = "checksum";

/// A document that was read back from the store, with its checksum, schema and place checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed<T>(T);

impl<T> Committed<T> {
    pub(crate) fn confirmed(value: T) -> Self {
        Self(value)
    }

    /// The document.
    #[must_use]
    pub fn get(&self) -> &T {
        &self.0
    }

    /// Takes the document out.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Serializes a document with its checksum. `key` is for the error.
pub(crate) fn write(key: &str, document: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    let value = serde_json::to_value(document).map_err(|error| StoreError::damaged(key, error))?;
    let Value::Object(map) = value else {
        return Err(StoreError::damaged(key, "not an object"));
    };
    with_checksum(&map).map_err(|error| StoreError::damaged(key, error))
}

/// The JSON of `map` with the checksum as its last key. It is serialized once: captures have thousands of metrics.
fn with_checksum(map: &Map<String, Value>) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(map)?;
    let line = format!("\n  \"{CHECKSUM}\": \"sha256:{}\"\n}}\n", hex::encode(Sha256::digest(&bytes)));
    // `{}`, or keys and then a line with the closing brace
    bytes.truncate(bytes.len() - if map.is_empty() { 1 } else { 2 });
    if !map.is_empty() {
        bytes.push(b',');
    }
    bytes.extend_from_slice(line.as_bytes());
    Ok(bytes)
}

/// Parses `bytes`, if [`write`] made them from a document of that schema.
pub(crate) fn read<T: DeserializeOwned>(key: &str, schema: &str, bytes: &[u8]) -> Result<T, StoreError> {
    let damaged = |what: String| StoreError::Damaged { key: key.to_owned(), what };
    let mut map: Map<String, Value> =
        serde_json::from_slice(bytes).map_err(|error| damaged(format!("it is not valid JSON ({error})")))?;
    let Some(Value::String(given)) = map.shift_remove(CHECKSUM) else {
        return Err(damaged("it has no checksum".to_owned()));
    };
    // serialized again and compared byte by byte: that finds changes which JSON ignores, such as white space
    let expected = with_checksum(&map).map_err(|error| damaged(error.to_string()))?;
    if expected != bytes {
        return Err(damaged(format!("its checksum {given} does not match its contents")));
    }
    match map.get("schema").and_then(Value::as_str) {
        Some(found) if found == schema => {}
        found => {
            return Err(StoreError::Misplaced {
                key: key.to_owned(),
                field: "schema",
                found: found.unwrap_or("missing").to_owned(),
                expected: schema.to_owned(),
            });
        }
    }
    serde_json::from_value(Value::Object(map))
        .map_err(|error| damaged(format!("it does not match its schema ({error})")))
}

/// Parses a capture from the bytes of any `capture.json`.
pub fn read_capture(bytes: &[u8]) -> Result<Capture, StoreError> {
    read("the capture", schema::CAPTURE, bytes)
}
