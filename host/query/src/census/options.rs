//! The options of a census, from the probe's request, the declared changes and the baseline.

use bson::{Bson, Document};
use taster_census::{CensusOptions, DetailLevel, Redaction, TtlIndex, extended_json};
use taster_model::{CensusFacts, CollectionKind, DeclaredChange};
use taster_text::counted;

use super::{refusal::CensusRefusal, request::CensusRequest};
use crate::{bson_util::integer, collection::Collection, guard::checked::CheckedFilter};

/// The most ignored fields.
const MAX_IGNORED: usize = 1000;
/// The most bytes of the name of an ignored field.
const MAX_NAME_BYTES: usize = 1024;
/// The most whole documents that are kept.
const MAX_SAMPLE: u32 = 250;
/// The most partial TTL indexes whose documents count as expired: each doubles the number of finds.
const MAX_PARTIAL_EXPIRIES: usize = 3;

/// The options that the probe requests.
pub(super) fn requested(
    request: CensusRequest,
    filter: Option<&CheckedFilter>,
) -> Result<CensusOptions, CensusRefusal> {
    let CensusRequest { filter: _, mut ignored, detail, sample, values, any_order } = request;
    let refuse =
        |problem, asked: String, allowed: String| Err(CensusRefusal::InvalidOptions { problem, asked, allowed });
    if ignored.len() > MAX_IGNORED {
        let (asked, allowed) = (counted(ignored.len() as u64, "field"), counted(MAX_IGNORED as u64, "field"));
        return refuse("ignores too many fields", asked, allowed);
    }
    if let Some(long) = ignored.iter().find(|name| name.len() > MAX_NAME_BYTES) {
        let (asked, allowed) = (counted(long.len() as u64, "byte"), counted(MAX_NAME_BYTES as u64, "byte"));
        return refuse("ignores a field whose name is too long", asked, allowed);
    }
    if ignored.iter().any(|name| name == "_id") {
        return refuse("ignores `_id`, which identifies documents", "_id".to_owned(), "other fields".to_owned());
    }
    if sample > MAX_SAMPLE {
        let (asked, allowed) = (counted(sample.into(), "document"), counted(MAX_SAMPLE.into(), "document"));
        return refuse("keeps too many whole documents", asked, allowed);
    }
    if values && detail == DetailLevel::Documents {
        let (asked, allowed) = ("values of fields".to_owned(), "values with a digest for each field".to_owned());
        return refuse("keeps the values of fields that have no digests", asked, allowed);
    }
    ignored.sort_unstable();
    ignored.dedup();
    let filter = match filter {
        None => serde_json::Value::Null,
        Some(filter) => {
            // the guard has checked it, including types and strings
            let document = Document::try_from(filter.raw()).map_err(|error| CensusRefusal::InvalidOptions {
                problem: "has a filter that cannot be written as Extended JSON",
                asked: error.to_string(),
                allowed: "BSON".to_owned(),
            })?;
            extended_json(Bson::Document(document))
        }
    };
    Ok(CensusOptions { detail, filter, ignored, sample, values, any_order, ..CensusOptions::default() })
}

/// Without a baseline: from the declared changes and the present indexes.
pub(super) fn from_changes(
    mut options: CensusOptions,
    changes: &[DeclaredChange],
    collection: Option<&Collection>,
    redaction: Option<Redaction>,
) -> CensusOptions {
    options.prepare_for_changes(changes);
    // with `any_order`, fields are in one order on both sides
    options.order_free_digests = !options.any_order;
    options.unordered = collection.is_some_and(|collection| collection.kind == CollectionKind::TimeSeries);
    options.expiries = collection.map(expiries).unwrap_or_default();
    options.redaction = redaction;
    options
}

/// With a baseline: as the census was recorded that this one is going to be compared with. Only the redaction is the present
/// one: if it differs from the baseline's, the two are not compared, and nothing that is redacted now is written.
pub(super) fn as_in_baseline(
    options: CensusOptions,
    baseline: &CensusFacts,
    redaction: Option<Redaction>,
) -> Result<CensusOptions, CensusRefusal> {
    let before: CensusOptions = serde_json::from_value(baseline.options.clone())
        .map_err(|error| CensusRefusal::Baseline { id: baseline.id.clone(), reason: error.to_string() })?;
    let CensusOptions { detail, filter, ignored, sample, values, any_order, .. } = options;
    let redaction = redaction.or_else(|| before.redaction.clone());
    Ok(CensusOptions { detail, filter, ignored, sample, values, any_order, redaction, ..before })
}

/// The rules by which documents expire. Documents of a rule that is left out never count as expired.
fn expiries(collection: &Collection) -> Vec<TtlIndex> {
    // a capped collection drops its oldest documents, expired or not
    if collection.is_capped() {
        return Vec::new();
    }
    let own = collection_expiry(collection);
    let by_index = collection.indexes.iter().filter_map(|index| index_expiry(index, collection));
    let (complete, mut partial): (Vec<TtlIndex>, Vec<TtlIndex>) = by_index.partition(|index| index.filter.is_none());
    if partial.len() > MAX_PARTIAL_EXPIRIES {
        tracing::warn!(
            collection = collection.name,
            indexes = partial.len(),
            limit = MAX_PARTIAL_EXPIRIES,
            "partial TTL indexes beyond the limit excuse no document"
        );
        partial.truncate(MAX_PARTIAL_EXPIRIES);
    }
    own.into_iter().chain(complete).chain(partial).collect()
}

/// The expiry that is an option of the collection. A time series drops a bucket when all its measurements are due; a clustered
/// collection drops a document by its id.
fn collection_expiry(collection: &Collection) -> Option<TtlIndex> {
    let seconds = integer(collection.options.get("expireAfterSeconds"))?;
    let field = match collection.kind {
        CollectionKind::TimeSeries => collection.options.get_document("timeseries").ok()?.get_str("timeField").ok()?,
        _ => "_id",
    };
    Some(TtlIndex { field: field.to_owned(), seconds, filter: None })
}

/// The expiry of a TTL index. A partial index compares strings by its own collation, and a find by that of the collection: where
/// the two differ, the find does not tell which documents are in the index.
fn index_expiry(index: &Document, collection: &Collection) -> Option<TtlIndex> {
    let seconds = integer(index.get("expireAfterSeconds"))?;
    let key = index.get_document("key").ok()?;
    let (field, direction) = key.iter().next().filter(|_| key.len() == 1)?;
    // `hashed` and `2dsphere` indexes do not expire documents
    let is_ordered = matches!(direction, Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_));
    let filter = index.get_document("partialFilterExpression").ok();
    let own_collation = collection.canonical_options().get("collation") == index.get("collation");
    let applies = is_ordered && (filter.is_none() || own_collation);
    let filter = filter.map(|filter| Bson::Document(filter.clone()));
    // it is read back: a document such as `{"$numberLong": "5"}` would become a number
    let can_be_read_back = |filter: &Bson| extended_json(filter.clone()) == filter.clone().into_canonical_extjson();
    let applies = applies && filter.as_ref().is_none_or(can_be_read_back);
    let filter = filter.map(Bson::into_canonical_extjson);
    applies.then(|| TtlIndex { field: field.clone(), seconds, filter })
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, doc};
    use taster_census::DetailLevel;
    use taster_model::Diagnostic;

    use super::*;

    fn collection(options: Document, indexes: Vec<Document>) -> Collection {
        let kind = if options.contains_key("timeseries") { "timeseries" } else { "collection" };
        let entry = RawDocumentBuf::try_from(&doc! {"name": "c", "type": kind, "options": options}).unwrap();
        let indexes = crate::canonical::indexes(indexes);
        Collection { indexes, ..Collection::from_entry(&entry).unwrap().unwrap() }
    }

    fn shown(collection: &Collection) -> String {
        let all = expiries(collection);
        let filter = |expiry: &TtlIndex| expiry.filter.as_ref().map(|filter| format!(" {filter}")).unwrap_or_default();
        let all = all.iter().map(|expiry| format!("{} {}{}", expiry.field, expiry.seconds, filter(expiry)));
        all.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn documents_expire_by_indexes_on_one_field() {
        let indexes = vec![
            doc! {"name": "a", "key": {"due.at": 1}, "expireAfterSeconds": 60.0},
            doc! {"name": "b", "key": {"seen": -1_i64}, "expireAfterSeconds": 0},
            doc! {"name": "c", "key": {"x": 1, "y": 1}, "expireAfterSeconds": 5},
            doc! {"name": "d", "key": {"x": "hashed"}, "expireAfterSeconds": 5},
            doc! {"name": "e", "key": {"x": 1}, "expireAfterSeconds": 5, "partialFilterExpression": {"y": 1}},
            doc! {"name": "f", "key": {"x": 1}, "expireAfterSeconds": f64::NAN},
            doc! {"name": "g", "key": {"x": 1}},
        ];
        assert_eq!(
            shown(&collection(doc! {}, indexes.clone())),
            "due.at 60, seen 0, x 5 {\"y\":{\"$numberInt\":\"1\"}}"
        );
        assert_eq!(shown(&collection(doc! {"capped": true}, indexes)), "");
    }

    #[test]
    fn partial_indexes_excuse_by_the_collation_of_the_collection_and_up_to_a_limit() {
        let index = |name: &str, collation: Option<&str>| {
            let mut index =
                doc! {"name": name, "key": {name: 1}, "expireAfterSeconds": 5, "partialFilterExpression": {}};
            index.extend(collation.map(|locale| ("collation".to_owned(), Bson::from(doc! {"locale": locale}))));
            index
        };
        let german = doc! {"collation": {"locale": "de"}};
        assert_eq!(shown(&collection(german.clone(), vec![index("a", Some("de"))])), "a 5 {}");
        assert_eq!(shown(&collection(german, vec![index("a", Some("fr")), index("b", None)])), "");
        assert_eq!(shown(&collection(doc! {}, vec![index("a", Some("de"))])), "");
        let four = ["a", "b", "c", "d"].map(|name| index(name, None));
        assert_eq!(shown(&collection(doc! {}, four.to_vec())), "a 5 {}, b 5 {}, c 5 {}");
    }

    #[test]
    fn time_series_and_clustered_collections_expire_by_their_options() {
        let series = doc! {"timeseries": {"timeField": "t"}, "expireAfterSeconds": 3600_i64};
        assert_eq!(shown(&collection(series, Vec::new())), "t 3600");
        let clustered = doc! {"clusteredIndex": {"key": {"_id": 1}, "unique": true}, "expireAfterSeconds": 7};
        assert_eq!(shown(&collection(clustered, Vec::new())), "_id 7");
    }

    #[test]
    fn the_options_of_the_baseline_are_used_again() {
        let change = |value| serde_json::from_value::<DeclaredChange>(value).unwrap();
        let changes = [
            change(serde_json::json!({"collection": "c", "removedField": "b"})),
            change(serde_json::json!({"collection": "c", "retypedField": "d", "from": "double", "to": "decimal"})),
            change(serde_json::json!({"collection": "c", "removedDocuments": {"gone": true}})),
        ];
        let request = CensusRequest {
            ignored: ["z", "a", "z"].map(str::to_owned).to_vec(),
            detail: DetailLevel::Fields,
            sample: 3,
            ..CensusRequest::default()
        };
        let indexes = vec![doc! {"name": "a", "key": {"due": 1}, "expireAfterSeconds": 60}];
        let redaction = Some(Redaction { ids: true, ..Redaction::default() });
        let ask = || requested(request.clone(), None).unwrap();
        let before = from_changes(ask(), &changes, Some(&collection(doc! {}, indexes)), redaction);
        assert_eq!((before.ignored.join(" "), before.sample), ("a z".to_owned(), 3));
        assert_eq!((before.separate.len(), before.removed_filters.len(), before.expiries.len()), (2, 1, 1));
        assert_eq!(before.conversions.len(), 1);
        let facts = |options| CensusFacts {
            probe: "orders".to_owned(),
            id: "c1".to_owned(),
            collection: "c".to_owned(),
            object: String::new(),
            documents: 0,
            bytes: 0,
            options,
            sum: String::new(),
        };
        // the index was dropped, and nothing is declared any more
        let baseline = facts(serde_json::to_value(&before).unwrap());
        assert_eq!(as_in_baseline(ask(), &baseline, None).unwrap(), before);
        let today = Some(Redaction { ids: true, fields: vec!["email".to_owned().try_into().unwrap()], secret: None });
        let after = as_in_baseline(ask(), &baseline, today.clone()).unwrap();
        assert_eq!((&after.redaction, &after.separate), (&today, &before.separate));
        let refusal = as_in_baseline(ask(), &facts(serde_json::json!({"detail": "everything"})), None).unwrap_err();
        assert_eq!(refusal.code(), "T0254");
    }

    #[test]
    fn options_beyond_the_limits_are_refused() {
        let many = CensusRequest { ignored: vec![String::new(); 1001], ..CensusRequest::default() };
        let long = CensusRequest { ignored: vec!["x".repeat(1025)], ..CensusRequest::default() };
        let id = CensusRequest { ignored: vec!["_id".to_owned()], ..CensusRequest::default() };
        let sample = CensusRequest { sample: 251, ..CensusRequest::default() };
        let texts = [many, long, id, sample].map(|request| requested(request, None).unwrap_err().failure().to_string());
        insta::assert_snapshot!(texts.join("\n"), @r"
        T0252: the census ignores too many fields (asked: 1 001 fields; allowed: 1 000 fields)
        T0252: the census ignores a field whose name is too long (asked: 1 025 bytes; allowed: 1 024 bytes)
        T0252: the census ignores `_id`, which identifies documents (asked: _id; allowed: other fields)
        T0252: the census keeps too many whole documents (asked: 251 documents; allowed: 250 documents)
        ");
    }
}
