//! Declared changes in stored documents: as in a configuration, but `maxDocuments` is stored as `most`.
//!
//! Captures and censuses of version 0.1 were written with `most`, and their format does not change. To be used as
//! `#[serde(with = "taster_model::stored_changes")]`.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};
use serde_json::{Map, Value};

use crate::change::DeclaredChange;

/// The key in a configuration.
const CONFIGURED: &str = "maxDocuments";
/// The same key in stored documents.
const STORED: &str = "most";

/// Writes changes as they are stored.
pub fn serialize<S: Serializer>(changes: &[DeclaredChange], serializer: S) -> Result<S::Ok, S::Error> {
    let stored: Vec<Value> = changes
        .iter()
        .map(|change| serde_json::to_value(change).map(|value| with_key_renamed(value, CONFIGURED, STORED)))
        .collect::<Result<_, _>>()
        .map_err(S::Error::custom)?;
    stored.serialize(serializer)
}

/// Reads changes that [`serialize`] wrote.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<DeclaredChange>, D::Error> {
    let stored = Vec::<Value>::deserialize(deserializer)?;
    let read = |value| serde_json::from_value(with_key_renamed(value, STORED, CONFIGURED));
    stored.into_iter().map(read).collect::<Result<_, _>>().map_err(D::Error::custom)
}

/// The JSON Schema of stored changes.
#[must_use]
pub fn json_schema(generator: &mut SchemaGenerator) -> Schema {
    let list = generator.subschema_for::<Vec<DeclaredChange>>();
    let change = generator.definitions_mut().get_mut(&*DeclaredChange::schema_name());
    if let Some(properties) = change.and_then(|schema| schema.get_mut("properties")) {
        *properties = with_key_renamed(properties.take(), CONFIGURED, STORED);
    }
    list
}

/// An object with one key renamed, in its place.
fn with_key_renamed(value: Value, from: &str, to: &str) -> Value {
    let Value::Object(entries) = value else { return value };
    let renamed = entries.into_iter().map(|(key, value)| (if key == from { to.to_owned() } else { key }, value));
    Value::Object(renamed.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Stored {
        #[serde(with = "super")]
        changes: Vec<DeclaredChange>,
    }

    #[test]
    fn changes_are_stored_and_read_with_the_key_of_version_0_1() {
        let text = concat!(
            r#"{"changes":[{"collection":"orders","removedDocuments":{"status":"void","most":1},"most":500,"#,
            r#""reason":"v4.3"},{"collection":"orders","removedField":"legacy"}]}"#
        );
        let read: Stored = serde_json::from_str(text).unwrap();
        let configured = serde_json::to_value(&read.changes[0]).unwrap();
        assert_eq!(configured["maxDocuments"], 500);
        assert_eq!(configured["removedDocuments"]["most"], 1, "a filter is not touched");
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
