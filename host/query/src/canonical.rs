//! Canonical forms of collection options, indexes and query plans, so that equal ones compare as equal.

use bson::{Bson, Document};
use taster_model::CollectionKind;

use crate::{
    canonical_query,
    canonical_value::{flag, number, sorted},
};

/// Fields of an index that describe its storage, or nothing. A server upgrade may change them without any effect on
/// queries.
const STORAGE: [&str; 6] = ["v", "ns", "background", "textIndexVersion", "2dsphereIndexVersion", "storageEngine"];

/// Fields of an index that are `false` where they are absent.
const FLAGS: [&str; 3] = ["unique", "sparse", "hidden"];

/// Default options of a collection. The server writes them out after a `collMod`.
const DEFAULTS: [(&str, &str); 2] = [("validationLevel", "strict"), ("validationAction", "error")];

/// Indexes sorted by name. Within one, `key` stays in its order (an index on `{a, b}` is another one than on `{b, a}`),
/// the other fields are sorted.
pub(crate) fn indexes(specifications: Vec<Document>) -> Vec<Document> {
    let mut indexes: Vec<Document> = specifications.into_iter().map(index).collect();
    indexes.sort_by(|a, b| a.get_str("name").unwrap_or_default().cmp(b.get_str("name").unwrap_or_default()));
    indexes
}

fn index(specification: Document) -> Document {
    let kept = specification.into_iter().filter(|(name, _)| !STORAGE.contains(&name.as_str()));
    let canonical = kept.map(|(name, value)| {
        let value = match (name.as_str(), value) {
            ("collation", Bson::Document(collation)) => Bson::Document(sorted(collation)),
            // the shell writes `{a: 1.0}` and `{unique: 1}`, drivers write `{a: 1}` and `{unique: true}`
            ("key", Bson::Document(key)) => {
                Bson::Document(key.into_iter().map(|(name, v)| (name, number(v))).collect())
            }
            ("weights", Bson::Document(weights)) => {
                Bson::Document(sorted(weights.into_iter().map(|(name, value)| (name, number(value)))))
            }
            (name, value) if FLAGS.contains(&name) => flag(value),
            ("partialFilterExpression", Bson::Document(filter)) => Bson::Document(canonical_query::query(filter)),
            ("wildcardProjection", value) => value,
            (_, value) => number(value),
        };
        (name, value)
    });
    // flags that are written out as `false` are left out, like absent ones
    sorted(canonical.filter(|(name, value)| !(FLAGS.contains(&name.as_str()) && *value == Bson::Boolean(false))))
}

/// Options of a collection, sorted, with `kind`: `collection`, `view`, `time-series` or `absent`. Without the UUID, which
/// changes when the collection is recreated with the same content.
pub(crate) fn options(kind: CollectionKind, options: &Document) -> Document {
    let kind = match kind {
        CollectionKind::Collection => "collection",
        CollectionKind::View => "view",
        CollectionKind::TimeSeries => "time-series",
        CollectionKind::Absent => "absent",
    };
    let is_kept = |name: &str, value: &Bson| {
        name != "uuid" && !DEFAULTS.map(|(n, v)| (n, Some(v))).contains(&(name, value.as_str()))
    };
    let options = options.clone().into_iter().filter(|(name, value)| is_kept(name, value));
    sorted(options.chain([("kind".to_owned(), kind.into())]).map(|(name, value)| {
        let value = match (name.as_str(), value) {
            ("collation" | "timeseries" | "clusteredIndex", Bson::Document(inner)) => Bson::Document(sorted(inner)),
            ("validator", Bson::Document(validator)) => Bson::Document(canonical_query::query(validator)),
            ("capped", value) => flag(value),
            ("size" | "max" | "expireAfterSeconds", value) => number(value),
            (_, value) => value,
        };
        (name, value)
    }))
}

/// The plan out of a reply to `explain`: what depends on the data and the indexes, not on the machine or the time.
pub(crate) fn plan(reply: Document) -> Document {
    const KEPT: [&str; 4] = ["explainVersion", "queryPlanner", "stages", "shards"];
    reply
        .into_iter()
        .filter(|(name, _)| KEPT.contains(&name.as_str()))
        .map(|(name, value)| (name, without_volatile(value)))
        .collect()
}

fn without_volatile(value: Bson) -> Bson {
    const VOLATILE: [&str; 5] =
        ["serverInfo", "serverParameters", "optimizationTimeMillis", "planCacheShapeHash", "connectionString"];
    match value {
        Bson::Document(fields) => fields
            .into_iter()
            .filter(|(name, _)| !VOLATILE.contains(&name.as_str()))
            .map(|(name, value)| (name, without_volatile(value)))
            .collect::<Document>()
            .into(),
        Bson::Array(items) => Bson::Array(items.into_iter().map(without_volatile).collect()),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn indexes_of_shell_and_driver_are_the_same() {
        let shell = doc! {"v": 2, "unique": 1, "key": {"b": 1.0, "a": -1_i64}, "name": "b_1_a_-1", "expireAfterSeconds": 60.0, "ns": "d.c"};
        let driver =
            doc! {"v": 3, "key": {"b": 1, "a": -1}, "name": "b_1_a_-1", "expireAfterSeconds": 60, "unique": true};
        // as bytes: documents that differ in the order of their fields compare as equal
        let bytes = |index: Document| bson::RawDocumentBuf::try_from(&indexes(vec![index])[0]).unwrap().into_bytes();
        assert_eq!(bytes(shell.clone()), bytes(driver));
        let other =
            doc! {"v": 2, "key": {"a": -1, "b": 1}, "name": "b_1_a_-1", "expireAfterSeconds": 60, "unique": true};
        assert_ne!(bytes(shell), bytes(other), "the order of the key counts");
    }

    #[test]
    fn indexes_are_sorted_by_name() {
        let names: Vec<_> = indexes(vec![doc! {"name": "b"}, doc! {"name": "a"}])
            .iter()
            .map(|i| i.get_str("name").unwrap().to_owned())
            .collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn defaults_equal_absent_options() {
        let written = doc! {"name": "a", "unique": 0, "sparse": false, "hidden": false};
        assert_eq!(indexes(vec![written]), [doc! {"name": "a"}]);
        let kept = doc! {"hidden": true, "name": "a", "sparse": true, "unique": true};
        assert_eq!(indexes(vec![kept.clone()]), [kept]);
        let options = |level: &str, action: &str| {
            let written = doc! {"validator": {"a": 1}, "validationLevel": level, "validationAction": action};
            options(CollectionKind::Collection, &written)
        };
        assert_eq!(options("strict", "error"), doc! {"kind": "collection", "validator": {"a": 1}});
        assert_eq!(
            options("moderate", "warn"),
            doc! {"kind": "collection", "validationAction": "warn", "validationLevel": "moderate", "validator": {"a": 1}}
        );
    }

    #[test]
    fn partial_filters_have_the_canonical_form_of_queries() {
        let index = &indexes(vec![doc! {"partialFilterExpression": {"a": {"$gt": 5.0}}}])[0];
        assert_eq!(index, &doc! {"partialFilterExpression": {"a": {"$gt": 5}}});
    }

    #[test]
    fn options_have_their_kind_and_no_uuid() {
        let written = doc! {"size": 4096.0, "capped": true, "uuid": 5};
        let canonical = doc! {"capped": true, "kind": "collection", "size": 4096};
        assert_eq!(options(CollectionKind::Collection, &written), canonical);
        assert_eq!(options(CollectionKind::Absent, &Document::new()), doc! {"kind": "absent"});
    }
}
