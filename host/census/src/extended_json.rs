//! Documents and ids as canonical Extended JSON.

use bson::{Bson, Document, JavaScriptCodeWithScope};
use serde_json::Value;
use taster_text::escape_field_name;

/// A value as canonical Extended JSON. Names that Extended JSON cannot express are escaped ([`escape_field_name`]).
#[must_use]
pub fn extended_json(value: Bson) -> Value {
    escaped(value).into_canonical_extjson()
}

fn escaped(value: Bson) -> Bson {
    match value {
        Bson::Document(document) => Bson::Document(escaped_document(document)),
        Bson::Array(items) => Bson::Array(items.into_iter().map(escaped).collect()),
        Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope { code, scope }) => {
            Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope { code, scope: escaped_document(scope) })
        }
        other => other,
    }
}

fn escaped_document(document: Document) -> Document {
    document.into_iter().map(|(name, value)| (escape_field_name(&name).into_owned(), escaped(value))).collect()
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn a_document_that_would_read_as_a_value_is_told_apart_from_it() {
        let shown = |value: Bson| extended_json(value).to_string();
        assert_eq!(shown(Bson::Int64(5)), r#"{"$numberLong":"5"}"#);
        assert_eq!(shown(doc! {"$numberLong": "5"}.into()), r#"{"$$numberLong":"5"}"#);
        assert_eq!(shown(doc! {"a": [{"$oid": 1_i64}]}.into()), r#"{"a":[{"$$oid":{"$numberLong":"1"}}]}"#);
        let scope = JavaScriptCodeWithScope { code: "f".to_owned(), scope: doc! {"$date": "x"} };
        assert_eq!(shown(scope.into()), r#"{"$code":"f","$scope":{"$$date":"x"}}"#);
    }
}
