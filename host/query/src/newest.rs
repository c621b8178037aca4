//! The newest document of a collection, to tell how old the data are.

use bson::{Bson, Document, doc};
use taster_model::{CollectionGrant, Failure};

use crate::{
    bson_util::encode, database::FindOptions, grant::Grant, limits::Limits, metered_connection::bad_reply,
    snapshot::Snapshot,
};

/// The newest document of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewestDocument {
    /// Its time, in milliseconds since 1970.
    pub millis: i64,
    /// Whether the server used an index; else it read every document.
    pub indexed: bool,
}

impl Snapshot {
    /// The latest time in `field` of any document: a date, a timestamp or the time of an `ObjectId`. `None` if no document has
    /// one, or the collection is absent.
    ///
    /// This is an ordinary `find` of a probe, checked by the same guard and read at the same point in time.
    pub async fn newest_document(&self, collection: &str, field: &str) -> Result<Option<NewestDocument>, Failure> {
        let database = self.database(Grant {
            probe: "freshness".to_owned(),
            collections: vec![CollectionGrant::any(collection)],
            limits: Limits::default(),
            setting: "freshness".to_owned(),
        });
        let indexed = database.list_indexes(collection).await?.iter().any(|index| is_sorted_by(index, field));
        // values of other types are not times, and some of them sort after all times
        let filter = encode(&doc! { field: { "$type": ["date", "timestamp", "objectId"] } })?;
        let options = FindOptions {
            projection: Some(encode(&projection(field))?),
            sort: Some(encode(&doc! { field: -1 })?),
            limit: Some(1),
            ..FindOptions::default()
        };
        let mut cursor = database.find(collection, &filter, options).await?;
        let Some(batch) = cursor.next().await? else { return Ok(None) };
        let operation = format!("find the newest document of `{collection}`");
        let document = Document::from_reader(&*batch).map_err(|error| bad_reply(&operation, &error.to_string()))?;
        let names: Vec<&str> = field.split('.').collect();
        Ok(latest(&Bson::Document(document), &names).map(|millis| NewestDocument { millis, indexed }))
    }
}

fn projection(field: &str) -> Document {
    let mut projection = doc! { field: 1 };
    if field != "_id" {
        projection.insert("_id", 0);
    }
    projection
}

/// Whether an index contains every document, sorted by a field.
fn is_sorted_by(index: &[u8], field: &str) -> bool {
    let Ok(index) = Document::from_reader(index) else { return false };
    let is_complete =
        !index.contains_key("partialFilterExpression") && index.get("sparse") != Some(&Bson::Boolean(true));
    let first = index.get_document("key").ok().and_then(|key| key.iter().next());
    // text and hashed indexes are not sorted by value
    is_complete && first.is_some_and(|(name, order)| name == field && !matches!(order, Bson::String(_)))
}

/// The latest time at a path. Steps into arrays.
fn latest(value: &Bson, path: &[&str]) -> Option<i64> {
    match (value, path) {
        (Bson::Array(items), _) => items.iter().filter_map(|item| latest(item, path)).max(),
        (Bson::Document(document), [name, rest @ ..]) => latest(document.get(name)?, rest),
        (Bson::DateTime(time), []) => Some(time.timestamp_millis()),
        (Bson::Timestamp(time), []) => Some(i64::from(time.time) * 1000),
        (Bson::ObjectId(id), []) => Some(id.timestamp().timestamp_millis()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bson::{DateTime, Timestamp, oid::ObjectId};

    use super::*;

    #[test]
    fn times_are_found_along_the_path_and_in_arrays() {
        let at = |millis| Bson::DateTime(DateTime::from_millis(millis));
        let id = ObjectId::from_bytes([0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0]);
        let document = Bson::Document(doc! {
            "_id": id, "created": at(5), "meta": { "seen": [at(3), at(9), "no"] }, "lines": [{ "at": at(1) }, { "at": at(2) }, {}],
            "clock": Timestamp { time: 4, increment: 1 }, "text": "2026-01-01",
        });
        let latest_at = |path: &str| latest(&document, &path.split('.').collect::<Vec<_>>());
        assert_eq!(
            ["_id", "created", "meta.seen", "lines.at", "clock"].map(latest_at),
            [7000, 5, 9, 2, 4000].map(Some)
        );
        assert_eq!(["text", "none", "meta", "created.x"].map(latest_at), [None; 4]);
    }

    #[test]
    fn only_a_complete_index_on_the_field_counts() {
        let index = |index: Document| encode(&index).unwrap();
        assert!(is_sorted_by(&index(doc! {"key": {"created": -1, "a": 1}}), "created"));
        assert!(is_sorted_by(&index(doc! {"key": {"_id": 1}}), "_id"));
        for other in [
            doc! {"key": {"a": 1, "created": 1}},
            doc! {"key": {"created": "hashed"}},
            doc! {"key": {"created": 1}, "sparse": true},
            doc! {"key": {"created": 1}, "partialFilterExpression": {"a": 1}},
        ] {
            assert!(!is_sorted_by(&index(other.clone()), "created"), "{other}");
        }
    }
}
