//! Commands, built from checked parts only.

use std::time::Duration;

use bson::{RawArrayBuf, RawBson, RawDocumentBuf, Timestamp, raw::CString, rawdoc};

use crate::guard::{
    CheckedCollation, CheckedFilter, CheckedHint, CheckedPath, CheckedPipeline, CheckedProjection, CheckedSort,
    CheckedTarget, CheckedVariables,
};

/// Documents of one server reply.
///
/// The server fills a reply until it has this many documents or 16 MiB. Measured on two cores with 300 000 documents of
/// 282 bytes, the server beside the host, as time for all documents with one hash each, the best of nine: 1000 documents
/// 171 ms, 4096 148 ms, 8192 142 ms, 16 384 143 ms, 30 000 136 ms, 60 000 (full replies of 16 MiB) 168 ms, the driver's
/// own loop over raw documents 239 ms. From 4096 on the differences are smaller than those between two runs, and the
/// least of them holds the least memory. The size of the batches that are cut from a reply (256 KiB, 1 MiB, 4 MiB) made
/// none, and neither did `readOnce`.
pub(crate) const REPLY_DOCUMENTS: u32 = 4096;

/// What every reading command carries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner<'a> {
    /// Who asks; shown by the server's logs and `currentOp`.
    pub(crate) comment: &'a str,
    /// How long the server may work on it, over all its batches.
    pub(crate) time: Duration,
    /// The time whose data are read. `None`: the data of the moment.
    pub(crate) read_at: Option<Timestamp>,
}

impl Manner<'_> {
    pub(crate) fn add_to(self, command: &mut RawDocumentBuf) {
        command.append(c("comment"), self.comment);
        command.append(
            c("maxTimeMS"),
            i64::try_from(self.time.as_millis()).unwrap_or(i64::MAX).clamp(1, i64::from(i32::MAX)),
        );
        if let Some(time) = self.read_at {
            command.append(c("readConcern"), rawdoc! { "level": "snapshot", "atClusterTime": time });
        }
    }
}

/// What goes beside a filter, checked.
#[derive(Debug, Default)]
pub(crate) struct CheckedFind {
    pub(crate) projection: Option<CheckedProjection>,
    pub(crate) sort: Option<CheckedSort>,
    pub(crate) skip: Option<u32>,
    pub(crate) limit: Option<u32>,
    pub(crate) hint: Option<CheckedHint>,
    pub(crate) collation: Option<CheckedCollation>,
    pub(crate) variables: Option<CheckedVariables>,
}

impl CheckedFind {
    /// Whether it asks for every document that fits, in whichever order: only then may it be read in parts.
    pub(crate) fn is_plain(&self) -> bool {
        let Self { projection: _, variables: _, sort, skip, limit, hint, collation } = self;
        sort.is_none() && skip.is_none() && limit.is_none() && hint.is_none() && collation.is_none()
    }
}

/// What goes beside a pipeline, checked.
#[derive(Debug, Default)]
pub(crate) struct CheckedAggregate {
    pub(crate) hint: Option<CheckedHint>,
    pub(crate) collation: Option<CheckedCollation>,
    pub(crate) variables: Option<CheckedVariables>,
}

/// How a find reads, beside what it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pages {
    /// As the server likes.
    Cached,
    /// Scanned pages are dropped at once, so that a scan does not drive the application's data out of the cache. Only
    /// for ordinary collections: a find on a view becomes an aggregation, which does not know the option.
    ReadOnce,
}

/// `find`, without what makes it one that is run.
fn find_query(target: &CheckedTarget, filter: &CheckedFilter, options: &CheckedFind) -> RawDocumentBuf {
    let mut command = rawdoc! { "find": target.name(), "filter": filter.raw().to_owned() };
    if let Some(projection) = &options.projection {
        command.append(c("projection"), projection.raw().to_owned());
    }
    if let Some(sort) = &options.sort {
        command.append(c("sort"), sort.raw().to_owned());
        // the server would put a large sort on its disk
        command.append(c("allowDiskUse"), false);
    }
    if let Some(skip) = options.skip {
        command.append(c("skip"), i64::from(skip));
    }
    if let Some(limit) = options.limit {
        command.append(c("limit"), i64::from(limit));
    }
    if let Some(hint) = &options.hint {
        command.append(c("hint"), hint.as_str());
    }
    if let Some(collation) = &options.collation {
        command.append(c("collation"), collation.raw().to_owned());
    }
    if let Some(variables) = &options.variables {
        command.append(c("let"), variables.raw().to_owned());
    }
    command
}

/// A find that is run once its manner is added.
pub(crate) fn find(
    target: &CheckedTarget,
    filter: &CheckedFilter,
    options: &CheckedFind,
    pages: Pages,
) -> RawDocumentBuf {
    let mut command = find_query(target, filter, options);
    // the server's own default for the first reply is 101 documents
    command.append(c("batchSize"), i64::from(REPLY_DOCUMENTS));
    if pages == Pages::ReadOnce {
        command.append(c("readOnce"), true);
    }
    command
}

/// One document, whichever.
pub(crate) fn first(collection: &str, manner: Manner<'_>) -> RawDocumentBuf {
    let mut command = rawdoc! { "find": collection, "limit": 1_i64, "singleBatch": true };
    manner.add_to(&mut command);
    command
}

/// The document of an id.
pub(crate) fn with_id(collection: &str, id: RawBson, manner: Manner<'_>) -> RawDocumentBuf {
    let mut command = rawdoc! { "find": collection, "filter": { "_id": id }, "limit": 1_i64, "singleBatch": true };
    manner.add_to(&mut command);
    command
}

/// As many documents as one reply holds, whichever.
pub(crate) fn beginning(collection: &str, manner: Manner<'_>) -> RawDocumentBuf {
    let documents = i64::from(REPLY_DOCUMENTS);
    let mut command = rawdoc! { "find": collection, "limit": documents, "batchSize": documents, "singleBatch": true };
    manner.add_to(&mut command);
    command
}

/// The plan of a find. It runs nothing, so it has no point in time.
pub(crate) fn explain(
    target: &CheckedTarget,
    filter: &CheckedFilter,
    options: &CheckedFind,
    manner: Manner<'_>,
) -> RawDocumentBuf {
    let mut command = rawdoc! { "explain": find_query(target, filter, options), "verbosity": "queryPlanner" };
    Manner { read_at: None, ..manner }.add_to(&mut command);
    command
}

/// A pipeline.
pub(crate) fn aggregate(
    target: &CheckedTarget,
    stages: CheckedPipeline,
    options: &CheckedAggregate,
    manner: Manner<'_>,
) -> RawDocumentBuf {
    let mut command = pipeline(target, stages.into_stages(), manner);
    if let Some(hint) = &options.hint {
        command.append(c("hint"), hint.as_str());
    }
    if let Some(collation) = &options.collation {
        command.append(c("collation"), collation.raw().to_owned());
    }
    if let Some(variables) = &options.variables {
        command.append(c("let"), variables.raw().to_owned());
    }
    command
}

fn pipeline(target: &CheckedTarget, stages: RawArrayBuf, manner: Manner<'_>) -> RawDocumentBuf {
    let mut command = rawdoc! {
        "aggregate": target.name(),
        "pipeline": stages,
        "cursor": { "batchSize": i64::from(REPLY_DOCUMENTS) },
        // groups and sorts past the server's memory limit end in an error, not on its disk
        "allowDiskUse": false,
    };
    manner.add_to(&mut command);
    command
}

/// Counts by looking: one document `{n}`, or none where nothing fits.
pub(crate) fn count(target: &CheckedTarget, filter: &CheckedFilter, manner: Manner<'_>) -> RawDocumentBuf {
    let mut stages = RawArrayBuf::new();
    stages.push(rawdoc! { "$match": filter.raw().to_owned() });
    stages.push(rawdoc! { "$group": { "_id": 1, "n": { "$sum": 1_i64 } } });
    pipeline(target, stages, manner)
}

/// Every value at a path once, as documents `{v}` in BSON order.
///
/// As the command `distinct` does, arrays are stepped into at each part of the path, the last one included, and an
/// absent value is none. Positions (`items.0`) are not understood. Numbers that are equal are one value, shown in the
/// type that comes first by name, so that the answer does not depend on the order of the documents.
pub(crate) fn distinct(
    target: &CheckedTarget,
    path: &CheckedPath,
    filter: &CheckedFilter,
    manner: Manner<'_>,
) -> RawDocumentBuf {
    let field = format!("${}", path.as_str());
    let mut stages = RawArrayBuf::new();
    stages.push(rawdoc! { "$match": filter.raw().to_owned() });
    for (end, _) in path.as_str().match_indices('.').chain([(path.as_str().len(), "")]) {
        let prefix = format!("${}", &path.as_str()[..end]);
        // without `preserve…` null would go the way of what is absent
        stages.push(rawdoc! { "$unwind": { "path": prefix, "preserveNullAndEmptyArrays": true } });
    }
    let kind = rawdoc! { "$type": field.as_str() };
    stages.push(rawdoc! { "$match": { "$expr": { "$ne": [kind.clone(), "missing"] } } });
    // sorted as documents, for a sort by a field takes an array for its least element
    stages.push(rawdoc! { "$group": { "_id": { "v": field.as_str(), "t": kind } } });
    stages.push(rawdoc! { "$sort": { "_id": 1 } });
    stages.push(rawdoc! { "$group": { "_id": { "v": "$_id.v" }, "v": { "$first": "$_id.v" } } });
    stages.push(rawdoc! { "$sort": { "_id": 1 } });
    stages.push(rawdoc! { "$project": { "_id": 0, "v": 1 } });
    pipeline(target, stages, manner)
}

/// Index specifications.
pub(crate) fn list_indexes(collection: &str, manner: Manner<'_>) -> RawDocumentBuf {
    let mut command = rawdoc! { "listIndexes": collection, "cursor": {} };
    Manner { read_at: None, ..manner }.add_to(&mut command);
    command
}

/// What the storage engine has counted of a collection, one document a shard. Measured on 6.0.5: under a millisecond.
pub(crate) fn storage_stats(collection: &str, manner: Manner<'_>) -> RawDocumentBuf {
    let mut stages = RawArrayBuf::new();
    stages.push(rawdoc! { "$collStats": { "storageStats": {} } });
    let mut command = rawdoc! { "aggregate": collection, "pipeline": stages, "cursor": {} };
    Manner { read_at: None, ..manner }.add_to(&mut command);
    command
}

/// Every collection that the user may see.
pub(crate) fn list_collections(manner: Manner<'_>) -> RawDocumentBuf {
    let mut command = rawdoc! { "listCollections": 1, "cursor": {}, "authorizedCollections": true, "nameOnly": false };
    Manner { read_at: None, ..manner }.add_to(&mut command);
    command
}

pub(crate) fn c(name: &'static str) -> CString {
    CString::try_from(name.to_owned()).expect("names of options have no NUL in them")
}
