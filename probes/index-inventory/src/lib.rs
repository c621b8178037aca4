//! Records what a collection has beside its documents: indexes, options, validator, cap, the definition of a view.

use taster_probe::{
    CollectionKind, Config, Database, Document, Failure, Manifest, Metric, MetricDeclaration, Probe, Role, ValueKind,
    doc, progress,
};

struct IndexInventory;

impl Probe for IndexInventory {
    fn manifest() -> Manifest {
        Manifest::new("index-inventory", env!("CARGO_PKG_VERSION"), "indexes, options, validators and views")
            .results(1)
            .role(Role::many("collections", "the collections and views to describe"))
            .calls("collection-options")
            .calls("list-indexes")
            .metric(
                MetricDeclaration::new("indexes", ValueKind::Document, "each index's specification by its name")
                    .labels(["collection"])
                    .expect("equal"),
            )
            .metric(
                MetricDeclaration::new("definition", ValueKind::Document, "what kind of collection, with its options")
                    .labels(["collection"])
                    .expect("equal"),
            )
    }

    fn run(db: &Database<'_>, config: Config) -> Result<Vec<Metric>, Failure> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct NoSettings {}
        let NoSettings {} = config.parse()?;

        let mut found = Vec::new();
        let collections = db.collections()?;
        for (done, collection) in collections.iter().enumerate() {
            progress(done as u64, Some(collections.len() as u64));
            let (name, there) = (&collection.name, collection.kind != CollectionKind::Absent);
            let definition = if there { db.options(name)? } else { doc(&[("kind", &"absent")]) };
            found.push(Metric::document("definition", definition).label("collection", name));
            // a view has no indexes of its own; if it becomes a collection, its definition shows that
            let indexes = match collection.kind {
                CollectionKind::Collection | CollectionKind::TimeSeries => inventory(&db.indexes(name)?)?,
                CollectionKind::View | CollectionKind::Absent => Document::new(),
            };
            found.push(Metric::document("indexes", indexes).label("collection", name));
        }
        Ok(found)
    }
}

/// Specifications by name. The name is the key and not repeated in the specification.
fn inventory(indexes: &[Document]) -> Result<Document, Failure> {
    let mut by_name = Vec::new();
    for index in indexes {
        let mut name = String::new();
        let mut specification = Document::new();
        for element in index.as_raw().elements() {
            let element = element?;
            match (element.name, element.value.as_str()) {
                (b"name", Some(text)) => text.clone_into(&mut name),
                _ => specification.push(element.name, element.value),
            }
        }
        by_name.push((name, specification));
    }
    by_name.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut inventory = Document::new();
    for (name, specification) in by_name {
        inventory.push(name, specification);
    }
    Ok(inventory)
}

taster_probe::export!(IndexInventory);

#[cfg(test)]
mod tests {
    use taster_probe::extjson::to_document;

    use super::*;

    #[test]
    fn indexes_are_sorted_by_name_and_keep_the_order_of_their_keys() {
        let index = |json| to_document(&json, "index").unwrap();
        let found = inventory(&[
            index(serde_json::json!({"v": 2, "key": {"status": 1, "created": -1}, "name": "status_1_created_-1"})),
            index(serde_json::json!({"v": 2, "key": {"_id": 1}, "name": "_id_"})),
        ])
        .unwrap();
        insta::assert_snapshot!(format!("{found:?}"), @r#"{"_id_": {"v": {"$numberInt": "2"}, "key": {"_id": {"$numberInt": "1"}}}, "status_1_created_-1": {"v": {"$numberInt": "2"}, "key": {"status": {"$numberInt": "1"}, "created": {"$numberInt": "-1"}}}}"#);
    }
}
