//! The lists: every name a probe may use, and what to say about the best-known ones it may not.
//!
//! The lists are those of MongoDB 6.0 to 8.0. A name that an older server does not know is answered by that server.

use std::fmt;

use super::{
    at::At,
    refused::{Refused, shown},
};

/// What a name with a `$` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A stage of a pipeline.
    Stage,
    /// An accumulator of `$group` and `$bucket`.
    Accumulator,
    /// An operator of a filter.
    QueryOperator,
    /// An operator of an expression.
    Expression,
    /// A `$$NAME` of the server.
    Variable,
    /// An option of something.
    Option,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stage => "stage",
            Self::Accumulator => "accumulator",
            Self::QueryOperator => "query operator",
            Self::Expression => "expression operator",
            Self::Variable => "variable",
            Self::Option => "option",
        })
    }
}

impl Kind {
    /// The names that are allowed, where the list is short enough to be read.
    pub(super) fn allowed(self) -> Option<String> {
        match self {
            Self::Stage => Some(STAGES.join(", ")),
            Self::Accumulator => Some(ACCUMULATORS.join(", ")),
            Self::Variable => Some(VARIABLES.map(|name| format!("$${name}")).join(", ")),
            Self::QueryOperator | Self::Expression | Self::Option => None,
        }
    }
}

/// Stages without sub-pipelines that neither write nor depend on anything but the documents before them.
pub(super) const STAGES: [&str; 17] = [
    "$addFields",
    "$bucket",
    "$bucketAuto",
    "$count",
    "$group",
    "$limit",
    "$match",
    "$project",
    "$redact",
    "$replaceRoot",
    "$replaceWith",
    "$set",
    "$skip",
    "$sort",
    "$sortByCount",
    "$unset",
    "$unwind",
];

/// Accumulators.
pub(super) const ACCUMULATORS: [&str; 22] = [
    "$addToSet",
    "$avg",
    "$bottom",
    "$bottomN",
    "$count",
    "$first",
    "$firstN",
    "$last",
    "$lastN",
    "$max",
    "$maxN",
    "$median",
    "$mergeObjects",
    "$min",
    "$minN",
    "$percentile",
    "$push",
    "$stdDevPop",
    "$stdDevSamp",
    "$sum",
    "$top",
    "$topN",
];

/// Variables of the server that depend on nothing but the document.
pub(super) const VARIABLES: [&str; 6] = ["CURRENT", "DESCEND", "KEEP", "PRUNE", "REMOVE", "ROOT"];

/// Operators of expressions. `$literal` and `$meta` have rules of their own.
pub(super) const EXPRESSIONS: [&str; 147] = [
    "$abs",
    "$acos",
    "$acosh",
    "$add",
    "$allElementsTrue",
    "$and",
    "$anyElementTrue",
    "$arrayElemAt",
    "$arrayToObject",
    "$asin",
    "$asinh",
    "$atan",
    "$atan2",
    "$atanh",
    "$avg",
    "$binarySize",
    "$bitAnd",
    "$bitNot",
    "$bitOr",
    "$bitXor",
    "$bsonSize",
    "$ceil",
    "$cmp",
    "$concat",
    "$concatArrays",
    "$cond",
    "$convert",
    "$cos",
    "$cosh",
    "$dateAdd",
    "$dateDiff",
    "$dateFromParts",
    "$dateFromString",
    "$dateSubtract",
    "$dateToParts",
    "$dateToString",
    "$dateTrunc",
    "$dayOfMonth",
    "$dayOfWeek",
    "$dayOfYear",
    "$degreesToRadians",
    "$divide",
    "$eq",
    "$exp",
    "$filter",
    "$first",
    "$firstN",
    "$floor",
    "$getField",
    "$gt",
    "$gte",
    "$hour",
    "$ifNull",
    "$in",
    "$indexOfArray",
    "$indexOfBytes",
    "$indexOfCP",
    "$isArray",
    "$isNumber",
    "$isoDayOfWeek",
    "$isoWeek",
    "$isoWeekYear",
    "$last",
    "$lastN",
    "$let",
    "$ln",
    "$log",
    "$log10",
    "$lt",
    "$lte",
    "$ltrim",
    "$map",
    "$max",
    "$maxN",
    "$median",
    "$mergeObjects",
    "$millisecond",
    "$min",
    "$minN",
    "$minute",
    "$mod",
    "$month",
    "$multiply",
    "$ne",
    "$not",
    "$objectToArray",
    "$or",
    "$percentile",
    "$pow",
    "$radiansToDegrees",
    "$range",
    "$reduce",
    "$regexFind",
    "$regexFindAll",
    "$regexMatch",
    "$replaceAll",
    "$replaceOne",
    "$reverseArray",
    "$round",
    "$rtrim",
    "$second",
    "$setDifference",
    "$setEquals",
    "$setField",
    "$setIntersection",
    "$setIsSubset",
    "$setUnion",
    "$sin",
    "$sinh",
    "$size",
    "$slice",
    "$sortArray",
    "$split",
    "$sqrt",
    "$stdDevPop",
    "$stdDevSamp",
    "$strLenBytes",
    "$strLenCP",
    "$strcasecmp",
    "$substr",
    "$substrBytes",
    "$substrCP",
    "$subtract",
    "$sum",
    "$switch",
    "$tan",
    "$tanh",
    "$toBool",
    "$toDate",
    "$toDecimal",
    "$toDouble",
    "$toInt",
    "$toLong",
    "$toLower",
    "$toObjectId",
    "$toString",
    "$toUUID",
    "$toUpper",
    "$trim",
    "$trunc",
    "$tsIncrement",
    "$tsSecond",
    "$type",
    "$unsetField",
    "$week",
    "$year",
    "$zip",
];

/// Whether an expression operator is on the list.
pub(super) fn is_expression(name: &str) -> bool {
    EXPRESSIONS.contains(&name)
}

const WRITES: [&str; 2] = ["$merge", "$out"];
const JAVASCRIPT: [&str; 3] = ["$accumulator", "$function", "$where"];
const RANDOM: [&str; 7] =
    ["$$CLUSTER_TIME", "$$NOW", "$createObjectId", "$currentDate", "$rand", "$sample", "$sampleRate"];
/// Stages that read more than the collection they are called on.
const OTHER_COLLECTIONS: [&str; 7] =
    ["$documents", "$facet", "$graphLookup", "$lookup", "$rankFusion", "$scoreFusion", "$unionWith"];
/// Harmless to the server, but not thought through yet.
const NOT_YET: [&str; 11] = [
    "$densify",
    "$fill",
    "$geoIntersects",
    "$geoNear",
    "$geoWithin",
    "$near",
    "$nearSphere",
    "$search",
    "$searchMeta",
    "$setWindowFields",
    "$vectorSearch",
];
const SERVER: [&str; 26] = [
    "$$IS_MR",
    "$$JS_SCOPE",
    "$$SEARCH_META",
    "$$USER_ROLES",
    "$backupCursor",
    "$backupCursorExtend",
    "$changeStream",
    "$changeStreamSplitLargeEvent",
    "$collStats",
    "$currentOp",
    "$indexStats",
    "$listCatalog",
    "$listClusterCatalog",
    "$listLocalSessions",
    "$listSampledQueries",
    "$listSearchIndexes",
    "$listSessions",
    "$mergeCursors",
    "$operationMetrics",
    "$planCacheStats",
    "$querySettings",
    "$queryStats",
    "$queue",
    "$setVariableFromSubPipeline",
    "$shardedDataDistribution",
    "$toHashedIndexKey",
];

/// What to say about a name that is on no list of allowed ones.
pub(super) fn refuse(kind: Kind, name: &str, at: &At<'_>) -> Refused {
    let place = at.to_string();
    let shown = shown(name);
    let known = |list: &[&str]| list.contains(&name);
    if known(&WRITES) {
        Refused::Writes { at: place, name: shown }
    } else if known(&JAVASCRIPT) {
        Refused::JavaScript { at: place, name: shown }
    } else if known(&RANDOM) {
        Refused::Random { at: place, name: shown }
    } else if known(&OTHER_COLLECTIONS) {
        Refused::NotYet { at: place, name: shown, why: "it reaches beyond the one collection" }
    } else if known(&NOT_YET) {
        Refused::NotYet { at: place, name: shown, why: "" }
    } else if known(&SERVER) || name.starts_with("$_") {
        Refused::Server { at: place, name: shown }
    } else {
        Refused::Unknown { at: place, name: shown, kind }
    }
}
