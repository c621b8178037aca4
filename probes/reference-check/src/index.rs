//! Checks that the parent can be looked up by an index.

use taster_probe::{CollectionInfo, CollectionKind, Database, Document, Failure, Malformed};

/// Refuses a parent without an index on `key`: each lookup would read the whole collection.
pub(crate) fn require(db: &Database<'_>, parent: &CollectionInfo, key: &str) -> Result<(), Failure> {
    match parent.kind {
        // an absent collection is not read
        CollectionKind::Absent => return Ok(()),
        // every collection has this index, although a clustered collection does not list it
        CollectionKind::Collection if key == "_id" => return Ok(()),
        CollectionKind::View => return Err(unindexed(parent, key, "is a view, which has no indexes of its own")),
        CollectionKind::Collection | CollectionKind::TimeSeries => {}
    }
    for index in db.indexes(&parent.name)? {
        if serves(&index, key)? {
            return Ok(());
        }
    }
    Err(unindexed(parent, key, &format!("has no index that begins with `{key}`")))
}

/// Whether lookups by `key` can use this index: it begins with `key`, contains every document, orders text by its bytes and is
/// not hidden.
fn serves(index: &Document, key: &str) -> Result<bool, Malformed> {
    let index = index.as_raw();
    for without in ["partialFilterExpression", "collation", "hidden"] {
        if index.get(without)?.is_some() {
            return Ok(false);
        }
    }
    let keys = index.get("key")?.and_then(|element| element.value.as_document());
    let first = keys.and_then(|keys| keys.elements().next()).transpose()?;
    // `text` and `2dsphere` indexes do not find values
    let finds_values = |first: &taster_probe::Element<'_>| match first.value.as_str() {
        Some(kind) => kind == "hashed",
        None => true,
    };
    Ok(first.is_some_and(|first| first.name == key.as_bytes() && finds_values(&first)))
}

fn unindexed(parent: &CollectionInfo, key: &str, what: &str) -> Failure {
    let name = &parent.name;
    Failure {
        asked: Some(format!("look up `{key}` in {name}")),
        allowed: Some(format!("an index on {name} that begins with `{key}`")),
        setting: Some("probes[…].config.allowUnindexed".to_owned()),
        ..Failure::new(format!("each lookup would read the whole collection {name}: it {what}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};
    use taster_probe::extjson::to_document;

    use super::*;

    #[test]
    fn a_usable_index_begins_with_the_key_and_contains_every_document() {
        let serves = |json: Json| serves(&to_document(&json, "index").unwrap(), "sku").unwrap();
        assert!(serves(json!({"v": 2, "key": {"sku": 1}, "name": "sku_1"})));
        assert!(serves(json!({"v": 2, "key": {"sku": -1, "shop": 1}, "name": "sku_-1_shop_1", "sparse": true})));
        assert!(serves(json!({"v": 2, "key": {"sku": "hashed"}, "name": "sku_hashed"})));
        assert!(!serves(json!({"v": 2, "key": {"shop": 1, "sku": 1}, "name": "shop_1_sku_1"})));
        assert!(!serves(json!({"v": 2, "key": {"sku": "text"}, "name": "sku_text"})));
        assert!(!serves(json!({"v": 2, "key": {"sku": 1}, "partialFilterExpression": {"open": true}})));
        assert!(!serves(json!({"v": 2, "key": {"sku": 1}, "collation": {"locale": "de"}})));
        assert!(!serves(json!({"v": 2, "key": {"sku": 1}, "hidden": true})));
    }

    #[test]
    fn a_missing_index_is_an_error_with_both_remedies() {
        let parent = CollectionInfo { name: "menu".to_owned(), role: String::new(), kind: CollectionKind::Collection };
        insta::assert_snapshot!(format!("{:#?}", unindexed(&parent, "sku", "has no index that begins with `sku`")), @r#"
            Failure {
                message: "each lookup would read the whole collection menu: it has no index that begins with `sku`",
                refusal: None,
                code: None,
                asked: Some(
                    "look up `sku` in menu",
                ),
                allowed: Some(
                    "an index on menu that begins with `sku`",
                ),
                setting: Some(
                    "probes[…].config.allowUnindexed",
                ),
            }
        "#);
    }
}
