//! Documents with a checksum: JSON that people can read and nobody can alter unnoticed.
//!
//! A document is stored as indented JSON whose last key is `checksum`: `sha256:` and the SHA-256, in hexadecimal, of the
//! same indented JSON without that key. ReadMode accepts nothing but the very bytes that writing made.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use taster_model::{Capture, schema};

use crate::StoreError;

const CHECKSUM: &str = "checksum";

/// What was read back from the store with its checksum, schema and place confirmed. There is no other way to one.
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

    /// The document, no longer marked.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// The bytes of a document. `key` is for the error.
pub(crate) fn write(key: &str, document: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    let value = serde_json::to_value(document).map_err(|error| StoreError::damaged(key, error))?;
    let Value::Object(map) = value else {
        return Err(StoreError::damaged(key, "not an object"));
    };
    sealed(map).map_err(|error| StoreError::damaged(key, error))
}

fn sealed(mut map: Map<String, Value>) -> Result<Vec<u8>, serde_json::Error> {
    let text = serde_json::to_string_pretty(&map)?;
    map.insert(CHECKSUM.to_owned(), format!("sha256:{}", hex::encode(Sha256::digest(text.as_bytes()))).into());
    let mut bytes = serde_json::to_vec_pretty(&map)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The document in `bytes`, if they are what [`write`] made of a document of that schema.
pub(crate) fn read<T: DeserializeOwned>(key: &str, schema: &str, bytes: &[u8]) -> Result<T, StoreError> {
    let damaged = |what: String| StoreError::Damaged { key: key.to_owned(), what };
    let mut map: Map<String, Value> =
        serde_json::from_slice(bytes).map_err(|error| damaged(format!("not the JSON that was written ({error})")))?;
    let Some(Value::String(given)) = map.shift_remove(CHECKSUM) else {
        return Err(damaged("it carries no checksum".to_owned()));
    };
    // made anew and compared whole: an altered byte shows even where JSON does not care, in white space for one
    let again = sealed(map.clone()).map_err(|error| damaged(error.to_string()))?;
    if again != bytes {
        return Err(damaged(format!("its checksum {given} is not that of its contents")));
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
    serde_json::from_value(Value::Object(map)).map_err(|error| damaged(format!("it does not fit its schema ({error})")))
}

/// A capture from the bytes of a `capture.json`, wherever it lies.
pub fn read_capture(bytes: &[u8]) -> Result<Capture, StoreError> {
    read("the capture", schema::CAPTURE, bytes)
}
