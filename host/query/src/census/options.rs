//! What a census covers, from what the probe asks, the operator declares and the baseline says.

use bson::{Bson, Document};
use taster_census::{CensusOptions, Redaction, TtlIndex};
use taster_model::{CensusFacts, CollectionKind, DeclaredChange};

use super::{CensusRequest, Refused};
use crate::{collection::Collection, guard::CheckedFilter, writes};

/// Names of ignored fields.
const IGNORED: usize = 1000;
/// Bytes of one of them.
const NAME_BYTES: usize = 1024;
/// Whole documents that are kept.
const SAMPLE: u32 = 250;

/// What the probe asks for.
pub(super) fn asked(request: CensusRequest, filter: Option<&CheckedFilter>) -> Result<CensusOptions, Refused> {
    let CensusRequest { filter: _, mut ignored, detail, sample } = request;
    let refuse = |what, asked: String, allowed: String| Err(Refused::Options { what, asked, allowed });
    if ignored.len() > IGNORED {
        let (asked, allowed) = (format!("{} fields", ignored.len()), format!("{IGNORED} fields"));
        return refuse("leaves out too many fields", asked, allowed);
    }
    if let Some(long) = ignored.iter().find(|name| name.len() > NAME_BYTES) {
        let (asked, allowed) = (format!("{} bytes", long.len()), format!("{NAME_BYTES} bytes"));
        return refuse("leaves out a field whose name is too long", asked, allowed);
    }
    if ignored.iter().any(|name| name == "_id") {
        return refuse("leaves out what documents are told apart by", "_id".to_owned(), "other fields".to_owned());
    }
    if sample > SAMPLE {
        let (asked, allowed) = (format!("{sample} documents"), format!("{SAMPLE} documents"));
        return refuse("keeps too many whole documents", asked, allowed);
    }
    ignored.sort_unstable();
    ignored.dedup();
    let filter = match filter {
        None => serde_json::Value::Null,
        Some(filter) => {
            // the guard has read it, types and texts included
            let document = Document::try_from(filter.raw()).map_err(|error| Refused::Options {
                what: "has a filter that cannot be written down",
                asked: error.to_string(),
                allowed: "BSON".to_owned(),
            })?;
            Bson::Document(document).into_canonical_extjson()
        }
    };
    Ok(CensusOptions { detail, filter, ignored, sample, ..CensusOptions::default() })
}

/// Without a baseline: what is declared today, and the indexes of today.
pub(super) fn of(
    mut options: CensusOptions,
    changes: &[DeclaredChange],
    found: Option<&Collection>,
    redaction: Option<Redaction>,
) -> CensusOptions {
    options.prepare_for_changes(changes);
    options.expiries = found.map(expiries).unwrap_or_default();
    options.redaction = redaction;
    options
}

/// With one: as the census was recorded that this one is going to be compared with. Only what must not be written down is
/// today's word: where that is another, the two are not compared, and nothing is given away.
pub(super) fn as_in(
    options: CensusOptions,
    baseline: &CensusFacts,
    redaction: Option<Redaction>,
) -> Result<CensusOptions, Refused> {
    let then: CensusOptions = serde_json::from_value(baseline.options.clone())
        .map_err(|error| Refused::Baseline { id: baseline.id.clone(), why: error.to_string() })?;
    let CensusOptions { separate, retyped, removed_filters, expiries, .. } = then;
    let redaction = redaction.or(then.redaction);
    Ok(CensusOptions { separate, retyped, removed_filters, expiries, redaction, ..options })
}

/// When documents expire. An index that is partial is left out: whether a document is in it is not looked at, so none of
/// it is ever taken for expired.
fn expiries(collection: &Collection) -> Vec<TtlIndex> {
    // a ring drops its oldest documents, expired or not
    if collection.is_capped() {
        return Vec::new();
    }
    let own = own_expiry(collection);
    own.into_iter().chain(collection.indexes.iter().filter_map(expiry)).collect()
}

/// A time series drops a bucket when all in it is due, by the time of the measurement; a clustered collection a document
/// by its id.
fn own_expiry(collection: &Collection) -> Option<TtlIndex> {
    let seconds = writes::whole(collection.options.get("expireAfterSeconds"))?;
    let field = match collection.kind {
        CollectionKind::TimeSeries => collection.options.get_document("timeseries").ok()?.get_str("timeField").ok()?,
        _ => "_id",
    };
    Some(TtlIndex { field: field.to_owned(), seconds })
}

fn expiry(index: &Document) -> Option<TtlIndex> {
    let seconds = writes::whole(index.get("expireAfterSeconds"))?;
    let key = index.get_document("key").ok()?;
    let (field, direction) = key.iter().next().filter(|_| key.len() == 1)?;
    // `hashed`, `2dsphere`: not an index of dates
    let is_ordered = matches!(direction, Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_));
    let counts = is_ordered && !index.contains_key("partialFilterExpression");
    counts.then(|| TtlIndex { field: field.clone(), seconds })
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
        all.iter().map(|expiry| format!("{} {}", expiry.field, expiry.seconds)).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn documents_expire_by_whole_indexes_of_one_field() {
        let indexes = vec![
            doc! {"name": "a", "key": {"due.at": 1}, "expireAfterSeconds": 60.0},
            doc! {"name": "b", "key": {"seen": -1_i64}, "expireAfterSeconds": 0},
            doc! {"name": "c", "key": {"x": 1, "y": 1}, "expireAfterSeconds": 5},
            doc! {"name": "d", "key": {"x": "hashed"}, "expireAfterSeconds": 5},
            doc! {"name": "e", "key": {"x": 1}, "expireAfterSeconds": 5, "partialFilterExpression": {"y": 1}},
            doc! {"name": "f", "key": {"x": 1}, "expireAfterSeconds": f64::NAN},
            doc! {"name": "g", "key": {"x": 1}},
        ];
        assert_eq!(shown(&collection(doc! {}, indexes.clone())), "due.at 60, seen 0");
        assert_eq!(shown(&collection(doc! {"capped": true}, indexes)), "");
    }

    #[test]
    fn collections_have_expiries_of_their_own() {
        let series = doc! {"timeseries": {"timeField": "t"}, "expireAfterSeconds": 3600_i64};
        assert_eq!(shown(&collection(series, Vec::new())), "t 3600");
        let clustered = doc! {"clusteredIndex": {"key": {"_id": 1}, "unique": true}, "expireAfterSeconds": 7};
        assert_eq!(shown(&collection(clustered, Vec::new())), "_id 7");
    }

    #[test]
    fn what_was_left_apart_is_left_apart_again() {
        let change = |value| serde_json::from_value::<DeclaredChange>(value).unwrap();
        let changes = [
            change(serde_json::json!({"collection": "c", "removedField": "b"})),
            change(serde_json::json!({"collection": "c", "removedDocuments": {"gone": true}})),
        ];
        let request = CensusRequest {
            ignored: ["z", "a", "z"].map(str::to_owned).to_vec(),
            detail: DetailLevel::Fields,
            sample: 3,
            filter: None,
        };
        let indexes = vec![doc! {"name": "a", "key": {"due": 1}, "expireAfterSeconds": 60}];
        let redaction = Some(Redaction { ids: true, ..Redaction::default() });
        let ask = || asked(request.clone(), None).unwrap();
        let before = of(ask(), &changes, Some(&collection(doc! {}, indexes)), redaction);
        assert_eq!((before.ignored.join(" "), before.sample), ("a z".to_owned(), 3));
        assert_eq!((before.separate.len(), before.removed_filters.len(), before.expiries.len()), (1, 1, 1));
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
        // the index is gone, and nothing is declared any more
        let baseline = facts(serde_json::to_value(&before).unwrap());
        assert_eq!(as_in(ask(), &baseline, None).unwrap(), before);
        let today = Some(Redaction { ids: true, fields: vec!["email".to_owned().try_into().unwrap()], secret: None });
        let after = as_in(ask(), &baseline, today.clone()).unwrap();
        assert_eq!((&after.redaction, &after.separate), (&today, &before.separate));
        let refused = as_in(ask(), &facts(serde_json::json!({"detail": "everything"})), None).unwrap_err();
        assert_eq!(refused.code(), "T0254");
    }

    #[test]
    fn too_much_is_refused() {
        let many = CensusRequest { ignored: vec![String::new(); 1001], ..CensusRequest::default() };
        let long = CensusRequest { ignored: vec!["x".repeat(1025)], ..CensusRequest::default() };
        let id = CensusRequest { ignored: vec!["_id".to_owned()], ..CensusRequest::default() };
        let sample = CensusRequest { sample: 251, ..CensusRequest::default() };
        let texts = [many, long, id, sample].map(|request| asked(request, None).unwrap_err().failure().to_string());
        insta::assert_snapshot!(texts.join("\n"), @r"
        T0252: the census leaves out too many fields (asked: 1001 fields; allowed: 1000 fields)
        T0252: the census leaves out a field whose name is too long (asked: 1025 bytes; allowed: 1024 bytes)
        T0252: the census leaves out what documents are told apart by (asked: _id; allowed: other fields)
        T0252: the census keeps too many whole documents (asked: 251 documents; allowed: 250 documents)
        ");
    }
}
