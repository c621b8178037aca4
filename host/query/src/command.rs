//! The commands that are sent to the server, built from checked parts only.

use bson::{RawArrayBuf, RawBson, RawDocumentBuf, rawdoc};

use crate::{
    bson_util::key,
    command_options::CommandOptions,
    guard::checked::{
        CheckedCollation, CheckedFilter, CheckedHint, CheckedPath, CheckedPipeline, CheckedProjection, CheckedSort,
        CheckedTarget, CheckedVariables,
    },
};

/// Documents of one server reply.
///
/// The server fills a reply until it has this many documents or 16 MiB. Measured on two cores with the server on the same
/// machine: time to read 300 000 documents of 282 bytes and hash each, best of nine. 1000 documents per reply: 171 ms;
/// 4096: 148 ms; 8192: 142 ms; 16 384: 143 ms; 30 000: 136 ms; 60 000 (full replies of 16 MiB): 168 ms; the driver's own
/// loop over raw documents: 239 ms. From 4096 on the differences are within the noise, and 4096 needs the least memory. The
/// size of the batches that are cut from a reply (256 KiB, 1 MiB, 4 MiB) made no difference, and neither did `readOnce`.
pub(crate) const REPLY_DOCUMENTS: u32 = 4096;

/// The checked options of a find.
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
    /// Whether it asks for all matching documents in any order. Only then can it be read in ranges.
    pub(crate) fn is_full_scan(&self) -> bool {
        let Self { projection: _, variables: _, sort, skip, limit, hint, collation } = self;
        sort.is_none() && skip.is_none() && limit.is_none() && hint.is_none() && collation.is_none()
    }
}

/// The checked options of an aggregation.
#[derive(Debug, Default)]
pub(crate) struct CheckedAggregate {
    pub(crate) hint: Option<CheckedHint>,
    pub(crate) collation: Option<CheckedCollation>,
    pub(crate) variables: Option<CheckedVariables>,
}

/// What the server does with the pages that a find reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageCaching {
    /// The server's default.
    Default,
    /// Pages are dropped from the cache after reading, so that a scan does not evict the application's data. Only for
    /// ordinary collections: a find on a view becomes an aggregation, which does not have the option.
    ReadOnce,
}

/// A `find` without a batch size and without [`CommandOptions`].
fn find_query(target: &CheckedTarget, filter: &CheckedFilter, options: &CheckedFind) -> RawDocumentBuf {
    let mut command = rawdoc! { "find": target.name(), "filter": filter.raw().to_owned() };
    if let Some(projection) = &options.projection {
        command.append(key("projection"), projection.raw().to_owned());
    }
    if let Some(sort) = &options.sort {
        command.append(key("sort"), sort.raw().to_owned());
        // otherwise the server writes a large sort to its disk
        command.append(key("allowDiskUse"), false);
    }
    if let Some(skip) = options.skip {
        command.append(key("skip"), i64::from(skip));
    }
    if let Some(limit) = options.limit {
        command.append(key("limit"), i64::from(limit));
    }
    if let Some(hint) = &options.hint {
        command.append(key("hint"), hint.as_str());
    }
    if let Some(collation) = &options.collation {
        command.append(key("collation"), collation.raw().to_owned());
    }
    if let Some(variables) = &options.variables {
        command.append(key("let"), variables.raw().to_owned());
    }
    command
}

/// A find that lacks only its [`CommandOptions`].
pub(crate) fn find(
    target: &CheckedTarget,
    filter: &CheckedFilter,
    options: &CheckedFind,
    caching: PageCaching,
) -> RawDocumentBuf {
    let mut command = find_query(target, filter, options);
    // the server's own default for the first reply is 101 documents
    command.append(key("batchSize"), i64::from(REPLY_DOCUMENTS));
    if caching == PageCaching::ReadOnce {
        command.append(key("readOnce"), true);
    }
    command
}

/// Any one document.
///
/// Without `singleBatch`, here and below: the server turns a find in a time-series collection into an aggregation, which
/// does not have the option. The limit ends the cursor as well.
pub(crate) fn find_one(collection: &str, options: CommandOptions<'_>) -> RawDocumentBuf {
    // none of its fields: the driver refuses names and texts of which it does not know what they are
    let mut command = rawdoc! { "find": collection, "limit": 1_i64, "projection": {"_id": 0, "a": {"$literal": 1}} };
    options.append_to(&mut command);
    command
}

/// Every document, as it is at present.
pub(crate) fn find_all(collection: &str, options: CommandOptions<'_>) -> RawDocumentBuf {
    let mut command = rawdoc! { "find": collection };
    options.at_present().append_to(&mut command);
    command
}

/// The document with this id.
pub(crate) fn find_by_id(collection: &str, id: RawBson, options: CommandOptions<'_>) -> RawDocumentBuf {
    let mut command = rawdoc! { "find": collection, "filter": { "_id": id }, "limit": 1_i64 };
    options.append_to(&mut command);
    command
}

/// The beginning of a scan. Its first reply may end at 16 MiB; then the cursor stays open.
pub(crate) fn find_first_reply(collection: &str, options: CommandOptions<'_>) -> RawDocumentBuf {
    let documents = i64::from(REPLY_DOCUMENTS);
    let mut command = rawdoc! { "find": collection, "limit": documents, "batchSize": documents };
    options.append_to(&mut command);
    command
}

/// The query plan of a find. The query is not run, so it has no point in time.
pub(crate) fn explain(
    target: &CheckedTarget,
    filter: &CheckedFilter,
    find: &CheckedFind,
    options: CommandOptions<'_>,
) -> RawDocumentBuf {
    let mut command = rawdoc! { "explain": find_query(target, filter, find), "verbosity": "queryPlanner" };
    options.at_present().append_to(&mut command);
    command
}

/// An aggregation.
pub(crate) fn aggregate(
    target: &CheckedTarget,
    stages: CheckedPipeline,
    aggregate: &CheckedAggregate,
    options: CommandOptions<'_>,
) -> RawDocumentBuf {
    let mut command = aggregate_stages(target, stages.into_stages(), options);
    if let Some(hint) = &aggregate.hint {
        command.append(key("hint"), hint.as_str());
    }
    if let Some(collation) = &aggregate.collation {
        command.append(key("collation"), collation.raw().to_owned());
    }
    if let Some(variables) = &aggregate.variables {
        command.append(key("let"), variables.raw().to_owned());
    }
    command
}

fn aggregate_stages(target: &CheckedTarget, stages: RawArrayBuf, options: CommandOptions<'_>) -> RawDocumentBuf {
    let mut command = rawdoc! {
        "aggregate": target.name(),
        "pipeline": stages,
        "cursor": { "batchSize": i64::from(REPLY_DOCUMENTS) },
        // groups and sorts beyond the server's memory limit fail instead of using its disk
        "allowDiskUse": false,
    };
    options.append_to(&mut command);
    command
}

/// Counts documents exactly: one document `{n}`, or none where no document matches.
pub(crate) fn count(target: &CheckedTarget, filter: &CheckedFilter, options: CommandOptions<'_>) -> RawDocumentBuf {
    let mut stages = RawArrayBuf::new();
    stages.push(rawdoc! { "$match": filter.raw().to_owned() });
    stages.push(rawdoc! { "$group": { "_id": 1, "n": { "$sum": 1_i64 } } });
    aggregate_stages(target, stages, options)
}

/// The distinct values at a path, as documents `{v}` in BSON order.
///
/// Like the command `distinct`, this steps into arrays at every part of the path, including the last one, and ignores absent
/// values. Array positions (`items.0`) are not supported. Equal numbers of different types are one value, shown in the type
/// whose name sorts first, so that the result does not depend on the order of the documents.
pub(crate) fn distinct(
    target: &CheckedTarget,
    path: &CheckedPath,
    filter: &CheckedFilter,
    options: CommandOptions<'_>,
) -> RawDocumentBuf {
    let field = format!("${}", path.as_str());
    let mut stages = RawArrayBuf::new();
    stages.push(rawdoc! { "$match": filter.raw().to_owned() });
    for (end, _) in path.as_str().match_indices('.').chain([(path.as_str().len(), "")]) {
        let prefix = format!("${}", &path.as_str()[..end]);
        // without `preserve…` null would be dropped like an absent value
        stages.push(rawdoc! { "$unwind": { "path": prefix, "preserveNullAndEmptyArrays": true } });
    }
    let kind = rawdoc! { "$type": field.as_str() };
    stages.push(rawdoc! { "$match": { "$expr": { "$ne": [kind.clone(), "missing"] } } });
    // sorted as documents, because a sort by a field compares an array by its least element
    stages.push(rawdoc! { "$group": { "_id": { "v": field.as_str(), "t": kind } } });
    stages.push(rawdoc! { "$sort": { "_id": 1 } });
    stages.push(rawdoc! { "$group": { "_id": { "v": "$_id.v" }, "v": { "$first": "$_id.v" } } });
    stages.push(rawdoc! { "$sort": { "_id": 1 } });
    stages.push(rawdoc! { "$project": { "_id": 0, "v": 1 } });
    aggregate_stages(target, stages, options)
}

/// Index specifications.
pub(crate) fn list_indexes(collection: &str, options: CommandOptions<'_>) -> RawDocumentBuf {
    // an index that is still being built is listed like a finished one; with this option it has the id of its build
    let mut command = rawdoc! { "listIndexes": collection, "cursor": {}, "includeBuildUUIDs": true };
    options.at_present().append_to(&mut command);
    command
}

/// Counters of the storage engine for a collection, one document per shard. Takes less than a millisecond on 6.0.5.
pub(crate) fn storage_stats(collection: &str, options: CommandOptions<'_>) -> RawDocumentBuf {
    let mut stages = RawArrayBuf::new();
    stages.push(rawdoc! { "$collStats": { "storageStats": {} } });
    let mut command = rawdoc! { "aggregate": collection, "pipeline": stages, "cursor": {} };
    options.at_present().append_to(&mut command);
    command
}

/// Names of the databases that the user is allowed to see.
pub(crate) fn list_databases(options: CommandOptions<'_>) -> RawDocumentBuf {
    let mut command = rawdoc! { "listDatabases": 1, "nameOnly": true, "authorizedDatabases": true };
    options.at_present().append_to(&mut command);
    command
}

/// Every collection that the user is allowed to see.
pub(crate) fn list_collections(options: CommandOptions<'_>) -> RawDocumentBuf {
    let mut command = rawdoc! { "listCollections": 1, "cursor": {}, "authorizedCollections": true, "nameOnly": false };
    options.at_present().append_to(&mut command);
    command
}
