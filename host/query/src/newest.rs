//! The newest document of a collection: how old the data are, by the data themselves.

use bson::{Bson, Document, doc};
use taster_model::{CollectionGrant, Failure};

use crate::{FindOptions, Grant, Limits, Session, database::encode, reader::broken};

/// The newest document of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest {
    /// When it is from, in milliseconds since 1970.
    pub millis: i64,
    /// Whether an index answered; else the server looked at every document.
    pub indexed: bool,
}

impl Session {
    /// The latest time that stands in `field` of any document: dates, timestamps and `ObjectId`s. `None` where there is none,
    /// or no such collection.
    ///
    /// It goes the way of a probe's `find`, by the same guard and at the same moment as everything else of this look.
    pub async fn newest(&self, collection: &str, field: &str) -> Result<Option<Newest>, Failure> {
        let database = self.database(Grant {
            probe: "fresh".to_owned(),
            collections: vec![CollectionGrant::any(collection)],
            limits: Limits::default(),
            setting: "fresh".to_owned(),
            census: None,
        });
        let indexed = database.list_indexes(collection).await?.iter().any(|index| begins_with(index, field));
        // of another type nothing is a time, and some types sort after all times
        let filter = encode(&doc! { field: { "$type": ["date", "timestamp", "objectId"] } })?;
        let options = FindOptions {
            projection: Some(encode(&projection(field))?),
            sort: Some(encode(&doc! { field: -1 })?),
            limit: Some(1),
            ..FindOptions::default()
        };
        let mut cursor = database.find(collection, &filter, options).await?;
        let Some(batch) = cursor.next().await? else { return Ok(None) };
        let doing = format!("find the newest document of `{collection}`");
        let document = Document::from_reader(&*batch).map_err(|error| broken(&doing, &error.to_string()))?;
        let names: Vec<&str> = field.split('.').collect();
        Ok(latest(&Bson::Document(document), &names).map(|millis| Newest { millis, indexed }))
    }
}

fn projection(field: &str) -> Document {
    let mut projection = doc! { field: 1 };
    if field != "_id" {
        projection.insert("_id", 0);
    }
    projection
}

/// Whether an index can be read in the order of a field.
fn begins_with(index: &[u8], field: &str) -> bool {
    let Ok(index) = Document::from_reader(index) else { return false };
    let whole = !index.contains_key("partialFilterExpression") && index.get("sparse") != Some(&Bson::Boolean(true));
    let first = index.get_document("key").ok().and_then(|key| key.iter().next());
    // a text or a hashed index is in no order
    whole && first.is_some_and(|(name, order)| name == field && !matches!(order, Bson::String(_)))
}

/// The latest time at a path, into arrays.
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
        let of = |path: &str| latest(&document, &path.split('.').collect::<Vec<_>>());
        assert_eq!(
            [of("_id"), of("created"), of("meta.seen"), of("lines.at"), of("clock")],
            [7000, 5, 9, 2, 4000].map(Some)
        );
        assert_eq!([of("text"), of("none"), of("meta"), of("created.x")], [None; 4]);
    }

    #[test]
    fn an_index_in_the_order_of_the_field_is_one_that_has_every_document() {
        let index = |index: Document| encode(&index).unwrap();
        assert!(begins_with(&index(doc! {"key": {"created": -1, "a": 1}}), "created"));
        assert!(begins_with(&index(doc! {"key": {"_id": 1}}), "_id"));
        for other in [
            doc! {"key": {"a": 1, "created": 1}},
            doc! {"key": {"created": "hashed"}},
            doc! {"key": {"created": 1}, "sparse": true},
            doc! {"key": {"created": 1}, "partialFilterExpression": {"a": 1}},
        ] {
            assert!(!begins_with(&index(other.clone()), "created"), "{other}");
        }
    }
}
