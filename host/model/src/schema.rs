//! Names and JSON Schemas of the objects that are stored.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use crate::{Acceptance, Capture, CurrentState, DroppedBaseline, Notification, ScaledState, VerdictDocument};

/// One side of a run.
pub const CAPTURE: &str = "taster.dev/capture/v1";
/// The outcome of a run.
pub const VERDICT: &str = "taster.dev/verdict/v1";
/// The current state of an app.
pub const CURRENT: &str = "taster.dev/current/v1";
/// A verdict of `different` or `unknown` that a person accepted.
pub const ACCEPTED: &str = "taster.dev/accepted/v1";
/// A baseline that a person dropped.
pub const DROPPED: &str = "taster.dev/dropped/v1";
/// Workloads that were scaled for an app and are not restored yet.
pub const SCALED: &str = "taster.dev/scaled/v1";
/// The notification about a verdict. It is sent, not stored.
pub const NOTIFICATION: &str = "taster.dev/notification/v1";

/// The kinds of stored object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentKind {
    /// [`Capture`].
    Capture,
    /// [`VerdictDocument`].
    Verdict,
    /// [`CurrentState`].
    Current,
    /// [`Acceptance`].
    Accepted,
    /// [`DroppedBaseline`].
    Dropped,
    /// [`ScaledState`].
    Scaled,
}

impl DocumentKind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Capture, Self::Verdict, Self::Current, Self::Accepted, Self::Dropped, Self::Scaled];

    /// Value of the `schema` key of such an object.
    #[must_use]
    pub fn schema(self) -> &'static str {
        match self {
            Self::Capture => CAPTURE,
            Self::Verdict => VERDICT,
            Self::Current => CURRENT,
            Self::Accepted => ACCEPTED,
            Self::Dropped => DROPPED,
            Self::Scaled => SCALED,
        }
    }

    /// Its file in the folder of the published schemas, `host/model/schemas`: `taster.dev/verdict/v1` is `verdict.v1.json`.
    #[must_use]
    pub fn file(self) -> String {
        let (_, name) = self.schema().split_once('/').unwrap_or_default();
        format!("{}.json", name.replace('/', "."))
    }
}

/// The JSON Schema (draft 2020-12) of a stored object, with the `checksum` that the store adds.
///
/// Unknown keys are allowed: within v1 keys are only added, and an old reader must be able to check a new object.
#[must_use]
pub fn json_schema(kind: DocumentKind) -> Value {
    let mut schema = match kind {
        DocumentKind::Capture => generate::<Capture>(),
        DocumentKind::Verdict => generate::<VerdictDocument>(),
        DocumentKind::Current => generate::<CurrentState>(),
        DocumentKind::Accepted => generate::<Acceptance>(),
        DocumentKind::Dropped => generate::<DroppedBaseline>(),
        DocumentKind::Scaled => generate::<ScaledState>(),
    };
    schema["$id"] = format!("https://{}", kind.schema()).into();
    schema["properties"]["schema"]["const"] = kind.schema().into();
    schema["properties"]["schema"]["description"] = "What kind of object this is, and its version.".into();
    schema["properties"]["checksum"] = json!({
        "description": "Added by the store: SHA-256 of the object without this key.",
        "type": "string",
        "pattern": "^sha256:[0-9a-f]{64}$",
    });
    schema
}

/// The JSON Schema of a notification.
#[must_use]
pub fn notification_schema() -> Value {
    let mut schema = generate::<Notification>();
    schema["$id"] = format!("https://{NOTIFICATION}").into();
    schema["properties"]["schema"]["const"] = NOTIFICATION.into();
    schema
}

fn generate<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn every_kind_has_a_schema_with_its_name() {
        for kind in DocumentKind::ALL {
            let schema = json_schema(kind);
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
            assert_eq!(schema["properties"]["schema"]["const"], kind.schema());
            assert_eq!(schema["type"], "object");
            for key in ["schema", "app"] {
                assert!(schema["required"].as_array().unwrap().contains(&key.into()), "{kind:?} {key}");
            }
        }
    }

    /// `TASTER_WRITE_SCHEMAS=1 cargo test -p taster-model published` writes the files.
    #[test]
    fn published_schemas_match_the_types() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
        let stored = DocumentKind::ALL.into_iter().map(|kind| (kind.file(), json_schema(kind)));
        for (name, schema) in stored.chain([("notification.v1.json".to_owned(), notification_schema())]) {
            let file = folder.join(name);
            let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
            if std::env::var_os("TASTER_WRITE_SCHEMAS").is_some() {
                fs::write(&file, &text).unwrap();
            }
            let published = fs::read_to_string(&file).unwrap_or_default();
            assert!(
                published == text,
                "{} does not match its type: run this test with TASTER_WRITE_SCHEMAS=1",
                file.display()
            );
        }
    }

    #[test]
    fn every_key_is_described() {
        for kind in DocumentKind::ALL {
            let schema = json_schema(kind);
            for (key, property) in schema["properties"].as_object().unwrap() {
                assert!(property.get("description").is_some(), "{kind:?}.{key}: {property}");
            }
        }
    }

    #[test]
    fn names_and_rules_are_constrained() {
        let schema = json_schema(DocumentKind::Capture);
        assert_eq!(schema["properties"]["app"]["$ref"], "#/$defs/AppName");
        assert_eq!(schema["$defs"]["AppName"]["pattern"], "^[a-z0-9][a-z0-9._-]{0,62}$");
        assert!(schema["$defs"]["Rule"]["oneOf"].is_array());
    }
}
